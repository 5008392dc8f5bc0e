"""Rows that a batch reads, as the facts that they are; the columns come in the sequence of the statements."""

from collections.abc import Mapping
from typing import Any

from domain.allocation import CartClaim, Claim
from domain.ids import (
    AllocationId,
    BundleId,
    FulfillmentLineId,
    ItemId,
    LineId,
    LocationId,
    OrderId,
    ReservationId,
    ReservedLineId,
    Sku,
)
from domain.kinds import AllocationStatus, OrderStatus, ReservationState, ShippingPolicy
from domain.orders import Address, Order, OrderLine
from domain.reservations import Reservation
from domain.stock import StockLevel


def level_of(
    item: ItemId,
    location: LocationId,
    on_hand: int,
    committed: int,
    damaged: int,
    quality_control: int,
    safety_stock: int,
    flagged: int,
    version: int,
    picked: int,
) -> StockLevel:
    return StockLevel(
        item=item,
        location=location,
        on_hand=on_hand,
        committed=committed,
        damaged=damaged,
        quality_control=quality_control,
        safety_stock=safety_stock,
        flagged=flagged,
        version=version,
        picked=picked,
    )


STATUSES: Mapping[str | None, AllocationStatus | None] = {None: None} | {one.value: one for one in AllocationStatus}
"""Looked up rather than made: a batch reads hundreds."""
ORDER_STATUSES = {one.value: one for one in OrderStatus}
POLICIES = {one.value: one for one in ShippingPolicy}


def order_of(
    order: OrderId,
    number: str,
    channel: str,
    status: str,
    allocation_status: str | None,
    policy: str,
    priority: int,
    version: int,
    asked_at: list[LocationId] | None,
    ship_to: dict[str, Any] | None,
) -> Order:
    return Order(
        id=order,
        number=number,
        channel=channel,
        status=ORDER_STATUSES[status],
        allocation_status=STATUSES[allocation_status],
        shipping_policy=POLICIES[policy],
        priority=priority,
        version=version,
        ship_to=Address(**ship_to) if ship_to else None,
        asked_at=None if asked_at is None else tuple(asked_at),
    )


def line_of(
    skus: Mapping[ItemId, Sku],
    line: LineId,
    order: OrderId,
    item: ItemId,
    quantity: int,
    allocated: int,
    overallocated: int,
    shipped: int,
    canceled: int,
    dropshipped: int,
    looked_at: bool,
    bundle: BundleId | None,
    bundle_units: int | None,
) -> OrderLine:
    return OrderLine(
        id=line,
        order=order,
        item=item,
        sku=skus[item],
        quantity=quantity,
        allocated=allocated,
        overallocated=overallocated,
        shipped=shipped,
        canceled=canceled,
        dropshipped=dropshipped,
        looked_at=looked_at,
        bundle=bundle,
        bundle_units=bundle_units or 0,
    )


def claim_of(
    claim: AllocationId,
    order: OrderId,
    line: LineId,
    item: ItemId,
    location: LocationId,
    quantity: int,
    overallocated: int,
    priority: int,
    seniority: int | None,
    picked: int,
    fulfillment_line: FulfillmentLineId | None,
) -> Claim:
    return Claim(
        id=claim,
        order=order,
        line=line,
        item=item,
        location=location,
        quantity=quantity,
        overallocated=overallocated,
        priority=priority,
        seniority=seniority,
        picked=picked,
        fulfillment_line=fulfillment_line,
    )


def cart_claim_of(
    claim: AllocationId,
    reservation: ReservationId,
    line: ReservedLineId,
    item: ItemId,
    location: LocationId,
    quantity: int,
    overallocated: int,
    seniority: int | None,
) -> CartClaim:
    return CartClaim(
        id=claim,
        reservation=reservation,
        reserved_line=line,
        item=item,
        location=location,
        quantity=quantity,
        overallocated=overallocated,
        seniority=seniority,
    )


def reservation_of(reservation: ReservationId, state: str, is_due: bool, order: OrderId | None) -> Reservation:
    return Reservation(id=reservation, state=ReservationState(state), is_due=is_due, order=order)
