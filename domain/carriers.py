"""Parcels and what a carrier gives for them, whichever carrier it is."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from domain.money import Money
from domain.orders import Address
from domain.texts import one_line

WORDS_LENGTH_MAX = 300
"""Of what a carrier says, kept for people."""
PARCELS_MAX = 100
"""In one shipment."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Who sends or receives."""

    address: Address
    phone: str | None = None
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """Its weight in grams; its length, width and height in millimetres, all three or none."""

    weight_grams: int
    size_mm: tuple[int, int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """Parcels that go together. `carrier` and `service` None: whatever costs least.

    `reference`: what people call it. `idempotency_reference`: unique for this shipment; the same one is bought once.
    """

    sender: Party
    receiver: Party
    parcels: tuple[Parcel, ...]
    idempotency_reference: str
    carrier: str | None = None
    service: str | None = None
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What is stuck on a parcel: its bytes, or where they are. `content_type` None: the carrier does not say."""

    content_type: str | None
    content: bytes | None = field(default=None, repr=False)
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BoughtParcel:
    """One parcel that a carrier will take. `id`: the carrier's own."""

    tracking_number: str
    tracking_url: str | None = None
    label: Label | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """A shipment that a carrier will take; its parcels in the sequence in which they were given.

    `cost` None: nobody said. `ids`: the carrier's own, by what they name.
    """

    carrier: str
    service: str | None
    parcels: tuple[BoughtParcel, ...]
    cost: Money | None = None
    ids: Mapping[str, str] = field(default_factory=dict)


def words(text: str, longest: int = WORDS_LENGTH_MAX) -> str:
    """What a carrier says, in one short line."""
    return one_line(text, longest)
