"""What several processes do to one database at once; `together` runs it in them, after they have met at a barrier."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from typing import Any

from domain.errors import (
    DomainError,
    InsufficientStock,
    NotFound,
    PickConflict,
    QuantityNotReturnable,
    ReservationEnded,
    ReturnNotInState,
)
from domain.ids import KeyId, LineId, OrderId, PickTaskId, ReservationId, ReturnId, Sku
from domain.kinds import (
    AdjustmentReason,
    FulfillmentState,
    InspectionOutcome,
    PickTaskState,
    ReturnState,
    StockQuantity,
    SupplyState,
)
from domain.orders import NewLine, NewOrder
from domain.picking import Short
from persistence.database import PostgresDatabase, Timeouts, connect
from services.callers import Caller
from services.desk import Desk
from services.fulfillments import ReleaseOrders, release_orders
from services.orders import place_order
from services.ports.fulfillments import FulfillmentFilter, PickTaskFilter
from services.ports.orders import OrderFilter, OrderReference
from services.ports.returns import ReturnFilter
from services.ports.supplies import SupplyFilter, SupplyView
from services.reservations import expire_reservations
from services.splitting import SplitLine, SplitOrder, split_order
from services.stock import AdjustedLine, AdjustStock, adjust_stock
from tests.builders import (
    a_key,
    allocated,
    canceled,
    clock,
    closed,
    counted_then,
    deallocated,
    edited,
    expected,
    lines_now,
    placed,
    received,
    received_of,
    released,
    reserved,
    run_out,
    sent,
    status_now,
    voided,
)
from tests.warehousing import (
    HOME,
    asked_back,
    called_off,
    came_back,
    canceled_one,
    delivered,
    fetched,
    looked_at,
    packed,
    shipped,
)

PROCESSES = 4
ANY = OrderFilter()
_start: Barrier | None = None


def _meet(barrier: Barrier) -> None:
    global _start
    _start = barrier


@contextmanager
def processes() -> Iterator[ProcessPoolExecutor]:
    """Workers that import once and serve a whole module of tests."""
    context = get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context, _meet, (context.Barrier(PROCESSES),)) as pool:
        yield pool


PATIENT = Timeouts(deadline_seconds=55, pool_seconds=50)
"""A race is about who wins, and not about how fast a machine is that does other things too."""


def together(pool: ProcessPoolExecutor, act: Callable[..., Awaitable[Any]], url: str, *shares: Any) -> list[Any]:
    """`act(database, caller, share)` in one process each, at the same time; what they answer."""
    assert len(shares) == PROCESSES
    return [future.result(60) for future in [pool.submit(_act, act, url, share) for share in shares]]


def _act(act: Callable[..., Awaitable[Any]], url: str, share: Any) -> Any:
    async def run() -> Any:
        engine = connect(url, timeouts=PATIENT)
        try:
            async with engine.connect():
                assert _start is not None
                await asyncio.to_thread(_start.wait, 30)
            database = PostgresDatabase(engine, deadline_seconds=PATIENT.deadline_seconds)
            return await act(database, Caller(key=KeyId(1), actor="racer", request="a race"), share)
        finally:
            await engine.dispose()

    return asyncio.run(run())


# ---------------------------------------------------------------- the races


async def reserve(database: PostgresDatabase, caller: Caller, tasks: int) -> int:
    """Reserve a chair twice in each of several tasks; how many were had."""

    async def task() -> int:
        got = 0
        for _ in range(2):
            try:
                await reserved(database, caller, {"CHAIR": 1})
                got += 1
            except InsufficientStock:
                pass
        return got

    return sum(await asyncio.gather(*(task() for _ in range(tasks))))


async def reserve_and_release(database: PostgresDatabase, caller: Caller, share: tuple[int, int]) -> Counter[str]:
    """Reserve up to two chairs and let go of them, again and again, in several tasks; every third is kept."""
    tasks, rounds = share
    done: Counter[str] = Counter()

    async def task(number: int) -> None:
        for turn in range(rounds):
            try:
                cart = await reserved(database, caller, {"CHAIR": 1 + turn % 2})
            except InsufficientStock:
                done["short"] += 1
                continue
            await released(database, caller, cart)
            done["released"] += 1

    await asyncio.gather(*map(task, range(tasks)))
    return done


async def check_out(database: PostgresDatabase, caller: Caller, share: tuple[str, Sequence[int]]) -> Counter[str]:
    """Place orders that take carts over, or hammer the same SKU: allocate orders that wait for it again and again."""
    deed, ids = share
    done: Counter[str] = Counter()

    async def customer(cart: int) -> None:
        order = await placed(database, caller, {"CHAIR": 1}, number=f"cart {cart}", reservation=ReservationId(cart))
        done[f"customer {await status_now(database, order)}"] += 1

    async def hammerer(order: int) -> None:
        for _ in range(5):
            (outcome,) = await allocated(database, caller, OrderId(order))
            done[f"hammerer {outcome.after}"] += 1

    await asyncio.gather(*map(customer if deed == "check out" else hammerer, ids))
    return done


async def end(database: PostgresDatabase, caller: Caller, share: tuple[str, Sequence[int]]) -> list[tuple[int, str]]:
    """End carts in one of the three ways, all at once; which ones ended by this."""
    deed, ids = share

    some = asyncio.Semaphore(10)

    async def one(cart: int) -> tuple[int, str] | None:
        async with some:
            return await one_of_some(cart)

    async def one_of_some(cart: int) -> tuple[int, str] | None:
        try:
            if deed == "take over":
                await placed(database, caller, {"CHAIR": 1}, number=a_key(), reservation=ReservationId(cart))
            else:
                await released(database, caller, ReservationId(cart))
        except ReservationEnded:
            return None
        return cart, deed

    if deed == "sweep":
        for _ in range(30):
            await expire_reservations(database)
        return []
    return [ended for ended in await asyncio.gather(*map(one, ids)) if ended]


async def buy(database: PostgresDatabase, caller: Caller, orders: Sequence[tuple[OrderId, ...]]) -> list[str]:
    """One task for each tuple, which allocates its orders one after the other; how every order ended."""

    async def task(mine: tuple[OrderId, ...]) -> list[str]:
        return [str((await allocated(database, caller, order))[0].after) for order in mine]

    return [after for one in await asyncio.gather(*map(task, orders)) for after in one]


async def order_at_once(database: PostgresDatabase, caller: Caller, share: tuple[int, int]) -> list[OrderId]:
    """Place orders of one chair through the process's own desk, so many at a time; the orders."""
    process, count = share
    desk = Desk(database)
    news = [
        NewOrder(channel="SHOP", number=f"{process}-{at}", lines=(NewLine(sku=Sku("CHAIR"), quantity=1),))
        for at in range(count)
    ]
    return [done.order for done in await asyncio.gather(*(place_order(desk, caller, new, a_key()) for new in news))]


