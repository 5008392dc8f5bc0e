"""What an invoice asks for: the units that are new on it, at what the channel agreed with the customer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.documents import InvoiceLine
from domain.ids import BundleId, LineId
from domain.money import Money, rounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Billable:
    """A line of an order. `invoiced`: units on invoices before; `units`: those on this one.

    `discount` and `tax` are of all of its `quantity`. `bundle`: it is a part of one, which is what has the price.
    """

    line: LineId
    sku: str
    name: str
    quantity: int
    invoiced: int
    units: int
    unit_price: Money | None = None
    discount: Money | None = None
    tax: Money | None = None
    reference: str | None = None
    bundle: BundleId | None = None
    bundle_units: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoldBundle:
    """What was bought as one, at a price for each."""

    sku: str
    name: str
    unit_price: Money | None = None
    reference: str | None = None


def invoice_lines(lines: Iterable[Billable], bundles: Mapping[BundleId, SoldBundle]) -> tuple[InvoiceLine, ...]:
    """One line for each line of the order that has units on this invoice; before the parts of a bundle, the bundle.

    A discount or a tax of a whole line is shared among its units so that all invoices of it together have exactly all.
    """
    made: list[InvoiceLine] = []
    told: set[BundleId] = set()
    known = list(lines)
    for one in known:
        if one.bundle is not None and one.bundle not in told:
            told.add(one.bundle)
            parts = [part for part in known if part.bundle == one.bundle]
            made += _of_bundle(bundles[one.bundle], parts)
        if one.units:
            made.append(
                InvoiceLine(
                    sku=one.sku,
                    name=one.name,
                    quantity=one.units,
                    unit_price=one.unit_price,
                    discount=_share(one.discount, one),
                    tax=_share(one.tax, one),
                    reference=one.reference,
                )
            )
    return tuple(made)


def _of_bundle(bundle: SoldBundle, parts: Iterable[Billable]) -> Iterable[InvoiceLine]:
    """Bundles of which the last part is on this invoice."""
    parts = list(parts)
    before = min(part.invoiced // part.bundle_units for part in parts)
    now = min((part.invoiced + part.units) // part.bundle_units for part in parts)
    if now > before:
        yield InvoiceLine(
            sku=bundle.sku,
            name=bundle.name,
            quantity=now - before,
            unit_price=bundle.unit_price,
            reference=bundle.reference,
        )


def _share(money: Money | None, line: Billable) -> Money | None:
    if money is None:
        return None
    upto, before = (
        rounded(money.amount * Decimal(units) / Decimal(line.quantity), money.currency_code)
        for units in (line.invoiced + line.units, line.invoiced)
    )
    if line.invoiced + line.units == line.quantity:
        upto = money.amount
    return Money(amount=upto - before, currency_code=money.currency_code)


def of_the_order(shipping: Money | None, tax: Money | None, discounts: Iterable[Money]) -> tuple[InvoiceLine, ...]:
    """What is agreed beside the lines; it stands on the first invoice of an order."""
    made: list[InvoiceLine] = []
    if shipping is not None:
        made.append(InvoiceLine(sku="", name="Shipping", quantity=1, unit_price=shipping))
    for discount in discounts:
        nothing = Money(amount=Decimal(0), currency_code=discount.currency_code)
        made.append(InvoiceLine(sku="", name="Discount", quantity=1, unit_price=nothing, discount=discount))
    if tax is not None:
        nothing = Money(amount=Decimal(0), currency_code=tax.currency_code)
        made.append(InvoiceLine(sku="", name="Tax", quantity=1, unit_price=nothing, tax=tax))
    return tuple(made)
