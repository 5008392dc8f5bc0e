"""What must always be true, as SQL over today's tables: each statement returns the rows that break its invariant."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from persistence.verify_events import (
    CHAIN,
    EVENTS_IN_ORDER,
    LAST_STATUS,
    LOG_END,
    ORDER_VERSIONS,
    OUTCOMES,
    PLANS,
    POSITIONS,
    RUN_VERSIONS,
    RUNS,
    STATUS_EVENTS_HAVE_A_VERSION,
    WEBHOOK_ATTEMPTS,
    WEBHOOKS_IN_ORDER,
    WEBHOOKS_REACHED,
)
from persistence.verify_floor import FLOOR
from persistence.verify_notices import ALERTS_ARE_TOLD, LOG_IS_READ, MAILS
from persistence.verify_orders import (
    BUNDLES_HAVE_NO_STOCK,
    CLAIMS_ARE_OF_FINALIZED_ORDERS,
    CLAIMS_ARE_OF_THEIR_LINE,
    COMPONENTS,
    ENDED,
    ENDED_PARTS_AGREE,
    KNOWN_STATUSES,
    LINE_COUNTERS,
    LINE_LIMITS,
    PARTS_OF_BUNDLES,
    RULES,
    SCHEDULED,
    SPLITS,
    STATUS,
    VOID_ORDERS_ARE_CLOSED,
)
from persistence.verify_payments import CURRENCIES, HOLD_RULES, HOLDS, MOVED_MONEY, PAYMENT_STATUS, PAYMENTS
from persistence.verify_returns import RETURNS
from persistence.verify_stock import (
    BALANCES,
    COMMITTED,
    COUNTS,
    FLAGGED,
    LEDGER,
    LEVEL_EVENTS_SHOW_THE_LEVEL,
    LEVEL_VERSIONS,
    NEGATIVE_STOCK,
    RESERVATIONS,
    RESERVATIONS_END_ONCE,
    UNEXPLAINED_MOVEMENTS,
    WEAKEST,
)
from persistence.verify_supplies import (
    IN_TRANSIT,
    SUPPLIES,
    SUPPLIES_BY_LEDGER,
    SUPPLY_EVENTS_SHOW_THE_SUPPLY,
    SUPPLY_VERSIONS,
)

SORT_MEMORY = "64MB"
"""For one sort or hash of one statement: a year of orders is sorted in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invariant:
    """A sentence that must be true, and the rows for which it is not."""

    id: str
    statement: str
    sql: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """An invariant that does not hold, and some of the rows that show it."""

    invariant: Invariant
    rows: tuple[dict[str, Any], ...]


async def verify(target: AsyncEngine | AsyncConnection, most_rows: int = 20) -> list[Broken]:
    """Check every invariant against one snapshot, so that a server that runs cannot make it look broken.

    A connection must not be in a transaction.
    """
    if isinstance(target, AsyncEngine):
        async with target.connect() as connection:
            return await verify(connection, most_rows)
    await target.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    async with target.begin():
        await target.execute(text(f"SET LOCAL work_mem = '{SORT_MEMORY}'"))
        found = [Broken(invariant=one, rows=await _rows(target, one, most_rows)) for one in INVARIANTS]
    return [broken for broken in found if broken.rows]


async def _rows(connection: AsyncConnection, invariant: Invariant, most: int) -> tuple[dict[str, Any], ...]:
    limited = text(f"SELECT * FROM ({invariant.sql}) AS broken LIMIT :most")  # noqa: S608
    return tuple(dict(row) for row in (await connection.execute(limited, {"most": most})).mappings())


