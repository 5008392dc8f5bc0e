"""Whoever brings parcels to people, and why they may not."""

from typing import Protocol

from domain.carriers import Bought, Shipment


class CarrierRefused(Exception):
    """The carrier will not take it as it is. Nothing was bought; what is wrong must be corrected first.

    `words`: the carrier's own, in one line; `code`: what the carrier calls it.
    """

    def __init__(self, words: str, *, code: str | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.code = code


class CarrierUnavailable(Exception):
    """The carrier could not be asked, or its answer makes no sense. It may be tried again.

    `may_have_happened`: nobody knows whether this call bought it; the same idempotency reference finds out.
    """

    def __init__(self, words: str, *, may_have_happened: bool, retry_after_seconds: float | None = None) -> None:
        super().__init__(words)
        self.words = words
        self.may_have_happened = may_have_happened
        self.retry_after_seconds = retry_after_seconds


class Carrier(Protocol):
    """Whoever brings parcels to people."""

    async def buy(self, shipment: Shipment) -> Bought:
        """Have the shipment taken, once for each idempotency reference.

        Raises CarrierRefused and CarrierUnavailable.
        """
