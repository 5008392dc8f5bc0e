"""What every resolver is given."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias, TypeVar

import strawberry

from domain.ids import OrderId
from gql.loaders import Loaders, Reading
from services.callers import Caller
from services.commands import Performer
from services.planning import Planner
from services.ports.carriers import Carrier
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork

T = TypeVar("T")


@dataclass(slots=True)
class Context:
    """One request: who asks, the database, who reads and writes there for all, and what was loaded already."""

    caller: Caller
    database: Database
    reading: Reading
    performer: Performer
    planner: Planner
    webhooks_allow_loopback: bool = False
    carrier: Carrier | None = None
    public_url: str | None = None
    """Where customers reach this server."""
    loaders: Loaders = field(init=False)

    def __post_init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """What was loaded before is stale now: a mutation has written, or an event has come."""
        self.loaders = Loaders(self.reading)

    async def in_sight(self, orders: Sequence[OrderId]) -> Sequence[OrderId]:
        """Those of which the caller may know."""
        if not self.caller.visibility.is_limited:
            return orders
        found = await self.loaders.orders.load_many(list(orders))
        return [order.id for order in found if order is not None]

    async def read(self, work: Callable[[UnitOfWork], Awaitable[T]]) -> T:
        """Read what the caller may see. What the services read through `database` is everything."""
        return await self.reading.read(work)


Info: TypeAlias = strawberry.Info[Context, None]
