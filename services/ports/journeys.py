"""What customers are told of their orders, and the links by which they ask."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.ids import OrderId
from domain.journey_facts import JourneyFacts


class Journeys(Protocol):
    """What customers are told of their orders, and the links by which they ask."""

    async def tokens(self, orders: Sequence[OrderId]) -> dict[OrderId, bytes]:
        """Of those orders that have one."""

    async def add_tokens(self, tokens: Mapping[OrderId, bytes]) -> None:
        """For orders that have none; one that has come to have one meanwhile keeps it."""

    async def journeys(self, digests: Sequence[bytes]) -> dict[bytes, JourneyFacts]:
        """What customers are told of, by the SHA-256 of the tokens. Nobody is told of a draft."""
