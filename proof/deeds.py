"""What the hammer does: whatever moves stock, at random, on hot and cold SKUs. A deed is a function and a row."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from domain.errors import DomainError, SupplyNotInState
from domain.ids import OrderId, ReservationId, Sku
from domain.kinds import AdjustmentReason, ShippingPolicy, StockQuantity
from domain.orders import NewLine, NewOrder, OrderTerms
from persistence.database import PostgresDatabase
from services.allocation import AllocateOrder, AllocateOrders, DeallocateOrders, allocate_orders, deallocate_orders
from services.callers import Caller
from services.desk import Desk
from services.orders import EditOrder, LineQuantity, edit_order, place_order, void_order
from services.ports.database import Busy
from services.ports.reservations import ReservationReference
from services.reservations import ReservedUnits, ReserveStock, expire_reservations, release_reservation, reserve_stock
from services.stock import AdjustedLine, AdjustStock, ReceivedLine, ReceiveStock, adjust_stock, receive_stock
from tests.builders import (
    a_key,
    by_id,
    canceled,
    cart_by_id,
    clock,
    closed,
    counted_then,
    level_now,
    received_of,
    run_out,
    sent,
    supply_now,
)
from tests.persistence.racing import do_split

HOT = [f"HOT-{number}" for number in range(4)]
COLD = [f"COLD-{number:03}" for number in range(200)]
PLACES = ("LEEDS", "YORK")
FIRST_UNITS = {"HOT": 2_000, "COLD": 40}
RECENT = 400
"""Orders are found again by id, and so are those of the other processes: ids are given out in sequence."""

Moved = Counter[tuple[str, str]]
"""Units by SKU and location that answers acknowledged."""


@dataclass
class Hand:
    """One task at work: what it has to hand, and what it has moved."""

    desk: Desk
    database: PostgresDatabase
    caller: Caller
    chance: random.Random
    newest: int = 1
    moved: Moved = field(default_factory=Counter)

    def skus(self, most: int = 2) -> list[str]:
        """Two of three are hot, so that pairs meet in both sequences."""
        return [self.chance.choice(HOT if self.chance.random() < 0.67 else COLD) for _ in range(most)]

    def orders(self, most: int) -> list[OrderId]:
        ids = range(max(1, self.newest - RECENT), self.newest + 1)
        return [OrderId(one) for one in self.chance.sample(ids, min(len(ids), self.chance.randint(1, most)))]


# ---------------------------------------------------------------- what is done


async def place(hand: Hand, reservation: ReservationReference | None = None) -> None:
    new = NewOrder(
        channel=hand.chance.choice(("SHOP", "MARKET")),
        number=a_key(),
        lines=tuple(NewLine(sku=Sku(sku), quantity=hand.chance.randint(1, 3)) for sku in hand.skus()),
        terms=OrderTerms(
            priority=hand.chance.randint(0, 2),
            shipping_policy=hand.chance.choice((*[ShippingPolicy.SHIP_AVAILABLE] * 2, ShippingPolicy.SHIP_COMPLETE)),
        ),
    )
    order = (await place_order(hand.desk, hand.caller, new, a_key(), reservation=reservation)).order
    hand.newest = max(hand.newest, order)


async def allocate(hand: Hand) -> None:
    orders = tuple(AllocateOrder(order=by_id(order)) for order in hand.orders(4))
    await allocate_orders(hand.desk, hand.caller, AllocateOrders(orders=orders), a_key())


async def deallocate(hand: Hand) -> None:
    command = DeallocateOrders(orders=tuple(map(by_id, hand.orders(2))))
    await deallocate_orders(hand.desk, hand.caller, command, a_key())


async def void(hand: Hand) -> None:
    """Twice at once."""
    (order,) = hand.orders(1)
    await one_of(*(void_order(hand.desk, hand.caller, by_id(order), "hammered", a_key()) for _ in range(2)))


async def one_of(*both: Awaitable[Any]) -> None:
    """At once: one of the two wins at most."""
    answers = await asyncio.gather(*both, return_exceptions=True)
    refusals = [answer for answer in answers if isinstance(answer, BaseException)]
    assert refusals, "what happens once has happened twice"
    for refusal in refusals:
        if len(refusals) == 2 or not isinstance(refusal, DomainError | Busy):
            raise refusal


async def edit(hand: Hand) -> None:
    (order,) = hand.orders(1)
    lines = await hand.database.read(lambda uow: uow.orders.lines_of([order]))
    changed = [LineQuantity(line=line.id, quantity=hand.chance.randint(0, 4)) for line in lines[:1]]
    added = [NewLine(sku=Sku(sku), quantity=1) for sku in hand.skus(1) if hand.chance.random() < 0.3]
    terms = {"priority": hand.chance.randint(0, 2)}
    await edit_order(
        hand.desk, hand.caller, EditOrder(order=by_id(order), lines=(*changed, *added), terms=terms), a_key()
    )


async def receive(hand: Hand) -> None:
    location = hand.chance.choice(PLACES)
    lines = tuple(ReceivedLine(sku=sku, quantity=hand.chance.randint(1, 6)) for sku in hand.skus(3))
    await receive_stock(hand.desk, hand.caller, ReceiveStock(location=location, lines=lines), a_key())
    for line in lines:
        hand.moved[line.sku, location] += line.quantity


async def correct(hand: Hand) -> None:
    """Units vanish, also from under claims, or safety stock is raised."""
    location = hand.chance.choice(PLACES)
    quantity = hand.chance.choice((*[StockQuantity.ON_HAND] * 4, StockQuantity.SAFETY_STOCK))
    lines = tuple(AdjustedLine(sku=sku, delta=hand.chance.randint(-6, 2)) for sku in hand.skus())
    command = AdjustStock(location=location, lines=lines, reason=AdjustmentReason.LOSS, quantity=quantity)
    await adjust_stock(hand.desk, hand.caller, command, a_key())
    if quantity is StockQuantity.ON_HAND:
        for line in lines:
            hand.moved[line.sku, location] += line.delta or 0


async def cart(hand: Hand) -> None:
    """It becomes an order or is released, both at once; or its time is over; or it is left alone."""
    lines = tuple(ReservedUnits(sku=Sku(sku), quantity=hand.chance.randint(1, 2)) for sku in hand.skus())
    made = (await reserve_stock(hand.desk, hand.caller, ReserveStock(lines=lines), a_key())).reservation
    if hand.chance.random() < 0.6:
        await one_of(place(hand, cart_by_id(made)), give_back(hand, made))
    elif hand.chance.random() < 0.7:
        await run_out(hand.database, made)
        await expire_reservations(hand.database)


async def give_back(hand: Hand, made: ReservationId) -> None:
    await asyncio.sleep(hand.chance.random() / 50)
    await release_reservation(hand.desk, hand.caller, cart_by_id(made), a_key())


async def split(hand: Hand) -> None:
    await do_split(hand.database, hand.caller, hand.chance, ())


async def transfer(hand: Hand) -> None:
    """Some arrives, in two parts at once and perhaps more than was sent; the rest is sent back, or lost."""
    origin, destination = hand.chance.sample(PLACES, 2)
    reference, units = a_key(), {sku: hand.chance.randint(1, 4) for sku in hand.skus()}
    await sent(hand.database, hand.caller, units, reference=reference, ends=(origin, destination))
    for sku, quantity in units.items():
        hand.moved[sku, origin] -= quantity
    parts = [{sku: hand.chance.randint(1, 3)} for sku in hand.chance.choices(list(units), k=2)]
    await asyncio.gather(*(arrive(hand, reference, part, destination) for part in parts))
    if hand.chance.random() < 0.5:
        await closed(hand.database, hand.caller, reference)
        return
    await canceled(hand.database, hand.caller, reference)
    supply = await supply_now(hand.database, reference)
    for sku, line in zip(units, supply.lines, strict=True):
        hand.moved[sku, origin] += line.canceled


async def arrive(hand: Hand, reference: str, units: Mapping[str, int], location: str) -> None:
    with suppress(SupplyNotInState):
        await received_of(hand.database, hand.caller, reference, units, location=location)
        for sku, quantity in units.items():
            hand.moved[sku, location] += quantity


async def count(hand: Hand) -> None:
    """A little off, and a moment ago: what has moved since then is in it, whatever the counter knew."""
    (sku,), location = hand.skus(1), hand.chance.choice(PLACES)
    then = await clock(hand.database)
    there = (await level_now(hand.database, sku, location)).on_hand
    found = max(0, there + hand.chance.randint(-3, 3))
    await asyncio.sleep(hand.chance.random() / 20)
    await counted_then(hand.database, hand.caller, then, {sku: found}, location=location)


DEEDS: dict[Callable[[Hand], Awaitable[None]], int] = {
    place: 24,
    allocate: 24,
    deallocate: 8,
    void: 6,
    edit: 8,
    receive: 8,
    correct: 5,
    cart: 8,
    split: 4,
    transfer: 3,
    count: 2,
}
"""How often of a hundred. A new operation is a function and a row."""
