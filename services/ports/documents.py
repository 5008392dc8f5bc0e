"""What documents are made of, the invoices that were issued, and who draws them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Protocol

from domain.documents import Document, DocumentForm, Invoice, Rendered, invoice_number
from domain.fulfillments import Parcel
from domain.ids import InvoiceId, LineId, OrderId, ParcelId
from domain.orders import Address
from services.outcomes import from_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """Who sends parcels and invoices. `gs1_company_prefix`: 7 to 10 digits, under which parcels are numbered."""

    name: str = ""
    address: Address | None = None
    tax_id: str | None = None
    contact: str | None = None
    gs1_company_prefix: str | None = None
    tax_included: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceView:
    """An invoice as it was issued, and to which order it belongs."""

    id: InvoiceId
    order: OrderId
    content: Mapping[str, Any]
    issued_on: date
    issued_by: str
    created_at: datetime

    @property
    def invoice(self) -> Invoice:
        """Everything that stands on it."""
        found: Invoice = from_json(Invoice, self.content)
        return found

    @property
    def number(self) -> str:
        return invoice_number(self.content["series"], self.content["number"])


class Documents(Protocol):
    """What documents are made of, and invoices, which are kept as they were issued."""

    async def merchant(self) -> Merchant: ...
    async def save_merchant(self, fields: Mapping[str, Any]) -> None:
        """Those that are given are these from now on."""

    async def lock_order(self, order: OrderId) -> None:
        """Nobody else issues an invoice of it until the transaction ends."""

    async def invoiced(self, order: OrderId) -> dict[LineId, int]:
        """Units of each line that are on invoices."""

    async def invoiced_units(self, orders: Sequence[OrderId]) -> dict[OrderId, int]:
        """Units of all lines that are on invoices; orders without any are left out."""

    async def next_number(self, series: str) -> tuple[int, date]:
        """The next number of a series, and what day it is; the series is locked until the transaction ends, and so has
        no gap.
        """

    async def add_invoice(
        self, order: OrderId, invoice: Invoice, content: Mapping[str, Any], units: Mapping[LineId, int], actor: str
    ) -> InvoiceId:
        """Keep the invoice as it is: `content` is all of it, as JSON."""

    async def invoices_of(self, orders: Sequence[OrderId]) -> list[InvoiceView]:
        """The oldest first."""

    async def invoices(self, ids: Sequence[InvoiceId]) -> list[InvoiceView]: ...
    async def parcels(self, ids: Sequence[ParcelId]) -> list[Parcel]: ...


class Renderer(Protocol):
    """Whoever draws documents. It waits for nothing and takes its time: call it in a thread."""

    def render(self, document: Document, form: DocumentForm) -> Rendered:
        """The document as a file; the same facts give the same bytes. Only a shipping label can be had as ZPL."""
