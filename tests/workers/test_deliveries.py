"""Webhooks: every event arrives, in order by subject, whatever receivers, workers and the database do."""

import asyncio
import random
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from domain.errors import InvalidInput
from domain.events import LoggedEvent, OrderEvent, WebhookEndpointDisabled
from domain.webhooks import Patience
from gql.schema.ids import global_id
from persistence.database import PostgresDatabase
from services.callers import Caller
from services.cleaning import forget_old_events
from services.delivering import forget_ended_deliveries
from services.webhooks import (
    ReplayEvents,
    RotateSecret,
    SendTest,
    replay_webhook_events,
    rotate_webhook_secret,
    save_webhook_endpoints,
    send_test_webhook,
)
from tests.acceptance.processes import ROOT
from tests.builders import a_catalog, a_key, allocated, deallocated, placed
from tests.receiver import OK, Received, answering, receiving
from tests.workers.webhooks import (
    DEAD,
    DELIVERED,
    PENDING,
    an_endpoint,
    deliveries,
    delivering,
    endpoint_now,
    eventually,
    execute,
    numbered,
    settled,
)

Databases = Callable[..., PostgresDatabase]


async def some_orders(database: PostgresDatabase, caller: Caller, count: int = 2) -> list[LoggedEvent]:
    """Orders that were placed and allocated; the log."""
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): count})
    for _ in range(count):
        await allocated(database, caller, await placed(database, caller, {"CHAIR": 1}))
    return await numbered(database)


def ids(events: Sequence[LoggedEvent]) -> list[str]:
    return [global_id("Event", one.id) for one in events]


def by_order(log: Sequence[LoggedEvent]) -> dict[object, list[str]]:
    """The ids of each order's events in the order of the log; of other events by what they are about."""
    found: dict[object, list[str]] = defaultdict(list)
    for one in log:
        about = getattr(one.event, "order_id", None) or getattr(one.event, "sku", None)
        found[about].append(global_id("Event", one.id))
    return found


def first_sights(taken: Sequence[Received]) -> list[str]:
    return list(dict.fromkeys(one.id for one in taken))


def assert_nothing_is_missing(log: Sequence[LoggedEvent], taken: Sequence[Received]) -> None:
    """The union of what was taken is the log, and each order's events came first in the order of the log (I6)."""
    seen = first_sights(taken)
    assert sorted(seen) == sorted(ids(log))
    for expected in by_order(log).values():
        assert [one for one in seen if one in set(expected)] == expected


# ---------------------------------------------------------------- delivering


async def test_every_event_is_posted_with_a_signature_that_the_reference_library_verifies(
    database: PostgresDatabase, caller: Caller
):
    async with receiving() as receiver, delivering(database):
        secret = await an_endpoint(database, receiver.url)
        log = await some_orders(database, caller)
        await settled(database)

    assert_nothing_is_missing(log, receiver.taken)
    for one in receiver.received:
        told = Webhook(secret).verify(one.body, one.headers)
        assert told["data"]["id"] == one.id
        assert one.request_line == "POST /hooks?x=1 HTTP/1.1"
        assert one.headers["host"] == f"127.0.0.1:{receiver.port}"
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + "A" * 44).verify(one.body, one.headers)


async def test_a_new_endpoint_is_told_what_happens_from_now_on(database: PostgresDatabase, caller: Caller):
    before = await some_orders(database, caller)
    async with receiving() as receiver:
        await an_endpoint(database, receiver.url)
        async with delivering(database):
            await placed(database, caller, {"CHAIR": 1})
            log = await numbered(database)
            await settled(database)

    assert [one.id for one in receiver.taken] == ids(log[len(before) :])


async def test_an_endpoint_gets_the_types_and_channels_that_it_wants(database: PostgresDatabase, caller: Caller):
    async with receiving() as receiver:
        await an_endpoint(database, receiver.url, types=["OrderChanged"], channels=["MARKET", "TILL"])
        await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
        for channel in ("SHOP", "MARKET", "TILL"):
            await allocated(database, caller, await placed(database, caller, {"CHAIR": 1}, channel=channel))
        await numbered(database)
        async with delivering(database):
            await settled(database)

    told = {(one.json["type"], one.json["data"]["channelCode"]) for one in receiver.taken}
    assert told == {("OrderChanged", "MARKET"), ("OrderChanged", "TILL")}


