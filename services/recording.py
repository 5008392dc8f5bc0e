"""How every batch ends."""

from domain.batch import Batch, Changes
from services.callers import Caller
from services.ports import UnitOfWork


async def settle(uow: UnitOfWork, batch: Batch) -> None:
    """Fetch the claims that compete where the batch moved stock from under a claim, or gave some back."""
    unsettled = batch.unsettled()
    if unsettled:
        batch.learn(await uow.batches.contenders(unsettled))


async def record(uow: UnitOfWork, batch: Batch, caller: Caller) -> Changes:
    """Settle the flags, then write everything that the batch decided; what was written."""
    await settle(uow, batch)
    changes = batch.changes()
    await uow.batches.record(changes, caller)
    return changes