async def buy_bundles(database: PostgresDatabase, caller: Caller, share: tuple[str, int]) -> list[OrderId]:
    """Place orders of a bundle at once, and allocate each of them; the orders."""
    sku, count = share

    async def task() -> OrderId:
        order = await placed(database, caller, {sku: 2}, number=a_key())
        await allocated(database, caller, order)
        return order

    return list(await asyncio.gather(*(task() for _ in range(count))))


async def pay_out(database: PostgresDatabase, caller: Caller, share: tuple[str, int]) -> int:
    """Take a unit off a level again and again, in several tasks; how often it was there."""
    sku, times = share
    line = AdjustedLine(sku=sku, delta=-1)
    command = AdjustStock(location="LEEDS", lines=(line,), reason=AdjustmentReason.LOSS)

    async def task() -> bool:
        try:
            await adjust_stock(Desk(database), caller, command, a_key())
        except DomainError:
            return False
        return True

    return sum(await asyncio.gather(*(task() for _ in range(times))))


async def fetch(database: PostgresDatabase, caller: Caller, share: tuple[PickTaskId, int]) -> Counter[str]:
    """Fetch one unit for the same task, so many times at once; how often it was recorded, or why not."""
    task, times = share
    answers = await asyncio.gather(*(fetched(database, caller, task, 1) for _ in range(times)))
    return Counter(
        answer.refusal.obstacle if isinstance(answer.refusal, PickConflict) else "applied" for answer in answers
    )


