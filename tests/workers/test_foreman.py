"""The foreman: one look finds everything that there is to do, and an idle server does nothing else."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from dibs.solving import Highs
from domain.automation import AllocationRule
from domain.kinds import AllocateWhen, AllocationSequence
from persistence.database import PostgresDatabase
from services.automation import save_allocation_rules
from services.callers import Caller
from services.catalog import save_channels
from services.delivering import claim_deliveries, plan_deliveries
from services.mailing import claim_mails
from services.notices import take_up_log
from services.planning import Planner
from services.ports.chores import Chore
from services.ports.orders import OrderFilter
from services.reservations import expire_reservations
from services.runs import StartRun, advance_a_run, run_waiting_orders, start_allocation_run
from tests.builders import a_catalog, a_key, allocated, placed, received, reserved, run_out
from tests.gql.serving import Silence, until
from tests.statements import statements
from tests.workers.webhooks import an_endpoint, numbered
from workers.foreman import Foreman, due_chores
from workers.loop import repeated, running
from workers.relay import Relay
from workers.runs import run_schedules

NOBODY = "http://127.0.0.1:9/"


class Shop:
    """A database in which each chore can be made due, and done."""

    def __init__(self, database: PostgresDatabase, caller: Caller, engine: AsyncEngine) -> None:
        self.database, self.caller, self.engine = database, caller, engine

    async def run_in(self, sequence: AllocationSequence) -> None:
        command = StartRun(filter=OrderFilter(), sequence=sequence, dry_run=False)
        await start_allocation_run(self.database, self.caller, command, a_key())

    async def advance(self) -> None:
        await Planner(self.database, Highs()).plan_a_run()
        while await self.database.run(advance_a_run):
            pass

    async def an_order_waits(self) -> None:
        order = await placed(self.database, self.caller, {"CHAIR": 9})
        await allocated(self.database, self.caller, order)
        await received(self.database, self.caller, {"CHAIR": 9})

    async def a_schedule_comes(self) -> None:
        rule = AllocationRule(name="later", when=AllocateWhen.ON_SCHEDULE, every_minutes=15)
        await save_allocation_rules(self.database, [rule])
        await placed(self.database, self.caller, {"CHAIR": 1})
        assert Chore.SCHEDULES not in await due_chores(self.database)
        await self._execute("UPDATE orders SET allocate_after = now()")

    async def a_cart_is_over(self) -> None:
        cart = await reserved(self.database, self.caller, {"CHAIR": 1})
        assert Chore.CARTS not in await due_chores(self.database)
        await run_out(self.database, cart)

    async def the_log_grows(self) -> None:
        await placed(self.database, self.caller, {"CHAIR": 1})
        await numbered(self.database)

    async def a_mail_is_written(self) -> None:
        await self._execute(
            """INSERT INTO mails (once, about, topic, audience, recipient, subject, text, html, event_id)
            VALUES ('a', 'order 1', 'ORDER_PLACED', 'CUSTOMER', 'ada@shop.example', 'a', 'a', 'a', 1)"""
        )

    async def an_endpoint_is_behind(self) -> None:
        await an_endpoint(self.database, NOBODY)
        assert Chore.WEBHOOKS not in await due_chores(self.database)
        await self.the_log_grows()

    async def plan(self) -> None:
        """Behind the log no longer, and with deliveries: due, and claimed: not due before the lease ends."""
        while await plan_deliveries(self.database):
            pass
        assert Chore.WEBHOOKS in await due_chores(self.database)
        assert await claim_deliveries(self.database, {}, 100, 60)

    async def _execute(self, statement: str) -> None:
        async with self.engine.begin() as connection:
            await connection.execute(text(statement))


@pytest.fixture
async def shop(database: PostgresDatabase, caller: Caller, engine: AsyncEngine) -> Shop:
    """A shop in which nothing is to be done."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    await numbered(database)
    await take_up_log(database, writes_mails=True)
    await run_waiting_orders(database, caller)
    assert await due_chores(database) == frozenset()
    return Shop(database, caller, engine)


@pytest.mark.parametrize(
    ("chore", "begin", "finish"),
    [
        (Chore.RUNS, lambda shop: shop.run_in(AllocationSequence.PLACED_AT_ASC), Shop.advance),
        (Chore.RUNS, lambda shop: shop.run_in(AllocationSequence.MAX_COMPLETE_ORDERS), Shop.advance),
        (Chore.WAITING_ORDERS, Shop.an_order_waits, lambda shop: run_waiting_orders(shop.database, shop.caller)),
        (Chore.SCHEDULES, Shop.a_schedule_comes, lambda shop: run_schedules(shop.database)),
        (Chore.CARTS, Shop.a_cart_is_over, lambda shop: expire_reservations(shop.database)),
        (Chore.NOTICES, Shop.the_log_grows, lambda shop: take_up_log(shop.database, writes_mails=True)),
        (Chore.MAILS, Shop.a_mail_is_written, lambda shop: claim_mails(shop.database, 10, 60)),
        (Chore.WEBHOOKS, Shop.an_endpoint_is_behind, Shop.plan),
    ],
)
async def test_a_chore_is_due_from_when_there_is_something_to_do_until_it_is_done(
    shop: Shop, chore: Chore, begin: Callable[[Shop], Awaitable[object]], finish: Callable[[Shop], Awaitable[object]]
):
    await begin(shop)
    assert chore in await due_chores(shop.database)

    await finish(shop)
    assert chore not in await due_chores(shop.database)


@pytest.mark.parametrize(
    ("chore", "asked"),
    [
        (Chore.UNPAID_ORDERS, {"unpaid_orders_expire_after_minutes": 30}),
        (Chore.RELEASES, {"releases_by_itself": True}),
    ],
)
async def test_what_only_some_channels_want_is_due_where_one_does(shop: Shop, chore: Chore, asked: dict[str, object]):
    await save_channels(shop.database, [{"code": "TILL", "name": "Till"} | asked])

    assert await due_chores(shop.database) == {chore}


async def test_the_log_is_to_be_read_where_nobody_has_read_it_yet(database: PostgresDatabase):
    assert await due_chores(database) == {Chore.NOTICES}


async def test_whoever_has_something_to_do_is_called_and_nobody_else(shop: Shop):
    done: list[str] = []

    async def chore(name: str) -> bool:
        done.append(name)
        return False

    foreman = Foreman(shop.database, 0.01)
    jobs = [
        partial(repeated, str(one), partial(chore, str(one)), 600.0, foreman.called(one))
        for one in (Chore.CARTS, Chore.WEBHOOKS)
    ]
    async with running(foreman.run, *jobs):
        await until(lambda: len(done) == 2)
        await shop.a_cart_is_over()
        await until(lambda: len(done) >= 4)

    assert done.count(Chore.WEBHOOKS) == 1


async def test_an_idle_look_is_one_statement_and_no_transaction(shop: Shop):
    with statements(shop.engine) as sent:
        async with running(Foreman(shop.database).run, Relay(shop.database, Silence()).run):
            await until(lambda: len(sent) == 2)
            await asyncio.sleep(0)

    assert all(statement.startswith("SELECT (EXISTS") or "position IS NULL" in statement for statement, _ in sent)
