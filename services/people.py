"""People, as an issuer of tokens knows them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.ports import Busy


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom a token speaks of. `subject`: unique at the issuer. `expires_at`: from then on the token proves nothing."""

    issuer: str
    subject: str
    roles: frozenset[str]
    expires_at: datetime


class IssuerUnavailable(Busy):
    """The issuer's keys are not known yet and cannot be fetched, so nobody can tell whether a token is good."""


class Issuer(Protocol):
    """Vouches for people."""

    async def person(self, token: str) -> Person | None:
        """Whom the token speaks of; None where it proves nothing. Raises IssuerUnavailable."""
        ...
