"""What a caller asks for: a command says what it needs to know, and then decides on the working copy."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar, Protocol, TypeVar

from domain.automation import AllocationRule
from domain.batch import Batch
from domain.changes import Changes
from domain.holding import HoldRule
from domain.ids import (
    BundleId,
    FulfillmentId,
    ItemId,
    LineId,
    OrderId,
    PickTaskId,
    ReservationId,
    ReservedLineId,
    ReturnId,
    Sku,
    SupplyId,
)
from domain.making import quickly_made
from domain.orders import OrderTerms
from domain.stock import Component, LedgerSince
from domain.supplying import Queue
from services.callers import Caller
from services.keys import fingerprint
from services.ports.fulfillments import TaskItem
from services.ports.keys import IdempotencyKey
from services.ports.orders import Buyer, LineView, OrderReference, OrderView
from services.ports.supplies import SupplyReference

T = TypeVar("T")

T_co = TypeVar("T_co", covariant=True)

Rules = Sequence[AllocationRule]

Bundles = Mapping[Sku, tuple[Component, ...]]


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a command needs to know before it can decide.

    - `orders` and `reservations` are locked and loaded whole; `terms` and `views`: also the orders' terms, and the
      orders as they are shown, with their lines.
    - `standings`: also what the orders, and those of the fulfillments, owe and are held for. Where there are hold
      rules, `rules` asks for that, too, and for whether the `buyer`, or else the customers of the orders that are
      shown, have ordered before.
    - `numbers` are only looked up. `beside`: the orders in the channel of the command's only order that have this
      number; with "", those whose number is that order's with a suffix.
    - `skus` are looked up, and locked with their levels where `locks_skus`, or where `locks_skus_under` holds of the
      allocation rules, which are read where `rules`, together with the hold rules.
    - `supplies` are loaded, under the locks of all their SKUs; `queue`: also who waits for these SKUs, and what else is
      expected of them. `since`: what the ledger knows of the SKUs since then.
    - A SKU that is a bundle stands for its components wherever it is locked.
    - `new_orders`, and lines of the SKUs `new_lines` and `new_reserved_lines`: ids are reserved for them, and for a
      line of each component in place of a bundle; `copies_lines`: also for as many as the orders have.
    - `fulfillments` and `tasks`: their orders are loaded, too. `floor`: it works on the warehouse floor, with the
      fulfillments of its orders, the bins and open pick tasks of its SKUs, what time it is and numbers for what is new;
      `bins`: the bins and tasks alone.
    - `returns`: their orders are loaded, too. Then, and `with_returns`, all returns of the batch's orders are known.
    - `new_rows`: on the floor it may make so many rows beside those that a step of one fulfillment makes.
    - `alone`: it shares its transaction with no other command; `last`: with none behind it but others that come last,
      so that what it was decided on is still so in its commit.
    - `path`: what is too long in the input where too many SKUs come together.
    """

    orders: tuple[OrderReference, ...] = ()
    reservations: tuple[ReservationId, ...] = ()
    numbers: tuple[OrderReference, ...] = ()
    skus: tuple[Sku, ...] = ()
    locks_skus: bool = False
    supplies: tuple[SupplyReference, ...] = ()
    since: datetime | None = None
    queue: bool = False
    new_orders: int = 0
    new_lines: tuple[Sku, ...] = ()
    new_reservations: int = 0
    new_reserved_lines: tuple[Sku, ...] = ()
    new_supply: bool = False
    terms: bool = False
    standings: bool = False
    buyer: Buyer | None = None
    rules: bool = False
    locks_skus_under: Callable[[Rules], bool] | None = None
    views: bool = False
    copies_lines: bool = False
    beside: str | None = None
    fulfillments: tuple[FulfillmentId, ...] = ()
    tasks: tuple[PickTaskId, ...] = ()
    floor: bool = False
    bins: bool = False
    returns: tuple[ReturnId, ...] = ()
    with_returns: bool = False
    new_rows: int = 0
    alone: bool = False
    last: bool = False
    path: tuple[str, ...] = ("input",)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The answers to `Needs`: None for what does not exist; an unknown SKU is missing from `items`.

    `bundles`: what the SKUs that are bundles are made of; the components are in `items`, too. `has_ordered`: whether
    another order of the command's customer is known; it is asked for only where a hold rule does. `reservations`,
    `fulfillments`, `tasks` and `returns`: those that exist; of a task, what its item is known by.
    """

    orders: tuple[OrderId | None, ...] = ()
    numbers: tuple[OrderId | None, ...] = ()
    items: Mapping[Sku, ItemId] = field(default_factory=dict)
    bundles: Bundles = field(default_factory=dict)
    supplies: tuple[SupplyId | None, ...] = ()
    ledger: LedgerSince | None = None
    queue: Queue | None = None
    order_ids: tuple[OrderId, ...] = ()
    line_ids: tuple[LineId, ...] = ()
    bundle_ids: tuple[BundleId, ...] = ()
    reservation_ids: tuple[ReservationId, ...] = ()
    reserved_line_ids: tuple[ReservedLineId, ...] = ()
    reservations: frozenset[ReservationId] = frozenset()
    supply_id: SupplyId | None = None
    terms: Mapping[OrderId, OrderTerms] = field(default_factory=dict)
    rules: Rules = ()
    hold_rules: Sequence[HoldRule] = ()
    has_ordered: bool = False
    views: Mapping[OrderId, OrderView] = field(default_factory=dict)
    lines: Mapping[LineId, LineView] = field(default_factory=dict)
    beside: Mapping[str, OrderId] = field(default_factory=dict)
    fulfillments: Mapping[FulfillmentId, OrderId] = field(default_factory=dict)
    tasks: Mapping[PickTaskId, TaskItem] = field(default_factory=dict)
    returns: Mapping[ReturnId, OrderId] = field(default_factory=dict)
    now: datetime | None = None


class Performer(Protocol):
    """Whoever gets commands done; see `services.desk`."""

    async def perform(self, caller: Caller, command: "Command[T]", key: str | None) -> T: ...


class Command(Protocol[T_co]):
    """One thing that a caller asks for. Its fields are the input: the same key with other fields is refused."""

    mutation: ClassVar[str]
    outcome_type: ClassVar[Any]

    def needs(self) -> Needs: ...

    def decide(self, batch: Batch, known: Known) -> Any:
        """Move the working copy, or refuse before the first move; what `conclude` needs to know of it."""

    def conclude(self, outcome: Any, changes: Changes) -> T_co:
        """The outcome, once everything is decided and the flags are settled."""


class Asked:
    """A command with who asked for it, and under which idempotency key (None: it is looked at by nobody twice).

    What can be known of it before its turn comes is worked out when it is asked.
    """

    __slots__ = ("caller", "command", "fingerprint", "identity", "key", "needs")

    def __init__(self, caller: Caller, command: Command[Any], key: str | None) -> None:
        self.caller = caller
        self.command = command
        self.key = key
        self.needs = command.needs()
        # A command that writes down what came of an input has that input as `asked`.
        self.fingerprint = b"" if key is None else fingerprint(getattr(command, "asked", command))
        self.identity: IdempotencyKey | None = None if key is None else (caller.key, command.mutation, key)
        """The key's owner, the mutation and the key; requests of the same identity are twins."""