async def test_a_later_event_of_an_order_waits_for_the_earlier_one_and_other_orders_do_not(
    database: PostgresDatabase, caller: Caller
):
    refused: set[str] = set()

    async def refuse_one_order(request: Received) -> bytes:
        if request.json["data"].get("orderNumber") in refused:
            return answering(500)
        return OK

    async with receiving() as receiver, delivering(database):
        receiver.answer = refuse_one_order
        refused.add("bad")
        await an_endpoint(database, receiver.url, types=["OrderChanged"])
        await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
        bad = await placed(database, caller, {"CHAIR": 1}, number="bad")
        good = await placed(database, caller, {"CHAIR": 1}, number="good")
        for order in (bad, good):
            await allocated(database, caller, order)
            await deallocated(database, caller, order)
        log = await numbered(database)
        await eventually(lambda: len(receiver.taken) == 3 and len(receiver.received) > 6)
        refused_ids = {one.id for one in receiver.received if one.json["data"]["orderNumber"] == "bad"}
        refused.clear()
        await settled(database)

    assert len(refused_ids) == 1
    assert_nothing_is_missing(
        [one for one in log if isinstance(one.event, OrderEvent) and one.event.type == "OrderChanged"], receiver.taken
    )


async def test_the_union_of_what_a_receiver_that_fails_at_random_got_equals_the_log_per_order_in_order(
    database: PostgresDatabase, databases: Databases, caller: Caller
):
    """I6 for webhooks, with three workers on the same rows while orders are placed."""
    chance = random.Random(7)  # noqa: S311

    async def fail_at_random(_: Received) -> bytes:
        await asyncio.sleep(chance.random() * 0.01)
        return chance.choice([OK, OK, answering(500), answering(302, "location: /\r\n"), b"nonsense\r\n\r\n", b""])

    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 40})
    await numbered(database)
    start = len(await numbered(database))

    async def write() -> None:
        for _ in range(5):
            order = await placed(database, caller, {"CHAIR": 1})
            await allocated(database, caller, order)
            await deallocated(database, caller, order)
            await numbered(database)

    async with receiving() as receiver, delivering(database, databases(), databases()):
        receiver.answer = fail_at_random
        await an_endpoint(database, receiver.url)
        await asyncio.gather(*(write() for _ in range(4)))
        log = await numbered(database)
        await settled(database)

    assert_nothing_is_missing(log[start:], receiver.taken)
    assert len(receiver.received) > len(receiver.taken) >= len(log) - start
    assert await deliveries(database, DEAD) == []


async def test_workers_of_several_processes_do_not_send_twice_what_was_taken(
    database: PostgresDatabase, databases: Databases, caller: Caller
):
    log = await some_orders(database, caller, 20)
    async with receiving() as receiver:
        await an_endpoint(database, receiver.url)
        await replay_webhook_events(database, caller, ReplayEvents(endpoint="partner", after=0), a_key())
        async with delivering(database, databases(), databases()):
            await settled(database)

    assert sorted(one.id for one in receiver.received) == sorted(ids(log))


async def test_a_slow_endpoint_delays_nobody_but_itself(database: PostgresDatabase, caller: Caller):
    let_go = asyncio.Event()

    async def hang(_: Received) -> bytes:
        await let_go.wait()
        return OK

    async with receiving() as slow, receiving() as quick, delivering(database):
        slow.answer = hang
        await an_endpoint(database, slow.url, "slow")
        await an_endpoint(database, quick.url, "quick")
        log = await some_orders(database, caller, 12)
        await eventually(lambda: len(quick.taken) == len(log))
        assert slow.taken == []
        assert len(slow.received) <= 8
        let_go.set()
        await settled(database)

    assert_nothing_is_missing(log, slow.taken)