async def send_back(database: PostgresDatabase, caller: Caller, share: tuple[ReturnId, int]) -> Counter[str]:
    """Receive one unit of a return and inspect one, so many times at once; how often each was done."""
    one, times = share
    done: Counter[str] = Counter()

    async def task() -> None:
        for name, deed in (("received", came_back), ("inspected", looked_at)):
            try:
                await deed(database, caller, one, 1)
                done[name] += 1
            except DomainError as refusal:
                done[type(refusal).__name__] += 1

    await asyncio.gather(*(task() for _ in range(times)))
    while done["inspected"] < done["received"]:  # whoever came too early looks again
        try:
            await looked_at(database, caller, one, 1)
            done["inspected"] += 1
        except ReturnNotInState:
            break
        except QuantityNotReturnable:
            await asyncio.sleep(0)
    return done


async def trade(database: PostgresDatabase, caller: Caller, share: tuple[int, float, Sequence[str]]) -> Counter[str]:
    """Do everything that moves stock at random for a while; how often each thing was done or refused.

    On a machine that is busy with other things, "a while" lasts until each thing was done once.
    """
    seed, seconds, skus = share
    clock = asyncio.get_running_loop().time
    end = clock() + seconds
    done: Counter[str] = Counter()

    def goes_on() -> bool:
        return clock() < end or (clock() < end + 60 and not all(done[deed.__name__] for deed in DEEDS))

    async def trader(chance: random.Random) -> None:
        while goes_on():
            deed = chance.choice(DEEDS)
            try:
                await deed(database, caller, chance, skus)
                done[deed.__name__] += 1
            except DomainError as refusal:
                done[type(refusal).__name__] += 1

    await asyncio.gather(*(trader(random.Random(seed * 100 + number)) for number in range(6)))  # noqa: S311
    return done


async def do_place(database: PostgresDatabase, caller: Caller, chance: random.Random, skus: Sequence[str]) -> None:
    lines = [(sku, chance.randint(1, 3)) for sku in chance.choices(skus, k=chance.randint(1, 4))]
    order = await placed(
        database,
        caller,
        lines,
        number=a_key(),
        channel=chance.choice(("SHOP", "WEB")),
        priority=chance.randint(0, 1),
        ship_to=HOME,
    )
    if chance.random() < 0.7:
        await allocated(database, caller, order)


async def do_allocate(database: PostgresDatabase, caller: Caller, chance: random.Random, _: Sequence[str]) -> None:
    await allocated(database, caller, *await some_orders(database, chance))


async def do_deallocate(database: PostgresDatabase, caller: Caller, chance: random.Random, _: Sequence[str]) -> None:
    await deallocated(database, caller, *(await some_orders(database, chance))[:3])


async def do_edit(database: PostgresDatabase, caller: Caller, chance: random.Random, skus: Sequence[str]) -> None:
    (order, *_) = await some_orders(database, chance)
    lines = await lines_now(database, order)
    quantities: dict[LineId, int] = {chance.choice(lines).id: chance.randint(0, 4)}
    added = {chance.choice(skus): 1} if chance.random() < 0.3 else {}
    await edited(database, caller, order, quantities=quantities, added=added, priority=chance.randint(0, 2))


async def do_void(database: PostgresDatabase, caller: Caller, chance: random.Random, _: Sequence[str]) -> None:
    await voided(database, caller, (await some_orders(database, chance))[0])


async def do_split(database: PostgresDatabase, caller: Caller, chance: random.Random, _: Sequence[str]) -> None:
    """By what is allocated, or by a unit of a line, whether there is one or not."""
    (order, *_more) = await some_orders(database, chance)
    lines = sorted(await lines_now(database, order), key=lambda line: line.open)
    by = {"allocated": True} if chance.random() < 0.3 else {"lines": (SplitLine(line=lines[-1].id, quantity=1),)}
    await split_order(Desk(database), caller, SplitOrder(order=OrderReference(id=order), **by), a_key())  # type: ignore[arg-type]


