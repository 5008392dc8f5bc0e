"""The rules of the state machine that are about goods on their way back, through the services."""

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from domain.kinds import FollowUpOutcome, InspectionOutcome, ReturnReason
from domain.returning import WantedBack
from services.returns import (
    CancelReturn,
    InspectedUnits,
    InspectReturn,
    ReceivedUnits,
    ReceiveReturn,
    RecordFollowUp,
    RequestReturn,
    cancel_return,
    inspect_return,
    receive_return,
    record_follow_up,
    request_return,
)
from tests.builders import by_id
from tests.services.floor_model import GONE
from tests.services.warehouse import CALLER, PART, PLACES, SOME, WHICH

BACK_TO = st.none() | st.sampled_from(PLACES)
OUTCOME = st.sampled_from(InspectionOutcome)
JUDGED = st.lists(st.tuples(PART, st.integers(1, 2), OUTCOME, BACK_TO), min_size=1, max_size=3)
CAME = st.none() | st.lists(PART, min_size=1, max_size=2)
STEP = st.sampled_from(("receive", "receive", "inspect", "inspect", "inspect", "cancel"))
STEPS_BACK = st.lists(st.tuples(STEP, CAME, JUDGED, BACK_TO), min_size=1, max_size=4)
HOME_AGAIN = (
    ("receive", [1], [], None),
    ("inspect", None, [(0, 1, InspectionOutcome.RESELL, None)], None),
    ("receive", None, [], "YORK"),
    ("inspect", None, [(0, 1, InspectionOutcome.QUARANTINE, "LEEDS"), (0, 1, InspectionOutcome.DISCARD, None)], None),
    ("cancel", None, [], None),
)
"""What is brought back one step after the other."""

RETURNS = """
    SELECT r.id, o.number, p.code, r.state FROM returns r
    JOIN orders o ON o.id = r.order_id JOIN locations p ON p.id = r.location_id ORDER BY r.id
    """
RETURN_LINES = """
    SELECT b.return_id, b.id, l.position, b.quantity, b.received, b.canceled, b.resold, b.quarantined, b.discarded
    FROM return_lines b JOIN order_lines l ON l.id = b.line_id ORDER BY b.id
    """
FOLLOW_UPS = "SELECT o.number, count(*) FROM follow_ups u JOIN orders o ON o.id = u.order_id GROUP BY 1"
BACK = (RETURNS, RETURN_LINES, FOLLOW_UPS)


