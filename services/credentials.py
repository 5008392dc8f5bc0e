"""API keys at the door. A key is a random secret; only its SHA-256 is stored, which is enough for 32 random bytes."""

import asyncio
import hashlib
import logging
import math
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

from domain.access import EVERYTHING, Scope, Visibility
from domain.api_keys import DIGITS, MARK_LENGTH, SECRET_BYTES, is_mistyped, written
from domain.ids import KeyId
from services.callers import Caller
from services.gathering import Gathering
from services.people import People, is_token
from services.ports.credentials import Opening
from services.ports.database import OUT_OF_REACH, Database
from services.ports.unit_of_work import UnitOfWork

log = logging.getLogger("dibs.doorkeeper")

SECRET_LENGTH_MIN = 32
ADMIN = "admin"
POWERS = frozenset({Scope.ADMIN})
"""Of a key of which nothing else is said."""
CERTAIN_SECONDS_MAX = 1.5
"""For so long after a look nobody is told anything that another look would have kept from them."""


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def new_mark() -> str:
    return "".join(secrets.choice(DIGITS) for _ in range(MARK_LENGTH))


def new_secret(mark: str) -> str:
    """A secret that nobody has, as it is presented."""
    return written(mark, secrets.token_bytes(SECRET_BYTES))


class Doorkeeper:
    """Knows who presents a secret. It looks each time, so a key that is revoked opens nothing from then on.

    `people`: knows those who come with a token of an issuer. Without it, nobody does.
    """

    def __init__(self, database: Database, people: People | None = None) -> None:
        self._database = database
        self._people = people
        self._keys = Gathering(self._find)
        self._watched: defaultdict[bytes, set[Callable[[], None]]] = defaultdict(set)
        self._used: set[KeyId] = set()
        self._looked_at = -math.inf
        self._looked = asyncio.Event()

    async def authenticate(self, secret: str, request: str) -> Caller | None:
        """Who presents this secret; None where nobody is known by it. Raises IssuerUnavailable."""
        if self._people and is_token(secret):
            person = await self._people.caller(secret, request)
            if person:
                self._used.add(person.key)
            return person
        if is_mistyped(secret):
            return None
        secret_sha256 = digest(secret)
        found = (await self._keys.load([secret_sha256])).get(secret_sha256)
        if not found:
            return None
        self._used.add(found.key)
        left = found.seconds_left
        return Caller(
            key=found.key,
            actor=found.name,
            request=request,
            scopes=found.scopes,
            visibility=found.visibility,
            secret_sha256=secret_sha256,
            ends_at=None if left is None else _now() + left,
        )

    @contextmanager
    def watched(self, caller: Caller, revoked: Callable[[], None]) -> Iterator[None]:
        """While the block runs, call `revoked` once the secret that the caller presented opens nothing any more.

        When it expires is known beforehand, and takes nobody who looks. A token does nothing else than expire.
        """
        secret, timer = caller.secret_sha256, None
        if secret:
            self._watched[secret].add(revoked)
        if caller.ends_at is not None:
            timer = asyncio.get_running_loop().call_at(caller.ends_at, revoked)
        try:
            yield
        finally:
            if timer:
                timer.cancel()
            if secret:
                self._watched[secret].discard(revoked)
                if not self._watched[secret]:
                    del self._watched[secret]

    async def recheck(self) -> bool:
        """Look after those who are watched: one query for all of them. There is never more to do at once."""
        began, secrets_sha256 = _now(), list(self._watched)
        if secrets_sha256:
            known = await self._find(secrets_sha256)
            for secret in secrets_sha256:
                if secret not in known:
                    for revoked in tuple(self._watched.get(secret, ())):
                        revoked()
        self._looked_at = began
        self._looked.set()
        self._looked.clear()
        return False

    async def certain(self) -> None:
        """Wait until those who are watched have been looked after lately: until then nobody is told anything.

        Where the database keeps us waiting, events wait too; nobody's connection is closed for it.
        """
        while self._watched and _now() - self._looked_at > CERTAIN_SECONDS_MAX:
            await self._looked.wait()

    async def write_down_use(self) -> bool:
        """Say of every key that was used when that was, to within a minute. It is no part of any request."""
        if self._used:
            used, self._used = self._used, set()
            await self._database.run(lambda uow: uow.credentials.used(sorted(used)), repeatable=True)
        return False

    async def close(self) -> None:
        await self._keys.close()
        try:
            await self.write_down_use()
        except OUT_OF_REACH:
            log.warning("the last use of some keys could not be written down")

    async def _find(self, secrets_sha256: Sequence[bytes]) -> Mapping[bytes, Opening]:
        async def work(uow: UnitOfWork) -> Mapping[bytes, Opening]:
            return await uow.credentials.find(secrets_sha256)

        return await self._database.read(work)


def _now() -> float:
    """On the event loop's clock."""
    return asyncio.get_running_loop().time()


# ---------------------------------------------------------------- keys that do not come through the door


async def preset_key(
    database: Database,
    name: str,
    secret: str,
    scopes: Collection[Scope] = POWERS,
    visibility: Visibility = EVERYTHING,
    mark: str | None = None,
) -> KeyId:
    """Make `secret` the only one of the key of this name; those that it had before open nothing any more."""
    assert len(secret) >= SECRET_LENGTH_MIN

    async def work(uow: UnitOfWork) -> KeyId:
        return await uow.credentials.save(name, digest(secret), scopes, visibility, mark)

    return await database.run(work, repeatable=True)


async def create_key(
    database: Database, name: str, scopes: Collection[Scope] = POWERS, visibility: Visibility = EVERYTHING
) -> tuple[KeyId, str]:
    """A new secret for the key of this name, shown this once."""
    mark = new_mark()
    secret = new_secret(mark)
    return await preset_key(database, name, secret, scopes, visibility, mark), secret


async def create_admin_key(database: Database) -> str | None:
    """The administrator's secret where there is none yet; None where there is one."""

    async def work(uow: UnitOfWork) -> bool:
        return await uow.credentials.exists(ADMIN)

    if await database.read(work):
        return None
    return (await create_key(database, ADMIN))[1]