async def do_receive(database: PostgresDatabase, caller: Caller, chance: random.Random, skus: Sequence[str]) -> None:
    units = {sku: chance.randint(1, 4) for sku in chance.sample(skus, 3)}
    await received(database, caller, units, location=chance.choice(("LEEDS", "YORK")))


async def do_adjust(database: PostgresDatabase, caller: Caller, chance: random.Random, skus: Sequence[str]) -> None:
    lines = tuple(AdjustedLine(sku=sku, counted=chance.randint(0, 9)) for sku in chance.sample(skus, 3))
    command = AdjustStock(
        location=chance.choice(("LEEDS", "YORK")),
        lines=lines,
        reason=AdjustmentReason.COUNT,
        quantity=chance.choice((*[StockQuantity.ON_HAND] * 3, StockQuantity.SAFETY_STOCK)),
    )
    await adjust_stock(Desk(database), caller, command, a_key())


async def do_reserve(database: PostgresDatabase, caller: Caller, chance: random.Random, skus: Sequence[str]) -> None:
    """Reserve a cart, and see it end in one of the three ways, or not at all."""
    units = {sku: chance.randint(1, 2) for sku in chance.sample(skus, 2)}
    cart = await reserved(database, caller, units)
    fate = chance.randint(0, 4)
    if fate <= 1:
        lines = [(sku, chance.randint(1, 3)) for sku in chance.sample([*units, *skus], 2)]
        await placed(database, caller, lines, number=a_key(), priority=chance.randint(0, 1), reservation=cart)
    elif fate == 2:
        await released(database, caller, cart)
    elif fate == 3:
        await run_out(database, cart)
        await expire_reservations(database)


async def do_count(database: PostgresDatabase, caller: Caller, chance: random.Random, skus: Sequence[str]) -> None:
    units = {sku: chance.randint(0, 9) for sku in chance.sample(skus, 2)}
    ago = timedelta(milliseconds=chance.randint(1, 300))
    await counted_then(database, caller, await clock(database) - ago, units, location=chance.choice(("LEEDS", "YORK")))


async def do_expect(database: PostgresDatabase, caller: Caller, chance: random.Random, skus: Sequence[str]) -> None:
    units = {sku: chance.randint(1, 3) for sku in chance.sample(skus, 3)}
    await expected(
        database, caller, units, reference=chance.choice(REFERENCES), location=chance.choice(("LEEDS", "YORK"))
    )


async def do_send(database: PostgresDatabase, caller: Caller, chance: random.Random, skus: Sequence[str]) -> None:
    units = {sku: chance.randint(1, 3) for sku in chance.sample(skus, 2)}
    ends = chance.choice((("LEEDS", "YORK"), ("YORK", "LEEDS")))
    await sent(database, caller, units, reference=chance.choice(REFERENCES), ends=ends)


async def do_receive_some(database: PostgresDatabase, caller: Caller, chance: random.Random, _: Sequence[str]) -> None:
    supply = await some_supply(database, chance)
    items = {item.id: item.sku for item in await database.read(lambda uow: uow.catalog.items(list(supply.open)))}
    places = {place.id: place.code for place in await database.read(lambda uow: uow.catalog.locations())}
    units = {items[item]: chance.randint(1, units + 1) for item, units in supply.open.items() if chance.random() < 0.8}
    if units:
        await received_of(database, caller, supply.reference, units, location=places[supply.location])


async def do_end(database: PostgresDatabase, caller: Caller, chance: random.Random, _: Sequence[str]) -> None:
    supply = await some_supply(database, chance)
    await chance.choice((canceled, closed))(database, caller, supply.reference)


async def do_release(database: PostgresDatabase, caller: Caller, chance: random.Random, _: Sequence[str]) -> None:
    orders = tuple(OrderReference(id=order) for order in (await some_orders(database, chance))[:4])
    await release_orders(Desk(database), caller, ReleaseOrders(orders=orders, partial=True), a_key())


