"""The budget of a key: the average holds, debts are waited for, and nobody pays for another."""

from collections.abc import Iterator

import pytest

from domain.ids import KeyId
from persistence.redis_purse import RedisPurse
from services import budgets
from services.budgets import Budget, MemoryPurse
from tests.redis_server import RedisServer

ONE, OTHER = KeyId(1), KeyId(2)


class Clock:
    """Goes where it is told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def test_a_key_spends_its_minute_and_then_waits_until_time_has_paid():
    clock = Clock()
    purse = MemoryPurse(600, clock)

    assert [await purse.take(ONE, 200) for _ in range(3)] == [0, 0, 0]
    assert await purse.take(ONE, 1) == 100  # ten objects a second
    clock.now += 0.1
    assert await purse.take(ONE, 1) == 0


async def test_what_a_request_takes_too_much_is_a_debt_for_the_next():
    clock = Clock()
    purse = MemoryPurse(600, clock)

    assert await purse.take(ONE, 1_200) == 0
    assert await purse.take(ONE, 1) == 60_100
    clock.now += 60.11
    assert await purse.take(ONE, 1) == 0


async def test_nobody_pays_for_another_and_idleness_saves_no_more_than_a_minute():
    clock = Clock()
    purse = MemoryPurse(600, clock)
    await purse.take(ONE, 600)

    assert await purse.take(OTHER, 600) == 0
    clock.now += 3_600
    assert await purse.take(ONE, 600) == 0
    assert await purse.take(ONE, 1) > 0


async def test_keys_that_have_paid_are_forgotten(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(budgets, "BUCKETS_MAX", 10)
    clock = Clock()
    purse = MemoryPurse(600, clock)
    for number in range(100):
        await purse.take(KeyId(number), 1)
        clock.now += 1

    assert len(purse._buckets) <= 11


async def test_a_key_that_could_not_pay_is_known_without_asking_again():
    clock = Clock()
    budget = Budget(MemoryPurse(600, clock), clock)

    assert await budget.spend(ONE, 700) == 0
    assert budget.wait_ms(ONE) == 0
    told = await budget.spend(ONE, 1)
    assert (budget.wait_ms(ONE), budget.wait_ms(OTHER)) == (pytest.approx(told, abs=1), 0)
    clock.now += told / 1000 + 0.001
    assert budget.wait_ms(ONE) == 0
    assert await budget.spend(ONE, 1) == 0


async def test_without_a_purse_nothing_costs_anything():
    budget = Budget(None)

    assert [await budget.spend(ONE, 10**12) for _ in range(3)] == [0, 0, 0]


@pytest.fixture
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


async def test_two_nodes_spend_from_one_bucket_in_redis(redis: RedisServer):
    nodes = [RedisPurse(redis.url, 600, MemoryPurse(600)) for _ in range(2)]
    try:
        assert [await node.take(ONE, 400) for node in nodes] == [0, 0]
        waits = [await node.take(ONE, 1) for node in nodes]
        assert all(19_000 < wait <= 20_100 for wait in waits), waits
        assert await nodes[1].take(OTHER, 600) == 0
    finally:
        for node in nodes:
            await node.close()


async def test_without_redis_each_node_counts_for_itself_and_comes_back(
    redis: RedisServer, caplog: pytest.LogCaptureFixture
):
    purse = RedisPurse(redis.url, 600, MemoryPurse(600))
    try:
        assert await purse.take(ONE, 600) == 0
        redis.kill()
        assert [await purse.take(ONE, 1_200), await purse.take(ONE, 1) > 0] == [0, True]
        assert len([one for one in caplog.records if "counted by each node" in one.message]) == 1
        redis.start()
        assert await purse.take(ONE, 600) == 0
    finally:
        await purse.close()
