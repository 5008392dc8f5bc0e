"""Documents with everything that does not matter to a test filled in."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

from domain.documents import (
    EarlierInvoice,
    Invoice,
    InvoiceLine,
    PackedLine,
    PackingSlip,
    PickLine,
    PickList,
    PickShare,
    ShippingLabel,
    by_bin,
)
from domain.money import Money
from domain.orders import Address

MADE = datetime(2026, 3, 1, 14, 5, tzinfo=UTC)
SHOP = Address(
    name="Nordlicht Möbel GmbH", line1="Speicherstraße 14", city="Hamburg", postal_code="20457", country_code="DE"
)
JUNE = Address(
    name="June Okafor",
    line1="12 Station Rise",
    line2="Flat 3",
    city="York",
    postal_code="YO1 6GD",
    country_code="GB",
)
TEXAS = Address(
    name="Ada Lovell", line1="77 Rainey St", city="Austin", region="TX", postal_code="78701", country_code="US"
)
HOSTILE = (
    "^XZ",
    "~JA",
    "^FS^XZ^XA^FDgotcha^FS",
    "_5EXZ",
    "\\&",
    "Ctrl\x00\x07\x1b[2J\r\n^XZ",
    ">;>8",
    "😀👩🏽‍🚀🇩🇪",
    "محمد بن عبد الله (4)",
    "北京市朝阳区建国路88号",
    "서울특별시 중구",
    "ภาษาไทย",
    "हिन्दी",
    "\U0001d4d7\U0001d4ee\U0001d4f5\U0001d4f5\U0001d4f8",
    "a\u0301\u0327" * 40,
    "\ud800\udfff\uffff\u202e\u2066",
    "W" * 5_000,
    "long words of 5,000 characters " * 160,
)


def label(**more):
    facts = ShippingLabel(
        reference="SHOP-100234/1",
        made_at=MADE,
        ship_from=SHOP,
        ship_to=JUNE,
        carrier="DHL",
        service="Parcel Connect",
        tracking_number="1Z999AA10123456784",
        sscc="106141412345678908",
        weight_grams=12_350,
        parcel=1,
        parcels=2,
    )
    return replace(facts, **more)


def slip(*lines, **more):
    facts = PackingSlip(
        order_number="SHOP-100234",
        channel="WEBSHOP",
        placed_at=MADE,
        shipped_at=MADE,
        ship_from=SHOP,
        ship_to=JUNE,
        lines=lines,
    )
    return replace(facts, **more)


def packed(index, **more):
    return PackedLine(
        sku=f"CHAIR-{index:04}",
        name=f"Chair number {index}",
        ordered=3000 + index,
        in_parcel=2000 + index,
        to_come=1000 + index,
        **more,
    )


def picks(*lines, **more):
    facts = PickList(
        reference="PL-2026-00017",
        mode="BATCH",
        made_at=MADE,
        location_code="HAM1",
        location_name="Hamburg",
        country_code="DE",
        lines=by_bin(lines),
    )
    return replace(facts, **more)


def picked(index, **more):
    facts = PickLine(
        sku=f"CHAIR-{index:04}",
        name=f"Chair number {index}",
        quantity=3000 + index,
        bin=f"A-{index}",
        barcode="4006381333931",
        goes_to=(PickShare(reference=f"SHOP-{index}/1", quantity=1000 + index),),
    )
    return replace(facts, **more)


def invoice(*lines, **more):
    facts = Invoice(
        series="INV-2026",
        number=42,
        issued_on=date(2026, 3, 1),
        seller=SHOP,
        seller_tax_id="DE 123 456 789",
        bill_to=JUNE,
        ship_to=JUNE,
        order_number="SHOP-100234",
        channel="WEBSHOP",
        lines=lines,
    )
    return replace(facts, **more)


def sold(index, **more):
    facts = InvoiceLine(
        sku=f"CHAIR-{index:04}",
        name=f"Chair number {index}",
        quantity=1 + index,
        unit_price=eur("1234.50"),
        discount=eur("5"),
        tax=eur("19.99"),
    )
    return replace(facts, **more)


def eur(amount):
    return Money(amount=Decimal(amount), currency_code="EUR")


BEFORE = EarlierInvoice(number="INV-2026-000031", issued_on=date(2026, 2, 3))
