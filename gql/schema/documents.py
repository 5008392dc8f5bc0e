"""Documents, invoices, and the merchant who sends them."""

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated

import strawberry
from strawberry import UNSET

from domain import documents
from domain.ids import InvoiceId
from gql.context import Info
from gql.schema.addresses import Address
from gql.schema.files import Document
from gql.schema.ids import global_id
from gql.schema.inputs import KEY, AddressInput, OrderBy, _
from gql.schema.money import Money
from gql.schema.nodes import Node
from gql.schema.orders import Order
from gql.schema.refusals import IdempotencyKeyReused, InvalidInput, NotFound, NothingToInvoice
from gql.schema.results import result
from services.documents import DocumentKind
from services.invoices import SERIES, InvoiceScope
from services.ports import documents as ports


@strawberry.type(description="What stands on one line of an invoice.")
class InvoiceLine:
    """A line of an invoice."""

    sku: str = strawberry.field(description="What; empty for what is agreed beside the lines, such as shipping.")
    name: str = strawberry.field(description="What people call it.")
    quantity: int = strawberry.field(description="How many units.")
    unit_price: Money | None = strawberry.field(description="What one unit costs.")
    discount: Money | None = strawberry.field(description="Off the whole line.")
    tax: Money | None = strawberry.field(description="Of the whole line.")

    @classmethod
    def of(cls, line: documents.InvoiceLine) -> "InvoiceLine":
        return cls(
            sku=line.sku,
            name=line.name,
            quantity=line.quantity,
            unit_price=Money.maybe(line.unit_price),
            discount=Money.maybe(line.discount),
            tax=Money.maybe(line.tax),
        )


@strawberry.type(description="What an invoice comes to in one currency.")
class InvoiceTotal:
    """A sum."""

    currency_code: str = strawberry.field(description="Three letters of ISO 4217.")
    goods: Decimal = strawberry.field(description="Units at their prices.")
    discount: Decimal = strawberry.field(description="What is off.")
    tax: Decimal = strawberry.field(description="What goes to the state.")
    total: Decimal = strawberry.field(description="What is to be paid.")


@strawberry.type(description="An invoice as it was issued; it never changes.")
class Invoice(Node):
    """An invoice."""

    view: strawberry.Private[ports.InvoiceView]
    number: str = strawberry.field(description="Its series and its number in it; there is no gap.")
    issued_on: date = strawberry.field(description="The day it was issued, in UTC.")
    partial: bool = strawberry.field(description="Whether more of the order was still to be invoiced.")
    lines: list[InvoiceLine] = strawberry.field(description="What it asks for.")
    totals: list[InvoiceTotal] = strawberry.field(description="What it comes to, one entry a currency.")
    created_at: datetime = strawberry.field(description="When it was issued.")
    document: Document = strawberry.field(description="The invoice as a PDF.")

    @strawberry.field(description="What it is for.")
    async def order(self, info: Info) -> Order:
        return await Order.load(info, self.view.order)

    @classmethod
    def of(cls, view: ports.InvoiceView) -> "Invoice":
        named = global_id("Invoice", view.id)
        return cls(
            id=named,
            view=view,
            number=view.number,
            issued_on=view.issued_on,
            partial=view.invoice.partial,
            lines=[InvoiceLine.of(line) for line in view.invoice.lines],
            totals=[
                InvoiceTotal(
                    currency_code=one.currency_code,
                    goods=one.goods,
                    discount=one.discount,
                    tax=one.tax,
                    total=one.total,
                )
                for one in view.invoice.totals
            ],
            created_at=view.created_at,
            document=Document.of(DocumentKind.INVOICE, named),
        )

    @classmethod
    async def find(cls, info: Info, row: InvoiceId) -> "Invoice | None":
        found = await info.context.loaders.invoices.load(row)
        return None if found is None else cls.of(found)

    @classmethod
    async def load(cls, info: Info, row: InvoiceId) -> "Invoice":
        found = await cls.find(info, row)
        assert found is not None
        return found


@strawberry.type(description="Who sends parcels and invoices.")
class Merchant:
    """The merchant."""

    name: str = strawberry.field(description="As it stands on labels and invoices.")
    address: Address | None = strawberry.field(description="Of the seller, and of senders without their own.")
    tax_id: str | None = strawberry.field(description="By which the state knows it.")
    contact: str | None = strawberry.field(description="How customers reach it, as it stands on invoices.")
    gs1_company_prefix: str | None = strawberry.field(description="7 to 10 digits, under which parcels are numbered.")
    tax_included: bool = strawberry.field(description="Whether prices have the tax in them.")

    @classmethod
    def of(cls, merchant: ports.Merchant) -> "Merchant":
        return cls(
            name=merchant.name,
            address=Address.of(merchant.address) if merchant.address else None,
            tax_id=merchant.tax_id,
            contact=merchant.contact,
            gs1_company_prefix=merchant.gs1_company_prefix,
            tax_included=merchant.tax_included,
        )


@strawberry.input(description="The merchant. An absent field keeps its value, and null clears it.")
class SaveMerchantInput:
    name: str | None = _("As it stands on labels and invoices.", default=UNSET)
    address: AddressInput | None = _("Of the seller; it replaces the one before as a whole.", default=UNSET)
    tax_id: str | None = _("By which the state knows it.", default=UNSET)
    contact: str | None = _("How customers reach it.", default=UNSET)
    gs1_company_prefix: str | None = _("7 to 10 digits, as GS1 gave them.", default=UNSET)
    tax_included: bool | None = _("Whether prices have the tax in them; false at first.", default=UNSET)


@strawberry.input(description="An invoice to be issued.")
class CreateInvoiceInput:
    order: OrderBy = _("Of which order.")
    scope: InvoiceScope = _(
        "What it is for: what has left and is on no invoice yet, or all that is on none.", default=InvoiceScope.SHIPPED
    )
    series: str = _("In which series it is numbered, 1 to 20 characters.", default=SERIES)
    note: str | None = _("What else shall stand on it.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.type(description="The merchant was saved.")
class SaveMerchantSuccess:
    merchant: Merchant = strawberry.field(description="The merchant as it is now.")


@strawberry.type(description="The invoice was issued.")
class CreateInvoiceSuccess:
    invoice: Invoice = strawberry.field(description="The invoice.")


SaveMerchantResult = Annotated[SaveMerchantSuccess | InvalidInput, result("SaveMerchantResult")]
CreateInvoiceResult = Annotated[
    CreateInvoiceSuccess | InvalidInput | IdempotencyKeyReused | NotFound | NothingToInvoice,
    result("CreateInvoiceResult"),
]