class ReturnCounter:
    """A part of `Shop`. Returns are picked by position from the latest one back."""

    @precondition(lambda self: self.orders_that_left())
    @rule(
        which=WHICH, units=st.lists(PART, min_size=1, max_size=3), place=st.sampled_from(PLACES), together=st.booleans()
    )
    def ask_back(self, which, units, place, together):
        """Mostly of an order of which something has left, and mostly no more than that."""
        left = self.orders_that_left() if which % 8 != 7 else list(self.ids)
        number = left[-1 - which % len(left)]
        if which % 4:
            free = self.model.returnable(number)
            units = [min(n, free[at % len(self.line_ids[number])]) for at, n in enumerate(units)]
        self.request_return(number, units, place, together=together)

    def request_return(self, number, units, place, *, together):
        wanted = [(at % len(self.line_ids[number]), n) for at, n in enumerate(units) if n] or [(0, 1)]
        lines = tuple(
            WantedBack(line=self.line_ids[number][at], quantity=n, reason=reason)
            for (at, n), reason in zip(wanted, ReturnReason, strict=False)
        )
        command = RequestReturn(order=by_id(self.ids[number]), location=place, lines=lines)
        self.ask(
            lambda desk, key: request_return(desk, CALLER, command, key),
            lambda model: model.request_return(number, place, wanted),
            together=together,
        )

    @precondition(lambda self: self.backs)
    @rule(which=WHICH, steps=STEPS_BACK, together=st.booleans())
    def go_back(self, which, steps, together):
        """Mostly with a return that is open."""
        open_ones = [at for at, back in enumerate(self.model.backs) if back.state in ("REQUESTED", "RECEIVED")]
        found = open_ones if open_ones and which % 8 != 7 else range(len(self.backs))
        self.take_back(found[-1 - which % len(found)], steps, together=together)

    def take_back(self, which, steps, *, together):
        """These steps with one return, `together` or one after the other."""
        for step, units, judged, to in steps:
            match step:
                case "receive":
                    self.receive_return(which, units, to, together=together)
                case "inspect":
                    self.inspect_return(which, judged, together=together)
                case "cancel":
                    self.cancel_return(which, together=together)

    def receive_return(self, which, units, place, *, together):
        lines = self.backs[which][1]
        came = (units and {at: n for at, n in zip(range(len(lines)), units, strict=False) if n}) or None
        named = came and tuple(ReceivedUnits(line=lines[at], quantity=n) for at, n in came.items())
        command = ReceiveReturn(returned=self.backs[which][0], lines=named, location=place)
        self.ask(
            lambda desk, key: receive_return(desk, CALLER, command, key),
            lambda model: model.receive_return(which, came, place),
            together=together,
        )

    def inspect_return(self, which, judged, *, together):
        lines = self.backs[which][1]
        seen = [
            (at % len(lines), n, outcome, None if outcome is InspectionOutcome.DISCARD else place)
            for at, n, outcome, place in judged
        ]
        command = InspectReturn(
            returned=self.backs[which][0],
            lines=tuple(
                InspectedUnits(line=lines[at], quantity=n, outcome=outcome, location=place)
                for at, n, outcome, place in seen
            ),
        )
        self.ask(
            lambda desk, key: inspect_return(desk, CALLER, command, key),
            lambda model: model.inspect_return(which, seen),
            together=together,
        )

    def cancel_return(self, which, *, together):
        command = CancelReturn(returned=self.backs[which][0])
        self.ask(
            lambda desk, key: cancel_return(desk, CALLER, command, key),
            lambda model: model.cancel_return(which),
            together=together,
        )

    @precondition(lambda self: self.orders_that_left())
    @rule(which=WHICH, place=st.sampled_from(PLACES), steps=STEPS_BACK, together=st.booleans())
    def bring_back(self, which, place, steps, together):
        """Ask for something that can come back, and go on with it."""
        self.flush()
        left = [number for number in self.orders_that_left() if max(self.model.returnable(number).values()) > 0]
        if not left:
            return
        number = left[-1 - which % len(left)]
        free = self.model.returnable(number)
        before = len(self.backs)
        units = [min(free[at], 2) for at in range(len(self.line_ids[number]))]
        self.request_return(number, units, place, together=False)
        assert len(self.backs) == before + 1
        self.take_back(before, steps, together=together)

    def bring_home(self, which):
        """Most of the way back, or all of it."""
        self.bring_back(which, PLACES[which % 2], HOME_AGAIN[: 2 + which % 4], together=bool(which % 3))

    @precondition(lambda self: self.ids)
    @rule(some=SOME, outcome=st.sampled_from(FollowUpOutcome), together=st.booleans())
    def follow_up(self, some, outcome, together):
        (number, *_) = self.pick(some)
        command = RecordFollowUp(order=by_id(self.ids[number]), outcome=outcome)
        self.ask(
            lambda desk, key: record_follow_up(desk, CALLER, command, key),
            lambda model: model.hear(number),
            together=together,
        )

    # ------------------------------------------------------------ asking and comparing

    def orders_that_left(self):
        """Some of them, the latest last; as it was before what waits is asked."""
        return list(dict.fromkeys(one.order for one in self.model.fulfillments if one.state in GONE))

    def compare_returns(self, returns, lines, follow_ups):
        self.backs = [(one, [line for of, line, *_ in lines if of == one]) for one, *_ in returns]
        backs = self.model.backs
        assert [tuple(rest) for _, *rest in returns] == [(back.order, back.place, back.state) for back in backs]
        names = ("RESELL", "QUARANTINE", "DISCARD")
        assert [tuple(rest) for _, _, *rest in lines] == [
            (line.line, line.quantity, line.received, line.canceled, *(line.seen[name] for name in names))
            for back in backs
            for line in back.lines
        ]
        assert dict(follow_ups) == self.model.heard
