"""What a batch writes, in sequence: for each kind of row one statement, with the rows as arrays."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any

from domain.changes import Changes
from persistence.claim_writes import (
    CART_COLUMNS,
    CLAIM_COLUMNS,
    CLAIM_UPDATE_COLUMNS,
    DELETE_CLAIMS,
    DIVIDE_CLAIMS,
    DIVIDED_CLAIM_COLUMNS,
    END_CLAIMS,
    END_COLUMNS,
    END_RESERVATIONS,
    ENDED_CART_COLUMNS,
    INSERT_CLAIMS,
    INSERT_RESERVATIONS,
    INSERT_RESERVED_LINES,
    RESERVED_LINE_COLUMNS,
    UPDATE_CLAIMS,
    cart_row,
)
from persistence.driver import Statement, Write
from persistence.events import appended
from persistence.floor import floor_writes
from persistence.keys import kept
from persistence.order_writes import (
    ASK_AT,
    BUNDLE_COLUMNS,
    INSERT_BUNDLES,
    INSERT_CHANNELS,
    INSERT_LINES,
    INSERT_ORDERS,
    LINE_COLUMNS,
    LINE_UPDATE_COLUMNS,
    ORDER_COLUMNS,
    SAVE_VOID_REASONS,
    SERVED_LINE_COLUMNS,
    UPDATE_LINES,
    UPDATE_ORDERS,
    UPDATE_SERVED_LINES,
    UPDATE_TERMS,
    bundle_row,
    line_row,
    order_row,
    terms_row,
)
from persistence.payment_writes import standing_writes
from persistence.returns import return_writes
from persistence.sql import columns
from persistence.stock_writes import (
    COUNT_COLUMNS,
    INSERT_COUNTS,
    INSERT_LEVELS,
    INSERT_MOVEMENTS,
    LEVEL_COLUMNS,
    MOVEMENT_COLUMNS,
    REPLENISH,
    UPDATE_LEVELS,
)
from persistence.supplies import (
    INSERT_SUPPLIES,
    INSERT_SUPPLY_LINES,
    SUPPLY_COLUMNS,
    SUPPLY_UPDATE_COLUMNS,
    UPDATE_SUPPLIES,
    UPDATE_SUPPLY_LINES,
    changed_supply_lines,
    new_supply_lines,
)
from services.ports.keys import IdempotencyKey


def writes(changes: Changes, outcomes: Iterable[tuple[IdempotencyKey, str]]) -> Iterator[Write]:
    """Each is made when the one before is under way."""
    yield from _placing(changes)
    yield from _guarded(UPDATE_LEVELS, attributes(changes.changed_levels, LEVEL_COLUMNS))
    yield from _arrays(INSERT_LEVELS, attributes(changes.new_levels, LEVEL_COLUMNS))
    yield from _supplying(changes)
    yield from _arrays(INSERT_MOVEMENTS, attributes(changes.movements, MOVEMENT_COLUMNS))
    yield from _arrays(INSERT_COUNTS, attributes(changes.counts, COUNT_COLUMNS))
    yield from _claiming(changes)
    yield from _serving(changes)
    yield from floor_writes(changes)
    yield from return_writes(changes)
    yield from standing_writes(changes)
    yield from appended(changes.events)
    yield from kept(outcomes)


def _placing(changes: Changes) -> Iterator[Write]:
    yield from _arrays(INSERT_CHANNELS, {"codes": sorted({order.channel for order, _ in changes.placed})})
    yield from _rows(INSERT_ORDERS, [order_row(changes, *one) for one in changes.placed])
    yield from _arrays(INSERT_BUNDLES, columns(map(bundle_row, changes.new_bundles), BUNDLE_COLUMNS))
    yield from _arrays(INSERT_LINES, columns(map(line_row, changes.placed_lines), LINE_COLUMNS))
    yield from _arrays(INSERT_RESERVATIONS, columns(map(cart_row, changes.new_reservations), CART_COLUMNS))
    reserved = [line for new in changes.new_reservations for line in new.lines]
    yield from _arrays(INSERT_RESERVED_LINES, attributes(reserved, RESERVED_LINE_COLUMNS))


def _supplying(changes: Changes) -> Iterator[Write]:
    yield from _arrays(INSERT_SUPPLIES, attributes(changes.new_supplies, SUPPLY_COLUMNS))
    yield from _arrays(INSERT_SUPPLY_LINES, new_supply_lines(changes.new_supplies))
    yield from _guarded(UPDATE_SUPPLIES, attributes(changes.changed_supplies, SUPPLY_UPDATE_COLUMNS))
    yield from _guarded(UPDATE_SUPPLY_LINES, changed_supply_lines(changes.changed_supply_lines))


def _claiming(changes: Changes) -> Iterator[Write]:
    yield from _arrays(END_CLAIMS, attributes(changes.ended_claims, END_COLUMNS))
    # Before the rows that they come from may go.
    yield from _guarded(DIVIDE_CLAIMS, attributes(changes.divided_claims, DIVIDED_CLAIM_COLUMNS))
    yield from _guarded(END_RESERVATIONS, attributes(changes.ended_reservations, ENDED_CART_COLUMNS))
    yield from _guarded(DELETE_CLAIMS, {"ids": changes.gone_claims})
    yield from _guarded(UPDATE_CLAIMS, attributes(changes.changed_claims, CLAIM_UPDATE_COLUMNS))
    yield from _arrays(INSERT_CLAIMS, attributes(changes.new_claims, CLAIM_COLUMNS))


def _serving(changes: Changes) -> Iterator[Write]:
    served = [line for line in changes.lines if line.id not in changes.resized_lines]
    resized = [line for line in changes.lines if line.id in changes.resized_lines]
    yield from _guarded(UPDATE_SERVED_LINES, attributes(served, SERVED_LINE_COLUMNS))
    yield from _guarded(UPDATE_LINES, attributes(resized, LINE_UPDATE_COLUMNS))
    minutes = {"minutes": [changes.schedules.get(order.id) for order in changes.orders]}
    yield from _guarded(UPDATE_ORDERS, attributes(changes.orders, ORDER_COLUMNS) | minutes)
    yield from _rows(UPDATE_TERMS, [terms_row(changes, *one) for one in changes.terms.items()])
    yield from _arrays(REPLENISH, {"items": sorted(changes.replenished)})
    yield from _rows(ASK_AT, [{"id": order, "at": at} for order, at in changes.asked_at.items()])
    yield from _arrays(SAVE_VOID_REASONS, columns(changes.void_reasons.items(), ("ids", "reasons")))


def _rows(statement: Statement, rows: list[dict[str, Any]]) -> Iterator[Write]:
    if rows:
        yield Write(statement, {"rows": rows})


def _arrays(statement: Statement, arrays: Mapping[str, list[Any]]) -> Iterator[Write]:
    if any(arrays.values()):
        yield Write(statement, arrays)


def _guarded(statement: Statement, arrays: Mapping[str, list[Any]]) -> Iterator[Write]:
    """Every row must still be as it was read."""
    rows = len(next(iter(arrays.values())))
    if rows:
        yield Write(statement, arrays, rows)


def attributes(rows: Sequence[object], names: Mapping[str, str]) -> dict[str, list[Any]]:
    """One list a column, to be sent as an array: of each row the attribute that the column is named for."""
    return {column: list(map(attrgetter(name), rows)) for column, name in names.items()}
