"""API keys, and what their secrets open."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.access import Scope, Visibility
from domain.ids import KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What a secret opens, and for how many seconds more; None: until somebody says otherwise."""

    key: KeyId
    name: str
    scopes: frozenset[Scope]
    visibility: Visibility
    seconds_left: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyView:
    """An API key as it is shown. `mark`: what stands in its secrets after `dibs_`; None where it was preset.

    `previous_until`: the secret before the current one still opens until then.
    """

    id: KeyId
    name: str
    mark: str | None
    scopes: frozenset[Scope]
    visibility: Visibility
    created_at: datetime
    created_by: str | None
    expires_at: datetime | None
    previous_until: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    def has_ended(self, now: datetime) -> bool:
        """Whether none of its secrets opens anything any more."""
        return self.revoked_at is not None or (self.expires_at is not None and self.expires_at <= now)


class Credentials(Protocol):
    async def find(self, secrets_sha256: Sequence[bytes]) -> Mapping[bytes, Opening]:
        """What those of the secrets open that open anything now, by the database's clock."""

    async def save(
        self, name: str, secret_sha256: bytes, scopes: Collection[Scope], visibility: Visibility, mark: str | None
    ) -> KeyId:
        """Create the key of this name, or make it as if it were new: whatever opened it before opens nothing."""

    async def add(
        self,
        name: str,
        mark: str,
        secret_sha256: bytes,
        scopes: Collection[Scope],
        visibility: Visibility,
        expires_at: datetime | None,
        actor: str,
    ) -> KeyId | None:
        """A new key; None where there is or was one of this name."""

    async def person(self, issuer: str, subject: str, name: str, secret_sha256: bytes) -> KeyId:
        """The row of a person, whom no key stands for; made where there is none yet."""

    async def exists(self, name: str) -> bool: ...
    async def lock(self, key: KeyId) -> KeyView | None:
        """The key, for as long as the transaction lasts."""

    async def turn(self, key: KeyId, mark: str, secret_sha256: bytes, keep_seconds: int) -> None:
        """Open with a new secret, and with the one before for so many seconds more; with older ones no longer."""

    async def revoke(self, key: KeyId) -> None: ...
    async def by_ids(self, ids: Sequence[KeyId]) -> list[KeyView]: ...
    async def by_name(self, name: str) -> KeyView | None: ...
    async def page(self, first: int, after: int | None, *, ended: bool) -> list[KeyView]:
        """The oldest first; `after`: an id. `ended`: also those that have expired or were revoked."""

    async def used(self, keys: Sequence[KeyId]) -> None:
        """They were used just now; written at most once a minute."""

    async def moment(self) -> datetime:
        """What time it is, by the database's clock."""
