"""A connection outlives its key by two seconds at most, however it is cut off and whatever keeps us from looking."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from services.api_keys import CreateKey, RevokeKey, RotateKey, create_api_key, revoke_api_key, rotate_api_key
from services.credentials import Doorkeeper
from tests.builders import a_catalog, a_key, placed
from tests.gql.serving import KNOWN, Served, Socket, until
from tests.gql.test_event_stream import streaming

ORDERS = "subscription { orderChanged { orderNumber } }"


def doorkeeper_of(served: Served) -> Doorkeeper:
    found = served.running.websocket._parts.watched.__self__  # type: ignore[attr-defined]
    assert isinstance(found, Doorkeeper)
    return found


async def with_a_key(served: Served, **fields: Any) -> tuple[Served, RevokeKey]:
    command = CreateKey(name=a_key(), scopes=("orders:read",), **fields)
    made = await create_api_key(served.database, KNOWN, command, a_key())
    assert made.secret
    return replace(served, key=made.secret), RevokeKey(key=made.key)


async def place(served: Served, number: str) -> None:
    await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 0})
    await placed(served.database, KNOWN, {"CHAIR": 1}, number=number)


@asynccontextmanager
async def watching(served: Served) -> AsyncIterator[Socket]:
    """A socket that follows orders."""
    others = served.hub.subscribers
    async with served.socket() as client:
        await client.subscribe("1", ORDERS)
        await until(lambda: served.hub.subscribers == others + 1)
        yield client


async def test_i19_a_revoked_key_ends_its_sockets_and_streams_and_no_others(served: Served):
    theirs, revoke = await with_a_key(served)
    async with watching(served) as ours, watching(theirs) as socket, streaming(theirs, ORDERS) as stream:
        await until(lambda: served.hub.subscribers == 3)

        await revoke_api_key(served.database, KNOWN, revoke, a_key())

        assert await socket.closed() == (4403, "Forbidden")
        assert await stream.message() == b""
        await place(served, "after")
        assert (await ours.next("1"))["orderChanged"]["orderNumber"] == "after"
        with pytest.raises(ConnectionClosed):
            await socket.receive()


async def test_i19_of_a_rotated_key_the_old_secrets_connections_end_with_its_time(served: Served):
    """And those of the secret that was before it at once."""
    first, key = await with_a_key(served)
    rotate = RotateKey(key=key.key, keep_previous_seconds=600)
    made = await rotate_api_key(served.database, KNOWN, rotate, a_key())
    assert made.secret
    second = replace(served, key=made.secret)
    async with watching(first) as old, watching(second) as new:
        await rotate_api_key(served.database, KNOWN, rotate, a_key())

        assert await old.closed() == (4403, "Forbidden")
        await place(served, "after")
        assert (await new.next("1"))["orderChanged"]["orderNumber"] == "after"


async def test_i19_a_connection_ends_when_its_key_expires_and_needs_nobody_who_looks(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    now = await served.database.read(lambda uow: uow.credentials.moment())
    theirs, _ = await with_a_key(served, expires_at=now + timedelta(seconds=2))
    async with watching(theirs) as socket, streaming(theirs, ORDERS) as stream:

        async def nobody(secrets: Any) -> Any:
            return dict.fromkeys(secrets)  # whoever looks finds them all there

        monkeypatch.setattr(doorkeeper_of(served), "_find", nobody)

        assert await socket.closed() == (4403, "Forbidden")
        assert await stream.message() == b""
    moment = await served.database.read(lambda uow: uow.credentials.moment())
    assert moment >= now + timedelta(seconds=2)


async def test_i19_while_nobody_can_be_looked_after_nobody_is_told_anything(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    """A database that is slow to say who is still known holds events back; it closes nobody's connection."""
    theirs, revoke = await with_a_key(served)
    doorkeeper, may_look = doorkeeper_of(served), asyncio.Event()
    find = doorkeeper._find
    async with watching(served) as ours, watching(theirs) as socket:

        async def slowly(secrets: Any) -> Any:
            await may_look.wait()
            return await find(secrets)

        monkeypatch.setattr(doorkeeper, "_find", slowly)
        monkeypatch.setattr("services.credentials.CERTAIN_SECONDS_MAX", 0)
        await revoke_api_key(served.database, KNOWN, revoke, a_key())
        await place(served, "after")
        await until(lambda: served.feed.position > 0)
        telling = [asyncio.create_task(client.receive()) for client in (ours, socket)]
        done, _ = await asyncio.wait(telling, timeout=0.5)
        assert not done
        monkeypatch.setattr("services.credentials.CERTAIN_SECONDS_MAX", 1.5)

        may_look.set()

        message = await telling[0]
        assert message["payload"]["data"]["orderChanged"]["orderNumber"] == "after"
        with pytest.raises(ConnectionClosed):
            await telling[1]
        assert await socket.closed() == (4403, "Forbidden")
