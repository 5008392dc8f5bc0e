"""People, as an issuer of tokens knows them."""

import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from domain.ids import KeyId
from domain.people import Role, powers
from services.callers import Caller
from services.ports.database import Busy, Database
from services.ports.unit_of_work import UnitOfWork

REMEMBERED_MAX = 10_000
"""People whose row is known without looking."""
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a token speaks of. `subject`: unique at the issuer, and for ever the same; `name`: what others call them.

    `expires_at`: from then on the token proves nothing.
    """

    issuer: str
    subject: str
    name: str
    roles: frozenset[str]
    expires_at: datetime


class IssuerUnavailable(Busy):
    """The issuer's keys are not known yet and cannot be fetched, so nobody can tell whether a token is good."""


class Issuer(Protocol):
    """Vouches for people."""

    async def person(self, token: str) -> Person | None:
        """Whom the token speaks of; None where it proves nothing. Raises IssuerUnavailable."""
        ...


def is_token(secret: str) -> bool:
    """Whether this is a signed token, and not a key: those have no two dots in them."""
    return secret.startswith("eyJ") and secret.count(".") == 2


class People:
    """Makes callers of those whom an issuer vouches for. Each has a row, which owns what they ask for under a key."""

    def __init__(self, database: Database, issuer: Issuer, roles: Mapping[str, Role]) -> None:
        self._database = database
        self._issuer = issuer
        self._roles = roles
        self._known: dict[tuple[str, str], KeyId] = {}

    async def caller(self, token: str, request: str) -> Caller | None:
        """Who presents this token; None where it proves nothing. Raises IssuerUnavailable."""
        person = await self._issuer.person(token)
        if person is None:
            return None
        scopes, visibility = powers(self._roles, person.roles)
        left = (person.expires_at - datetime.now(UTC)).total_seconds()
        return Caller(
            key=await self._key(person),
            actor=f"person:{person.name}",
            request=request,
            scopes=scopes,
            visibility=visibility,
            ends_at=asyncio.get_running_loop().time() + left,
        )

    async def _key(self, person: Person) -> KeyId:
        who = person.issuer, person.subject
        if who not in self._known:

            async def work(uow: UnitOfWork) -> KeyId:
                name = hashlib.sha256("\n".join(who).encode()).hexdigest()
                return await uow.credentials.person(*who, f"person:{name}", secrets.token_bytes(SECRET_BYTES))

            key = await self._database.run(work, repeatable=True)
            while len(self._known) >= REMEMBERED_MAX:
                del self._known[next(iter(self._known))]
            self._known[who] = key
        return self._known[who]
