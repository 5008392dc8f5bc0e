"""Fulfillments and their parcels, and the pick tasks and lists by which they are fetched."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from domain.fulfillments import Fulfillment, Parcel, PickTask, TrackingEvent
from domain.ids import FulfillmentId, LevelKey, LocationId, OrderId, ParcelId, PickListId, PickTaskId, Sku
from domain.kinds import FulfillmentState, PickMode, PickTaskState, TrackingStatus
from domain.tracking import Tracked
from services.ports.paging import Seek

R = TypeVar("R", bound="NamesParcels")


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentView(Fulfillment):
    """A fulfillment as it is shown, with when it came into its states."""

    created_at: datetime
    picked_at: datetime | None
    checked_at: datetime | None
    packed_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    canceled_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingEventView(TrackingEvent):
    """What a carrier said, as it is shown. `parcel` None: of a fulfillment without parcels."""

    id: int
    fulfillment: FulfillmentId
    parcel: ParcelId | None
    recorded_at: datetime
    recorded_by: str


class NamesParcels(Protocol):
    """A parcel, a fulfillment, or a tracking number."""

    @property
    def parcel(self) -> ParcelId | None: ...
    @property
    def fulfillment(self) -> FulfillmentId | None: ...
    @property
    def number(self) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PickTaskView(PickTask):
    """A pick task as it is shown. `priority`: its order's."""

    order: OrderId
    sku: Sku
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PickListView:
    """A pick list as it is shown; `picker` has it until `leased_until`."""

    id: PickListId
    location: LocationId
    mode: PickMode
    picker: str | None
    leased_until: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskItem:
    """What is to be picked for a task, and by what it is known."""

    order: OrderId
    sku: Sku
    barcode: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FulfillmentFilter:
    """None is no condition; an empty tuple matches nothing. `locations`: codes."""

    orders: tuple[OrderId, ...] | None = None
    locations: tuple[str, ...] | None = None
    states: tuple[FulfillmentState, ...] | None = None
    tracking_number: str | None = None
    tracking_statuses: tuple[TrackingStatus, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PickTaskFilter:
    """None is no condition; an empty tuple matches nothing."""

    location: str
    states: tuple[PickTaskState, ...] | None = (PickTaskState.OPEN,)
    fulfillments: tuple[FulfillmentId, ...] | None = None
    on_list: bool | None = None


class Fulfillments(Protocol):
    async def orders_of(self, ids: Sequence[FulfillmentId]) -> dict[FulfillmentId, OrderId]:
        """Their orders, which never change."""

    async def items_of_tasks(self, ids: Sequence[PickTaskId]) -> dict[PickTaskId, TaskItem]: ...
    async def by_ids(self, ids: Sequence[FulfillmentId]) -> list[FulfillmentView]: ...
    async def of_orders(self, orders: Sequence[OrderId]) -> list[FulfillmentView]:
        """The oldest first."""

    async def page(self, condition: FulfillmentFilter, first: int, after: int | None) -> list[FulfillmentView]:
        """The oldest first; `after`: an id."""

    async def parcels_of(self, fulfillments: Sequence[FulfillmentId]) -> list[Parcel]: ...
    async def tracked(self, references: Sequence[R]) -> dict[R, Tracked]:
        """What carriers speak of, of those references that name something. Of several fulfillments with a tracking
        number, which carriers use again, it is the newest that was not canceled.
        """

    async def tracking_of(self, fulfillments: Sequence[FulfillmentId]) -> list[TrackingEventView]:
        """What carriers said of them, the latest first by their clocks."""

    async def tasks(self, ids: Sequence[PickTaskId]) -> list[PickTaskView]: ...
    async def tasks_of(self, fulfillments: Sequence[FulfillmentId]) -> list[PickTaskView]: ...
    async def tasks_on(self, lists: Sequence[PickListId]) -> list[PickTaskView]:
        """By bin: the sequence in which a picker walks."""

    async def task_page(self, condition: PickTaskFilter, first: int, after: Seek | None) -> list[PickTaskView]:
        """By bin; `after`: bin ("" for none) and id."""

    async def bins_of(self, keys: Sequence[LevelKey]) -> dict[LevelKey, list[tuple[str, int]]]:
        """How many units lie in which bin, by bin."""

    async def lists(self, ids: Sequence[PickListId]) -> list[PickListView]: ...
    async def make_list(
        self,
        location: LocationId,
        mode: PickMode,
        fulfillments: Sequence[FulfillmentId] | None,
        most: int,
        picker: str | None,
        seconds: int,
    ) -> PickListId | None:
        """Put open tasks that are on no list on a new one: those of the fulfillments, or (None) of as many fulfillments
        as may be, the most urgent first. None: there are none. Of two who want the same tasks, one gets them.
        """

    async def take_list(self, pick_list: PickListId, picker: str, seconds: int) -> bool:
        """Let the picker have the list for so long, from now on. False: somebody else has it."""

    async def give_list_back(self, pick_list: PickListId, picker: str) -> bool: ...
    async def ready(self, most: int) -> list[OrderId]:
        """Orders that their channel releases by itself and that look as if they could be, the most urgent first."""

    async def refused(self, orders: Sequence[OrderId]) -> None:
        """Do not try to release these orders again before something about them changes."""