async def test_what_an_event_says_is_what_the_log_says(database: PostgresDatabase, caller: Caller):
    async with receiving() as receiver, delivering(database):
        await an_endpoint(database, receiver.url)
        log = await some_orders(database, caller, 1)
        await settled(database)

    told = {one.id: one.json for one in receiver.taken}
    placed_event = next(one for one in log if one.event.type == "OrderChanged")
    body = told[global_id("Event", placed_event.id)]
    assert body["type"] == "OrderChanged"
    assert body["timestamp"] == body["data"]["occurredAt"]
    assert body["data"]["changes"] == ["PLACED"]
    assert body["data"]["orderVersion"] == 1
    assert "order" not in body["data"]


# ---------------------------------------------------------------- failing


async def test_a_delivery_is_tried_up_to_the_limit_then_dead_and_the_next_event_of_the_order_goes_on(
    database: PostgresDatabase, caller: Caller
):
    patience = Patience(retry_seconds=(0.01, 0.02, 0.03), failures_before_pause=10**6)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    await numbered(database)

    async def refuse_the_first(request: Received) -> bytes:
        return answering(503) if request.json["data"]["orderVersion"] == 1 else OK

    async with receiving() as receiver, delivering(database, patience=patience):
        receiver.answer = refuse_the_first
        await an_endpoint(database, receiver.url, types=["OrderChanged"])
        await allocated(database, caller, await placed(database, caller, {"CHAIR": 1}))
        await numbered(database)
        await settled(database)

    (second, first) = await deliveries(database)
    assert (first.state, second.state) == (DEAD, DELIVERED)
    assert [(one.number, one.status, one.error) for one in first.attempts] == [
        (number, 503, "It answered 503.") for number in (1, 2, 3, 4)
    ]
    assert len(first.attempts) == patience.attempts_max
    assert all(one.duration_ms >= 0 for one in first.attempts)
    assert [(one.status, one.error) for one in second.attempts] == [(204, None)]
    assert first.ended_at <= second.ended_at
    assert [one.json["data"]["orderVersion"] for one in receiver.received] == [1, 1, 1, 1, 2]


def waits(patience: Patience, chance: float) -> list[float]:
    return [seconds * (0.8 + 0.4 * chance) for seconds in patience.retry_seconds]


def test_the_waits_between_attempts_grow_and_stray_by_a_fifth():
    patience = Patience()

    assert list(patience.retry_seconds) == sorted(patience.retry_seconds)
    assert waits(patience, 0)[0] == pytest.approx(4)
    assert waits(patience, 1)[0] == pytest.approx(6)
    assert 12 * 3600 < sum(patience.retry_seconds) < 48 * 3600


async def test_a_failed_delivery_is_not_tried_again_before_its_time(database: PostgresDatabase, caller: Caller):
    async def refuse(_: Received) -> bytes:
        return answering(500)

    async with receiving() as receiver, delivering(database, patience=Patience(retry_seconds=(600,))) as worker:
        receiver.answer = refuse
        await an_endpoint(database, receiver.url)
        await some_orders(database, caller, 1)
        await eventually(lambda: len(receiver.received) >= 2)
        for _ in range(5):
            worker.nudge()
            await asyncio.sleep(0.02)
        ours = await deliveries(database, PENDING)

    assert len(first_sights(receiver.received)) == len(receiver.received)
    tried = [one for one in ours if one.attempts]
    assert tried
    assert all(400 < (one.due_at - one.attempts[0].at).total_seconds() < 800 for one in tried)


