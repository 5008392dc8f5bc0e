"""Is an order's input well formed? The order, its lines and its terms as Dibs keeps them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import Any, TypeVar

from domain import checks
from domain.checks import Path, Problems
from domain.ids import Sku
from domain.kinds import ShippingPolicy
from domain.money import Money
from domain.orders import Address, Customer, Discount, NewLine, NewOrder, OrderTerms, Payment
from services.phones import checked_phone

T = TypeVar("T", Customer, Address)

PAYMENTS_MAX = 100
"""With which an order may come."""
DISCOUNTS_MAX = 100


def check_new_order(new: NewOrder, path: Path) -> NewOrder:
    """The order as Dibs keeps it. Raises InvalidInput with every problem."""
    problems = Problems()
    checked = NewOrder(
        channel=problems.code(new.channel, (*path, "channel")),
        number=problems.code(new.number, (*path, "number")),
        lines=tuple(checked_line(problems, line, (*path, "lines", str(index))) for index, line in enumerate(new.lines)),
        status=new.status,
        terms=checked_terms(problems, new.terms, path),
        placed_at=problems.time(new.placed_at, (*path, "placedAt")),
        payments=tuple(
            checked_payment(problems, payment, (*path, "payments", str(index)))
            for index, payment in enumerate(new.payments)
        ),
    )
    problems.size(len(new.lines), (*path, "lines"), checks.ORDER_LINES_MAX)
    problems.size(len(new.payments), (*path, "payments"), PAYMENTS_MAX, least=0)
    check_currency(problems, amounts_of(checked, path))
    problems.refuse()
    return checked


def checked_line(problems: Problems, line: NewLine, path: Path) -> NewLine:
    return NewLine(
        sku=Sku(problems.code(line.sku, (*path, "sku"))),
        quantity=problems.whole(line.quantity, (*path, "quantity"), 1, checks.ORDER_QUANTITY_MAX),
        unit_price=problems.money(line.unit_price, (*path, "unitPrice")),
        reference=problems.optional_text(line.reference, (*path, "reference"), checks.CODE_LENGTH_MAX),
        discount=problems.payable(line.discount, (*path, "discount")),
        tax=problems.payable(line.tax, (*path, "tax")),
        customization_note=problems.optional_text(
            line.customization_note, (*path, "customizationNote"), checks.NOTE_LENGTH_MAX
        ),
    )


def checked_payment(problems: Problems, payment: Payment, path: Path) -> Payment:
    """A payment with more than nothing, and without the number of a card."""
    amount = problems.payable(payment.amount, (*path, "amount"), zero=False)
    method = problems.text(payment.method, (*path, "method"), checks.CODE_LENGTH_MAX)
    reference = problems.optional_text(payment.reference, (*path, "reference"))
    return Payment(
        amount=amount or payment.amount,
        method=problems.no_card(method, (*path, "method")) or method,
        reference=problems.no_card(reference, (*path, "reference")),
        occurred_at=problems.time(payment.occurred_at, (*path, "occurredAt")),
    )


def amounts_of(new: NewOrder, path: Path) -> Iterator[tuple[Path, Money]]:
    """Every amount of an order, by where it stands in the input."""
    for index, line in enumerate(new.lines):
        yield from amounts_of_line(line, (*path, "lines", str(index)))
    yield from amounts_of_terms(new.terms, path)
    for index, payment in enumerate(new.payments):
        yield (*path, "payments", str(index), "amount"), payment.amount


def amounts_of_line(line: NewLine, path: Path) -> Iterator[tuple[Path, Money]]:
    if line.unit_price:
        yield (*path, "unitPrice"), line.unit_price
    if line.discount:
        yield (*path, "discount"), line.discount
    if line.tax:
        yield (*path, "tax"), line.tax


def amounts_of_terms(terms: OrderTerms, path: Path) -> Iterator[tuple[Path, Money]]:
    for index, discount in enumerate(terms.discounts):
        yield (*path, "discounts", str(index), "amount"), discount.amount
    if terms.shipping_price:
        yield (*path, "shippingPrice"), terms.shipping_price
    if terms.tax:
        yield (*path, "tax"), terms.tax


def check_currency(problems: Problems, amounts: Iterable[tuple[Path, Money]]) -> None:
    """All amounts of an order are of one currency."""
    currency = None
    for path, money in amounts:
        currency = currency or money.currency_code
        if money.currency_code != currency:
            told = f"An order has one currency, and this one begins in {currency}: place an order for each."
            problems.add((*path, "currencyCode"), "NOT_ALLOWED", told)
            return


def checked_terms(problems: Problems, terms: OrderTerms, path: Path) -> OrderTerms:
    problems.size(len(terms.tags), (*path, "tags"), 100, least=0)
    problems.size(len(terms.discounts), (*path, "discounts"), DISCOUNTS_MAX, least=0)
    tags = [problems.code(tag, (*path, "tags", str(index))) for index, tag in enumerate(terms.tags)]
    country = next((one.country_code for one in (terms.ship_to, terms.bill_to) if one and one.country_code), None)
    return OrderTerms(
        shipping_policy=terms.shipping_policy,
        priority=problems.whole(terms.priority, (*path, "priority"), -checks.PRIORITY_MAX, checks.PRIORITY_MAX),
        tags=tuple(dict.fromkeys(tags)),
        customer=terms.customer and _customer(problems, terms.customer, (*path, "customer"), country),
        ship_to=terms.ship_to and checked_address(problems, terms.ship_to, (*path, "shipTo")),
        bill_to=terms.bill_to and checked_address(problems, terms.bill_to, (*path, "billTo")),
        discounts=tuple(
            _discount(problems, discount, (*path, "discounts", str(index)))
            for index, discount in enumerate(terms.discounts)
        ),
        shipping_price=problems.payable(terms.shipping_price, (*path, "shippingPrice")),
        tax=problems.payable(terms.tax, (*path, "tax")),
        note=problems.optional_text(terms.note, (*path, "note"), checks.NOTE_LENGTH_MAX),
        promised_delivery_at=problems.time(terms.promised_delivery_at, (*path, "promisedDeliveryAt")),
    )


def _discount(problems: Problems, discount: Discount, path: Path) -> Discount:
    return Discount(
        amount=problems.payable(discount.amount, (*path, "amount")) or discount.amount,
        code=problems.optional_text(discount.code, (*path, "code"), checks.CODE_LENGTH_MAX),
        description=problems.optional_text(discount.description, (*path, "description")),
    )


def _customer(problems: Problems, customer: Customer, path: Path, country: str | None) -> Customer:
    return replace(
        _texts(problems, customer, path), phone=checked_phone(problems, customer.phone, (*path, "phone"), country)
    )


def _texts(problems: Problems, value: T, path: Path) -> T:
    """The same value with every text as Dibs keeps it."""
    texts = {
        name: problems.optional_text(text, (*path, wire_name(name)))
        for name, text in asdict(value).items()
        if isinstance(text, str) and name != "phone"
    }
    changed: dict[str, Any] = dict(texts)
    return replace(value, **changed)


def checked_address(problems: Problems, address: Address, path: Path) -> Address:
    texts = _texts(problems, address, path)
    country = problems.country(address.country_code, (*path, "countryCode"))
    return replace(
        texts,
        country_code=country,
        phone=checked_phone(problems, address.phone, (*path, "phone"), country),
        latitude=problems.coordinate(address.latitude, (*path, "latitude"), 90),
        longitude=problems.coordinate(address.longitude, (*path, "longitude"), 180),
    )


def wire_name(name: str) -> str:
    """The name as callers write it."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def merged_terms(terms: OrderTerms, changed: Mapping[str, Any]) -> OrderTerms:
    """The terms after an edit that was checked, as Dibs keeps them."""
    return checked_terms(Problems(), changed_terms(terms, changed), ("input",))


def changed_terms(terms: OrderTerms, changed: Mapping[str, Any]) -> OrderTerms:
    """The terms after an edit, as the caller wrote them."""
    policy: ShippingPolicy = changed.get("shipping_policy", terms.shipping_policy)
    return OrderTerms(
        shipping_policy=policy,
        priority=changed.get("priority", terms.priority),
        tags=tuple(changed.get("tags", terms.tags) or ()),
        customer=_merged(Customer(), terms.customer, changed, "customer"),
        ship_to=_merged(Address(), terms.ship_to, changed, "ship_to"),
        bill_to=_merged(Address(), terms.bill_to, changed, "bill_to"),
        discounts=tuple(changed.get("discounts", terms.discounts) or ()),
        shipping_price=changed.get("shipping_price", terms.shipping_price),
        tax=changed.get("tax", terms.tax),
        note=changed.get("note", terms.note),
        promised_delivery_at=changed.get("promised_delivery_at", terms.promised_delivery_at),
    )


def _merged(empty: T, value: T | None, changed: Mapping[str, Any], name: str) -> T | None:
    if name not in changed:
        return value
    if changed[name] is None:
        return None
    return replace(value or empty, **changed[name])
