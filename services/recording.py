"""How every command of a batch, and the batch, ends."""

from collections.abc import Sequence

from domain.batch import Batch
from domain.ids import OrderId
from services.ports.unit_of_work import UnitOfWork


async def settle(uow: UnitOfWork, batch: Batch) -> None:
    """Set the flags anew where the batch moved stock from under a claim or gave some back, with all who compete.

    And learn what the orders owe whose lines or terms have changed, so that their payment status follows.
    """
    await account(uow, batch, batch.unaccounted())
    unsettled = batch.unsettled()
    if unsettled:
        batch.learn(await uow.batches.contenders(unsettled))
    batch.settle()


async def account(uow: UnitOfWork, batch: Batch, orders: Sequence[OrderId]) -> None:
    """Learn where these orders stand. Their SKUs must be locked."""
    if orders:
        batch.account(await uow.payments.standings(orders))
