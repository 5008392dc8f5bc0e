"""Who asks."""

from dataclasses import dataclass, field

from domain.ids import KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What a caller may see: of which channels and locations. None is no limit."""

    channels: frozenset[str] | None = None
    locations: frozenset[str] | None = None


EVERYTHING = Visibility()
"""What every key may see today."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated caller and its request. `actor` and `request` stand in the stock ledger."""

    key: KeyId
    actor: str
    request: str
    visibility: Visibility = EVERYTHING
    secret_sha256: bytes = field(default=b"", repr=False, compare=False)
    """Of the secret that it presented: by this it is seen whether the secret still opens anything."""
