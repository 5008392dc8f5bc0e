"""The merchant, and invoices as they were issued."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.documents import Invoice
from domain.fulfillments import Parcel
from domain.ids import InvoiceId, LineId, OrderId, ParcelId
from domain.orders import Address
from persistence.driver import Driver, statement
from persistence.floor import PARCEL_COLUMNS, parcel_of
from persistence.searching import any_of
from persistence.sql import BIGINT, BIGINTS, JSON, TEXT, sql
from persistence.tables import invoice_lines, invoices, merchant, order_lines
from services.ports.documents import InvoiceView, Merchant

LOCK_ORDER = sql("SELECT id FROM orders WHERE id = :order FOR NO KEY UPDATE", order=BIGINT)
NEXT_NUMBER = sql(
    """
    INSERT INTO invoice_series AS s (series, last) VALUES (:series, 1)
    ON CONFLICT (series) DO UPDATE SET last = s.last + 1 RETURNING last, CAST(now() AT TIME ZONE 'UTC' AS date)
    """,
    series=TEXT,
)
ADD_LINES = sql(
    """
    INSERT INTO invoice_lines (invoice_id, line_id, quantity)
    SELECT :invoice, n.line, n.units FROM jsonb_to_recordset(:rows) AS n(line bigint, units int)
    """,
    invoice=BIGINT,
    rows=JSON,
)
PARCELS = statement(f"SELECT {PARCEL_COLUMNS} FROM parcels WHERE id = ANY(:ids) ORDER BY id", ids=BIGINTS)  # noqa: S608
FIELDS = ("name", "address", "tax_id", "contact", "gs1_company_prefix", "tax_included")


class PostgresDocuments:
    """Implements `services.ports.documents.Documents`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def merchant(self) -> Merchant:
        row = (await self._connection.execute(select(*(merchant.c[name] for name in FIELDS)))).first()
        if row is None:
            return Merchant()
        fields = row._asdict()
        address = fields.pop("address")
        return Merchant(address=Address(**address) if address else None, **fields)

    async def save_merchant(self, fields: Mapping[str, Any]) -> None:
        values = {name: asdict(value) if name == "address" and value else value for name, value in fields.items()}
        statement = insert(merchant).values(singleton=True, **values)
        changed: dict[str, Any] = {name: statement.excluded[name] for name in values} or {"singleton": True}
        await self._connection.execute(
            statement.on_conflict_do_update(index_elements=[merchant.c.singleton], set_=changed)
        )

    async def lock_order(self, order: OrderId) -> None:
        """Nobody else issues an invoice of it until the transaction ends."""
        await self._connection.execute(LOCK_ORDER, {"order": order})

    async def invoiced(self, order: OrderId) -> dict[LineId, int]:
        """Units of each line that are on invoices."""
        statement = (
            select(invoice_lines.c.line_id, func.sum(invoice_lines.c.quantity))
            .join(order_lines, order_lines.c.id == invoice_lines.c.line_id)
            .where(order_lines.c.order_id == order)
            .group_by(invoice_lines.c.line_id)
        )
        return {LineId(line): int(units) for line, units in await self._connection.execute(statement)}

    async def invoiced_units(self, orders: Sequence[OrderId]) -> dict[OrderId, int]:
        """Units of all lines that are on invoices; orders without any are left out."""
        statement = (
            select(order_lines.c.order_id, func.sum(invoice_lines.c.quantity))
            .join(order_lines, order_lines.c.id == invoice_lines.c.line_id)
            .where(any_of(order_lines.c.order_id, orders))
            .group_by(order_lines.c.order_id)
        )
        return {OrderId(order): int(units) for order, units in await self._connection.execute(statement)}

    async def next_number(self, series: str) -> tuple[int, date]:
        """The next number of a series, and what day it is."""
        number, today = (await self._connection.execute(NEXT_NUMBER, {"series": series})).one()
        return number, today

    async def add_invoice(
        self, order: OrderId, invoice: Invoice, content: Mapping[str, Any], units: Mapping[LineId, int], actor: str
    ) -> InvoiceId:
        row = {
            "order_id": order,
            "series": invoice.series,
            "number": invoice.number,
            "issued_on": invoice.issued_on,
            "content": content,
            "actor": actor,
        }
        made = (await self._connection.execute(insert(invoices).values(row).returning(invoices.c.id))).scalar_one()
        rows = [{"line": line, "units": count} for line, count in units.items()]
        await self._connection.execute(ADD_LINES, {"invoice": made, "rows": rows})
        return InvoiceId(made)

    async def invoices_of(self, orders: Sequence[OrderId]) -> list[InvoiceView]:
        """The oldest first."""
        statement = select(invoices).where(any_of(invoices.c.order_id, orders)).order_by(invoices.c.id)
        return [_invoice(row) for row in await self._connection.execute(statement)]

    async def invoices(self, ids: Sequence[InvoiceId]) -> list[InvoiceView]:
        statement = select(invoices).where(any_of(invoices.c.id, ids))
        return [_invoice(row) for row in await self._connection.execute(statement)]

    async def parcels(self, ids: Sequence[ParcelId]) -> list[Parcel]:
        return [parcel_of(*row) for row in await Driver(self._connection).rows(PARCELS, {"ids": list(ids)})]


def _invoice(row: Any) -> InvoiceView:
    return InvoiceView(
        id=row.id,
        order=row.order_id,
        content=row.content,
        issued_on=row.issued_on,
        issued_by=row.actor,
        created_at=row.created_at,
    )
