"""What was read of an order file goes into the database, batch by batch.

Each batch is one transaction, and an order that is there already stays as it is. So an import that was killed is
completed by importing the same file once more, and one that was completed changes nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from dibs.importing.orders import ImportedLine, ImportedOrder, OrdersRead
from dibs.importing.refusals import RowIssue, shown
from domain.errors import InputProblem, InvalidInput, NotFound, OrderAlreadyPlaced
from domain.ids import Sku
from domain.money import Money
from domain.orders import Address, Customer, NewLine, NewOrder, OrderTerms
from services.callers import Caller
from services.order_input import check_new_order
from services.orders import OrderDone, place_orders
from services.ports.batches import BatchTooLarge
from services.ports.database import Database
from services.ports.orders import OrderReference
from services.ports.unit_of_work import UnitOfWork

ORDERS_MAX = 1_000
LINES_MAX = 10_000
"""What one transaction takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersLoaded:
    """What became of the orders of a file: each was placed, was already there, or was left out as a whole.

    `lines` are those of the placed orders. `left_out` and `issues` include what the reading left out.
    """

    placed: int
    lines: int
    already_there: int
    left_out: int
    prices_without_currency: int
    issues: tuple[RowIssue, ...]


@dataclass(slots=True, kw_only=True)
class _Tally:
    placed: int = 0
    lines: int = 0
    already_there: int = 0
    left_out: int = 0
    prices_without_currency: int = 0
    issues: list[RowIssue] = field(default_factory=list)


Pair = tuple[ImportedOrder, NewOrder]
Placed = OrderDone | InvalidInput | NotFound | OrderAlreadyPlaced


async def load_orders(
    database: Database, caller: Caller, read: OrdersRead, *, progress: Callable[[int, int], None] | None = None
) -> OrdersLoaded:
    """Place the orders of a file. One whose (channel, number) is known stays as it is; an unknown SKU leaves it out.

    A price without a currency is left away, and counted. Raises Busy and OutcomeUnknown, and nothing for what a file
    says: import the file again then.
    """
    tally = _Tally(left_out=read.orders_left_out, issues=list(read.issues))
    pairs = ((order, new) for order in read.orders if (new := _checked(order, tally)))
    for batch in _batches(pairs):
        outcomes = await _place_all(database, caller, batch)
        for pair, outcome in zip(batch, outcomes, strict=True):
            _count(tally, *pair, outcome)
        if progress:
            done = tally.placed + tally.already_there + tally.left_out - read.orders_left_out
            progress(done, len(read.orders))
    return OrdersLoaded(
        placed=tally.placed,
        lines=tally.lines,
        already_there=tally.already_there,
        left_out=tally.left_out,
        prices_without_currency=tally.prices_without_currency,
        issues=tuple(tally.issues),
    )


def _batches(pairs: Iterable[Pair]) -> Iterator[list[Pair]]:
    """Orders are never divided, so one that is larger than a batch is a batch."""
    batch: list[Pair] = []
    lines = 0
    for pair in pairs:
        if batch and (len(batch) == ORDERS_MAX or lines + len(pair[1].lines) > LINES_MAX):
            yield batch
            batch, lines = [], 0
        batch.append(pair)
        lines += len(pair[1].lines)
    if batch:
        yield batch


async def _place_all(database: Database, caller: Caller, batch: Sequence[Pair]) -> list[Placed]:
    """In one transaction; where rules allocate the orders at once, and they have too many SKUs for that, in halves."""
    try:
        return await database.run(partial(_place, caller=caller, batch=batch), repeatable=True)
    except BatchTooLarge:
        middle = len(batch) // 2
        first = await _place_all(database, caller, batch[:middle])
        return first + await _place_all(database, caller, batch[middle:])


async def _place(uow: UnitOfWork, *, caller: Caller, batch: Sequence[Pair]) -> list[Placed]:
    outcomes = await place_orders(uow, caller, [new for _, new in batch])
    # That an order is there outweighs that a SKU of it is not known.
    unknown = [at for at, outcome in enumerate(outcomes) if isinstance(outcome, NotFound)]
    news = [batch[at][1] for at in unknown]
    known = await uow.orders.resolve([OrderReference(channel=new.channel, number=new.number) for new in news])
    for at, order in zip(unknown, known, strict=True):
        if order is not None:
            outcomes[at] = OrderAlreadyPlaced(order=order)
    return outcomes


def _count(tally: _Tally, order: ImportedOrder, new: NewOrder, outcome: Placed) -> None:
    match outcome:
        case OrderDone():
            tally.placed += 1
            tally.lines += len(new.lines)
        case OrderAlreadyPlaced():
            tally.already_there += 1
        case InvalidInput(problems=problems):
            tally.left_out += 1
            tally.issues.extend(_issue(order, replace(problem, path=problem.path[1:])) for problem in problems)
        case NotFound(references=unknown):
            tally.left_out += 1
            tally.issues.extend(
                RowIssue(
                    line_number=row.line_number,
                    order=order.number,
                    message=f"SKU {shown(line.sku)} is unknown: import its stock first",
                )
                for row, line in zip(order.lines, new.lines, strict=True)
                if line.sku in unknown
            )


# ---------------------------------------------------------------- is the order well formed?


def _checked(order: ImportedOrder, tally: _Tally) -> NewOrder | None:
    """The order as the API would take it; None where it would not, with an issue for every problem."""
    try:
        new = check_new_order(_new_order(order), ())
    except InvalidInput as refusal:
        tally.left_out += 1
        tally.issues.extend(_issue(order, problem) for problem in refusal.problems)
        return None
    tally.prices_without_currency += sum(line.unit_price is not None and not line.currency for line in order.lines)
    return new


def _issue(order: ImportedOrder, problem: InputProblem) -> RowIssue:
    """At the line that has the problem; at the order's first line where it is the order's."""
    match problem.path:
        case ("lines", at, *rest):
            line, where = order.lines[int(at)], rest
        case _:
            line, where = order.lines[0], list(problem.path)
    return RowIssue(line_number=line.line_number, order=order.number, message=f"{'.'.join(where)}: {problem.message}")


def _new_order(order: ImportedOrder) -> NewOrder:
    return NewOrder(
        channel=order.channel,
        number=order.number,
        lines=tuple(map(_new_line, order.lines)),
        terms=OrderTerms(
            customer=Customer(name=order.customer) if order.customer else None,
            ship_to=Address(country_code=order.country_code) if order.country_code else None,
        ),
        placed_at=order.placed_at,
    )


def _new_line(line: ImportedLine) -> NewLine:
    price = None
    if line.unit_price is not None and line.currency:
        price = Money(amount=line.unit_price, currency_code=line.currency)
    return NewLine(sku=Sku(line.sku), quantity=line.quantity, unit_price=price)
