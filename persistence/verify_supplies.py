"""What must always be true of supplies, as SQL; see `persistence.verify`."""

from persistence.verify_log import CUT, LOG, broken_versions

_LEDGER_OF_SUPPLIES = """
    SELECT supply_id, item_id, location_id, cause, sum(change) AS units
    FROM stock_movements WHERE supply_id IS NOT NULL AND quantity = 'ON_HAND' GROUP BY 1, 2, 3, 4
    """

SUPPLIES_BY_LEDGER = f"""
    SELECT supply_id, item_id, location_id, cause, e.units AS by_supply, m.units AS by_ledger
    FROM (
        SELECT l.supply_id, l.item_id, one.location_id, one.cause, one.units
        FROM supply_lines l JOIN supplies s ON s.id = l.supply_id
        CROSS JOIN LATERAL (VALUES
            ('PURCHASE_ORDER', s.location_id, 'RECEIVED', l.received),
            ('TRANSFER', s.from_location_id, 'TRANSFER_OUT', - l.quantity),
            ('TRANSFER', s.from_location_id, 'TRANSFER_CANCELED', l.canceled),
            ('TRANSFER', s.location_id, 'TRANSFER_IN', least(l.received, l.quantity) + l.lost),
            ('TRANSFER', s.location_id, 'FOUND', greatest(0, l.received - l.quantity)),
            ('TRANSFER', s.location_id, 'LOSS', - l.lost)
        ) AS one(kind, location_id, cause, units)
        WHERE one.kind = s.kind AND one.units <> 0
    ) AS e
    FULL JOIN ({_LEDGER_OF_SUPPLIES}) AS m USING (supply_id, item_id, location_id, cause)
    WHERE e.units IS DISTINCT FROM m.units
    """  # noqa: S608

IN_TRANSIT = f"""
    SELECT item_id, m.units AS on_hand_by_transfers, t.open AS in_transit
    FROM (
        SELECT item_id, sum(units) AS units FROM ({_LEDGER_OF_SUPPLIES}) AS m
        WHERE cause IN ('TRANSFER_OUT', 'TRANSFER_IN', 'TRANSFER_CANCELED') GROUP BY 1
    ) AS m
    FULL JOIN (
        SELECT l.item_id, sum(greatest(0, l.quantity - l.received - l.canceled - l.lost)) AS open
        FROM supply_lines l JOIN supplies s ON s.id = l.supply_id WHERE s.kind = 'TRANSFER' GROUP BY 1
    ) AS t USING (item_id)
    WHERE coalesce(m.units, 0) + coalesce(t.open, 0) <> 0
    """  # noqa: S608

SUPPLIES = """
    SELECT s.id AS supply_id, s.kind, s.state, l.lines, l.open, l.canceled, l.lost
    FROM supplies s
    LEFT JOIN (
        SELECT supply_id, count(*) AS lines, sum(greatest(0, quantity - received - canceled - lost)) AS open,
               sum(canceled) AS canceled, sum(lost) AS lost
        FROM supply_lines GROUP BY 1
    ) AS l ON l.supply_id = s.id
    WHERE s.state NOT IN ('EXPECTED', 'RECEIVED', 'CANCELED') OR s.kind NOT IN ('PURCHASE_ORDER', 'TRANSFER')
        OR l.lines IS NULL OR (s.state = 'EXPECTED') <> (l.open > 0) OR (s.reason IS NULL AND l.canceled + l.lost > 0)
        OR (l.lost > 0 AND (s.kind, s.state) <> ('TRANSFER', 'RECEIVED'))
        OR (s.state = 'EXPECTED' AND l.canceled > 0)
    """

_SUPPLY_EVENTS = f"""
    SELECT CAST(payload ->> 'supply_id' AS bigint) AS supply_id,
           CAST(payload ->> 'supply_version' AS bigint) AS version, payload ->> 'state' AS state,
           CAST(payload ->> 'expected_at' AS timestamptz) AS expected_at,
           CAST(payload ->> 'expected_at_before' AS timestamptz) AS expected_at_before
    FROM {LOG} WHERE type = 'SupplyChanged'
    """  # noqa: S608

SUPPLY_VERSIONS = f"""
    SELECT supply_id, s.version, e.events, e.versions, e.first, e.last
    FROM (SELECT id AS supply_id, version FROM supplies) AS s
    FULL JOIN (
        SELECT supply_id, count(*) AS events, count(DISTINCT version) AS versions, min(version) AS first,
               max(version) AS last
        FROM ({_SUPPLY_EVENTS}) AS e GROUP BY 1
    ) AS e USING (supply_id)
    WHERE {broken_versions("s")}
    """  # noqa: S608

SUPPLY_EVENTS_SHOW_THE_SUPPLY = f"""
    SELECT e.supply_id, e.version, e.state, e.expected_at, e.expected_at_before, e.expected
    FROM (
        SELECT e.*, CASE WHEN {CUT} AND row_number() OVER its = 1 THEN expected_at_before
                         ELSE lag(e.expected_at) OVER its END AS expected
        FROM ({_SUPPLY_EVENTS}) AS e WINDOW its AS (PARTITION BY supply_id ORDER BY version)
    ) AS e
    JOIN supplies s ON s.id = e.supply_id
    WHERE e.expected_at_before IS DISTINCT FROM e.expected
        OR (e.version = s.version AND (e.state, e.expected_at) <> (s.state, s.expected_at))
    """  # noqa: S608
