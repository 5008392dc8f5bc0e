"""Webhook endpoints as callers see them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from domain.ids import DeliveryId, EndpointId
from domain.kinds import WebhookDeliveryState
from domain.webhooks import Delivery, Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryFilter:
    """None is no condition; an empty tuple matches nothing. `endpoints`: names."""

    endpoints: tuple[str, ...] | None = None
    states: tuple[WebhookDeliveryState, ...] | None = None


class Webhooks(Protocol):
    """Endpoints as callers see them."""

    async def endpoints(self) -> list[Endpoint]: ...
    async def by_ids(self, ids: Sequence[EndpointId]) -> list[Endpoint]: ...
    async def lock(self, names: Sequence[str]) -> dict[str, Endpoint]:
        """Those that exist, for as long as the transaction lasts."""

    async def count(self) -> int: ...
    async def save(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, EndpointId]:
        """Create or update by name, each row whole. A new one takes up what happens from now on."""

    async def give_first_secrets(self, secrets: Mapping[EndpointId, bytes]) -> None:
        """A secret for each endpoint that has none."""

    async def known_secrets(self, secrets: Sequence[bytes]) -> set[bytes]:
        """Those of them that are in use."""

    async def turn_secret(self, endpoint: EndpointId, secret: bytes, keep_seconds: int) -> int:
        """Sign with one more secret, and with those before for so many seconds more; the new one's id."""

    async def secret(self, row: int) -> bytes | None: ...
    async def go_on_after(self, endpoint: EndpointId, position: int) -> None:
        """Take the log up anew from behind this position; what was pending behind it comes again."""

    async def add_test(self, endpoint: EndpointId) -> DeliveryId:
        """A delivery without an event."""

    async def delivery(self, delivery: DeliveryId) -> Delivery | None: ...
    async def page(self, condition: DeliveryFilter, first: int, before: int | None) -> list[Delivery]:
        """The newest first; `before`: an id."""
