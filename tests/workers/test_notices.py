"""Alerts and mails, made of the log once, whoever dies and however many do it."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable

import pytest
from sqlalchemy import text

from domain.alerts import AlertRule
from domain.events import AlertRaised, AlertResolved
from domain.kinds import AlertKind, MailAudience, MailState, MailTopic
from domain.mails import MailTried
from domain.orders import Customer, NewLine, NewOrder, OrderTerms, Sku
from persistence.database import PostgresDatabase
from services import notices
from services.alerts import save_alert_rules
from services.callers import Caller
from services.cleaning import forget_old_events
from services.desk import Desk
from services.mail_templates import SaveMailTemplate, save_mail_templates
from services.mailing import claim_mails, record_mails, release_mails
from services.notices import take_up_log
from services.orders import place_order
from services.ports.events import EventFilter
from services.ports.unit_of_work import UnitOfWork
from tests.acceptance.processes import ROOT
from tests.builders import a_catalog, a_key, allocated, deallocated, placed
from tests.gql.serving import all_numbered
from tests.mail_server import MailBox, a_mail_server
from tests.workers.notices import STUBBORN, alert_events, alerts_now, is_all_read, mails_now, noticing
from tests.workers.webhooks import eventually, numbered

Databases = Callable[..., PostgresDatabase]
DONE = AlertRule(name="done", kind=AlertKind.ORDER_ALLOCATED, emails=("team@shop.example",))
FEW = AlertRule(name="few", kind=AlertKind.STOCK_RUNNING_OUT, units=40)


async def rules_and_templates(database: PostgresDatabase) -> None:
    await save_alert_rules(database, [DONE, FEW])
    topics = (MailTopic.ORDER_PLACED, MailTopic.ORDER_ALLOCATED)
    await save_mail_templates(
        database,
        [SaveMailTemplate(topic=topic, audience=MailAudience.CUSTOMER, channels=("SHOP",)) for topic in topics],
    )


async def some_orders(database: PostgresDatabase, caller: Caller, orders: int) -> None:
    """Placed by customers, allocated, given back, and allocated again."""
    for number in range(orders):
        terms = OrderTerms(customer=Customer(name="Ada", email=f"ada{number}@example.com"))
        new = NewOrder(
            channel="SHOP", number=f"N-{number}", lines=(NewLine(sku=Sku("CHAIR"), quantity=1),), terms=terms
        )
        order = (await place_order(Desk(database), caller, new, a_key())).order
        await allocated(database, caller, order)
        await deallocated(database, caller, order)
        await allocated(database, caller, order)


async def assert_everything_was_told_once(database: PostgresDatabase, box: MailBox, orders: int) -> None:
    """Two times allocated, one time given back; the last time is still so."""
    events = await alert_events(database)
    of_orders = Counter((type(one), one.order_number) for one in events if one.rule == "done")
    assert of_orders == Counter(
        {(AlertRaised, f"N-{number}"): 2 for number in range(orders)}
        | {(AlertResolved, f"N-{number}"): 1 for number in range(orders)}
    )
    assert len({(type(one), one.alert_id) for one in events}) == len(events)
    assert sum(one.resolved_at is None for one in await alerts_now(database) if one.rule == "done") == orders
    mails = await mails_now(database)
    assert {mail.state for mail in mails} == {MailState.SENT}
    written = Counter((mail.topic, mail.recipient) for mail in mails)
    assert written == Counter(
        {(topic, f"ada{n}@example.com"): 1 for n in range(orders) for topic in list(MailTopic)[:2]}
        | {(MailTopic.ALERT_RAISED, "team@shop.example"): 2 * orders}
        | {(MailTopic.ALERT_RESOLVED, "team@shop.example"): orders}
    )
    # Each arrived once or more, and what arrived more often is known by its id.
    assert len({mail.id for mail in box.received}) == len(mails)


@pytest.mark.chaos
async def test_i8_workers_that_are_killed_in_the_middle_of_it_lose_and_double_nothing(
    database: PostgresDatabase, database_url: str, caller: Caller
):
    """`kill -9`, again and again, while they read the log, raise, write and send."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 100})
    await rules_and_templates(database)
    await some_orders(database, caller, 12)
    async with a_mail_server() as box:
        for round_number in range(1, 5):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.workers.noticing", database_url, box.url, cwd=ROOT
            )
            await eventually(lambda at=round_number: len(box.received) >= 6 * at, 60)
            process.kill()
            await process.wait()
        async with noticing(database, mail_url=box.url):
            await eventually(lambda: is_all_read(database))
            await eventually(lambda: no_mail_waits(database))

    await assert_everything_was_told_once(database, box, 12)


