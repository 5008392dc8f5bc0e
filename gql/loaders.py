"""Objects by id: the ids that one request wants in a turn of the event loop load together, and with those that other
requests want meanwhile. A list loads in one query a kind, whatever its length.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar

from strawberry.dataloader import DataLoader

from domain.access import EVERYTHING, Visibility
from domain.fulfillments import Parcel
from domain.ids import (
    ChannelId,
    FulfillmentId,
    InvoiceId,
    ItemId,
    LevelKey,
    LineId,
    LocationId,
    OrderId,
    PickListId,
    PickTaskId,
    ReservationId,
    ReturnId,
    ReturnLineId,
    SupplyId,
)
from domain.payments import Totals
from domain.stock import Item, Location
from services.explaining import OrderExplanation, explanations
from services.gathering import Gathering
from services.journeys import tracking_tokens
from services.payments import totals_of
from services.ports.catalog import Channel
from services.ports.database import Database
from services.ports.documents import InvoiceView
from services.ports.fulfillments import FulfillmentView, PickListView, PickTaskView, TrackingEventView
from services.ports.orders import AllocationView, LineView, OrderView
from services.ports.payments import HoldView, PaymentView
from services.ports.reservations import ReservationView, ReservedLineView
from services.ports.returns import FollowUpView, InspectionView, ReturnView
from services.ports.stock import LevelView
from services.ports.supplies import SupplyView
from services.ports.unit_of_work import UnitOfWork

READINGS_MAX = 200
"""Of limited callers; whose was used the longest ago is made anew when it is wanted again."""

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Reading:
    """Reads for all requests of the process whose callers may see the same."""

    def __init__(self, database: Database, visibility: Visibility = EVERYTHING) -> None:
        self._database = database
        self._visibility = visibility
        self._reader = database.seen_by(visibility)
        self.orders: Gathering[OrderId, OrderView] = self._each(lambda uow, ids: uow.orders.by_ids(ids), _id)
        self.lines: Gathering[LineId, LineView] = self._each(lambda uow, ids: uow.orders.lines(ids), _id)
        self.lines_of: Gathering[OrderId, list[LineView]] = self._many(
            lambda uow, ids: uow.orders.lines_of(ids), lambda line: line.order
        )
        self.allocations_of: Gathering[LineId, list[AllocationView]] = self._many(
            lambda uow, ids: uow.orders.allocations_of(ids), lambda allocation: allocation.line
        )
        self.payments_of: Gathering[OrderId, list[PaymentView]] = self._many(
            lambda uow, ids: uow.payments.payments_of(ids), lambda payment: payment.order
        )
        self.holds_of: Gathering[OrderId, list[HoldView]] = self._many(
            lambda uow, ids: uow.payments.holds_of(ids), lambda hold: hold.order
        )
        self.totals: Gathering[OrderId, Totals] = Gathering(self._totals)
        self.items: Gathering[ItemId, Item] = self._each(lambda uow, ids: uow.catalog.items(ids), _id)
        self.locations: Gathering[LocationId, Location] = self._each(lambda uow, _: uow.catalog.locations(), _id)
        self.channels: Gathering[ChannelId, Channel] = self._each(lambda uow, _: uow.catalog.channels(), _id)
        self.levels: Gathering[int, LevelView] = self._each(lambda uow, ids: uow.stock.levels(ids), _id)
        self.levels_at: Gathering[LevelKey, LevelView] = self._each(
            lambda uow, keys: uow.stock.levels_at(keys), lambda level: level.key
        )
        self.levels_of: Gathering[ItemId, list[LevelView]] = self._many(
            lambda uow, ids: uow.stock.levels_of(ids), lambda level: level.item
        )
        self.reservations: Gathering[ReservationId, ReservationView] = self._each(
            lambda uow, ids: uow.reservations.by_ids(ids), _id
        )
        self.reserved_lines_of: Gathering[ReservationId, list[ReservedLineView]] = self._many(
            lambda uow, ids: uow.reservations.lines_of(ids), lambda line: line.reservation
        )
        self.explanations: Gathering[OrderId, OrderExplanation] = Gathering(self._explanations)
        self.supplies: Gathering[SupplyId, SupplyView] = self._each(lambda uow, ids: uow.supplies.by_ids(ids), _id)
        self.fulfillments: Gathering[FulfillmentId, FulfillmentView] = self._each(
            lambda uow, ids: uow.fulfillments.by_ids(ids), _id
        )
        self.fulfillments_of: Gathering[OrderId, list[FulfillmentView]] = self._many(
            lambda uow, ids: uow.fulfillments.of_orders(ids), lambda one: one.order
        )
        self.parcels_of: Gathering[FulfillmentId, list[Parcel]] = self._many(
            lambda uow, ids: uow.fulfillments.parcels_of(ids), lambda parcel: parcel.fulfillment
        )
        self.tracking_of: Gathering[FulfillmentId, list[TrackingEventView]] = self._many(
            lambda uow, ids: uow.fulfillments.tracking_of(ids), lambda told: told.fulfillment
        )
        self.pick_tasks: Gathering[PickTaskId, PickTaskView] = self._each(
            lambda uow, ids: uow.fulfillments.tasks(ids), _id
        )
        self.tasks_of: Gathering[FulfillmentId, list[PickTaskView]] = self._many(
            lambda uow, ids: uow.fulfillments.tasks_of(ids), lambda task: task.fulfillment
        )
        self.tasks_on: Gathering[PickListId | None, list[PickTaskView]] = self._many(
            lambda uow, ids: uow.fulfillments.tasks_on([one for one in ids if one]), lambda task: task.list
        )
        self.pick_lists: Gathering[PickListId, PickListView] = self._each(
            lambda uow, ids: uow.fulfillments.lists(ids), _id
        )
        self.returns: Gathering[ReturnId, ReturnView] = self._each(lambda uow, ids: uow.returns.by_ids(ids), _id)
        self.returns_of: Gathering[OrderId, list[ReturnView]] = self._many(
            lambda uow, ids: uow.returns.of_orders(ids), lambda one: one.order
        )
        self.inspections_of: Gathering[ReturnLineId, list[InspectionView]] = self._many(
            lambda uow, ids: uow.returns.inspections_of(ids), lambda one: one.line
        )
        self.follow_ups_of: Gathering[OrderId, list[FollowUpView]] = self._many(
            lambda uow, ids: uow.returns.follow_ups_of(ids), lambda one: one.order
        )
        self.bins: Gathering[LevelKey, list[tuple[str, int]]] = Gathering(self._bins)
        self.invoices: Gathering[InvoiceId, InvoiceView] = self._each(lambda uow, ids: uow.documents.invoices(ids), _id)
        self.invoices_of: Gathering[OrderId, list[InvoiceView]] = self._many(
            lambda uow, ids: uow.documents.invoices_of(ids), lambda invoice: invoice.order
        )
        self.invoiced_units: Gathering[OrderId, int] = Gathering(self._invoiced_units)
        self.incoming: Gathering[LevelKey, int] = Gathering(self._incoming)
        self.tracking_tokens: Gathering[OrderId, str] = Gathering(self._tracking_tokens)

    async def _tracking_tokens(self, orders: Sequence[OrderId]) -> Mapping[OrderId, str]:
        if self._visibility.locations is not None:  # what customers are told is not the location's
            return {}
        return await tracking_tokens(self._database, orders)

    async def _explanations(self, orders: Sequence[OrderId]) -> Mapping[OrderId, OrderExplanation]:
        """Found out from all that there is, and told without what the caller may not know of."""

        async def work(uow: UnitOfWork) -> list[OrderExplanation]:
            return await explanations(uow, orders, self._visibility)

        look = self._database.snapshot if self._visibility.is_limited else self._database.read
        return {one.order: one for one in await look(work)}

    async def read(self, work: Callable[[UnitOfWork], Awaitable[V]]) -> V:
        """Read what the callers may see."""
        return await self._reader.read(work)

    async def _incoming(self, keys: Sequence[LevelKey]) -> Mapping[LevelKey, int]:
        return await self.read(lambda uow: uow.supplies.incoming(keys))

    async def _invoiced_units(self, orders: Sequence[OrderId]) -> Mapping[OrderId, int]:
        return await self.read(lambda uow: uow.documents.invoiced_units(orders))

    async def _bins(self, keys: Sequence[LevelKey]) -> Mapping[LevelKey, list[tuple[str, int]]]:
        return await self.read(lambda uow: uow.fulfillments.bins_of(keys))

    async def _totals(self, orders: Sequence[OrderId]) -> Mapping[OrderId, Totals]:
        return await self.read(lambda uow: totals_of(uow, orders))

    async def close(self) -> None:
        """Wait until nothing is read any more."""
        for one in list(vars(self).values()):
            if isinstance(one, Gathering):
                await one.close()

    def _each(
        self, load: Callable[[UnitOfWork, Sequence[K]], Awaitable[Iterable[V]]], key: Callable[[V], K]
    ) -> Gathering[K, V]:
        """One value a key."""

        async def read(keys: Sequence[K]) -> Mapping[K, V]:
            return {key(value): value for value in await self._read(load, keys)}

        return Gathering(read)

    def _many(
        self, load: Callable[[UnitOfWork, Sequence[K]], Awaitable[Iterable[V]]], key: Callable[[V], K]
    ) -> Gathering[K, list[V]]:
        """All values of a key."""

        async def read(keys: Sequence[K]) -> Mapping[K, list[V]]:
            found: defaultdict[K, list[V]] = defaultdict(list)
            for value in await self._read(load, keys):
                found[key(value)].append(value)
            return found

        return Gathering(read)

    async def _read(
        self, load: Callable[[UnitOfWork, Sequence[K]], Awaitable[Iterable[V]]], keys: Sequence[K]
    ) -> Iterable[V]:
        async def work(uow: UnitOfWork) -> Iterable[V]:
            return await load(uow, keys)

        return await self.read(work)


class Readings:
    """Who reads for whom: requests whose callers may see different things share nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._everything = Reading(database)
        self._limited: OrderedDict[Visibility, Reading] = OrderedDict()

    def of(self, visibility: Visibility) -> Reading:
        if not visibility.is_limited:
            return self._everything
        if visibility not in self._limited:
            self._limited[visibility] = Reading(self._database, visibility)
            if len(self._limited) > READINGS_MAX:
                self._limited.popitem(last=False)
        self._limited.move_to_end(visibility)
        return self._limited[visibility]

    async def close(self) -> None:
        """Wait until nothing is read any more."""
        for one in (self._everything, *self._limited.values()):
            await one.close()


