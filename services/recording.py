"""How every command of a batch, and the batch, ends."""

from domain.batch import Batch
from services.ports import UnitOfWork


async def settle(uow: UnitOfWork, batch: Batch) -> None:
    """Set the flags anew where the batch moved stock from under a claim or gave some back, with all who compete."""
    unsettled = batch.unsettled()
    if unsettled:
        batch.learn(await uow.batches.contenders(unsettled))
    batch.settle()
