"""Idempotency keys."""

from collections.abc import Sequence
from typing import Any, Protocol

from domain.ids import KeyId

IdempotencyKey = tuple[KeyId, str, str]
"""The credential that owns the key, the mutation, and the key."""


class IdempotencyKeys(Protocol):
    async def claim(self, keys: Sequence[tuple[IdempotencyKey, bytes]]) -> dict[IdempotencyKey, tuple[bytes, Any]]:
        """Take the keys with the fingerprints of their input, waiting for concurrent twins.

        What is stored already: fingerprint and outcome. No key may come twice.
        """

    async def keep(self, outcomes: Sequence[tuple[IdempotencyKey, str]]) -> None:
        """Remember the outcomes, which are JSON; they commit with the effect."""

    async def forget(self, keys: Sequence[IdempotencyKey]) -> None:
        """Give keys back that were taken in this transaction."""

    async def forget_expired(self, most: int) -> int:
        """Remove keys that are kept no longer, the oldest first, at most so many; how many."""