async def test_an_endpoint_that_fails_rests_is_asked_with_one_request_and_then_gets_everything(
    database: PostgresDatabase, caller: Caller
):
    patience = Patience(
        retry_seconds=(600,) * 9, failures_before_pause=3, pause_seconds_min=0.05, pause_seconds_max=0.1
    )
    down = True
    together = most_together = 0

    async def be_down(_: Received) -> bytes:
        nonlocal together, most_together
        together += 1
        most_together = max(most_together, together)
        await asyncio.sleep(0.02)
        together -= 1
        return answering(503) if down else OK

    async with receiving() as receiver, delivering(database, patience=patience):
        receiver.answer = be_down
        await an_endpoint(database, receiver.url)
        await a_catalog(database, caller, {("CHAIR", "LEEDS"): 30})
        for _ in range(30):
            await placed(database, caller, {"CHAIR": 1})
        log = await numbered(database)

        async def failed_often() -> bool:
            return (await endpoint_now(database)).failures >= 8

        await eventually(failed_often)
        failing = await endpoint_now(database)
        await asyncio.sleep(0.1)
        most_together = 0
        await asyncio.sleep(1.5)
        assert most_together == 1
        down = False
        await settled(database)
        healthy = await endpoint_now(database)

    assert failing.failing_since is not None
    assert (healthy.failures, healthy.failing_since) == (0, None)
    assert_nothing_is_missing(log, receiver.taken)
    assert await deliveries(database, DEAD) == []


async def test_an_endpoint_to_which_nothing_gets_through_is_disabled_with_an_event_and_goes_on_when_enabled(
    database: PostgresDatabase, caller: Caller
):
    patience = Patience(
        retry_seconds=(0.01,) * 50,
        failures_before_pause=3,
        pause_seconds_min=0,
        pause_seconds_max=0,
        failing_seconds_max=0.2,
    )
    down = True

    async def be_down(_: Received) -> bytes:
        return answering(500) if down else OK

    async with receiving() as receiver, receiving() as other, delivering(database, patience=patience):
        receiver.answer = be_down
        await an_endpoint(database, receiver.url)
        await an_endpoint(database, other.url, "other", types=["WebhookEndpointDisabled"])
        await some_orders(database, caller)

        async def is_disabled() -> bool:
            return not (await endpoint_now(database)).enabled

        await eventually(is_disabled)
        log = await numbered(database)
        await settled(database)
        disabled = await endpoint_now(database)
        down = False
        await save_webhook_endpoints(database, [{"name": "partner", "enabled": True}], allow_loopback=True)
        await settled(database)

    (event,) = [one.event for one in log if isinstance(one.event, WebhookEndpointDisabled)]
    assert event.endpoint_name == "partner"
    assert event.reason == disabled.disabled_reason
    assert event.failures >= 3
    assert disabled.pending > 0
    (told,) = other.taken
    assert told.json["data"]["endpointName"] == "partner"
    assert_nothing_is_missing(log, receiver.taken)
    assert (await endpoint_now(database)).disabled_reason is None


async def test_an_endpoint_that_answers_410_is_disabled_at_once(database: PostgresDatabase, caller: Caller):
    async def be_gone(_: Received) -> bytes:
        return answering(410)

    async with receiving() as receiver, delivering(database):
        receiver.answer = be_gone
        await an_endpoint(database, receiver.url, channels=["SHOP"])
        await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
        await placed(database, caller, {"CHAIR": 1})
        await numbered(database)

        async def is_disabled() -> bool:
            return not (await endpoint_now(database)).enabled

        await eventually(is_disabled)
        await placed(database, caller, {"CHAIR": 1})
        await numbered(database)

    assert (await endpoint_now(database)).disabled_reason == "It answered 410 Gone."
    assert len(receiver.received) == 1


# ---------------------------------------------------------------- dying


async def test_what_a_worker_held_that_hangs_is_sent_by_another_and_its_late_result_changes_nothing(
    database: PostgresDatabase, databases: Databases, caller: Caller
):
    held: list[Received] = []
    let_go = asyncio.Event()

    async def hold_the_first(request: Received) -> bytes:
        if not held:
            held.append(request)
            await let_go.wait()
            return answering(500)
        return OK

    async with receiving() as receiver:
        receiver.answer = hold_the_first
        await an_endpoint(database, receiver.url, channels=["SHOP"], types=["OrderChanged"])
        await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
        await placed(database, caller, {"CHAIR": 1})
        await numbered(database)
        async with delivering(database, lease_seconds=600) as hanging:
            await eventually(lambda: held)
            await execute(database, "UPDATE webhook_deliveries SET due_at = clock_timestamp()")  # the lease ends
            async with delivering(databases(), lease_seconds=600):
                await settled(database)
                let_go.set()
                await eventually(lambda: not hanging._requests and not hanging._results)

    assert len(receiver.received) == 2
    (only,) = await deliveries(database)
    assert only.state is DELIVERED
    assert [one.status for one in only.attempts] == [204]