async def no_mail_waits(database: PostgresDatabase) -> bool:
    return all(mail.state is not MailState.PENDING for mail in await mails_now(database))


async def test_three_workers_at_once_do_it_once(
    database: PostgresDatabase, databases: Databases, caller: Caller, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(notices, "EVENTS_AT_ONCE_MAX", 2)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 100})
    await rules_and_templates(database)
    async with a_mail_server() as box, noticing(databases(), databases(), databases(), mail_url=box.url):
        await some_orders(database, caller, 8)
        await eventually(lambda: is_all_read(database))
        await eventually(lambda: no_mail_waits(database))

    await assert_everything_was_told_once(database, box, 8)
    assert len(box.received) == len(await mails_now(database)), "nobody died, so nobody sends anything twice"


async def test_who_reads_waits_for_who_says_what_is_watched_for(database: PostgresDatabase, databases: Databases):
    """A rule that goes while its alert is being raised leaves none open."""
    await save_alert_rules(database, [DONE])
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async def work(uow: UnitOfWork) -> None:
            await uow.alerts.lock()
            locked.set()
            await go_on.wait()

        await databases().run(work)

    holding = asyncio.create_task(hold())
    await locked.wait()
    saving = asyncio.create_task(save_alert_rules(database, []))
    assert await take_up_log(databases(), writes_mails=True) is False
    await asyncio.sleep(0.05)
    assert not saving.done()
    go_on.set()
    await holding
    assert await saving == []


async def test_what_alerts_and_mails_have_not_been_made_of_is_kept(database: PostgresDatabase, caller: Caller):
    """However old it is: a node whose workers were down for long has missed nothing."""
    await save_alert_rules(database, [DONE])
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    await allocated(database, caller, await placed(database, caller, {"CHAIR": 1}))
    await numbered(database)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE events SET occurred_at = occurred_at - interval '100 days'"))

    await forget_old_events(database, 90)
    kept = await numbered(database)
    assert await take_up_log(database, writes_mails=False) is False
    assert len(await alerts_now(database)) == 1
    await forget_old_events(database, 90)

    assert len(kept) > 3
    assert [one.event.type for one in await database.read(lambda uow: uow.events.page(EventFilter(), 100, None))] in (
        [],
        ["AlertRaised"],
    )


async def test_what_happened_before_anybody_asked_is_not_told(database: PostgresDatabase, caller: Caller):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    await some_orders(database, caller, 1)
    await numbered(database)

    await rules_and_templates(database)
    async with noticing(database, mail_url="smtp://127.0.0.1:1"):
        await all_numbered(database)
        await eventually(lambda: is_all_read(database))
        await eventually(lambda: alerts_now(database))

    assert await mails_now(database) == []
    assert [one.rule for one in await alerts_now(database)] == ["few"]


# ---------------------------------------------------------------- the outbox


async def test_a_mail_is_leased_by_one_and_comes_back_when_the_lease_ends_or_it_is_given_back(
    database: PostgresDatabase, caller: Caller
):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 5})
    await rules_and_templates(database)
    await some_orders(database, caller, 2)
    await numbered(database)
    while await take_up_log(database, writes_mails=True):
        pass

    claimed = await claim_mails(database, 10, 600)
    assert len(claimed) == 2, "of what is about one order, one after the other"
    assert await claim_mails(database, 10, 600) == []
    await release_mails(database, claimed[:1])
    again = await claim_mails(database, 10, 0.01)
    assert [one.id for one in again] == [claimed[0].id]
    await asyncio.sleep(0.05)
    third = await claim_mails(database, 10, 600)
    assert [one.id for one in third] == [claimed[0].id]

    await record_mails(database, [MailTried(claimed=again[0], error="a late worker")], STUBBORN)
    await record_mails(database, [MailTried(claimed=third[0])], STUBBORN)
    (mail,) = [one for one in await mails_now(database) if one.id == claimed[0].id]
    assert (mail.state, mail.attempts, mail.error) == (MailState.SENT, 1, None)
