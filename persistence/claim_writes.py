"""What a batch writes of claims, and of the carts that hold some."""

from collections.abc import Iterator
from typing import Any

from domain.changes import Changes
from domain.reservations import NewReservation
from persistence.driver import Write, statement
from persistence.sql import BIGINTS, INTS, TEXTS, columns
from persistence.writes import arrays, attributes, guarded

CART_COLUMNS = ("ids", "states", "seconds", "channels")

INSERT_RESERVATIONS = statement(
    """
    INSERT INTO stock_reservations (id, state, expires_at, channel_code)
    SELECT n.id, n.state, clock_timestamp() + make_interval(secs => n.seconds), n.channel
    FROM unnest(:ids, :states, :seconds, :channels) AS n(id, state, seconds, channel)
    """,
    ids=BIGINTS,
    states=TEXTS,
    seconds=INTS,
    channels=TEXTS,
)

RESERVED_LINE_COLUMNS = {"ids": "id", "reservations": "reservation", "items": "item", "quantities": "quantity"}

INSERT_RESERVED_LINES = statement(
    """
    INSERT INTO reserved_lines (id, reservation_id, item_id, quantity)
    SELECT * FROM unnest(:ids, :reservations, :items, :quantities)
    """,
    ids=BIGINTS,
    reservations=BIGINTS,
    items=INTS,
    quantities=INTS,
)

ENDED_CART_COLUMNS = {"ids": "id", "states": "state", "orders": "order"}

END_RESERVATIONS = statement(
    """
    UPDATE stock_reservations r SET state = n.state, order_id = n.order_id, ended_at = clock_timestamp()
    FROM unnest(:ids, :states, :orders) AS n(id, state, order_id) WHERE r.id = n.id AND r.state = 'ACTIVE'
    """,
    ids=BIGINTS,
    states=TEXTS,
    orders=BIGINTS,
)

END_COLUMNS = {
    "ids": "allocation",
    "lines": "claim.line",
    "reserved_lines": "claim.reserved_line",
    "quantities": "quantity",
    "reasons": "reason",
}

END_CLAIMS = statement(
    """
    INSERT INTO ended_allocations (allocation_id, line_id, reserved_line_id, item_id, location_id, quantity, reason,
                                   allocated_at)
    SELECT a.id, n.line_id, n.reserved_line_id, a.item_id, a.location_id, n.quantity, n.reason, a.allocated_at
    FROM unnest(:ids, :lines, :reserved_lines, :quantities, :reasons)
        WITH ORDINALITY AS n(id, line_id, reserved_line_id, quantity, reason, at)
    JOIN allocations a ON a.id = n.id ORDER BY n.at
    """,
    ids=BIGINTS,
    lines=BIGINTS,
    reserved_lines=BIGINTS,
    quantities=INTS,
    reasons=TEXTS,
)

DIVIDED_CLAIM_COLUMNS = {
    "allocations": "allocation",
    "seniorities": "claim.seniority",
    "lines": "claim.line",
    "quantities": "claim.quantity",
    "overallocated": "claim.overallocated",
    "sent": "claim.fulfillment_line",
    "picked": "claim.picked",
}

DIVIDE_CLAIMS = statement(
    """
    INSERT INTO allocations (line_id, item_id, location_id, quantity, overallocated, seniority, allocated_at,
                             fulfillment_line_id, picked)
    SELECT n.line_id, a.item_id, a.location_id, n.quantity, n.overallocated, n.seniority, a.allocated_at, n.sent,
           n.picked
    FROM unnest(:allocations, :seniorities, :lines, :quantities, :overallocated, :sent, :picked)
        WITH ORDINALITY AS n(id, seniority, line_id, quantity, overallocated, sent, picked, at)
    JOIN allocations a ON a.id = n.id ORDER BY n.at
    """,
    allocations=BIGINTS,
    seniorities=BIGINTS,
    lines=BIGINTS,
    quantities=INTS,
    overallocated=INTS,
    sent=BIGINTS,
    picked=INTS,
)

DELETE_CLAIMS = statement("DELETE FROM allocations WHERE id = ANY(:ids)", ids=BIGINTS)

CLAIM_UPDATE_COLUMNS = {
    "ids": "id",
    "lines": "line",
    "reserved_lines": "reserved_line",
    "quantities": "quantity",
    "overallocated": "overallocated",
    "sent": "fulfillment_line",
    "picked": "picked",
}

UPDATE_CLAIMS = statement(
    """
    UPDATE allocations a SET line_id = n.line_id, reserved_line_id = n.reserved_line_id, quantity = n.quantity,
        overallocated = n.overallocated, fulfillment_line_id = n.sent, picked = n.picked
    FROM unnest(:ids, :lines, :reserved_lines, :quantities, :overallocated, :sent, :picked)
        AS n(id, line_id, reserved_line_id, quantity, overallocated, sent, picked)
    WHERE a.id = n.id
    """,
    ids=BIGINTS,
    lines=BIGINTS,
    reserved_lines=BIGINTS,
    quantities=INTS,
    overallocated=INTS,
    sent=BIGINTS,
    picked=INTS,
)

CLAIM_COLUMNS = {
    "lines": "line",
    "reserved_lines": "reserved_line",
    "items": "item",
    "locations": "location",
    "quantities": "quantity",
    "overallocated": "overallocated",
    "sent": "fulfillment_line",
    "picked": "picked",
}

INSERT_CLAIMS = statement(
    """
    INSERT INTO allocations (line_id, reserved_line_id, item_id, location_id, quantity, overallocated,
                             fulfillment_line_id, picked)
    SELECT n.line_id, n.reserved_line_id, n.item_id, n.location_id, n.quantity, n.overallocated, n.sent, n.picked
    FROM unnest(:lines, :reserved_lines, :items, :locations, :quantities, :overallocated, :sent, :picked)
        WITH ORDINALITY AS n(line_id, reserved_line_id, item_id, location_id, quantity, overallocated, sent, picked, at)
    ORDER BY n.at
    """,
    lines=BIGINTS,
    reserved_lines=BIGINTS,
    items=INTS,
    locations=INTS,
    quantities=INTS,
    overallocated=INTS,
    sent=BIGINTS,
    picked=INTS,
)


def _cart_row(new: NewReservation) -> tuple[Any, ...]:
    return new.reservation.id, new.reservation.state, new.expires_in_seconds, new.channel


def new_cart_writes(changes: Changes) -> Iterator[Write]:
    yield from arrays(INSERT_RESERVATIONS, columns(map(_cart_row, changes.new_reservations), CART_COLUMNS))
    reserved = [line for new in changes.new_reservations for line in new.lines]
    yield from arrays(INSERT_RESERVED_LINES, attributes(reserved, RESERVED_LINE_COLUMNS))


def claim_writes(changes: Changes) -> Iterator[Write]:
    yield from arrays(END_CLAIMS, attributes(changes.ended_claims, END_COLUMNS))
    # Before the rows that they come from may go.
    yield from guarded(DIVIDE_CLAIMS, attributes(changes.divided_claims, DIVIDED_CLAIM_COLUMNS))
    yield from guarded(END_RESERVATIONS, attributes(changes.ended_reservations, ENDED_CART_COLUMNS))
    yield from guarded(DELETE_CLAIMS, {"ids": changes.gone_claims})
    yield from guarded(UPDATE_CLAIMS, attributes(changes.changed_claims, CLAIM_UPDATE_COLUMNS))
    yield from arrays(INSERT_CLAIMS, attributes(changes.new_claims, CLAIM_COLUMNS))
