"""Who may do what, and what they may know of: scopes, and limits to channels and locations."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Scope(StrEnum):
    """A power that a key has. Without one, it has none."""

    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"
    ORDERS_VOID = "orders:void"
    ALLOCATION_READ = "allocation:read"
    ALLOCATION_WRITE = "allocation:write"
    INVENTORY_READ = "inventory:read"
    INVENTORY_WRITE = "inventory:write"
    FULFILLMENT_READ = "fulfillment:read"
    FULFILLMENT_PICK = "fulfillment:pick"
    FULFILLMENT_WRITE = "fulfillment:write"
    EVENTS_READ = "events:read"
    ADMIN = "admin"


MEANING: Mapping[Scope, str] = {
    Scope.ORDERS_READ: "Read orders, with customers, prices, payments, holds and invoices.",
    Scope.ORDERS_WRITE: "Place, edit, split and finalize orders, hold them, write payments down, issue invoices, and "
    "set stock aside for carts.",
    Scope.ORDERS_VOID: "Void orders.",
    Scope.ALLOCATION_READ: "Read what is set aside for orders, why they are short, and runs.",
    Scope.ALLOCATION_WRITE: "Allocate and deallocate orders, and start and stop runs.",
    Scope.INVENTORY_READ: "Read the catalog, stock levels with their ledger, and supplies.",
    Scope.INVENTORY_WRITE: "Save items, receive, adjust, count and transfer stock, and announce supplies.",
    Scope.FULFILLMENT_READ: "Read fulfillments, pick tasks and pick lists, with what has to be known of their orders.",
    Scope.FULFILLMENT_PICK: "Take pick lists, and record what was picked.",
    Scope.FULFILLMENT_WRITE: "Release orders; check, pack, ship, deliver and cancel fulfillments; say what lies in "
    "which bin.",
    Scope.EVENTS_READ: "Read and follow the whole event log, and alerts.",
    Scope.ADMIN: "Everything, also keys, rules, channels, locations, webhooks and mails.",
}

IMPLIES: Mapping[Scope, frozenset[Scope]] = {
    Scope.ORDERS_WRITE: frozenset({Scope.ORDERS_READ}),
    Scope.ORDERS_VOID: frozenset({Scope.ORDERS_READ}),
    Scope.ALLOCATION_WRITE: frozenset({Scope.ALLOCATION_READ}),
    Scope.INVENTORY_WRITE: frozenset({Scope.INVENTORY_READ}),
    Scope.FULFILLMENT_PICK: frozenset({Scope.FULFILLMENT_READ}),
    Scope.FULFILLMENT_WRITE: frozenset({Scope.FULFILLMENT_READ, Scope.FULFILLMENT_PICK}),
    Scope.ADMIN: frozenset(Scope),
}
"""What a scope gives beside itself. Nothing that only reads or writes gives `orders:void`."""

EVERY_SCOPE = frozenset(Scope)


def granted(scopes: Iterable[Scope]) -> frozenset[Scope]:
    """The scopes, with everything that they imply."""
    given = frozenset(scopes)
    return given.union(*(IMPLIES.get(scope, frozenset()) for scope in given))


def own_scopes(scopes: frozenset[Scope]) -> list[Scope]:
    """Those of them that no other of them implies."""
    implied = frozenset[Scope]().union(*(IMPLIES.get(scope, frozenset()) - {scope} for scope in scopes))
    return [scope for scope in Scope if scope in scopes - implied]


def named(text: str) -> frozenset[Scope]:
    """The scope of this name, or, for `inventory:*`, all of that family; empty where there is none."""
    family, _, rest = text.partition(":")
    if rest == "*":
        return frozenset(scope for scope in Scope if scope.startswith(f"{family}:"))
    return frozenset(scope for scope in Scope if scope == text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visibility:
    """What a caller may know of: of which channels and locations, by code. None is no limit; empty is nothing."""

    channels: frozenset[str] | None = None
    locations: frozenset[str] | None = None

    @property
    def is_limited(self) -> bool:
        return self.channels is not None or self.locations is not None

    def sees_channel(self, code: str) -> bool:
        return self.channels is None or code in self.channels

    def sees_location(self, code: str) -> bool:
        return self.locations is None or code in self.locations


EVERYTHING = Visibility()


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What it takes to ask for an operation. `channels`, `locations`: whether one who is limited to some may, too.

    An operation says so only once it keeps to such limits; until then it is closed to whoever has them. `scope` None:
    any key will do.
    """

    scope: Scope | None
    channels: bool = False
    locations: bool = False


ADMIN_ONLY = Need(scope=Scope.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Denied:
    """Why an operation is not for a caller: a scope that it lacks, or a limit that the operation cannot keep to."""

    scope: Scope | None = None
    limit: str | None = None


def denied(need: Need, scopes: frozenset[Scope], visibility: Visibility) -> Denied | None:
    """None where somebody with these scopes and limits may ask for it."""
    if need.scope is not None and need.scope not in scopes:
        return Denied(scope=need.scope)
    if visibility.channels is not None and not need.channels:
        return Denied(limit="channels")
    if visibility.locations is not None and not need.locations:
        return Denied(limit="locations")
    return None
