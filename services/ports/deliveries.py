"""Webhooks as the workers see them."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from domain.events import WebhookEndpointDisabled
from domain.ids import EndpointId
from domain.kinds import WebhookDeliveryState
from domain.webhooks import Claimed, Health, Sent


class Deliveries(Protocol):
    """Webhooks as the workers see them."""

    async def plan(self) -> bool:
        """Make deliveries of what the log has behind the endpoints' positions; whether more is left."""

    async def claim(self, sending: Mapping[EndpointId, int], most: int, lease: str, seconds: float) -> list[Claimed]:
        """Lease what is due: of each endpoint at most so many, less those that the worker is sending."""

    async def release(self, claimed: Sequence[Claimed]) -> None:
        """Give back what was not sent."""

    async def lock_health(self, endpoints: Sequence[EndpointId]) -> dict[EndpointId, tuple[str, bool, int, float]]:
        """Name, whether it is enabled, failures in a row, and for how many seconds; locked."""

    async def end(self, results: Sequence[tuple[Sent, WebhookDeliveryState, float]]) -> list[Sent]:
        """Write down what came of requests, with the wait until the next; those whose lease still held."""

    async def save_health(self, health: Mapping[EndpointId, Health]) -> None: ...
    async def tell(self, events: Sequence[WebhookEndpointDisabled]) -> None: ...
    async def forget_ended(self, most: int) -> int:
        """Remove deliveries that are kept no longer, at most so many; how many."""
