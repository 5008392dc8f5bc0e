"""The rules of the state machine that are about holds, through the services."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from domain.kinds import HoldReason
from services.holds import HoldOrders, ReleaseHolds, hold_orders, release_holds
from tests.builders import by_id
from tests.services.warehouse import CALLER, SOME

REASON = st.sampled_from((HoldReason.MANUAL_REVIEW, HoldReason.SUSPECTED_FRAUD, HoldReason.AWAITING_PAYMENT))
REASONS = st.none() | st.sets(REASON, min_size=1)
HOLDS = """
    SELECT o.number, array_agg(h.reason ORDER BY h.reason) FILTER (WHERE h.released_at IS NULL),
           count(h.released_at)
    FROM order_holds h JOIN orders o ON o.id = h.order_id GROUP BY 1
    """


class Reviewer:
    """A part of `Shop`: somebody who holds orders, and lets them go again."""

    @precondition(lambda self: self.ids)
    @rule(some=SOME, reason=REASON, again=st.booleans(), together=st.booleans())
    def hold(self, some, reason=HoldReason.MANUAL_REVIEW, again=False, *, together):
        """`again`: and let them go, perhaps in the same transaction, or else hardly anything would be released."""
        numbers = self.pick(some)
        command = HoldOrders(orders=tuple(by_id(self.ids[number]) for number in numbers), reason=reason)
        self.ask(
            lambda desk, key: hold_orders(desk, CALLER, command, key),
            lambda model: model.hold(numbers, reason),
            together=together or again,
        )
        if again:
            self.lift(list(range(len(numbers))), None, together=together)

    @precondition(lambda self: any(self.model.holds.values()))
    @rule(some=SOME, reasons=REASONS, together=st.booleans())
    def lift(self, some, reasons=None, *, together):
        numbers = self.pick(some)
        named = reasons and tuple(sorted(reasons))
        command = ReleaseHolds(orders=tuple(by_id(self.ids[number]) for number in numbers), reasons=named)
        self.ask(
            lambda desk, key: release_holds(desk, CALLER, command, key),
            lambda model: model.lift(numbers, reasons),
            together=together,
        )

    def compare_holds(self, rows):
        assert {number: (set(reasons or ()), ended) for number, reasons, ended in rows} == {
            number: (self.model.holds[number], self.model.lifted[number])
            for number in self.model.orders
            if self.model.holds[number] or self.model.lifted[number]
        }