async def test_a_worker_that_is_stopped_gives_back_what_it_was_sending(
    database: PostgresDatabase, databases: Databases, caller: Caller
):
    async def hang(_: Received) -> bytes:
        await asyncio.sleep(600)
        return OK

    async with receiving() as receiver:
        receiver.answer = hang
        await an_endpoint(database, receiver.url, types=["OrderChanged"])
        await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
        await placed(database, caller, {"CHAIR": 1})
        await numbered(database)
        async with delivering(database, lease_seconds=600):
            await eventually(lambda: receiver.received)
        receiver.answer = None
        async with delivering(databases(), lease_seconds=600):
            await settled(database)

    assert len(receiver.taken) == 1


# ---------------------------------------------------------------- what people ask for


async def test_a_replay_delivers_everything_behind_the_cursor_again(database: PostgresDatabase, caller: Caller):
    async with receiving() as receiver, delivering(database):
        await an_endpoint(database, receiver.url)
        log = await some_orders(database, caller)
        await settled(database)
        first = len(receiver.taken)
        replay = ReplayEvents(endpoint="partner", after=log[2].position)
        key = a_key()
        await replay_webhook_events(database, caller, replay, key)
        await replay_webhook_events(database, caller, replay, key)
        await settled(database)

    assert_nothing_is_missing(log[3:], receiver.taken[first:])
    assert len(receiver.taken) == first + len(log) - 3


async def test_a_replay_from_before_the_log_begins_is_refused(database: PostgresDatabase, caller: Caller):
    async with receiving() as receiver:
        await an_endpoint(database, receiver.url)
        await some_orders(database, caller)
        await execute(database, "UPDATE events SET occurred_at = now() - interval '2 days' WHERE position <= 3")
        await execute(database, "UPDATE webhook_endpoints SET position = 3")
        await forget_old_events(database, 1)

        with pytest.raises(InvalidInput) as refused:
            await replay_webhook_events(database, caller, ReplayEvents(endpoint="partner", after=2), a_key())
        await replay_webhook_events(database, caller, ReplayEvents(endpoint="partner", after=3), a_key())

    assert [(problem.path, problem.code) for problem in refused.value.problems] == [
        (("input", "after"), "OUT_OF_RANGE")
    ]


