"""Split an order: what is ready can be shipped, and the rest waits on its own."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import count
from typing import Any, ClassVar

from domain import checks, fulfilling, ordering, splitting
from domain.batch import Batch
from domain.bundles import ComponentLine
from domain.changes import Changes
from domain.checks import Problems
from domain.errors import NotFound, OrderAlreadyPlaced
from domain.ids import LineId, OrderId
from domain.money import Money
from domain.orders import NewLine, NewOrder
from domain.splitting import Part
from services.callers import Caller
from services.commands import Known, Needs, Performer
from services.ports.orders import LineView, OrderReference
from services.references import checked_reference

BY = ("input", "by")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderSplit:
    """The order that was split, and the new one."""

    order: OrderId
    split: OrderId


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitLine:
    """Open units of a line that go to the new order."""

    line: LineId
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitOrder:
    """Divide an order by `lines`, or by what is `allocated`; one of the two. `number` None: the first that is free."""

    mutation: ClassVar[str] = "splitOrder"
    outcome_type: ClassVar[Any] = OrderSplit
    order: OrderReference
    expected_version: int | None = None
    number: str | None = None
    lines: tuple[SplitLine, ...] | None = None
    allocated: bool | None = None

    def needs(self) -> Needs:
        # Alone, so that the lines and numbers that were read are those that are there when it decides.
        return Needs(
            orders=(self.order,),
            new_orders=1,
            copies_lines=True,
            views=True,
            standings=True,
            beside=self.number or "",
            alone=True,
        )

    def decide(self, batch: Batch, known: Known) -> OrderSplit:
        (order,) = known.orders
        if order is None:
            raise NotFound(references=(str(self.order),))
        splitting.require_parts(batch, order, [line.line for line in self.lines or ()])
        fulfilling.require_not_released(batch, order)
        ordering.expect_version(batch, order, self.expected_version)
        number = self._number(known, known.views[order].number)
        quantities = self._quantities(batch, order)
        (split,) = known.order_ids
        parts = [
            Part(line=line, quantity=units, to=to)
            for (line, units), to in zip(quantities.items(), known.line_ids, strict=False)
        ]
        splitting.split(batch, order, split, _new_order(batch, known, order, number, parts), parts)
        return OrderSplit(order=order, split=split)

    def conclude(self, outcome: OrderSplit, _: Changes) -> OrderSplit:
        return outcome

    def _number(self, known: Known, number: str) -> str:
        if self.number is not None:
            if self.number in known.beside:
                raise OrderAlreadyPlaced(order=known.beside[self.number])
            return self.number
        free = next(f"{number}-{suffix}" for suffix in count(1) if f"{number}-{suffix}" not in known.beside)
        if len(free) > checks.CODE_LENGTH_MAX:
            problems = Problems()
            problems.add(("input", "number"), "REQUIRED", "The order's number is too long for a suffix: give one.")
            problems.refuse()
        return free

    def _quantities(self, batch: Batch, order: OrderId) -> Mapping[LineId, int]:
        """Open units of each line that go. Raises InvalidInput where it is nothing, everything, or too many."""
        problems = Problems()
        if self.lines is None:
            quantities = splitting.ready_to_ship(batch, order)
            if not quantities:
                problems.add((*BY, "allocated"), "NOTHING_TO_SPLIT", "Nothing is set aside for this order.")
        else:
            quantities = {line.line: line.quantity for line in self.lines}
            for index, line in enumerate(self.lines):
                open_units = batch.lines[line.line].open
                if line.quantity > open_units:
                    at = (*BY, "lines", str(index), "quantity")
                    problems.add(at, "OUT_OF_RANGE", _only(open_units))
        if sum(quantities.values()) >= sum(line.open for line in batch.lines_of(order)) and not problems.found:
            problems.add(BY, "NOTHING_LEFT", "This is all that is open: leave something in the order.")
        problems.refuse()
        return quantities


def _only(units: int) -> str:
    return "1 unit of this line is open." if units == 1 else f"{units:,} units of this line are open."


async def split_order(performer: Performer, caller: Caller, command: SplitOrder, key: str) -> OrderSplit:
    """Divide an order in two.

    Raises InvalidInput, IdempotencyKeyReused, NotFound, OrderAlreadyPlaced, OrderNotInState, OrderVersionConflict.
    """
    problems = Problems()
    order = checked_reference(problems, command.order, ("input", "order"))
    number = problems.optional_code(command.number, ("input", "number"))
    if command.lines is not None:
        problems.size(len(command.lines), (*BY, "lines"), checks.ORDER_LINES_MAX)
        problems.distinct((line.line for line in command.lines), (*BY, "lines"), "Each line may stand here once.")
        for index, line in enumerate(command.lines):
            at = (*BY, "lines", str(index), "quantity")
            problems.whole(line.quantity, at, 1, checks.ORDER_QUANTITY_MAX)
    elif not command.allocated:
        problems.add((*BY, "allocated"), "OUT_OF_RANGE", "This may only be true: name lines otherwise.")
    problems.refuse()
    return await performer.perform(caller, replace(command, order=order, number=number), key)


def _new_order(batch: Batch, known: Known, order: OrderId, number: str, parts: list[Part]) -> NewOrder:
    """What is agreed goes along, but not what is off, taxed or asked for shipping the order as a whole."""
    view = known.views[order]
    return NewOrder(
        channel=view.channel,
        number=number,
        lines=tuple(_new_line(batch, known.lines[part.line], part) for part in parts),
        status=view.status,
        terms=replace(view.terms, discounts=(), shipping_price=None, tax=None),
        placed_at=view.placed_at,
        owes_nothing=batch.standing_of(order).currency_code is None,
    )


def _new_line(batch: Batch, line: LineView, part: Part) -> NewLine:
    """As much of the line as goes, with its share of the money; a part of a bundle stays one."""
    money = splitting.money_of(batch, part)
    currency = batch.standing_of(line.order).currency_code
    new = NewLine(
        sku=line.sku,
        quantity=part.quantity,
        unit_price=line.price,
        reference=line.reference,
        discount=_priced(money.discount if money else None, currency),
        tax=_priced(money.tax if money else None, currency),
        customization_note=line.customization_note,
    )
    if line.bundle is None:
        return new
    return ComponentLine(
        sku=new.sku,
        quantity=new.quantity,
        discount=new.discount,
        tax=new.tax,
        customization_note=new.customization_note,
        bundle=line.bundle,
        bundle_units=line.bundle_units,
        bundle_price=_priced(money.price if money else None, currency),
    )


def _priced(amount: Decimal | None, currency_code: str | None) -> Money | None:
    return Money(amount=amount, currency_code=currency_code) if amount and currency_code else None
