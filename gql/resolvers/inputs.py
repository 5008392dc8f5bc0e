"""From what callers send to what services take. Names stay as the caller wrote them until a service looks at them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from strawberry import UNSET

from domain import orders
from domain.automation import AllocationRule
from domain.checks import Path, Problems, is_storable
from domain.ids import BundleId, LineId, OrderId, ReservationId, Sku, SupplyId
from domain.kinds import OrderStatus
from domain.money import Money
from gql.errors import bad_input
from gql.schema import allocation_inputs, catalog_inputs, filters, inputs, order_inputs, stock_inputs, supply_inputs
from gql.schema.ids import row_id
from services import bundles, splitting
from services.ports.catalog import ItemFilter
from services.ports.events import EventFilter
from services.ports.orders import OrderFilter, OrderReference
from services.ports.reservations import ReservationReference
from services.ports.stock import StockLevelFilter
from services.ports.supplies import SupplyFilter, SupplyReference
from services.stock import ReceivedLine

T = TypeVar("T")
NOBODY = -1
"""Nothing has this id."""


def given(value: T | None) -> T | None:
    """None where the field is absent."""
    return None if value is UNSET else value


def present(value: object, names: Iterable[str]) -> dict[str, Any]:
    """The fields that were sent, null included."""
    return {name: getattr(value, name) for name in names if getattr(value, name) is not UNSET}


def order_reference(by: inputs.OrderBy) -> OrderReference:
    if by.number:
        return OrderReference(channel=by.number.channel, number=by.number.number)
    given = keepable(by.id or '""')
    return OrderReference(id=OrderId(row_id("Order", given) or NOBODY), given=given)


def reservation_reference(id: str) -> ReservationReference:
    given = keepable(id or '""')
    return ReservationReference(id=ReservationId(row_id("StockReservation", given) or NOBODY), given=given)


def keepable(text: str) -> str:
    """It may be kept with the outcome, where NUL has no place."""
    return text.replace("\x00", "\ufffd")


def received_lines(
    lines: Iterable[stock_inputs.ReceiveLineInput | supply_inputs.SupplyLineInput],
) -> tuple[ReceivedLine, ...]:
    return tuple(ReceivedLine(sku=line.sku, quantity=line.quantity) for line in lines)


def supply_reference(by: inputs.SupplyBy) -> SupplyReference:
    reference = given(by.reference)
    if reference is not None:
        return SupplyReference(reference=reference)
    name = keepable(by.id or '""')
    return SupplyReference(id=SupplyId(row_id("Supply", name) or NOBODY), given=name)


def line_ids(values: Iterable[tuple[Path, str]]) -> list[LineId]:
    """Raises InvalidInput where a value is not the id of an order line."""
    problems = Problems()
    found: list[LineId] = []
    for path, value in values:
        row = row_id("OrderLine", value)
        if row is None:
            problems.add(path, "NOT_AN_ID", "This is not the id of an order line.")
        found.append(LineId(row or -1))
    problems.refuse()
    return found


def money(value: inputs.MoneyInput | None) -> Money | None:
    value = given(value)
    return amount(value) if value else None


def amount(value: inputs.MoneyInput) -> Money:
    return Money(amount=value.amount, currency_code=value.currency_code)


def new_line(line: order_inputs.OrderLineInput) -> orders.NewLine:
    return orders.NewLine(
        sku=Sku(line.sku),
        quantity=line.quantity,
        unit_price=money(line.unit_price),
        reference=given(line.reference),
        discount=money(line.discount),
        tax=money(line.tax),
        customization_note=given(line.customization_note),
    )


LOCATION_FIELDS = (
    "code", "name", "kind", "country_code", "region", "latitude", "longitude", "rank", "handling_hours",
    "transit_hours", "requires_quality_check", "address",
)  # fmt: skip


def saved_location(location: catalog_inputs.LocationInput) -> dict[str, Any]:
    """The fields that were sent, null included."""
    row = present(location, LOCATION_FIELDS)
    if row.get("address") is not None:
        row["address"] = address(row["address"])
    return row


def saved_item(item: catalog_inputs.ItemInput) -> dict[str, Any]:
    """The fields that were sent, null included."""
    row = present(item, ("sku", "name", "barcode", "components"))
    if row.get("components"):
        row["components"] = [(one.sku, one.units) for one in row["components"]]
    return row


def line_changes(edits: Sequence[order_inputs.EditOrderLineInput]) -> tuple[bundles.LineChange, ...]:
    """Raises InvalidInput where a value is not the id of an order line."""
    path = ("input", "lines")
    named = [((*path, str(at), "change", "line"), edit.change.line) for at, edit in enumerate(edits) if edit.change]
    lines = iter(line_ids(named))
    return tuple(_line_change(edit, lines) for edit in edits)


def _line_change(edit: order_inputs.EditOrderLineInput, lines: Iterator[LineId]) -> bundles.LineChange:
    if edit.change:
        return bundles.LineQuantity(line=next(lines), quantity=edit.change.quantity)
    if edit.change_bundle:
        name = keepable(edit.change_bundle.bundle or '""')
        row = BundleId(row_id("OrderBundle", name) or NOBODY)
        return bundles.BundleQuantity(bundle=row, quantity=edit.change_bundle.quantity, given=name)
    assert edit.add
    return new_line(edit.add)


def split_lines(lines: list[order_inputs.SplitOrderLineInput] | None) -> tuple[splitting.SplitLine, ...] | None:
    lines = given(lines)
    if lines is None:
        return None
    ids = line_ids((("input", "by", "lines", str(at), "line"), line.line) for at, line in enumerate(lines))
    return tuple(splitting.SplitLine(line=row, quantity=line.quantity) for row, line in zip(ids, lines, strict=True))


CUSTOMER_FIELDS = ("name", "email", "reference", "phone")
ADDRESS_FIELDS = (
    "name", "line1", "line2", "city", "region", "postal_code", "country_code", "latitude", "longitude",
    "phone",
)  # fmt: skip


def address(value: inputs.AddressInput) -> orders.Address:
    return orders.Address(**present(value, ADDRESS_FIELDS))


def new_order(input: order_inputs.PlaceOrderInput) -> orders.NewOrder:
    customer, ship_to, bill_to = given(input.customer), given(input.ship_to), given(input.bill_to)
    return orders.NewOrder(
        channel=input.channel,
        number=input.number,
        status=OrderStatus.DRAFT if input.draft else OrderStatus.FINALIZED,
        lines=tuple(new_line(line) for line in input.lines),
        terms=orders.OrderTerms(
            shipping_policy=input.shipping_policy,
            priority=input.priority,
            tags=tuple(given(input.tags) or ()),
            customer=orders.Customer(**present(customer, CUSTOMER_FIELDS)) if customer else None,
            ship_to=address(ship_to) if ship_to else None,
            bill_to=address(bill_to) if bill_to else None,
            discounts=tuple(map(_discount, given(input.discounts) or ())),
            shipping_price=money(input.shipping_price),
            tax=money(input.tax),
            note=given(input.note),
            promised_delivery_at=given(input.promised_delivery_at),
        ),
        placed_at=given(input.placed_at),
        payments=tuple(map(_payment, given(input.payments) or ())),
    )


def _discount(discount: order_inputs.OrderDiscountInput) -> orders.Discount:
    return orders.Discount(
        amount=amount(discount.amount), code=given(discount.code), description=given(discount.description)
    )


def _payment(payment: order_inputs.PaymentInput) -> orders.Payment:
    return orders.Payment(
        amount=amount(payment.amount),
        method=payment.method,
        reference=given(payment.reference),
        occurred_at=given(payment.occurred_at),
    )


TERMS = (
    "priority", "shipping_policy", "tags", "customer", "ship_to", "bill_to", "discounts", "shipping_price", "tax",
    "note", "promised_delivery_at",
)  # fmt: skip


def changed_terms(input: order_inputs.EditOrderInput) -> Mapping[str, Any]:
    """The terms that were sent; null clears."""
    changed = present(input, TERMS)
    if changed.get("customer"):
        changed["customer"] = present(input.customer, CUSTOMER_FIELDS)
    if changed.get("ship_to"):
        changed["ship_to"] = present(input.ship_to, ADDRESS_FIELDS)
    if changed.get("bill_to"):
        changed["bill_to"] = present(input.bill_to, ADDRESS_FIELDS)
    if changed.get("discounts"):
        changed["discounts"] = tuple(map(_discount, changed["discounts"]))
    for name in ("shipping_price", "tax"):
        if changed.get(name):
            changed[name] = amount(changed[name])
    return changed


def allocation_rule(rule: allocation_inputs.AllocationRuleInput) -> AllocationRule:
    return AllocationRule(
        name=rule.name,
        when=rule.when,
        every_minutes=given(rule.every_minutes),
        channels=many(rule.channels),
        country_codes=many(rule.country_codes),
        regions=many(rule.regions),
        tags=many(rule.tags),
        value_from=money(rule.value_from),
        value_below=money(rule.value_below),
    )


# ---------------------------------------------------------------- filters


def order_filter(value: filters.OrderFilter | None) -> OrderFilter:
    if value is None:
        return OrderFilter()
    return OrderFilter(
        statuses=many(value.statuses),
        allocation_statuses=many(value.allocation_statuses),
        channels=texts(value.channels),
        skus=texts(value.skus),
        locations=texts(value.locations),
        country_codes=texts(value.country_codes),
        tags=texts(value.tags),
        search=search_text(value.search),
        placed_from=given(value.placed_from),
        placed_before=given(value.placed_before),
        updated_from=given(value.updated_from),
        fulfillment_statuses=many(value.fulfillment_statuses),
        payment_statuses=many(value.payment_statuses),
        on_hold=given(value.on_hold),
        hold_reasons=many(value.hold_reasons),
        late=given(value.late),
        needs=many(value.needs),
    )


def level_filter(value: filters.StockLevelFilter | None) -> StockLevelFilter:
    if value is None:
        return StockLevelFilter()
    return StockLevelFilter(
        skus=texts(value.skus), locations=texts(value.locations), overallocated=given(value.overallocated)
    )


def item_filter(value: filters.ItemFilter | None) -> ItemFilter:
    if value is None:
        return ItemFilter()
    return ItemFilter(skus=texts(value.skus), search=search_text(value.search))


def supply_filter(value: supply_inputs.SupplyFilter | None) -> SupplyFilter:
    if value is None:
        return SupplyFilter()
    return SupplyFilter(
        skus=texts(value.skus),
        locations=texts(value.locations),
        states=many(value.states),
        expected_before=given(value.expected_before),
    )


def event_filter(value: filters.EventFilter | None, types: tuple[str, ...] | None = None) -> EventFilter:
    """`types`: the only ones that the field can tell of."""
    if value is None:
        return EventFilter(types=types)
    wanted = texts(value.types)
    if types is not None and wanted is not None:
        wanted = tuple(one for one in wanted if one in types)
    return EventFilter(
        types=types if wanted is None else wanted,
        orders=orders_named(value.orders),
        channels=texts(value.channels),
        statuses=many(value.statuses),
        skus=texts(value.skus),
        locations=texts(value.locations),
        occurred_from=given(value.occurred_from),
        occurred_before=given(value.occurred_before),
    )


def status_filter(value: filters.AllocationStatusChangedFilter | None) -> EventFilter:
    types = ("AllocationStatusChanged",)
    if value is None:
        return EventFilter(types=types)
    return EventFilter(
        types=types,
        orders=orders_named(value.orders),
        channels=texts(value.channels),
        statuses=many(value.statuses),
        skus=texts(value.skus),
        locations=texts(value.locations),
    )


def level_event_filter(value: filters.StockLevelFilter | None) -> EventFilter:
    types, wanted = ("StockLevelChanged",), level_filter(value)
    return EventFilter(types=types, skus=wanted.skus, locations=wanted.locations, overallocated=wanted.overallocated)


def searchable(value: str) -> str:
    """Text that can be looked for. Raises BAD_USER_INPUT."""
    if not is_storable(value):
        raise bad_input("Text may not contain NUL or lone surrogates.")
    return value


def search_text(value: str | None) -> str | None:
    """What to look for; blank text is no condition."""
    text = given(value)
    return searchable(text).strip() or None if text is not None else None


def many(values: list[T] | None) -> tuple[T, ...] | None:
    values = given(values)
    return None if values is None else tuple(values)


def texts(values: list[str] | None) -> tuple[str, ...] | None:
    found = many(values)
    return None if found is None else tuple(searchable(value) for value in found)


def orders_named(values: list[Any] | None) -> tuple[OrderId, ...] | None:
    """Ids that name no order match nothing."""
    found = many(values)
    return None if found is None else tuple(OrderId(row_id("Order", value) or NOBODY) for value in found)
