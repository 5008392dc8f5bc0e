"""Who asks."""

from dataclasses import dataclass

from domain.ids import KeyId


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """An authenticated caller and its request. `actor` and `request` stand in the stock ledger."""

    key: KeyId
    actor: str
    request: str
