"""What tests of webhooks have in common: endpoints, a worker that delivers, and what the log says."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from sqlalchemy import text

from domain.events import LoggedEvent
from domain.kinds import WebhookDeliveryState
from domain.webhooks import Delivery, Endpoint, Patience
from gql.schema.webhooks import written
from gql.webhook_payload import webhook_message
from persistence.database import PostgresDatabase
from services.ports.chores import Chore
from services.ports.events import EventFilter
from services.ports.webhooks import DeliveryFilter
from services.webhooks import save_webhook_endpoints
from tests.gql.serving import SECONDS_MAX
from workers.deliveries import Deliverer
from workers.foreman import Foreman
from workers.loop import running
from workers.relay import number_events
from workers.webhook_http import WebhookSender

PENDING, DELIVERED, DEAD = WebhookDeliveryState
STUBBORN = Patience(retry_seconds=(0.01,) * 60, failures_before_pause=10**6)
"""Tries again at once, and for ever as far as a test can tell."""
POLL_SECONDS = 0.02


async def an_endpoint(database: PostgresDatabase, url: str, name: str = "partner", **more: Any) -> str:
    """An endpoint's secret, as receivers configure it."""
    saved = await save_webhook_endpoints(database, [{"name": name, "url": url} | more], allow_loopback=True)
    (endpoint,) = saved.endpoints
    return written(saved.secrets[endpoint]) if endpoint in saved.secrets else ""


@asynccontextmanager
async def delivering(
    *databases: PostgresDatabase, patience: Patience = STUBBORN, lease_seconds: float = 30, **sender: Any
) -> AsyncIterator[Deliverer]:
    """A worker on each database, as if each was a process of its own; the first one is the answer."""
    async with aclosing(WebhookSender(webhook_message, **({"allow_loopback": True} | sender))) as send:
        foremen = [Foreman(one, POLL_SECONDS) for one in databases]
        workers = [
            Deliverer(one, send, patience=patience, lease_seconds=lease_seconds, called=foreman.called(Chore.WEBHOOKS))
            for one, foreman in zip(databases, foremen, strict=True)
        ]
        async with running(*(one.run for one in (*foremen, *workers))):
            yield workers[0]


async def numbered(database: PostgresDatabase) -> list[LoggedEvent]:
    """Give everything that is committed its place; the whole log."""
    while await number_events(database):
        pass
    return await database.read(lambda uow: uow.events.page(EventFilter(), 100_000, 0))


async def deliveries(database: PostgresDatabase, *states: WebhookDeliveryState) -> list[Delivery]:
    """The newest first."""
    condition = DeliveryFilter(states=states or None)
    return await database.read(lambda uow: uow.webhooks.page(condition, 100_000, None))


async def endpoint_now(database: PostgresDatabase, name: str = "partner") -> Endpoint:
    return {one.name: one for one in await database.read(lambda uow: uow.webhooks.endpoints())}[name]


async def eventually(condition: Callable[[], Any], seconds: float = SECONDS_MAX) -> None:
    """Wait for what is about to be true; the condition may be asynchronous."""
    async with asyncio.timeout(seconds):
        while True:
            found = condition()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0.01)


async def settled(database: PostgresDatabase) -> None:
    """Wait until everything in the log has been delivered or given up."""

    async def all_over() -> bool:
        end = await database.read(lambda uow: uow.events.end())
        found = await database.read(lambda uow: uow.webhooks.endpoints())
        return all(one.position == end and not one.pending for one in found if one.enabled)

    await eventually(all_over, 2 * SECONDS_MAX)


async def execute(database: PostgresDatabase, statement: str) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text(statement))
