"""Place, edit, finalize and void orders."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

from domain import checks, ordering
from domain.batch import Batch
from domain.checks import Path, Problems
from domain.errors import InvalidInput, NotFound, OrderAlreadyPlaced
from domain.ids import ItemId, LineId, OrderId, Sku
from domain.kinds import ShippingPolicy
from domain.ordering import Edit
from domain.orders import Address, Customer, Money, NewLine, NewOrder, OrderTerms
from services.callers import Caller
from services.idempotency import once
from services.ports import BatchTooLarge, Database, OrderReference, UnitOfWork
from services.recording import record
from services.references import checked_reference

T = TypeVar("T", Customer, Address)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderDone:
    """The order that a mutation was about."""

    order: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class LineQuantity:
    """The new quantity of a line; 0 cancels it."""

    line: LineId
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EditOrder:
    """What shall be different. In `terms`, what is absent stays; None clears; customer and shipTo are merged."""

    order: OrderReference
    expected_version: int | None = None
    lines: tuple[LineQuantity | NewLine, ...] = ()
    terms: Mapping[str, Any] = field(default_factory=dict)


async def place_order(database: Database, caller: Caller, new: NewOrder, key: str) -> OrderDone:
    """Place one order. Raises InvalidInput, IdempotencyKeyReused, NotFound, OrderAlreadyPlaced."""
    checked = check_new_order(new, ("input",))

    async def effect(uow: UnitOfWork) -> OrderDone:
        (outcome,) = await place_orders(uow, caller, [checked])
        if not isinstance(outcome, OrderDone):
            raise outcome
        return outcome

    return await once(database, caller, "placeOrder", key, checked, OrderDone, effect)


async def place_orders(
    uow: UnitOfWork, caller: Caller, orders: Sequence[NewOrder]
) -> list[OrderDone | NotFound | OrderAlreadyPlaced]:
    """Place orders that were checked, each with its own outcome, within a transaction that the caller keeps."""
    items = await uow.catalog.items_by_sku(list({line.sku for new in orders for line in new.lines}))
    placed_before = await uow.orders.resolve([OrderReference(channel=new.channel, number=new.number) for new in orders])
    refusals = [_refuse(new, items, before) for new, before in zip(orders, placed_before, strict=True)]
    accepted = [new for new, refusal in zip(orders, refusals, strict=True) if refusal is None]
    ids = await _place(uow, caller, accepted, items)
    placed = iter(ids)
    return [OrderDone(order=next(placed)) if refusal is None else refusal for refusal in refusals]


async def edit_order(database: Database, caller: Caller, command: EditOrder, key: str) -> OrderDone:
    """Edit lines and terms. Raises InvalidInput, IdempotencyKeyReused, NotFound and the refusals of `ordering.edit`."""
    command = _check_edit(command)

    async def effect(uow: UnitOfWork) -> OrderDone:
        order = await _known(uow, command.order)
        added = tuple(line for line in command.lines if isinstance(line, NewLine))
        items = await uow.catalog.items_by_sku([line.sku for line in added])
        unknown = [line.sku for line in added if line.sku not in items]
        if unknown:
            raise NotFound(references=tuple(dict.fromkeys(unknown)))
        batch = await _load_with_room(uow, order, items.values(), len(added))
        ordering.expect_version(batch, order, command.expected_version)
        _, lines = await uow.batches.reserve_ids(0, len(added))
        ordering.edit(batch, order, await _edit(uow, order, command, added), lines, items)
        await record(uow, batch, caller)
        return OrderDone(order=order)

    return await once(database, caller, "editOrder", key, command, OrderDone, effect)


async def finalize_order(database: Database, caller: Caller, order: OrderReference, key: str) -> OrderDone:
    """Confirm a draft. Raises InvalidInput, IdempotencyKeyReused, NotFound, OrderNotInState."""
    problems = Problems()
    order = checked_reference(problems, order, ("input", "order"))
    problems.refuse()
    return await _decide(database, caller, "finalizeOrder", key, order, None)


async def void_order(database: Database, caller: Caller, order: OrderReference, reason: str, key: str) -> OrderDone:
    """Cancel an order. Raises InvalidInput, IdempotencyKeyReused, NotFound, OrderNotInState."""
    problems = Problems()
    reason = problems.text(reason, ("input", "reason"))
    order = checked_reference(problems, order, ("input", "order"))
    problems.refuse()
    return await _decide(database, caller, "voidOrder", key, order, reason)


async def _decide(
    database: Database, caller: Caller, mutation: str, key: str, reference: OrderReference, reason: str | None
) -> OrderDone:
    async def effect(uow: UnitOfWork) -> OrderDone:
        order = await _known(uow, reference)
        batch = Batch(await uow.batches.load(orders=[order]))
        if reason is None:
            ordering.finalize(batch, order)
        else:
            ordering.void(batch, order, reason)
        await record(uow, batch, caller)
        return OrderDone(order=order)

    return await once(database, caller, mutation, key, (str(reference), reason), OrderDone, effect)


async def _known(uow: UnitOfWork, reference: OrderReference) -> OrderId:
    (order,) = await uow.orders.resolve([reference])
    if order is None:
        raise NotFound(references=(str(reference),))
    return order


def _refuse(new: NewOrder, items: Mapping[Sku, ItemId], before: OrderId | None) -> NotFound | OrderAlreadyPlaced | None:
    unknown = dict.fromkeys(line.sku for line in new.lines if line.sku not in items)
    if unknown:
        return NotFound(references=tuple(unknown))
    return OrderAlreadyPlaced(order=before) if before is not None else None


async def _place(
    uow: UnitOfWork, caller: Caller, orders: Sequence[NewOrder], items: dict[Sku, ItemId]
) -> list[OrderId]:
    if not orders:
        return []
    await uow.catalog.save_channels([new.channel for new in orders])
    ids, line_ids = await uow.batches.reserve_ids(len(orders), sum(len(new.lines) for new in orders))
    batch = Batch(await uow.batches.load())
    lines = iter(line_ids)
    for order, new in zip(ids, orders, strict=True):
        ordering.place(batch, order, [next(lines) for _ in new.lines], items, new)
    await record(uow, batch, caller)
    return ids


async def _load_with_room(uow: UnitOfWork, order: OrderId, items: Iterable[ItemId], added: int) -> Batch:
    """The order, if it has room for so many more lines. Then its SKUs fit into a batch as well."""
    with suppress(BatchTooLarge):
        batch = Batch(await uow.batches.load(orders=[order], items=items))
        if len(batch.lines_of(order)) + added <= checks.ORDER_LINES_MAX:
            return batch
    problems = Problems()
    problems.add(("input", "lines"), "TOO_MANY", f"An order has at most {checks.ORDER_LINES_MAX:,} lines.")
    raise InvalidInput(problems=problems.all())


async def _edit(uow: UnitOfWork, order: OrderId, command: EditOrder, added: tuple[NewLine, ...]) -> Edit:
    quantities = tuple((line.line, line.quantity) for line in command.lines if isinstance(line, LineQuantity))
    terms = _merge(await uow.orders.terms(order), command.terms) if command.terms else None
    return Edit(quantities=quantities, added=added, terms=terms)


# ---------------------------------------------------------------- is the input well formed?


def check_new_order(new: NewOrder, path: Path) -> NewOrder:
    """The order as Dibs keeps it. Raises InvalidInput with every problem."""
    problems = Problems()
    checked = NewOrder(
        channel=problems.code(new.channel, (*path, "channel")),
        number=problems.code(new.number, (*path, "number")),
        lines=tuple(_line(problems, line, (*path, "lines", str(index))) for index, line in enumerate(new.lines)),
        status=new.status,
        terms=_terms(problems, new.terms, path),
        placed_at=problems.time(new.placed_at, (*path, "placedAt")),
    )
    problems.size(len(new.lines), (*path, "lines"), checks.ORDER_LINES_MAX)
    problems.refuse()
    return checked


def _line(problems: Problems, line: NewLine, path: Path) -> NewLine:
    price = line.unit_price
    return NewLine(
        sku=Sku(problems.code(line.sku, (*path, "sku"))),
        quantity=problems.whole(line.quantity, (*path, "quantity"), 1, checks.ORDER_QUANTITY_MAX),
        unit_price=price
        and Money(
            amount=problems.amount(price.amount, (*path, "unitPrice", "amount")),
            currency_code=problems.currency(price.currency_code, (*path, "unitPrice", "currencyCode")),
        ),
        reference=problems.optional_text(line.reference, (*path, "reference"), checks.CODE_LENGTH_MAX),
    )


def _terms(problems: Problems, terms: OrderTerms, path: Path) -> OrderTerms:
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
        name: problems.optional_text(text, (*path, _wire(name)))
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


def _wire(name: str) -> str:
    """The name as callers write it."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def _check_edit(command: EditOrder) -> EditOrder:
    problems, path = Problems(), ("input", "lines")
    order = checked_reference(problems, command.order, ("input", "order"))
    problems.size(len(command.lines), path, checks.ORDER_LINES_MAX, least=0)
    named = [line.line if isinstance(line, LineQuantity) else None for line in command.lines]
    problems.distinct(named, path, "Each line may stand here once.")
    lines: list[LineQuantity | NewLine] = []
    for index, line in enumerate(command.lines):
        at = (*path, str(index))
        if isinstance(line, NewLine):
            lines.append(_line(problems, line, (*at, "add")))
        else:
            problems.whole(line.quantity, (*at, "change", "quantity"), 0, checks.ORDER_QUANTITY_MAX)
            lines.append(line)
    for name in ("priority", "shipping_policy"):
        if name in command.terms and command.terms[name] is None:
            problems.add(("input", _wire(name)), "REQUIRED", "This cannot be cleared: leave it out to keep it.")
    if not problems.found:
        _terms(problems, _changed(OrderTerms(), command.terms), ("input",))
    problems.refuse()
    return replace(command, order=order, lines=tuple(lines))


def _merge(terms: OrderTerms, changed: Mapping[str, Any]) -> OrderTerms:
    """The terms after an edit that was checked, as Dibs keeps them."""
    return _terms(Problems(), _changed(terms, changed), ("input",))


def _changed(terms: OrderTerms, changed: Mapping[str, Any]) -> OrderTerms:
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
