"""Who asks."""

from dataclasses import dataclass, field

from domain.access import EVERY_SCOPE, EVERYTHING, Scope, Visibility
from domain.ids import KeyId

__all__ = ["EVERYTHING", "Caller", "Visibility"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated caller and its request. `actor` and `request` stand in the stock ledger.

    Whatever a caller proves who it is with, this is what everything behind the door knows of it. `key` owns its
    idempotency keys and its budget. Who works in here, and not through the door, may do everything.
    """

    key: KeyId
    actor: str
    request: str
    scopes: frozenset[Scope] = EVERY_SCOPE
    visibility: Visibility = EVERYTHING
    secret_sha256: bytes = field(default=b"", repr=False, compare=False)
    """Of the secret that it presented: by this it is seen whether the secret still opens anything."""
    ends_at: float | None = field(default=None, compare=False)
    """When the secret stops opening anything, on the event loop's clock, which is that of timers; None: never."""
