"""Reads of many requests gather."""

import asyncio
from collections.abc import Mapping, Sequence

import pytest

from services.gathering import KEYS_MAX, Gathering


class Shelf:
    """Something to read from that takes as long as the test likes."""

    def __init__(self, **values: int) -> None:
        self.values = values
        self.reads: list[list[str]] = []
        self.open = asyncio.Event()
        self.gathering = Gathering(self.read)

    async def read(self, keys: Sequence[str]) -> Mapping[str, int]:
        self.reads.append(list(keys))
        found = {key: self.values[key] for key in keys if key in self.values}
        await self.open.wait()
        if "poison" in keys:
            raise OSError("poisoned")
        return found

    async def wanted(self, *keys: str) -> "asyncio.Task[Mapping[str, int]]":
        """A request that waits for these keys by now."""
        task = asyncio.create_task(self.gathering.load(keys))
        for _ in range(3):
            await asyncio.sleep(0)
        return task


async def test_what_is_wanted_while_something_is_read_is_read_together_and_each_key_once() -> None:
    shelf = Shelf(chair=1, table=2, lamp=3)
    tasks = [await shelf.wanted(key) for key in ("chair", "table", "lamp", "table", "sofa")]
    shelf.open.set()

    answers = [dict(await task) for task in tasks]

    assert shelf.reads == [["chair"], ["table", "lamp", "sofa"]]
    assert answers == [{"chair": 1}, *[{"table": 2, "lamp": 3}] * 4]


async def test_a_request_never_gets_what_was_read_before_it_asked() -> None:
    shelf = Shelf(chair=1)
    before = await shelf.wanted("chair")
    shelf.values["chair"] = 2
    after = await shelf.wanted("chair")
    shelf.open.set()

    assert (await before, await after) == ({"chair": 1}, {"chair": 2})


async def test_whoever_stops_waiting_takes_it_from_nobody() -> None:
    shelf = Shelf(chair=1)
    first, second = await shelf.wanted("chair"), await shelf.wanted("chair")
    third = await shelf.wanted("chair")
    first.cancel()
    second.cancel()
    shelf.open.set()

    assert await third == {"chair": 1}
    assert first.cancelled()
    assert second.cancelled()


async def test_a_read_that_fails_fails_for_those_who_wanted_it_and_for_nobody_else() -> None:
    shelf = Shelf(chair=1)
    poisoned = await shelf.wanted("poison")
    healthy = await shelf.wanted("chair")
    shelf.open.set()

    with pytest.raises(OSError, match="poisoned"):
        await poisoned
    assert await healthy == {"chair": 1}


async def test_a_round_that_is_full_is_followed_by_another_one() -> None:
    shelf = Shelf()
    await shelf.wanted("first")
    many = [str(number) for number in range(KEYS_MAX)]
    await shelf.wanted(*many)
    await shelf.wanted("one more")
    shelf.open.set()
    await shelf.gathering.close()

    assert shelf.reads == [["first"], many, ["one more"]]


async def test_nothing_is_left_when_nobody_waits() -> None:
    shelf = Shelf()
    poisoned = await shelf.wanted("poison")
    poisoned.cancel()
    shelf.open.set()
    await shelf.gathering.close()

    assert len(asyncio.all_tasks()) == 1
