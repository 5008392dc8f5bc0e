"""Create, rotate and revoke API keys. A secret is shown once: neither a key nor an idempotency key remembers it."""

from dataclasses import dataclass
from datetime import datetime

from domain.access import Scope, Visibility, named
from domain.checks import Path, Problems
from domain.errors import InvalidInput, NotFound
from domain.ids import KeyId, RowName
from services.callers import Caller
from services.credentials import digest, new_mark, new_secret
from services.keys import checked_key, once
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork

LIMITS_MAX = 100
KEEP_SECONDS_MAX = 30 * 86_400
"""How long the secret before may go on opening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateKey:
    """A new key. `scopes`: names, also such as `inventory:*`; `channels` and `locations`: codes, None for no limit."""

    name: str
    scopes: tuple[str, ...]
    channels: tuple[str, ...] | None = None
    locations: tuple[str, ...] | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RotateKey:
    """A new secret; the one before opens for a while longer."""

    key: KeyId
    keep_previous_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RevokeKey:
    """A key that shall open nothing any more."""

    key: KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyDone:
    """The key that was made or changed."""

    key: KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyMade:
    """A key and its secret; None: it has been shown, to the request that made it."""

    key: KeyId
    secret: str | None


async def create_api_key(database: Database, caller: Caller, command: CreateKey, key: str) -> KeyMade:
    """Make a key. Raises InvalidInput, IdempotencyKeyReused."""
    name, scopes, expires_at = _checked(command)
    mark = new_mark()
    secret = new_secret(mark)
    visibility = Visibility(
        channels=None if command.channels is None else frozenset(command.channels),
        locations=None if command.locations is None else frozenset(command.locations),
    )

    async def effect(uow: UnitOfWork) -> KeyDone:
        await _refuse_unknown(uow, command, expires_at)
        made = await uow.credentials.add(name, mark, digest(secret), scopes, visibility, expires_at, caller.actor)
        if made is None:
            raise _invalid(("input", "name"), "DUPLICATE", "There is, or was, a key of this name.")
        return KeyDone(key=made)

    identity = (caller.key, "createApiKey", checked_key(key))
    done = await once(database, identity, command, KeyDone, effect)
    return KeyMade(key=done.key, secret=await _unless_shown(database, secret))


async def rotate_api_key(database: Database, caller: Caller, command: RotateKey, key: str) -> KeyMade:
    """Give a key a new secret. Raises InvalidInput, IdempotencyKeyReused, NotFound."""
    problems = Problems()
    problems.whole(command.keep_previous_seconds, ("input", "keepPreviousSeconds"), 0, KEEP_SECONDS_MAX)
    problems.refuse()
    secrets: list[str] = []

    async def effect(uow: UnitOfWork) -> KeyDone:
        found = await uow.credentials.lock(command.key)
        if found is None or found.has_ended(await uow.credentials.moment()):
            raise _unknown(command.key)
        mark = found.mark or new_mark()
        secrets.append(new_secret(mark))
        await uow.credentials.turn(command.key, mark, digest(secrets[-1]), command.keep_previous_seconds)
        return KeyDone(key=command.key)

    identity = (caller.key, "rotateApiKey", checked_key(key))
    done = await once(database, identity, command, KeyDone, effect)
    return KeyMade(key=done.key, secret=await _unless_shown(database, *secrets))


async def revoke_api_key(database: Database, caller: Caller, command: RevokeKey, key: str) -> KeyDone:
    """Let a key open nothing any more, for ever. Raises InvalidInput, IdempotencyKeyReused, NotFound."""

    async def effect(uow: UnitOfWork) -> KeyDone:
        if await uow.credentials.lock(command.key) is None:
            raise _unknown(command.key)
        await uow.credentials.revoke(command.key)
        return KeyDone(key=command.key)

    identity = (caller.key, "revokeApiKey", checked_key(key))
    return await once(database, identity, command, KeyDone, effect)


def _checked(command: CreateKey) -> tuple[str, frozenset[Scope], datetime | None]:
    """The name as it is kept, the scopes, and until when. Raises InvalidInput."""
    problems = Problems()
    name = problems.code(command.name, ("input", "name"))
    problems.size(len(command.scopes), ("input", "scopes"), LIMITS_MAX)
    scopes: frozenset[Scope] = frozenset()
    for at, text in enumerate(command.scopes[:LIMITS_MAX]):
        found = named(text)
        if not found:
            told = f"There is no such scope; these there are: {', '.join(Scope)}, and orders:* and the like."
            problems.add(("input", "scopes", str(at)), "UNKNOWN", told)
        scopes |= found
    for field, codes in (("channels", command.channels), ("locations", command.locations)):
        if codes is not None:
            problems.size(len(codes), ("input", field), LIMITS_MAX)
            problems.distinct(codes, ("input", field), "Each may stand here once.")
            if Scope.ADMIN in scopes:
                problems.add(("input", field), "NOT_EXPECTED", "A key with the scope admin has no limits.")
    expires_at = problems.time(command.expires_at, ("input", "expiresAt"))
    problems.refuse()
    return name, scopes, expires_at


async def _refuse_unknown(uow: UnitOfWork, command: CreateKey, expires_at: datetime | None) -> None:
    """Raises InvalidInput for channels and locations that do not exist, and for a time that has come."""
    problems = Problems()
    for field, codes, known in (
        ("channels", command.channels, {one.code for one in await uow.catalog.channels()}),
        ("locations", command.locations, {one.code for one in await uow.catalog.locations()}),
    ):
        for at, code in enumerate(codes or ()):
            if code not in known:
                told = f"There is no {field[:-1]} of this code."
                problems.add(("input", field, str(at)), "UNKNOWN", told)
    if expires_at is not None and expires_at <= await uow.credentials.moment():
        problems.add(("input", "expiresAt"), "OUT_OF_RANGE", "A key expires some time from now.")
    problems.refuse()


async def _unless_shown(database: Database, *secrets: str) -> str | None:
    """The secret that was made; None where another request of the same idempotency key has made it, and shown it."""
    hashed = {digest(secret): secret for secret in secrets}
    found = await database.read(lambda uow: uow.credentials.find(list(hashed))) if hashed else {}
    return next((hashed[one] for one in found), None)


def _invalid(path: Path, code: str, told: str) -> InvalidInput:
    problems = Problems()
    problems.add(path, code, told)
    return InvalidInput(problems=problems.all())


def _unknown(key: KeyId) -> NotFound:
    return NotFound(references=(RowName("ApiKey", key),))
