"""Tracking links: each order has one, which whoever has it may follow the order by. It is made when it is asked for."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Mapping, Sequence

from domain.ids import OrderId
from domain.journey_facts import JourneyFacts
from domain.journeys import Journey, journey
from services.gathering import Gathering
from services.ports.database import Busy, Database
from services.ports.unit_of_work import UnitOfWork

TOKEN_BYTES = 32
"""256 bits of chance: whoever knows any number of links, and asks for as long as they like, finds no other."""
WAITING_MAX = 500
"""Who may wait for an answer at a time. They are served together, so they do not wait for long."""


async def tracking_tokens(database: Database, orders: Sequence[OrderId]) -> Mapping[OrderId, str]:
    """The token of each order that there is."""
    known = await database.read(lambda uow: uow.journeys.tokens(orders))
    missing = [order for order in orders if order not in known]
    if missing:
        known |= await database.run(lambda uow: made_tokens(uow, missing), repeatable=True)
    return {order: _told(token) for order, token in known.items()}


async def tokens_of(uow: UnitOfWork, orders: Sequence[OrderId]) -> Mapping[OrderId, str]:
    """The same, within a transaction."""
    return {order: _told(token) for order, token in (await made_tokens(uow, orders)).items()}


async def made_tokens(uow: UnitOfWork, orders: Sequence[OrderId]) -> dict[OrderId, bytes]:
    """The tokens of the orders; made for those that have none. Of several that make one at a time, one is made."""
    known = await uow.journeys.tokens(orders)
    missing = sorted({order for order in orders if order not in known})
    if missing:
        await uow.journeys.add_tokens({order: secrets.token_bytes(TOKEN_BYTES) for order in missing})
        known = await uow.journeys.tokens(orders)
    return known


def tracking_url(public_url: str, token: str) -> str:
    return f"{public_url}/track/{token}"


class Tracker:
    """Finds journeys for everybody who has a link. What many ask for at a time is read together, and once."""

    def __init__(self, database: Database) -> None:
        async def read(digests: Sequence[bytes]) -> Mapping[bytes, JourneyFacts]:
            return await database.read(lambda uow: uow.journeys.journeys(digests))

        self._journeys: Gathering[bytes, JourneyFacts] = Gathering(read)
        self._waiting = 0

    async def find(self, token: str) -> Journey | None:
        """None where no order has this token. It takes the same way, and as long, for a token that cannot be one.

        Raises Busy.
        """
        if self._waiting >= WAITING_MAX:
            raise Busy
        digest = hashlib.sha256(_bytes(token)).digest()
        self._waiting += 1
        try:
            facts = (await self._journeys.load([digest])).get(digest)
        finally:
            self._waiting -= 1
        return None if facts is None else journey(facts)

    async def close(self) -> None:
        """Wait until nothing is read any more."""
        await self._journeys.close()


def _told(token: bytes) -> str:
    return base64.urlsafe_b64encode(token).rstrip(b"=").decode()


def _bytes(token: str) -> bytes:
    """The token's bytes; of what is none, bytes that no token has: a token that was made has exactly TOKEN_BYTES."""
    try:
        raw = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if len(raw) == TOKEN_BYTES and _told(raw) == token else b""
