"""What a batch writes, in sequence: for each kind of row one statement, with the rows as arrays."""

from collections.abc import Collection, Iterable, Iterator

from domain.changes import Changes
from persistence.claim_writes import claim_writes, new_cart_writes
from persistence.driver import Write
from persistence.events import appended
from persistence.floor import floor_writes
from persistence.keys import kept
from persistence.order_writes import new_order_writes, order_writes
from persistence.payment_writes import standing_writes
from persistence.returns import return_writes
from persistence.stock_writes import ledger_writes, level_writes
from persistence.supplies import supply_writes
from services.ports.keys import IdempotencyKey


def writes(
    changes: Changes, outcomes: Iterable[tuple[IdempotencyKey, str]], channels: Collection[str] = ()
) -> Iterator[Write]:
    """Each is made when the one before is under way. `channels`: codes of those that are known to be there."""
    yield from new_order_writes(changes, channels)
    yield from new_cart_writes(changes)
    yield from level_writes(changes)
    yield from supply_writes(changes)
    yield from ledger_writes(changes)
    yield from claim_writes(changes)
    yield from order_writes(changes)
    yield from floor_writes(changes)
    yield from return_writes(changes)
    yield from standing_writes(changes)
    yield from appended(changes.events)
    yield from kept(outcomes)
