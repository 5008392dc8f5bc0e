"""Rows of orders, of their lines and of their bundles, as they are shown."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from domain.ids import BundleId
from domain.kinds import AllocationStatus, FulfillmentStatus, OrderStatus, PaymentStatus, ShippingPolicy
from domain.money import Money
from domain.orders import Address, Customer, Discount
from domain.promises import is_late
from services.ports.orders import BundleView, LineView, OrderView


def _status(value: str | None) -> AllocationStatus | None:
    return AllocationStatus(value) if value else None


def order_view(row: Any) -> OrderView:
    buyer = (row.customer_name, row.customer_email, row.customer_reference, row.customer_phone)
    return OrderView(
        id=row.id,
        number=row.number,
        channel=row.channel,
        channel_id=row.channel_id,
        status=OrderStatus(row.status),
        allocation_status=_status(row.allocation_status),
        shipping_policy=ShippingPolicy(row.shipping_policy),
        priority=row.priority,
        version=row.version,
        tags=tuple(row.tags),
        placed_at=row.placed_at,
        updated_at=row.updated_at,
        customer=Customer(name=buyer[0], email=buyer[1], reference=buyer[2], phone=buyer[3]) if any(buyer) else None,
        ship_to=Address(**row.ship_to, phone=row.ship_to_phone) if row.ship_to else None,
        asked_at=None if row.asked_at is None else tuple(row.asked_at),
        split_from=row.split_from,
        fulfillment_status=FulfillmentStatus(row.fulfillment_status),
        promised_delivery_at=row.promised_delivery_at,
        payment_status=PaymentStatus(row.payment_status),
        currency_code=row.currency_code,
        bill_to=Address(**row.bill_to) if row.bill_to else None,
        discounts=tuple(_discount(one, row.currency_code) for one in row.discounts or ()),
        shipping_price=_money(row.shipping_price, row.currency_code),
        tax=_money(row.tax, row.currency_code),
        note=row.note,
        delivered_at=row.delivered_at,
        is_late=is_late(OrderStatus(row.status), row.promised_delivery_at, row.delivered_at, row.now),
    )


def _discount(kept: Mapping[str, str | None], currency_code: str) -> Discount:
    amount = Money(amount=Decimal(kept["amount"] or 0), currency_code=currency_code)
    return Discount(amount=amount, code=kept["code"], description=kept["description"])


def _money(amount: Decimal | None, currency_code: str | None) -> Money | None:
    return None if amount is None or currency_code is None else Money(amount=amount, currency_code=currency_code)


def line_view(row: Any) -> LineView:
    return LineView(
        id=row.id,
        order=row.order_id,
        item=row.item_id,
        sku=row.sku,
        quantity=row.quantity,
        allocated=row.allocated,
        overallocated=row.overallocated,
        shipped=row.shipped,
        canceled=row.canceled,
        dropshipped=row.dropshipped,
        looked_at=row.looked_at,
        reference=row.reference,
        unit_price=row.unit_price,
        currency_code=row.currency_code,
        order_status=OrderStatus(row.status),
        bundle=row.bundle_id,
        bundle_units=row.bundle_units or 0,
        sold_as=_bundle(row) if row.bundle_id else None,
        discount=_money(row.discount, row.order_currency),
        tax=_money(row.tax, row.order_currency),
        customization_note=row.customization_note,
    )


def _bundle(row: Any) -> BundleView:
    price = row.bundle_price
    return BundleView(
        id=BundleId(row.bundle_id),
        item=row.bundle_item,
        sku=row.bundle_sku,
        reference=row.bundle_reference,
        unit_price=None if price is None else Money(amount=price, currency_code=row.bundle_currency),
    )
