"""What the workers ask for on behalf of webhooks: take the log up, lease what is due, write down what came of it."""

import random
import secrets
from collections.abc import Mapping, Sequence

from domain.events import WebhookEndpointDisabled
from domain.ids import EndpointId
from domain.kinds import WebhookDeliveryState
from domain.webhooks import Claimed, Patience, Sent, judge
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork

DELIVERIES_AT_ONCE_MAX = 2_000
"""Few enough that nobody waits for the deletion."""


async def plan_deliveries(database: Database) -> bool:
    """Make deliveries of what the log has behind the endpoints' positions; whether more is left."""
    return await database.run(lambda uow: uow.deliveries.plan(), repeatable=True)


async def claim_deliveries(
    database: Database, sending: Mapping[EndpointId, int], most: int, lease_seconds: float
) -> list[Claimed]:
    """Lease what is due: of each endpoint at most so many, less those that the worker is sending."""

    async def work(uow: UnitOfWork) -> list[Claimed]:
        return await uow.deliveries.claim(sending, most, secrets.token_hex(8), lease_seconds)

    return await database.run(work, repeatable=True)


async def release_deliveries(database: Database, claimed: Sequence[Claimed]) -> None:
    """Give back what will not be sent."""
    await database.run(lambda uow: uow.deliveries.release(claimed), repeatable=True)


async def record_deliveries(database: Database, results: Sequence[Sent], patience: Patience) -> None:
    """Write down what came of requests: whether to try again and when, and how the endpoints do.

    What is no longer leased by the one who sent it is left alone: somebody else is sending it again.
    """

    async def work(uow: UnitOfWork) -> None:
        health = await uow.deliveries.lock_health(sorted({one.claimed.endpoint for one in results}))
        kept = await uow.deliveries.end([(one, *_next(one, patience)) for one in results])
        judged = {}
        told = []
        for endpoint, (name, enabled, failures, seconds) in health.items():
            sent = [one for one in kept if one.claimed.endpoint == endpoint and one.claimed.event is not None]
            if not sent:
                continue
            judged[endpoint] = now = judge(failures, seconds, sent, patience, _chance())
            if enabled and now.disabled:
                told.append(_disabled(endpoint, name, now.disabled, now.failures))
        await uow.deliveries.save_health(judged)
        await uow.deliveries.tell(told)

    await database.run(work, repeatable=True)


async def forget_ended_deliveries(database: Database) -> bool:
    """Remove deliveries that are kept no longer, some at a time; whether there may be more."""

    async def work(uow: UnitOfWork) -> int:
        return await uow.deliveries.forget_ended(DELIVERIES_AT_ONCE_MAX)

    return await database.run(work, repeatable=True) == DELIVERIES_AT_ONCE_MAX


def _next(sent: Sent, patience: Patience) -> tuple[WebhookDeliveryState, float]:
    if sent.error is None:
        return WebhookDeliveryState.DELIVERED, 0
    wait = patience.retry_after(sent, _chance())
    return (WebhookDeliveryState.DEAD, 0) if wait is None else (WebhookDeliveryState.PENDING, wait)


def _chance() -> float:
    return random.random()  # noqa: S311  (jitter)


def _disabled(endpoint: EndpointId, name: str, reason: str, failures: int) -> WebhookEndpointDisabled:
    return WebhookEndpointDisabled(endpoint_id=endpoint, endpoint_name=name, reason=reason, failures=failures)
