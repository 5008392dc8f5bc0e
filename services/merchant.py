"""Who the merchant is: the sender of parcels and of invoices."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.barcodes import COMPANY_PREFIX_LENGTHS, is_number
from domain.checks import Problems
from domain.orders import Address
from services.order_input import checked_address
from services.ports.database import Database
from services.ports.documents import Merchant
from services.ports.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveMerchant:
    """What shall be different; what is absent from `fields` stays as it is, None clears it."""

    fields: Mapping[str, Any] = field(default_factory=dict)


async def save_merchant(database: Database, command: SaveMerchant) -> Merchant:
    """Raises InvalidInput."""
    problems, checked = Problems(), dict(command.fields)
    if "name" in checked:
        checked["name"] = problems.text(checked["name"] or "", ("input", "name"))
    for name, wire in (("tax_id", "taxId"), ("contact", "contact")):
        if name in checked:
            checked[name] = problems.optional_text(checked[name], ("input", wire))
    if checked.get("address") is not None:
        address: Address = checked["address"]
        checked["address"] = checked_address(problems, address, ("input", "address"))
    prefix = checked.get("gs1_company_prefix")
    if prefix is not None and not (len(prefix) in COMPANY_PREFIX_LENGTHS and is_number(prefix)):
        told = "A company prefix of GS1 has 7 to 10 digits, as GS1 gave it to you."
        problems.add(("input", "gs1CompanyPrefix"), "NOT_A_COMPANY_PREFIX", told)
    if "tax_included" in checked and checked["tax_included"] is None:
        problems.add(("input", "taxIncluded"), "REQUIRED", "This cannot be cleared: leave it out to keep it.")
    problems.refuse()

    async def work(uow: UnitOfWork) -> Merchant:
        await uow.documents.save_merchant(checked)
        return await uow.documents.merchant()

    return await database.run(work, repeatable=True)
