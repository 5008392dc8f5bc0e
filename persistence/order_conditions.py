"""Which orders a filter means, as SQL."""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Text, and_, case, cast, exists, false, func, literal, null, or_, select, union_all

from domain.fulfillments import UNDER_WAY
from domain.kinds import (
    AllocationStatus,
    FulfillmentKind,
    FulfillmentState,
    FulfillmentStatus,
    OrderNeed,
    OrderStatus,
    PaymentStatus,
)
from domain.promises import PROMISED_IN
from persistence.searching import any_of, starts_with
from persistence.tables import (
    allocations,
    channels,
    fulfillments,
    items,
    locations,
    order_bundles,
    order_holds,
    order_lines,
    orders,
)
from services.ports.orders import OrderFilter

DELIVERED_AT = case(
    (
        orders.c.fulfillment_status == FulfillmentStatus.DELIVERED,
        select(func.max(fulfillments.c.delivered_at)).where(fulfillments.c.order_id == orders.c.id).scalar_subquery(),
    )
)

PROMISED = and_(orders.c.promised_delivery_at.is_not(None), orders.c.status.in_(PROMISED_IN))

# `domain.promises.is_late`, for lists.
IS_LATE = case(
    (PROMISED, func.coalesce(DELIVERED_AT, func.clock_timestamp()) > orders.c.promised_delivery_at), else_=false()
)


def meant_by(condition: OrderFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    for column, values in (
        (orders.c.status, condition.statuses),
        (orders.c.allocation_status, condition.allocation_statuses),
        (orders.c.fulfillment_status, condition.fulfillment_statuses),
        (orders.c.payment_status, condition.payment_statuses),
        (channels.c.code, condition.channels),
        (orders.c.ship_to["country_code"].astext, condition.country_codes),
    ):
        if values is not None:
            found.append(any_of(column, values))
    if condition.skus is not None:
        found.append(_has_line(condition.skus))
    if condition.locations is not None:
        found.append(_holds_at(condition.locations))
    if condition.tags is not None:
        found.append(orders.c.tags.bool_op("&&")(literal(list(condition.tags), orders.c.tags.type)))
    if condition.on_hold is not None:
        held = is_held()
        found.append(held if condition.on_hold else ~held)
    if condition.hold_reasons is not None:
        found.append(is_held(any_of(order_holds.c.reason, condition.hold_reasons)))
    if condition.late is not None:
        found.append(IS_LATE if condition.late else ~IS_LATE)
    if condition.needs is not None:
        found.append(any_of(need(), condition.needs))
    if condition.search is not None:
        found.append(_search(condition.search))
    found.extend(_times(condition))
    return found


def _times(condition: OrderFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if condition.placed_from is not None:
        found.append(orders.c.placed_at >= condition.placed_from)
    if condition.placed_before is not None:
        found.append(orders.c.placed_at < condition.placed_before)
    if condition.updated_from is not None:
        found.append(orders.c.updated_at >= condition.updated_from)
    return found


def _has_line(skus: Sequence[str]) -> ColumnElement[bool]:
    """A line of one of these, or one that is part of it. Two roads, so that each has an index to go by."""
    lines = select(order_lines.c.order_id).join(items, items.c.id == order_lines.c.item_id)
    parts = (
        select(order_lines.c.order_id)
        .join(order_bundles, order_bundles.c.id == order_lines.c.bundle_id)
        .join(items, items.c.id == order_bundles.c.item_id)
    )
    found = (one.where(any_of(items.c.sku, skus)) for one in (lines, parts))
    return orders.c.id.in_(union_all(*found))


def _holds_at(codes: Sequence[str]) -> ColumnElement[bool]:
    claims = (
        select(allocations.c.id)
        .join(order_lines, order_lines.c.id == allocations.c.line_id)
        .join(locations, locations.c.id == allocations.c.location_id)
    )
    return exists(claims.where(order_lines.c.order_id == orders.c.id, any_of(locations.c.code, codes)))


def is_held(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(order_holds.c.order_id == orders.c.id, order_holds.c.released_at.is_(None), *conditions)


def _search(text: str) -> ColumnElement[bool]:
    names = ("number", "customer_name", "customer_email", "customer_reference")
    return or_(*(starts_with(orders.c[name], text) for name in names))


def need() -> ColumnElement[str | None]:
    """`domain.promises.need_of`, for lists."""

    def here(*states: FulfillmentState) -> ColumnElement[bool]:
        ours = exists().where(fulfillments.c.order_id == orders.c.id, fulfillments.c.kind == FulfillmentKind.STOCK)
        return and_(orders.c.fulfillment_status.not_in(NOTHING_HERE), ours.where(fulfillments.c.state.in_(states)))

    to_pack = tuple(state for state in UNDER_WAY if state is not FulfillmentState.PACKED)
    ready = and_(
        orders.c.allocation_status == AllocationStatus.ALLOCATED,
        orders.c.payment_status == PaymentStatus.PAID,
        ~is_held(),
    )
    pick = literal(OrderNeed.PICK_AND_PACK.value, Text)
    return case(
        (orders.c.status != OrderStatus.FINALIZED, cast(null(), Text)),
        (here(*to_pack), pick),
        (here(FulfillmentState.PACKED), literal(OrderNeed.SHIP.value, Text)),
        (ready, pick),
    )


NOTHING_HERE = (FulfillmentStatus.NOT_RELEASED, FulfillmentStatus.SHIPPED, FulfillmentStatus.DELIVERED)
