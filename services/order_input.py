"""Is an order's input well formed? The order, its lines and its terms as Dibs keeps them."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any, TypeVar

from domain import checks
from domain.checks import Path, Problems
from domain.ids import Sku
from domain.kinds import ShippingPolicy
from domain.orders import Address, Customer, Money, NewLine, NewOrder, OrderTerms

T = TypeVar("T", Customer, Address)


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
    )
    problems.size(len(new.lines), (*path, "lines"), checks.ORDER_LINES_MAX)
    problems.refuse()
    return checked


def checked_line(problems: Problems, line: NewLine, path: Path) -> NewLine:
    return NewLine(
        sku=Sku(problems.code(line.sku, (*path, "sku"))),
        quantity=problems.whole(line.quantity, (*path, "quantity"), 1, checks.ORDER_QUANTITY_MAX),
        unit_price=checked_money(problems, line.unit_price, (*path, "unitPrice")),
        reference=problems.optional_text(line.reference, (*path, "reference"), checks.CODE_LENGTH_MAX),
    )


def checked_money(problems: Problems, money: Money | None, path: Path) -> Money | None:
    return money and Money(
        amount=problems.amount(money.amount, (*path, "amount")),
        currency_code=problems.currency(money.currency_code, (*path, "currencyCode")),
    )


def checked_terms(problems: Problems, terms: OrderTerms, path: Path) -> OrderTerms:
    problems.size(len(terms.tags), (*path, "tags"), 100, least=0)
    tags = [problems.code(tag, (*path, "tags", str(index))) for index, tag in enumerate(terms.tags)]
    return OrderTerms(
        shipping_policy=terms.shipping_policy,
        priority=problems.whole(terms.priority, (*path, "priority"), -checks.PRIORITY_MAX, checks.PRIORITY_MAX),
        tags=tuple(dict.fromkeys(tags)),
        customer=terms.customer and _texts(problems, terms.customer, (*path, "customer")),
        ship_to=terms.ship_to and _address(problems, terms.ship_to, (*path, "shipTo")),
    )


def _texts(problems: Problems, value: T, path: Path) -> T:
    """The same value with every text as Dibs keeps it."""
    texts = {
        name: problems.optional_text(text, (*path, wire_name(name)))
        for name, text in asdict(value).items()
        if isinstance(text, str)
    }
    changed: dict[str, Any] = dict(texts)
    return replace(value, **changed)


def _address(problems: Problems, address: Address, path: Path) -> Address:
    return replace(
        _texts(problems, address, path),
        country_code=problems.country(address.country_code, (*path, "countryCode")),
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
    )


def _merged(empty: T, value: T | None, changed: Mapping[str, Any], name: str) -> T | None:
    if name not in changed:
        return value
    if changed[name] is None:
        return None
    return replace(value or empty, **changed[name])