async def test_while_a_secret_is_turned_both_sign_and_later_only_the_new_one(
    database: PostgresDatabase, caller: Caller
):
    async with receiving() as receiver, delivering(database):
        old = await an_endpoint(database, receiver.url)
        command = RotateSecret(endpoint="partner", keep_previous_seconds=600)
        row = (await rotate_webhook_secret(database, caller, command, a_key())).secret
        new = await database.read(lambda uow: uow.webhooks.secret(row))
        await some_orders(database, caller, 1)
        await settled(database)
        both = receiver.taken[0]
        await execute(database, "UPDATE webhook_secrets SET expires_at = now() WHERE expires_at IS NOT NULL")
        await placed(database, caller, {"CHAIR": 1})
        await numbered(database)
        await settled(database)
        last = receiver.taken[-1]

    assert new is not None
    for secret in (old, new):
        Webhook(secret).verify(both.body, both.headers)
    assert both.headers["webhook-signature"].count("v1,") == 2
    Webhook(new).verify(last.body, last.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(old).verify(last.body, last.headers)


async def test_a_test_is_sent_once_even_to_an_endpoint_that_is_disabled_and_does_not_count(
    database: PostgresDatabase, caller: Caller
):
    async def refuse(_: Received) -> bytes:
        return answering(500)

    async with receiving() as receiver, delivering(database):
        receiver.answer = refuse
        secret = await an_endpoint(database, receiver.url, enabled=False)
        await some_orders(database, caller, 1)
        sent = await send_test_webhook(database, caller, SendTest(endpoint="partner"), a_key())

        async def has_ended() -> bool:
            return bool(await deliveries(database, DEAD))

        await eventually(has_ended)

    (only,) = await deliveries(database)
    assert (only.id, only.type, only.event, len(only.attempts)) == (sent.delivery, "WebhookTest", None, 1)
    (request,) = receiver.received
    assert Webhook(secret).verify(request.body, request.headers)["type"] == "WebhookTest"
    assert (await endpoint_now(database)).failures == 0


# ---------------------------------------------------------------- keeping


async def test_deliveries_that_have_ended_are_kept_a_week_and_dead_ones_a_month(
    database: PostgresDatabase, caller: Caller
):
    async with receiving() as receiver, delivering(database):
        await an_endpoint(database, receiver.url)
        await some_orders(database, caller, 1)
        await settled(database)
    await execute(
        database,
        """UPDATE webhook_deliveries SET ended_at = now() - interval '8 days',
           state = CASE WHEN id = (SELECT min(id) FROM webhook_deliveries) THEN 'DEAD' ELSE state END""",
    )
    await execute(
        database,
        """UPDATE webhook_attempts SET status = 500, error = 'x'
           WHERE delivery_id = (SELECT min(id) FROM webhook_deliveries)""",
    )

    assert await forget_ended_deliveries(database) is False
    (left,) = await deliveries(database)
    assert left.state is DEAD
    await execute(database, "UPDATE webhook_deliveries SET ended_at = now() - interval '31 days'")
    await forget_ended_deliveries(database)
    assert await deliveries(database) == []


async def test_an_event_that_the_log_no_longer_has_is_dead_and_says_so(database: PostgresDatabase, caller: Caller):
    async with receiving() as receiver:
        await an_endpoint(database, receiver.url, enabled=False)
        await some_orders(database, caller, 1)
        await execute(
            database,
            """INSERT INTO webhook_deliveries (endpoint_id, event_id, position, type, subject)
               SELECT id, 999999, 1, 'OrderChanged', 'order 1' FROM webhook_endpoints""",
        )
        await execute(
            database, "UPDATE webhook_endpoints SET enabled = true, position = (SELECT position FROM log_end)"
        )
        async with delivering(database):

            async def has_ended() -> bool:
                return bool(await deliveries(database, DEAD))

            await eventually(has_ended)

    (only,) = await deliveries(database)
    assert "no longer" in only.attempts[0].error
    assert receiver.received == []


async def test_an_endpoint_is_not_given_more_than_there_is_room_for_and_misses_nothing(
    database: PostgresDatabase, caller: Caller, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("persistence.deliveries.PENDING_MAX", 4)
    monkeypatch.setattr("persistence.deliveries.PLAN_ROWS_MAX", 3)
    monkeypatch.setattr("persistence.deliveries.SCAN_ROWS_MAX", 5)
    async with receiving() as receiver:
        await an_endpoint(database, receiver.url)
        log = await some_orders(database, caller, 10)
        while await database.run(lambda uow: uow.deliveries.plan()):
            pass
        assert len(await deliveries(database)) == 6
        async with delivering(database):
            await settled(database)

    assert_nothing_is_missing(log, receiver.taken)


@pytest.mark.chaos
async def test_workers_that_are_killed_in_the_middle_of_it_lose_nothing(
    database: PostgresDatabase, database_url: str, caller: Caller
):
    """`kill -9`, again and again, while a receiver is slow and fails now and then."""
    chance = random.Random(11)  # noqa: S311
    together: list[Received] = []

    async def be_slow(request: Received) -> bytes:
        together.append(request)
        await asyncio.sleep(0.05)
        return chance.choice([OK, OK, OK, answering(500)])

    async with receiving() as receiver:
        receiver.answer = be_slow
        await an_endpoint(database, receiver.url)
        log = await some_orders(database, caller, 15)
        for round_number in range(1, 4):
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.workers.delivering", database_url, cwd=ROOT
            )
            await eventually(lambda at=round_number: len(together) >= 12 * at, 60)
            process.kill()
            await process.wait()
        async with delivering(database):
            await settled(database)

    assert_nothing_is_missing(log, receiver.taken)
    assert len(receiver.received) > len(log)
