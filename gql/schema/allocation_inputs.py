"""What callers send to have stock allocated."""

import strawberry
from strawberry import UNSET

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain.kinds import AllocateWhen, AllocationSequence, ShippingPolicy
from gql.schema.filters import OrderFilter
from gql.schema.inputs import KEY, MoneyInput, OrderBy, _


@strawberry.input(description="A line that the run shall look at.")
class AllocateLineInput:
    line: strawberry.ID = _("Which line.")
    quantity: int | None = _(
        "Units that shall be set aside in all when the run is over; all that is open when absent.", default=UNSET
    )


@strawberry.input(description="An order that the run shall serve.")
class AllocateOrderInput:
    order: OrderBy = _("Which order.")
    lines: list[AllocateLineInput] | None = _("Which lines; every open line when absent.", default=UNSET)


@strawberry.input(description="Orders to allocate, in exactly this sequence.")
class AllocateOrdersInput:
    orders: list[AllocateOrderInput] = _("1 to 1,000 orders, each once.")
    locations: list[str] | None = _("Codes of the locations that may be used; all when absent.", default=UNSET)
    smaller_may_pass: bool = _(
        "Where an order does not get all it wants of a SKU: whether a later order may have what is left of it.",
        default=True,
    )
    shipping_policy: ShippingPolicy | None = _(
        "For every order of the run; each order's own when absent.", default=UNSET
    )
    dry_run: bool = _("Say what would happen, and write nothing.", default=False)
    token: str | None = _(
        "What the dry run of this same input gave: do exactly what it said, or be refused with PlanChanged.",
        default=UNSET,
    )
    idempotency_key: str = _(KEY + " Ignored in a dry run.")


@strawberry.input(description="A run over every order that matches.")
class StartAllocationRunInput:
    filter: OrderFilter | None = _(
        "Which orders; all when absent. A key that is limited to channels names some of its own, or means all of them.",
        default=UNSET,
    )
    sequence: AllocationSequence = _("Who is served first.", default=AllocationSequence.PLACED_AT_ASC)
    keep_sequence_for: OrderFilter | None = _(
        "Orders that go first, oldest first, whatever MAX_COMPLETE_ORDERS or MAX_COMPLETE_VALUE choose among the rest.",
        default=UNSET,
    )
    smaller_may_pass: bool = _(
        "Where an order does not get all it wants of a SKU: whether a later order may have what is left of it.",
        default=True,
    )
    shipping_policy: ShippingPolicy | None = _(
        "For every order of the run; each order's own when absent.", default=UNSET
    )
    dry_run: bool = _("Say what would happen, and write nothing but the run itself.", default=False)
    token: str | None = _(
        "What the dry run of this same input gave when it was over (`AllocationRun.token`): do exactly what it said, "
        "or be refused with PlanChanged. Where something moves while the run is at work, it goes no further; see "
        "`AllocationRun.planChanged`.",
        default=UNSET,
    )
    idempotency_key: str = _(KEY)


@strawberry.input(description="A run to stop.")
class CancelAllocationRunInput:
    run: strawberry.ID = _("Which run.")


@strawberry.input(description="A rule for new orders; every criterion that is given must hold.")
class AllocationRuleInput:
    name: str = _("What people call it; each name once.")
    when: AllocateWhen = _("When the orders that match are allocated.")
    every_minutes: int | None = _(
        "For ON_SCHEDULE, and only there: 1 to 1,440; the turns are its multiples, counted from 1970-01-01 00:00 UTC.",
        default=UNSET,
    )
    channels: list[str] | None = _(
        "From one of these channels, by code. An unknown one is not refused, as orders make channels; it matches "
        "nothing until an order comes from it.",
        default=UNSET,
    )
    country_codes: list[str] | None = _("Shipping to one of these countries, of ISO 3166.", default=UNSET)
    regions: list[str] | None = _("Shipping to one of these regions, in any case.", default=UNSET)
    tags: list[str] | None = _("With at least one of these tags.", default=UNSET)
    value_from: MoneyInput | None = _(
        "Worth this or more; an order with a line without a price, or one in another currency, does not match.",
        default=UNSET,
    )
    value_below: MoneyInput | None = _("Worth less than this, in the same currency.", default=UNSET)


@strawberry.input(description="All the rules, in the order in which they are asked: the first that matches decides.")
class SaveAllocationRulesInput:
    rules: list[AllocationRuleInput] = _("0 to 100 rules; they replace all that there were.")


@strawberry.input(description="Orders whose allocation is given back.")
class DeallocateOrdersInput:
    orders: list[OrderBy] = _("1 to 1,000 orders, each once.")
    idempotency_key: str = _(KEY)
