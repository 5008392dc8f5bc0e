"""What a batch writes of stock: levels, the ledger and counts."""

from collections.abc import Iterator

from domain.changes import Changes
from persistence.driver import Write, statement
from persistence.sql import BIGINTS, INTS, TEXTS, TIMES
from persistence.writes import arrays, attributes, guarded

LEVEL_COLUMNS = {
    "items": "item",
    "locations": "location",
    "on_hand": "on_hand",
    "committed": "committed",
    "damaged": "damaged",
    "quality_control": "quality_control",
    "safety_stock": "safety_stock",
    "flagged": "flagged",
    "versions": "version",
    "picked": "picked",
}

_LEVEL_TYPES = dict.fromkeys(LEVEL_COLUMNS, INTS) | {"versions": BIGINTS}

UPDATE_LEVELS = statement(
    """
    UPDATE stock_levels s SET on_hand = n.on_hand, committed = n.committed, damaged = n.damaged,
        quality_control = n.quality_control, safety_stock = n.safety_stock, flagged = n.flagged, version = n.version,
        picked = n.picked
    FROM unnest(:items, :locations, :on_hand, :committed, :damaged, :quality_control, :safety_stock, :flagged,
                :versions, :picked)
        AS n(item_id, location_id, on_hand, committed, damaged, quality_control, safety_stock, flagged, version, picked)
    WHERE s.item_id = n.item_id AND s.location_id = n.location_id AND s.version = n.version - 1
    """,
    **_LEVEL_TYPES,
)

INSERT_LEVELS = statement(
    """
    INSERT INTO stock_levels (item_id, location_id, on_hand, committed, damaged, quality_control, safety_stock, flagged,
                              version, picked)
    SELECT * FROM unnest(:items, :locations, :on_hand, :committed, :damaged, :quality_control, :safety_stock, :flagged,
                         :versions, :picked)
    """,
    **_LEVEL_TYPES,
)

MOVEMENT_COLUMNS = {
    "items": "item",
    "locations": "location",
    "quantities": "quantity",
    "changes": "change",
    "balances": "balance",
    "causes": "cause",
    "references": "reference",
    "supplies": "supply",
    "times": "counted_at",
    "actors": "actor",
    "requests": "request",
}

INSERT_MOVEMENTS = statement(
    """
    INSERT INTO stock_movements (item_id, location_id, quantity, change, balance, cause, reference, supply_id,
                                 counted_at, actor, request)
    SELECT n.item_id, n.location_id, n.quantity, n.change, n.balance, n.cause, n.reference, n.supply_id, n.counted_at,
           n.actor, n.request
    FROM unnest(:items, :locations, :quantities, :changes, :balances, :causes, :references, :supplies, :times, :actors,
                :requests)
        WITH ORDINALITY AS n(item_id, location_id, quantity, change, balance, cause, reference, supply_id, counted_at,
                             actor, request, at)
    ORDER BY n.at
    """,
    items=INTS,
    locations=INTS,
    quantities=TEXTS,
    changes=INTS,
    balances=INTS,
    causes=TEXTS,
    references=TEXTS,
    supplies=BIGINTS,
    times=TIMES,
    actors=TEXTS,
    requests=TEXTS,
)

COUNT_COLUMNS = {
    "items": "item",
    "locations": "location",
    "times": "counted_at",
    "counted": "counted",
    "references": "reference",
    "actors": "actor",
    "requests": "request",
}

INSERT_COUNTS = statement(
    """
    INSERT INTO stock_counts (item_id, location_id, counted_at, counted, reference, actor, request, recorded_at)
    SELECT n.item_id, n.location_id, coalesce(n.counted_at, clock.now), n.counted, n.reference, n.actor, n.request,
           clock.now
    FROM unnest(:items, :locations, :times, :counted, :references, :actors, :requests)
        AS n(item_id, location_id, counted_at, counted, reference, actor, request),
        (SELECT clock_timestamp() AS now) AS clock
    """,
    items=INTS,
    locations=INTS,
    times=TIMES,
    counted=INTS,
    references=TEXTS,
    actors=TEXTS,
    requests=TEXTS,
)


def level_writes(changes: Changes) -> Iterator[Write]:
    yield from guarded(UPDATE_LEVELS, attributes(changes.changed_levels, LEVEL_COLUMNS))
    yield from arrays(INSERT_LEVELS, attributes(changes.new_levels, LEVEL_COLUMNS))


def ledger_writes(changes: Changes) -> Iterator[Write]:
    yield from arrays(INSERT_MOVEMENTS, attributes(changes.movements, MOVEMENT_COLUMNS))
    yield from arrays(INSERT_COUNTS, attributes(changes.counts, COUNT_COLUMNS))
