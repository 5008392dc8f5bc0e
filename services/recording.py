"""How every batch ends."""

from domain.batch import Batch
from services.ports import UnitOfWork


async def settle(uow: UnitOfWork, batch: Batch) -> None:
    """Fetch the claims that compete where the batch moved stock from under a claim, or gave some back."""
    unsettled = batch.unsettled()
    if unsettled:
        batch.learn(await uow.batches.contenders(unsettled))
