"""Invoices: of what was shipped and is on no invoice yet, or of all that was ordered, under numbers without a gap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.checks import Problems
from domain.documents import EarlierInvoice, Invoice
from domain.errors import NotFound, NothingToInvoice
from domain.ids import BundleId, InvoiceId, ItemId, LineId, OrderId
from domain.invoicing import Billable, SoldBundle, invoice_lines, of_the_order
from domain.orders import Address
from services.callers import Caller
from services.keys import checked_key, once
from services.outcomes import to_json
from services.ports.database import Database
from services.ports.orders import LineView, OrderReference
from services.ports.unit_of_work import UnitOfWork
from services.references import checked_reference
from services.sight import in_sight

SERIES = "INV"
SERIES_LENGTH_MAX = 20


class InvoiceScope(StrEnum):
    """What an invoice is for."""

    SHIPPED = "SHIPPED"
    ORDERED = "ORDERED"


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateInvoice:
    """An invoice of one order that is asked for."""

    order: OrderReference
    scope: InvoiceScope = InvoiceScope.SHIPPED
    series: str = SERIES
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceMade:
    """The invoice."""

    invoice: InvoiceId


async def create_invoice(database: Database, caller: Caller, command: CreateInvoice, key: str) -> InvoiceMade:
    """Raises InvalidInput, IdempotencyKeyReused, NotFound, NothingToInvoice."""
    problems = Problems()
    order = checked_reference(problems, command.order, ("input", "order"))
    series = problems.text(command.series, ("input", "series"), SERIES_LENGTH_MAX)
    note = problems.optional_text(command.note, ("input", "note"))
    problems.refuse()
    command = replace(command, order=order, series=series, note=note)

    async def effect(uow: UnitOfWork) -> InvoiceMade:
        (found,) = await uow.orders.resolve([command.order])
        if found is None or not await in_sight(uow, caller.visibility, "orders", [found]):
            raise NotFound(references=(str(command.order),))
        return await _create(uow, caller, command, found)

    return await once(database, (caller.key, "createInvoice", checked_key(key)), command, InvoiceMade, effect)


async def _create(uow: UnitOfWork, caller: Caller, command: CreateInvoice, order: OrderId) -> InvoiceMade:
    """The order is locked, so that no unit comes onto two invoices; the series only after everything is known."""
    await uow.documents.lock_order(order)
    (view,) = await uow.orders.by_ids([order])
    lines = await uow.orders.lines_of([order])
    invoiced = await uow.documents.invoiced(order)
    units = {line.id: _wanted(command.scope, line) - invoiced.get(line.id, 0) for line in lines}
    units = {line: count for line, count in units.items() if count > 0}
    if not units:
        raise NothingToInvoice(order=order)
    names = {item.id: item.name for item in await uow.catalog.items(_items_of(lines))}
    earlier = await uow.documents.invoices_of([order])
    told = invoice_lines([_billable(line, names, invoiced, units) for line in lines], _bundles(lines, names))
    if not earlier:
        told += of_the_order(view.shipping_price, view.tax, [one.amount for one in view.discounts])
    merchant = await uow.documents.merchant()
    everything = {line.id: line.quantity - line.canceled for line in lines}
    whole = all(invoiced.get(line, 0) + units.get(line, 0) >= count for line, count in everything.items())
    number, today = await uow.documents.next_number(command.series)
    seller = merchant.address or Address()
    invoice = Invoice(
        series=command.series,
        number=number,
        issued_on=today,
        seller=replace(seller, name=merchant.name),
        seller_tax_id=merchant.tax_id,
        seller_contact=merchant.contact,
        tax_included=merchant.tax_included,
        order_number=view.number,
        channel=view.channel,
        lines=told,
        bill_to=view.bill_to or view.ship_to,
        ship_to=view.ship_to,
        placed_at=view.placed_at,
        partial=not whole,
        earlier=tuple(EarlierInvoice(number=one.number, issued_on=one.issued_on) for one in earlier),
        note=command.note,
    )
    return InvoiceMade(invoice=await uow.documents.add_invoice(order, invoice, to_json(invoice), units, caller.actor))


def _wanted(scope: InvoiceScope, line: LineView) -> int:
    if scope is InvoiceScope.ORDERED:
        return line.quantity - line.canceled
    return line.shipped + line.dropshipped


def _items_of(lines: Sequence[LineView]) -> list[ItemId]:
    return list({line.item for line in lines} | {line.sold_as.item for line in lines if line.sold_as})


def _billable(
    line: LineView, names: Mapping[ItemId, str], invoiced: Mapping[LineId, int], units: Mapping[LineId, int]
) -> Billable:
    return Billable(
        line=line.id,
        sku=line.sku,
        name=names[line.item],
        quantity=line.quantity,
        invoiced=invoiced.get(line.id, 0),
        units=units.get(line.id, 0),
        unit_price=line.price,
        discount=line.discount,
        tax=line.tax,
        reference=line.reference,
        bundle=line.bundle,
        bundle_units=line.bundle_units,
    )


def _bundles(lines: Sequence[LineView], names: Mapping[ItemId, str]) -> dict[BundleId, SoldBundle]:
    return {
        line.sold_as.id: SoldBundle(
            sku=line.sold_as.sku,
            name=names[line.sold_as.item],
            unit_price=line.sold_as.unit_price,
            reference=line.sold_as.reference,
        )
        for line in lines
        if line.sold_as
    }