async def do_fetch(database: PostgresDatabase, caller: Caller, chance: random.Random, _: Sequence[str]) -> None:
    """All that a task asks for or a part of it, and sometimes there is no more."""
    wanted = PickTaskFilter(location=chance.choice(("LEEDS", "YORK")), states=(PickTaskState.OPEN,))
    tasks = await database.read(lambda uow: uow.fulfillments.task_page(wanted, 20, None))
    if not tasks:
        raise NotFound(references=())
    task = chance.choice(tasks)
    short = Short() if chance.random() < 0.2 else None
    units = chance.choice((task.missing, task.missing, chance.randint(0 if short else 1, task.missing)))
    answer = await fetched(database, caller, task.id, units, short)
    if answer.refusal:
        raise answer.refusal


async def do_go_on(database: PostgresDatabase, caller: Caller, chance: random.Random, _: Sequence[str]) -> None:
    """The next step of something that is picked, packed or shipped; or it is canceled."""
    state = chance.choice(tuple(STEPS))
    there = await database.read(lambda uow: uow.fulfillments.page(FulfillmentFilter(states=(state,)), 20, None))
    if not there:
        raise NotFound(references=())
    step = canceled_one if chance.random() < 0.1 else STEPS[state]
    await step(database, caller, chance.choice(there).id)


async def do_send_back(database: PostgresDatabase, caller: Caller, chance: random.Random, _: Sequence[str]) -> None:
    """Ask for something that has left, or take a return that is open a step further."""
    gone = FulfillmentFilter(states=(FulfillmentState.SHIPPED, FulfillmentState.DELIVERED))
    sent = await database.read(lambda uow: uow.fulfillments.page(gone, 20, None))
    open_ones = ReturnFilter(states=(ReturnState.REQUESTED, ReturnState.RECEIVED))
    known = await database.read(lambda uow: uow.returns.page(open_ones, 20, None))
    if known and chance.random() < 0.7:
        one = chance.choice(known)
        outcome = chance.choice(tuple(InspectionOutcome))
        place = None if outcome is InspectionOutcome.DISCARD else chance.choice(("LEEDS", "YORK"))
        await chance.choice(
            (
                lambda: came_back(database, caller, one.id, chance.choice((1, None))),
                lambda: looked_at(database, caller, one.id, 1, outcome, place),
                lambda: looked_at(database, caller, one.id, 1, outcome, place),
                lambda: called_off(database, caller, one.id),
            )
        )()
    elif sent:
        one_sent = chance.choice(sent)
        line = chance.choice(one_sent.lines)
        units = chance.randint(1, line.quantity) if line.quantity else 1
        await asked_back(database, caller, one_sent.order, line.line, units, chance.choice(("LEEDS", "YORK")))
    else:
        raise NotFound(references=())


STEPS: Mapping[FulfillmentState, Callable[..., Awaitable[Any]]] = {
    FulfillmentState.PICKED: packed,
    FulfillmentState.PACKED: shipped,
    FulfillmentState.SHIPPED: delivered,
}


REFERENCES = [f"R{number}" for number in range(200)]
"""So few that two sometimes meet at one."""
OFTEN = (do_place, do_allocate, do_adjust)
SUPPLYING = (do_count, do_expect, do_send, do_receive_some, do_receive_some, do_end)
ORDERING = (do_deallocate, do_edit, do_split, do_split, do_void)
SENDING = (do_release, do_release, do_fetch, do_fetch, do_fetch, do_go_on, do_go_on, do_send_back, do_send_back)
DEEDS = (*OFTEN, *OFTEN, *ORDERING, do_receive, do_reserve, *SUPPLYING, *SENDING)


async def some_supply(database: PostgresDatabase, chance: random.Random) -> SupplyView:
    """One that is expected, as it was a moment ago."""
    on_its_way = SupplyFilter(states=(SupplyState.EXPECTED,))
    supplies = await database.read(lambda uow: uow.supplies.page(on_its_way, 10, None))
    if not supplies:
        raise NotFound(references=())
    return chance.choice(supplies)


async def some_orders(database: PostgresDatabase, chance: random.Random) -> list[OrderId]:
    """Some that are there, in a random sequence."""
    newest = await database.read(lambda uow: uow.orders.page(ANY, "PLACED_AT_DESC", 30, None))
    if not newest:
        raise NotFound(references=())
    return [order.id for order in chance.sample(newest, min(len(newest), 8))]
