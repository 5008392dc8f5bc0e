"""Divide an order in two: open units go to an order of their own, with what is set aside for them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain import ordering
from domain.allocation import Claim
from domain.batch import Batch
from domain.bundles import together, whole
from domain.errors import NotFound, OrderNotInState
from domain.ids import AllocationId, LineId, OrderId
from domain.kinds import HoldReason, PaymentKind, PaymentStatus
from domain.money import ZERO, Money
from domain.orders import EDITABLE, NewOrder, OrderLine, Payment
from domain.payments import LineMoney

SPLIT_FROM_A_HELD_ORDER = "It was split from an order that was held for this."


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """`quantity` open units of a line, for the line of the new order with this id."""

    line: LineId
    quantity: int
    to: LineId


def require_parts(batch: Batch, order: OrderId, lines: Sequence[LineId]) -> None:
    """Raises OrderNotInState, and NotFound for lines of other orders."""
    if batch.orders[order].status not in EDITABLE:
        raise OrderNotInState(order=order, allowed=EDITABLE)
    own = {line.id for line in batch.lines_of(order)}
    strangers = tuple(line for line in lines if line not in own)
    if strangers:
        raise NotFound(references=strangers)


def ready_to_ship(batch: Batch, order: OrderId) -> Mapping[LineId, int]:
    """What is set aside for each line and has stock behind it; of a bundle's components, what makes whole bundles."""
    ready: dict[LineId, int] = {}
    for bundle, lines in together(batch.lines_of(order)):
        backed = {line.id: line.allocated - line.overallocated for line in lines}
        if bundle is not None:
            bundles = whole((line.open, backed[line.id], line.bundle_units) for line in lines)
            for line in lines if bundles is not None else ():
                backed[line.id] = min(backed[line.id], (bundles or 0) * line.bundle_units)
        ready.update({line: units for line, units in backed.items() if units})
    return ready


def split(batch: Batch, order: OrderId, to: OrderId, new: NewOrder, parts: Sequence[Part]) -> None:
    """Move the parts into a new order, which has a line for each of them, in the same sequence.

    A part takes along what is set aside for its line: units with stock behind them first, and of those the oldest. The
    claims change hands without being given back, so nobody can come between, and they stay as old as they are.

    The old line's quantity falls by the part. A line of which nothing would remain keeps its quantity, and the part
    counts as canceled there: a line has a quantity, and its history stays readable.

    Where the old order's standing is known: its lines keep what is off and taxed less what the parts took along, and
    what was paid stays with it as far as it owes it; the rest goes along, as far as the new order owes that. And what
    holds the old order holds the new one, too: no rule looks at a part, and nobody has looked into it by splitting.
    """
    lines = [batch.lines[part.line] for part in parts]
    items = {line.sku: line.item for line in lines}
    ordering.place(batch, to, [part.to for part in parts], items, new)
    for part, line in zip(parts, lines, strict=True):
        _hand_over(batch, part)
        _leave_money(batch, part, line)
        batch.change_line(replace(batch.lines[part.to], looked_at=line.looked_at))
        left = _without(batch.lines[part.line], part.quantity)
        batch.change_line(replace(left, looked_at=line.looked_at))
    batch.split_off(order, to)
    _move_money(batch, order, to)
    _hold_as_well(batch, order, to)


def money_of(batch: Batch, part: Part) -> LineMoney | None:
    """What the part costs. The standing of its order must be known."""
    line, currency = batch.lines[part.line], batch.standing_of(batch.lines[part.line].order).currency_code
    money = batch.money_of(part.line)
    return money.part(part.quantity, line.quantity, currency) if money and currency else money


def _leave_money(batch: Batch, part: Part, line: OrderLine) -> None:
    """A line of which nothing remains keeps its money with its quantity: canceled units cost nothing."""
    if not batch.is_accounted(line.order) or line.quantity == part.quantity:
        return
    money, gone = batch.money_of(part.line), money_of(batch, part)
    if money and gone and (money.discount or money.tax):
        batch.reprice(line.id, replace(money, discount=money.discount - gone.discount, tax=money.tax - gone.tax))


def _move_money(batch: Batch, order: OrderId, to: OrderId) -> None:
    if not batch.is_accounted(order):
        return
    kept, moved = batch.totals_of(order), batch.totals_of(to)
    amount = min(max(ZERO, kept.kept - kept.total), moved.total)
    if amount and kept.currency_code:
        payment = Payment(amount=Money(amount=amount, currency_code=kept.currency_code), method="split")
        batch.pay(order, PaymentKind.MOVED_OUT, payment)
        batch.pay(to, PaymentKind.MOVED_IN, payment)


def _hold_as_well(batch: Batch, order: OrderId, to: OrderId) -> None:
    """For every reason; a part that is paid does not wait for its payment."""
    for reason in sorted(batch.standing_of(order).holds) if batch.is_accounted(order) else ():
        if reason is not HoldReason.AWAITING_PAYMENT or batch.totals_of(to).status is not PaymentStatus.PAID:
            batch.hold(to, reason, SPLIT_FROM_A_HELD_ORDER)


def _hand_over(batch: Batch, part: Part) -> None:
    """Each claim that is concerned goes whole, and what is too much of it comes back: so what comes back is weaker."""
    for claim, units in _taken_along(batch, part):
        batch.hand_over(claim, part.to, claim.quantity)
        if units < claim.quantity:
            batch.hand_over(batch.claims[claim.id], part.line, claim.quantity - units)


def _taken_along(batch: Batch, part: Part) -> list[tuple[Claim, int]]:
    """The units of each claim that go with the part: those with stock behind them first, and of those the oldest."""
    claims = [claim for claim in batch.claims_of(batch.lines[part.line].order) if claim.line == part.line]
    missing = part.quantity
    units: Counter[AllocationId] = Counter()
    for backed in (True, False):
        for claim in claims:
            there = claim.quantity - claim.overallocated if backed else claim.overallocated
            units[claim.id] += min(missing, there)
            missing -= min(missing, there)
    return [(claim, units[claim.id]) for claim in claims if units[claim.id]]


def _without(line: OrderLine, units: int) -> OrderLine:
    if line.quantity > units:
        return replace(line, quantity=line.quantity - units)
    return replace(line, canceled=line.canceled + units)