class Loaders:
    """The loaders of one request. A loaded object stays as it was read until the request forgets it."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    @cached_property
    def orders(self) -> DataLoader[OrderId, OrderView | None]:
        return _one(self._reading.orders)

    @cached_property
    def lines(self) -> DataLoader[LineId, LineView | None]:
        return _one(self._reading.lines)

    @cached_property
    def lines_of(self) -> DataLoader[OrderId, list[LineView]]:
        return _all(self._reading.lines_of)

    @cached_property
    def allocations_of(self) -> DataLoader[LineId, list[AllocationView]]:
        return _all(self._reading.allocations_of)

    @cached_property
    def payments_of(self) -> DataLoader[OrderId, list[PaymentView]]:
        return _all(self._reading.payments_of)

    @cached_property
    def holds_of(self) -> DataLoader[OrderId, list[HoldView]]:
        return _all(self._reading.holds_of)

    @cached_property
    def totals(self) -> DataLoader[OrderId, Totals | None]:
        return _one(self._reading.totals)

    @cached_property
    def items(self) -> DataLoader[ItemId, Item | None]:
        return _one(self._reading.items)

    @cached_property
    def locations(self) -> DataLoader[LocationId, Location | None]:
        return _one(self._reading.locations)

    @cached_property
    def channels(self) -> DataLoader[ChannelId, Channel | None]:
        return _one(self._reading.channels)

    @cached_property
    def levels(self) -> DataLoader[int, LevelView | None]:
        return _one(self._reading.levels)

    @cached_property
    def levels_at(self) -> DataLoader[LevelKey, LevelView | None]:
        return _one(self._reading.levels_at)

    @cached_property
    def levels_of(self) -> DataLoader[ItemId, list[LevelView]]:
        return _all(self._reading.levels_of)

    @cached_property
    def reservations(self) -> DataLoader[ReservationId, ReservationView | None]:
        return _one(self._reading.reservations)

    @cached_property
    def reserved_lines_of(self) -> DataLoader[ReservationId, list[ReservedLineView]]:
        return _all(self._reading.reserved_lines_of)

    @cached_property
    def explanations(self) -> DataLoader[OrderId, OrderExplanation | None]:
        return _one(self._reading.explanations)

    @cached_property
    def supplies(self) -> DataLoader[SupplyId, SupplyView | None]:
        return _one(self._reading.supplies)

    @cached_property
    def fulfillments(self) -> DataLoader[FulfillmentId, FulfillmentView | None]:
        return _one(self._reading.fulfillments)

    @cached_property
    def fulfillments_of(self) -> DataLoader[OrderId, list[FulfillmentView]]:
        return _all(self._reading.fulfillments_of)

    @cached_property
    def parcels_of(self) -> DataLoader[FulfillmentId, list[Parcel]]:
        return _all(self._reading.parcels_of)

    @cached_property
    def tracking_of(self) -> DataLoader[FulfillmentId, list[TrackingEventView]]:
        return _all(self._reading.tracking_of)

    @cached_property
    def pick_tasks(self) -> DataLoader[PickTaskId, PickTaskView | None]:
        return _one(self._reading.pick_tasks)

    @cached_property
    def tasks_of(self) -> DataLoader[FulfillmentId, list[PickTaskView]]:
        return _all(self._reading.tasks_of)

    @cached_property
    def tasks_on(self) -> DataLoader[PickListId | None, list[PickTaskView]]:
        return _all(self._reading.tasks_on)

    @cached_property
    def pick_lists(self) -> DataLoader[PickListId, PickListView | None]:
        return _one(self._reading.pick_lists)

    @cached_property
    def returns(self) -> DataLoader[ReturnId, ReturnView | None]:
        return _one(self._reading.returns)

    @cached_property
    def returns_of(self) -> DataLoader[OrderId, list[ReturnView]]:
        return _all(self._reading.returns_of)

    @cached_property
    def inspections_of(self) -> DataLoader[ReturnLineId, list[InspectionView]]:
        return _all(self._reading.inspections_of)

    @cached_property
    def follow_ups_of(self) -> DataLoader[OrderId, list[FollowUpView]]:
        return _all(self._reading.follow_ups_of)

    @cached_property
    def bins(self) -> DataLoader[LevelKey, list[tuple[str, int]] | None]:
        return _one(self._reading.bins)

    @cached_property
    def invoices(self) -> DataLoader[InvoiceId, InvoiceView | None]:
        return _one(self._reading.invoices)

    @cached_property
    def invoices_of(self) -> DataLoader[OrderId, list[InvoiceView]]:
        return _all(self._reading.invoices_of)

    @cached_property
    def invoiced_units(self) -> DataLoader[OrderId, int | None]:
        return _one(self._reading.invoiced_units)

    @cached_property
    def incoming(self) -> DataLoader[LevelKey, int | None]:
        return _one(self._reading.incoming)

    @cached_property
    def tracking_tokens(self) -> DataLoader[OrderId, str | None]:
        return _one(self._reading.tracking_tokens)


def _one(gathering: Gathering[K, V]) -> DataLoader[K, V | None]:
    async def load(keys: list[K]) -> list[V | None]:
        found = await gathering.load(keys)
        return [found.get(key) for key in keys]

    return DataLoader(load_fn=load, max_batch_size=1_000)


def _all(gathering: Gathering[K, list[V]]) -> DataLoader[K, list[V]]:
    async def load(keys: list[K]) -> list[list[V]]:
        found = await gathering.load(keys)
        return [found.get(key, []) for key in keys]

    return DataLoader(load_fn=load, max_batch_size=1_000)


def _id(value: Any) -> Any:
    return value.id