INVARIANTS: Sequence[Invariant] = (
    Invariant(id="I1-committed", statement="A level's committed is the sum of its allocations.", sql=COMMITTED),
    Invariant(
        id="I1-flagged",
        statement="What is committed beyond stock is flagged, on the level and in sum on its allocations.",
        sql=FLAGGED,
    ),
    Invariant(
        id="I1-weakest",
        statement="The flags are on the weakest claims: lowest priority first, then the latest.",
        sql=WEAKEST,
    ),
    Invariant(id="I2-counters", statement="A line's counters are the sums of its allocations.", sql=LINE_COUNTERS),
    Invariant(id="I2-limits", statement="A line is not served beyond its quantity.", sql=LINE_LIMITS),
    Invariant(id="I2-item", statement="An allocation has one holder, and is of its SKU.", sql=CLAIMS_ARE_OF_THEIR_LINE),
    Invariant(id="I3-ledger", statement="Every stock quantity is the sum of its ledger.", sql=LEDGER),
    Invariant(
        id="I3-explained", statement="Every row of the ledger has cause, actor and request.", sql=UNEXPLAINED_MOVEMENTS
    ),
    Invariant(id="I3-balance", statement="A row of the ledger says what the quantity was then.", sql=BALANCES),
    Invariant(
        id="I3-counted", statement="What a count of a moment corrects is on hand, and the count is kept.", sql=COUNTS
    ),
    Invariant(id="I4", statement="No quantity is negative, and what is set apart is on hand.", sql=NEGATIVE_STOCK),
    Invariant(
        id="I5-versions", statement="An order's OrderChanged versions have no hole and no double.", sql=ORDER_VERSIONS
    ),
    Invariant(id="I5-chain", statement="An order's status changes follow each other, from UNALLOCATED on.", sql=CHAIN),
    Invariant(
        id="I5-last", statement="An order's allocation status is that of its last status change.", sql=LAST_STATUS
    ),
    Invariant(
        id="I5-one",
        statement="A version has at most one status change, and it has its OrderChanged.",
        sql=STATUS_EVENTS_HAVE_A_VERSION,
    ),
    Invariant(
        id="I5-levels", statement="A level's StockLevelChanged versions have no hole and no double.", sql=LEVEL_VERSIONS
    ),
    Invariant(id="I5-shown", statement="A level's last event shows it as it is.", sql=LEVEL_EVENTS_SHOW_THE_LEVEL),
    Invariant(id="I5-status", statement="An order's allocation status is what its lines make of it.", sql=STATUS),
    Invariant(
        id="I5-paid",
        statement="An order's payment status is what its lines, its amounts and its payments make of it.",
        sql=PAYMENT_STATUS,
    ),
    Invariant(
        id="I10-payments",
        statement="A payment is of its order's currency, and no more went back than was paid.",
        sql=PAYMENTS,
    ),
    Invariant(id="I10-moved", statement="Money that came with a split left the order that was split.", sql=MOVED_MONEY),
    Invariant(id="I15-currency", statement="All amounts of an order are of one currency.", sql=CURRENCIES),
    Invariant(
        id="I14-holds", statement="A hold ends once, and an order has one of a reason; a void one none.", sql=HOLDS
    ),
    Invariant(id="I15-hold-rules", statement="Hold rules stand in sequence, each with a known reason.", sql=HOLD_RULES),
    Invariant(id="I6-order", statement="An order's events stand in the log by version.", sql=EVENTS_IN_ORDER),
    Invariant(id="I6-dense", statement="The log's positions count from where it begins without a hole.", sql=POSITIONS),
    Invariant(id="I6-end", statement="The log knows where it begins, and ends at its last position.", sql=LOG_END),
    Invariant(
        id="I6-webhooks",
        statement="Nothing is sent to an endpoint before what came earlier about the same thing has ended.",
        sql=WEBHOOKS_IN_ORDER,
    ),
    Invariant(
        id="I6-reached",
        statement="An endpoint's deliveries lie within what it has reached of the log, and that within the log.",
        sql=WEBHOOKS_REACHED,
    ),
    Invariant(
        id="I8-attempts",
        statement="A delivery's attempts are logged, and it is delivered where one got through.",
        sql=WEBHOOK_ATTEMPTS,
    ),
    Invariant(
        id="I5-alerts",
        statement="An alert is raised once, and resolved once where it is over.",
        sql=ALERTS_ARE_TOLD,
    ),
    Invariant(id="I6-read", statement="Who makes something of the log has read what is there.", sql=LOG_IS_READ),
    Invariant(id="I15-mails", statement="A mail is in a known state, and says why where it is dead.", sql=MAILS),
    Invariant(id="I7", statement="An idempotency key is committed with its outcome.", sql=OUTCOMES),
    Invariant(
        id="I5-supplies",
        statement="A supply's SupplyChanged versions have no hole and no double.",
        sql=SUPPLY_VERSIONS,
    ),
    Invariant(
        id="I5-dates",
        statement="A supply's events follow each other, and the last one shows it as it is.",
        sql=SUPPLY_EVENTS_SHOW_THE_SUPPLY,
    ),
    Invariant(id="I10-supplies", statement="What became of a supply's units is in the ledger.", sql=SUPPLIES_BY_LEDGER),
    Invariant(
        id="I10-transfers",
        statement="What transfers take off on hand is in transit, until they bring it back or it is lost.",
        sql=IN_TRANSIT,
    ),
    Invariant(
        id="I15-supplies", statement="A supply is expected as long as some of it is still to come.", sql=SUPPLIES
    ),
    Invariant(id="I10-ended", statement="What ended was an allocation of its line at a known level.", sql=ENDED),
    Invariant(
        id="I10-parts",
        statement="The parts of an allocation that ended are of one SKU and place, and of one age.",
        sql=ENDED_PARTS_AGREE,
    ),
    Invariant(
        id="I11-units",
        statement="An active reservation holds its units; the units of one that has ended ended once, as it did.",
        sql=RESERVATIONS,
    ),
    Invariant(
        id="I11-once",
        statement="A reservation has ended at one time and in one way, or not at all.",
        sql=RESERVATIONS_END_ONCE,
    ),
    Invariant(id="I15-known", statement="Every status and policy is one of the known.", sql=KNOWN_STATUSES),
    Invariant(
        id="I15-allocated", statement="Only finalized orders hold allocations.", sql=CLAIMS_ARE_OF_FINALIZED_ORDERS
    ),
    Invariant(
        id="I5-runs",
        statement="A run's AllocationRunProgressed versions have no hole and no double.",
        sql=RUN_VERSIONS,
    ),
    Invariant(id="I15-runs", statement="A run is in a known state, and counts no more orders than it has.", sql=RUNS),
    Invariant(
        id="I15-scheduled", statement="Only finalized orders that no run has looked at are scheduled.", sql=SCHEDULED
    ),
    Invariant(id="I15-rules", statement="Rules stand in sequence, each with what it needs to decide.", sql=RULES),
    Invariant(id="I15-split", statement="An order was split off an older one of its channel.", sql=SPLITS),
    Invariant(
        id="I8-plans",
        statement="A run that has not ended has all orders of its plan, in sequence; one that has ended has none.",
        sql=PLANS,
    ),
    Invariant(
        id="I2-bundles",
        statement="A part of a bundle has units in one, no price of its own, and is not the bundle.",
        sql=PARTS_OF_BUNDLES,
    ),
    Invariant(id="I4-bundles", statement="A bundle has no stock of its own.", sql=BUNDLES_HAVE_NO_STOCK),
    Invariant(id="I15-bundles", statement="A bundle is made of some of each of other items.", sql=COMPONENTS),
    Invariant(id="I15-void", statement="A void order has nothing open.", sql=VOID_ORDERS_ARE_CLOSED),
    *(Invariant(id=name, statement=statement, sql=query) for name, statement, query in (*FLOOR, *RETURNS)),
)
