"""API keys. A key is a random secret; only its SHA-256 is stored, which is enough for 32 random bytes."""

import hashlib
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from domain.ids import KeyId
from services.callers import Caller
from services.gathering import Gathering
from services.ports import Database, UnitOfWork

SECRET_LENGTH_MIN = 32
ADMIN = "admin"


def digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


class Doorkeeper:
    """Knows who presents a secret. It looks each time, so a key that is changed opens nothing from then on."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._keys = Gathering(self._find)
        self._watched: defaultdict[bytes, set[Callable[[], None]]] = defaultdict(set)

    async def authenticate(self, secret: str, request: str) -> Caller | None:
        """Who presents this secret; None where nobody is known by it."""
        secret_sha256 = digest(secret)
        found = (await self._keys.load([secret_sha256])).get(secret_sha256)
        if not found:
            return None
        return Caller(key=found[0], actor=found[1], request=request, secret_sha256=secret_sha256)

    @contextmanager
    def watched(self, caller: Caller, revoked: Callable[[], None]) -> Iterator[None]:
        """While the block runs, call `revoked` once the secret that the caller presented opens nothing any more."""
        secret = caller.secret_sha256
        self._watched[secret].add(revoked)
        try:
            yield
        finally:
            self._watched[secret].discard(revoked)
            if not self._watched[secret]:
                del self._watched[secret]

    async def recheck(self) -> bool:
        """Look after those who are watched: one query for all of them. There is never more to do at once."""
        secrets_sha256 = list(self._watched)
        if secrets_sha256:
            known = await self._find(secrets_sha256)
            for secret in secrets_sha256:
                if secret not in known:
                    for revoked in tuple(self._watched.get(secret, ())):
                        revoked()
        return False

    async def close(self) -> None:
        await self._keys.close()

    async def _find(self, secrets_sha256: Sequence[bytes]) -> Mapping[bytes, tuple[KeyId, str]]:
        async def work(uow: UnitOfWork) -> Mapping[bytes, tuple[KeyId, str]]:
            return await uow.credentials.find(secrets_sha256)

        return await self._database.read(work)


async def preset_key(database: Database, name: str, secret: str) -> KeyId:
    """Make `secret` the key of this name; the one it had before opens nothing any more."""
    assert len(secret) >= SECRET_LENGTH_MIN

    async def work(uow: UnitOfWork) -> KeyId:
        return await uow.credentials.save(name, digest(secret))

    return await database.run(work, repeatable=True)


async def create_key(database: Database, name: str) -> tuple[KeyId, str]:
    """A new secret for the key of this name, shown this once."""
    secret = f"dibs_{secrets.token_urlsafe(32)}"
    return await preset_key(database, name, secret), secret


async def create_admin_key(database: Database) -> str | None:
    """The administrator's secret where there is none yet; None where there is one."""

    async def work(uow: UnitOfWork) -> bool:
        return await uow.credentials.exists(ADMIN)

    if await database.read(work):
        return None
    return (await create_key(database, ADMIN))[1]
