"""What is true of the rows after every step of the state machine, whatever its model thinks.

It takes one small statement a step, of what has come to the log since; everything else has been read for the model
anyway. What it says of each invariant is told by hand and not by the statements of `dibs verify`, which is asked at the
end of an example: neither has the mistakes of the other.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from domain import fulfillments, orders, reservations, returns, supply
from domain.kinds import FulfillmentState

Row = tuple[Any, ...]

LOG = """
    SELECT e.id, o.number, CAST(e.payload ->> 'order_version' AS int), e.type, e.payload ->> 'after',
           e.payload -> 'changes' ? 'RELEASED', e.payload -> 'changes' ? 'RELEASED_IN_PART',
           ARRAY(SELECT jsonb_array_elements_text(e.payload -> 'holds_placed')),
           ARRAY(SELECT jsonb_array_elements_text(e.payload -> 'holds_ended'))
    FROM events e JOIN orders o ON o.id = e.order_id
    WHERE e.id > {after} AND e.type IN ('OrderChanged', 'AllocationStatusChanged') ORDER BY e.id
    """
LEDGER = """
    SELECT i.sku, l.code, m.quantity, m.cause, sum(m.change) FROM stock_movements m JOIN items i ON i.id = m.item_id
    JOIN locations l ON l.id = m.location_id GROUP BY 1, 2, 3, 4
    """
ON_HAND, TRANSFERRED = "ON_HAND", ("TRANSFER_OUT", "TRANSFER_IN", "TRANSFER_CANCELED")
GONE = ("SHIPPED", "DELIVERED")


class Rows(NamedTuple):
    """What was read of one moment, statement by statement."""

    levels: list[Row]
    orders: list[Row]
    lines: list[Row]
    claims: list[Row]
    ledger: list[Row]
    carts: list[Row]
    cart_lines: list[Row]
    transfers: list[Row]
    transfer_lines: list[Row]
    sent: list[Row]
    sent_lines: list[Row]
    parcels: list[Row]
    returns: list[Row]
    return_lines: list[Row]
    follow_ups: list[Row]
    holds: list[Row]
    log: list[Row]
    ids: list[Row]


def reachable(transitions: Mapping[Any, Mapping[str, Any]], *more: tuple[Any, Any]) -> Mapping[str, set[str]]:
    """From each state, itself and all that can be come to, in any number of operations. `more`: edges beside them."""
    edges = [(origin, to) for origin, moves in transitions.items() for to in moves.values()] + list(more)
    found = {str(state): {str(state)} for state in transitions}
    for _ in found:
        for origin, to in edges:
            found[str(origin)] |= found[str(to)]
    return found


PICKED_AGAIN = [(state, FulfillmentState.PICKING) for state in (FulfillmentState.PICKED, FulfillmentState.CHECKED)]
EDGES = {
    "order": reachable(orders.TRANSITIONS),
    "cart": reachable(reservations.TRANSITIONS),
    "transfer": reachable(supply.TRANSITIONS),
    "return": reachable(returns.TRANSITIONS),
    "fulfillment": reachable(fulfillments.TRANSITIONS, *PICKED_AGAIN),
}


class Always:
    """Remembers what it has seen, and looks at what is there now."""

    def __init__(self) -> None:
        self.in_part: set[str] = set()
        """Orders of which somebody has asked to release what is there."""
        self._read = 0
        self._versions: Counter[str] = Counter()
        self._statuses: dict[str, str | None] = {}
        self._holds: defaultdict[str, set[str]] = defaultdict(set)
        self._states: dict[tuple[str, object], str] = {}
        self._taken_over: dict[object, str] = {}

    @property
    def statement(self) -> str:
        """What has come to the log since."""
        return LOG.format(after=self._read)

    def look(self, rows: Rows) -> None:
        i1_what_is_set_aside_adds_up(rows)
        i2_no_line_is_served_beyond_its_quantity(rows)
        i3_stock_is_its_ledger(rows)
        i4_nothing_is_negative(rows)
        self._i9_released_orders_are_allocated_and_not_held(rows.log)
        self._holds = defaultdict(set, {number: set(reasons or ()) for number, reasons, _ in rows.holds})
        i10_no_unit_is_lost(rows)
        self._i11_a_cart_ends_once(rows)
        i14_what_is_void_has_not_left(rows)
        self._i15_states_follow_the_tables(rows)

    def _i9_released_orders_are_allocated_and_not_held(self, log: Iterable[Row]) -> None:
        """In the commit that released them; or in part, where somebody has asked for that. And I5 on the way."""
        commits: defaultdict[tuple[str, int], list[Row]] = defaultdict(list)
        for number, order, version, *rest in log:
            self._read = number
            commits[order, version].append(tuple(rest))
        for (order, version), events in commits.items():
            self._versions[order] += 1
            assert version == self._versions[order], f"I5: the version of {order} after {self._versions[order] - 1}"
            for kind, after, *_ in events:
                if kind == "AllocationStatusChanged":
                    self._statuses[order] = after
            (_, _, whole, in_part, placed, ended) = next(one for one in events if one[0] == "OrderChanged")
            status = self._statuses.get(order, "UNALLOCATED")
            assert not whole or status == "ALLOCATED", f"I9: {order} was released and is {status}"
            assert not in_part or order in self.in_part, f"I9: nobody asked to release a part of {order}"
            held = self._holds[order] - set(ended)
            assert not held or not (whole or in_part), f"I9: {order} was released and is held for {held}"
            self._holds[order] = (held | set(placed)) - set(ended)  # of both in one commit, none is sure

    def _i11_a_cart_ends_once(self, rows: Rows) -> None:
        ended = {name for name, _, state, _ in rows.carts if state != "ACTIVE"}
        for name, _, state, order in rows.carts:
            assert (state == "TAKEN_OVER") == (order is not None), f"I11: {name} is {state}, and {order}'s"
            if order is not None:
                assert self._taken_over.setdefault(name, order) == order, f"I11: {name} was taken over twice"
        assert not ended & {holder for holder, *_ in rows.claims}, "I11: a cart that has ended holds units"

    def _i15_states_follow_the_tables(self, rows: Rows) -> None:
        now = {("order", number): status for number, status, *_ in rows.orders}
        now |= {("cart", cart): state for _, cart, state, _ in rows.carts}
        now |= {("transfer", name): state for name, state, *_ in rows.transfers}
        now |= {("return", one): state for one, _, _, state in rows.returns}
        now |= {("fulfillment", one): state for one, *_, state in rows.sent}
        for one, before in self._states.items():
            assert now.get(one) in EDGES[one[0]][before], f"I15: {one} was {before} and is {now.get(one)}"
        self._states = now


def i1_what_is_set_aside_adds_up(rows: Rows) -> None:
    """Of each level, and of each line; and what no stock is behind is flagged."""
    sku_of = {(number, at): sku for number, at, sku, *_ in (*rows.lines, *rows.cart_lines)}
    units: Counter[Any] = Counter()
    flags: Counter[Any] = Counter()
    for holder, at, place, quantity, overallocated, *_ in rows.claims:
        for whose in ((sku_of[holder, at], place), (holder, at, "line")):
            units[whose] += quantity
            flags[whose] += overallocated
    for sku, place, on_hand, damaged, checking, safety, committed, flagged, _ in rows.levels:
        missing = max(0, committed - max(0, on_hand - damaged - checking - safety))
        assert (committed, flagged) == (units[sku, place], missing), f"I1: {sku} at {place}"
        assert flags[sku, place] == missing, f"I1: the flags of {sku} at {place}"
    for number, at, _, _, _, _, _, _, allocated, overallocated, *_ in rows.lines:
        whose = (number, at, "line")
        assert (allocated, overallocated) == (units[whose], flags[whose]), f"I1: line {at} of {number}"


def i2_no_line_is_served_beyond_its_quantity(rows: Rows) -> None:
    for number, at, _, quantity, canceled, _, shipped, dropshipped, allocated, overallocated, *_ in rows.lines:
        counts = (canceled, shipped, dropshipped, allocated, overallocated)
        assert min(counts) >= 0, f"I2: line {at} of {number}"
        assert canceled + shipped + dropshipped + allocated <= quantity, f"I2: line {at} of {number}"
        assert overallocated <= allocated, f"I2: line {at} of {number}"


def i3_stock_is_its_ledger(rows: Rows) -> None:
    by_ledger: Counter[Any] = Counter()
    for sku, place, quantity, _, units in rows.ledger:
        by_ledger[sku, place, quantity] += units
    for sku, place, *quantities in rows.levels:
        for name, units in zip((ON_HAND, "DAMAGED", "QUALITY_CONTROL", "SAFETY_STOCK"), quantities, strict=False):
            assert by_ledger.pop((sku, place, name), 0) == units, f"I3: {name} of {sku} at {place}"
    assert not any(by_ledger.values()), f"I3: the ledger knows more: {by_ledger}"


def i4_nothing_is_negative(rows: Rows) -> None:
    for sku, place, on_hand, damaged, checking, *rest, picked in rows.levels:
        assert min(on_hand, damaged, checking, picked, *rest) >= 0, f"I4: {sku} at {place}"
        assert damaged + checking + picked <= on_hand, f"I4: more of {sku} is apart than is at {place}"


def i10_no_unit_is_lost(rows: Rows) -> None:
    """Received, and corrected, and back on a shelf: that is on hand, shipped or in transit. Of each SKU."""
    by_cause: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for sku, _, quantity, cause, units in rows.ledger:
        if quantity == ON_HAND:
            by_cause[sku]["TRANSFER" if cause in TRANSFERRED else cause] += units
    on_hand, shipped, in_transit, back = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    sku_of = {}
    for number, at, sku, _, _, _, gone, *_ in rows.lines:
        sku_of[number, at] = sku
        shipped[sku] += gone
    for sku, _, units, *_ in rows.levels:
        on_hand[sku] += units
    expected = {name for name, state, *_ in rows.transfers if state == "EXPECTED"}
    for name, sku, quantity, received, canceled, lost in rows.transfer_lines:
        open_units = max(0, quantity - received - canceled - lost)
        assert name in expected or not open_units, f"I10: {name} is over, and {sku} is still on its way"
        in_transit[sku] += open_units
    order_of = {one: order for one, order, *_ in rows.returns}
    for one, _, at, _, _, _, resold, quarantined, _ in rows.return_lines:
        back[sku_of[order_of[one], at]] += resold + quarantined
    for sku in {*by_cause, *shipped, *on_hand}:
        causes = by_cause[sku]
        assert -causes["SHIPPED"] == shipped[sku], f"I10: {sku} left, and is not shipped, or the other way round"
        assert -causes["TRANSFER"] == in_transit[sku], f"I10: {sku} is on its way, and is not in transit"
        assert causes["RETURNED"] == back[sku], f"I10: {sku} came back, and is on no shelf"
        come = sum(units for cause, units in causes.items() if cause not in ("SHIPPED", "TRANSFER", "RETURNED"))
        assert come + back[sku] == on_hand[sku] + shipped[sku] + in_transit[sku], f"I10: {sku}"


def i14_what_is_void_has_not_left(rows: Rows) -> None:
    void = {number for number, status, *_ in rows.orders if status == "VOID"}
    left = {order for _, order, _, _, state in rows.sent if state in GONE}
    held = {number for number, reasons, _ in rows.holds if reasons}
    assert not void & left, f"I14: {void & left} are void, and have left"
    assert not void & held, f"I14: {void & held} are void, and held"
