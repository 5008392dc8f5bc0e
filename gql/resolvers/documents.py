"""The merchant and invoices: reading and writing."""

from typing import Annotated, Any

import strawberry

from domain.ids import InvoiceId
from gql.context import Info
from gql.resolvers import inputs as parsed
from gql.resolvers.queries import Id
from gql.schema import documents as types
from gql.schema.ids import row_id
from services import invoices
from services.merchant import SaveMerchant
from services.merchant import save_merchant as save

MERCHANT_FIELDS = ("name", "address", "tax_id", "contact", "gs1_company_prefix", "tax_included")


async def merchant(info: Info) -> types.Merchant:
    return types.Merchant.of(await info.context.read(lambda uow: uow.documents.merchant()))


async def invoice(info: Info, id: Id) -> types.Invoice | None:
    row = row_id("Invoice", id)
    return None if row is None else await types.Invoice.find(info, InvoiceId(row))


async def save_merchant(
    info: Info, input: Annotated[types.SaveMerchantInput, strawberry.argument(description="What to save.")]
) -> types.SaveMerchantResult:
    fields: dict[str, Any] = parsed.present(input, MERCHANT_FIELDS)
    if fields.get("address") is not None:
        fields["address"] = parsed.address(fields["address"])
    saved = await save(info.context.database, SaveMerchant(fields=fields))
    return types.SaveMerchantSuccess(merchant=types.Merchant.of(saved))


async def create_invoice(
    info: Info, input: Annotated[types.CreateInvoiceInput, strawberry.argument(description="What to issue.")]
) -> types.CreateInvoiceResult:
    command = invoices.CreateInvoice(
        order=parsed.order_reference(input.order),
        scope=input.scope,
        series=input.series,
        note=parsed.given(input.note),
    )
    context = info.context
    made = await invoices.create_invoice(context.database, context.caller, command, input.idempotency_key)
    context.forget()
    return types.CreateInvoiceSuccess(invoice=await types.Invoice.load(info, made.invoice))
