"""Webhooks: save endpoints, turn their secrets, go back in the log, and send a test."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.checks import CODE_LENGTH_MAX, Path, Problems, is_storable
from domain.errors import InvalidInput, NotFound
from domain.events import CATALOGUE
from domain.ids import DeliveryId, EndpointId
from domain.webhooks import ENDPOINTS_MAX, SECRET_BYTES, URL_LENGTH_MAX, Endpoint, url_problem
from services.callers import Caller
from services.keys import checked_key, once
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork

KEEP_SECONDS_MAX = 7 * 86_400
"""How long the secrets before may go on signing."""
FILTER_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointsSaved:
    """The endpoints in the order of the input, and the secret of each that is new."""

    endpoints: tuple[EndpointId, ...]
    secrets: Mapping[EndpointId, bytes]


async def save_webhook_endpoints(
    database: Database, rows: Sequence[Mapping[str, Any]], *, allow_loopback: bool
) -> EndpointsSaved:
    """Create or update endpoints by `name`; a key that is absent from a row keeps its value. Raises InvalidInput.

    `types` and `channels`: None for all. A new endpoint is told what happens from now on.
    """
    problems, path = Problems(), ("input", "endpoints")
    problems.size(len(rows), path, ENDPOINTS_MAX)
    checked = [_endpoint(problems, row, (*path, str(at)), allow_loopback) for at, row in enumerate(rows)]
    problems.distinct((row["name"] for row in checked), path, "Each name may stand here once.")
    problems.refuse()
    made = {row["name"]: secrets.token_bytes(SECRET_BYTES) for row in checked}

    async def work(uow: UnitOfWork) -> EndpointsSaved:
        known = await uow.webhooks.lock([row["name"] for row in checked])
        _refuse_incomplete(checked, known, await uow.webhooks.count())
        saved = await uow.webhooks.save([_whole(row, known.get(row["name"])) for row in checked])
        await uow.webhooks.give_first_secrets({saved[name]: secret for name, secret in made.items()})
        new = await uow.webhooks.known_secrets(list(made.values()))
        return EndpointsSaved(
            endpoints=tuple(saved[row["name"]] for row in checked),
            secrets={saved[name]: secret for name, secret in made.items() if secret in new},
        )

    return await database.run(work, repeatable=True)


def _endpoint(problems: Problems, row: Mapping[str, Any], path: Path, allow_loopback: bool) -> dict[str, Any]:
    checked: dict[str, Any] = {"name": problems.code(row["name"], (*path, "name"))}
    if "url" in row:
        url = problems.text(row["url"] or "", (*path, "url"), URL_LENGTH_MAX)
        problem = url_problem(url, allow_loopback=allow_loopback) if url else None
        if problem:
            problems.add((*path, "url"), "NOT_A_WEBHOOK_URL", problem)
        checked["url"] = url
    if "enabled" in row:
        if row["enabled"] is None:
            problems.add((*path, "enabled"), "REQUIRED", "This cannot be cleared: leave it out to keep it.")
        checked["enabled"] = row["enabled"]
    for name in ("types", "channels"):
        if name in row:
            checked[name] = _choice(problems, row[name], (*path, name))
    for at, kind in enumerate(checked.get("types") or ()):
        if kind not in CATALOGUE:
            problems.add((*path, "types", str(at)), "UNKNOWN", f"Events are of these types: {', '.join(CATALOGUE)}.")
    return checked


def _choice(problems: Problems, values: Sequence[str] | None, path: Path) -> list[str] | None:
    if values is None:
        return None
    problems.size(len(values), path, FILTER_MAX)
    problems.distinct(values, path, "Each may stand here once.")
    return [problems.code(value, (*path, str(at))) for at, value in enumerate(values[:FILTER_MAX])]


def _refuse_incomplete(rows: Sequence[Mapping[str, Any]], known: Mapping[str, Endpoint], count: int) -> None:
    problems, path = Problems(), ("input", "endpoints")
    new = [row for row in rows if row["name"] not in known]
    for at, row in enumerate(rows):
        if row["name"] not in known and "url" not in row:
            problems.add((*path, str(at), "url"), "REQUIRED", "A new endpoint needs a URL.")
    if new and count + len(new) > ENDPOINTS_MAX:
        problems.add(path, "TOO_MANY", f"There may be at most {ENDPOINTS_MAX} endpoints.")
    problems.refuse()


def _whole(row: Mapping[str, Any], known: Endpoint | None) -> dict[str, Any]:
    """The row with everything that it does not say as it is, or as it is for a new one."""
    kept: dict[str, Any] = {"types": None, "channels": None, "enabled": True}
    if known is not None:
        kept = {name: getattr(known, name) for name in ("url", "types", "channels", "enabled")}
    return kept | dict(row)


# ---------------------------------------------------------------- one endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateSecret:
    """A new secret; those before sign for a while longer."""

    endpoint: str
    keep_previous_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretRotated:
    """The endpoint and the row of its new secret: an idempotency key remembers no secrets."""

    endpoint: EndpointId
    secret: int


async def rotate_webhook_secret(database: Database, caller: Caller, command: RotateSecret, key: str) -> SecretRotated:
    """Sign with a new secret from now on. Raises InvalidInput, IdempotencyKeyReused, NotFound."""
    problems = Problems()
    path = ("input", "keepPreviousSeconds")
    problems.whole(command.keep_previous_seconds, path, 0, KEEP_SECONDS_MAX)
    problems.refuse()
    made = secrets.token_bytes(SECRET_BYTES)

    async def effect(uow: UnitOfWork) -> SecretRotated:
        endpoint = await _locked(uow, command.endpoint)
        row = await uow.webhooks.turn_secret(endpoint.id, made, command.keep_previous_seconds)
        return SecretRotated(endpoint=endpoint.id, secret=row)

    identity = (caller.key, "rotateWebhookSecret", checked_key(key))
    return await once(database, identity, command, SecretRotated, effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayEvents:
    """Where in the log the endpoint shall go on."""

    endpoint: str
    after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EventsReplayed:
    """The endpoint that goes on elsewhere."""

    endpoint: EndpointId


async def replay_webhook_events(database: Database, caller: Caller, command: ReplayEvents, key: str) -> EventsReplayed:
    """Deliver every event behind a position, again or for the first time.

    Raises InvalidInput, IdempotencyKeyReused, NotFound.
    """

    async def effect(uow: UnitOfWork) -> EventsReplayed:
        endpoint = await _locked(uow, command.endpoint)
        if command.after > await uow.events.end():
            problems = Problems()
            problems.add(("input", "after"), "OUT_OF_RANGE", "This cursor lies beyond the end of the log.")
            raise InvalidInput(problems=problems.all())
        if command.after < await uow.events.hold():
            problems = Problems()
            problems.add(("input", "after"), "OUT_OF_RANGE", "This cursor is older than the log goes back.")
            raise InvalidInput(problems=problems.all())
        await uow.webhooks.go_on_after(endpoint.id, command.after)
        return EventsReplayed(endpoint=endpoint.id)

    identity = (caller.key, "replayWebhookEvents", checked_key(key))
    return await once(database, identity, command, EventsReplayed, effect)


@dataclass(frozen=True, slots=True, kw_only=True)
class SendTest:
    """A delivery without an event."""

    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TestSent:
    """The delivery that was queued."""

    __test__ = False
    delivery: DeliveryId


async def send_test_webhook(database: Database, caller: Caller, command: SendTest, key: str) -> TestSent:
    """Send one signed test, once, even to an endpoint that is disabled.

    Raises InvalidInput, IdempotencyKeyReused, NotFound.
    """

    async def effect(uow: UnitOfWork) -> TestSent:
        endpoint = await _locked(uow, command.endpoint)
        return TestSent(delivery=await uow.webhooks.add_test(endpoint.id))

    identity = (caller.key, "sendTestWebhook", checked_key(key))
    return await once(database, identity, command, TestSent, effect)


async def _locked(uow: UnitOfWork, name: str) -> Endpoint:
    """Raises NotFound."""
    found = await uow.webhooks.lock([name]) if is_name(name) else {}
    if name not in found:
        raise NotFound(references=(name,))
    return found[name]


def is_name(name: str) -> bool:
    """Whether an endpoint can have this name; what cannot be stored cannot be looked for either."""
    return is_storable(name) and len(name) <= CODE_LENGTH_MAX
