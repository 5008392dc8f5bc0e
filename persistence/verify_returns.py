"""What must always be true of returns and follow-ups, as SQL; see `persistence.verify`."""

from collections.abc import Iterable
from enum import StrEnum

from domain.kinds import FollowUpOutcome, ReturnReason
from domain.returning import KEPT
from persistence.verify_log import CUT, LOG, broken_versions


def _one_of(kind: Iterable[StrEnum]) -> str:
    return "(" + ", ".join(f"'{name}'" for name in kind) + ")"


RETURNED_LINES = """
    SELECT b.line_id, b.units AS coming_back, coalesce(s.units, 0) AS left_us
    FROM (SELECT line_id, sum(quantity - canceled) AS units FROM return_lines GROUP BY 1) AS b
    LEFT JOIN (
        SELECT l.line_id, sum(l.quantity) AS units
        FROM fulfillment_lines l JOIN fulfillments f ON f.id = l.fulfillment_id
        WHERE f.state IN ('SHIPPED', 'DELIVERED') GROUP BY 1
    ) AS s ON s.line_id = b.line_id
    WHERE b.units > coalesce(s.units, 0)
    """

RETURN_LIMITS = f"""
    SELECT id AS return_line_id, reason, quantity, received, canceled, resold, quarantined, discarded
    FROM return_lines
    WHERE received + canceled > quantity OR resold + quarantined + discarded > received OR quantity <= 0
        OR least(received, canceled, resold, quarantined, discarded) < 0 OR reason NOT IN {_one_of(ReturnReason)}
    """  # noqa: S608

LINES_ARE_OF_THE_ORDER = """
    SELECT l.id AS return_line_id, l.item_id, o.item_id AS ordered_item, r.order_id, o.order_id AS order_of_the_line
    FROM return_lines l JOIN returns r ON r.id = l.return_id JOIN order_lines o ON o.id = l.line_id
    WHERE (l.item_id, r.order_id) <> (o.item_id, o.order_id)
    """

STATES = """
    SELECT r.id AS return_id, r.state, l.expected AS still_to_come, l.received, l.to_inspect, r.received_at,
           r.inspected_at, r.canceled_at
    FROM returns r
    LEFT JOIN (
        SELECT return_id, sum(quantity - received - canceled) AS expected, sum(received) AS received,
               sum(received - resold - quarantined - discarded) AS to_inspect, sum(canceled) AS canceled
        FROM return_lines GROUP BY 1
    ) AS l ON l.return_id = r.id
    WHERE l.return_id IS NULL OR (l.canceled > 0) <> (r.canceled_at IS NOT NULL)
        OR (r.state IN ('RECEIVED', 'INSPECTED')) <> (r.received_at IS NOT NULL)
        OR (r.state = 'INSPECTED') <> (r.inspected_at IS NOT NULL)
        OR r.state <> CASE WHEN l.received = 0 AND l.expected > 0 THEN 'REQUESTED'
                           WHEN l.received = 0 THEN 'CANCELED'
                           WHEN l.expected > 0 OR l.to_inspect > 0 THEN 'RECEIVED'
                           ELSE 'INSPECTED' END
    """

INSPECTIONS = """
    SELECT l.id AS return_line_id, l.resold, l.quarantined, l.discarded, i.resold AS inspected_for_sale,
           i.quarantined AS inspected_apart, i.discarded AS inspected_away
    FROM return_lines l
    LEFT JOIN (
        SELECT return_line_id, sum(quantity) FILTER (WHERE outcome = 'RESELL') AS resold,
               sum(quantity) FILTER (WHERE outcome = 'QUARANTINE') AS quarantined,
               sum(quantity) FILTER (WHERE outcome = 'DISCARD') AS discarded,
               bool_or('' IN (actor, request)) AS is_nobodys
        FROM return_inspections GROUP BY 1
    ) AS i ON i.return_line_id = l.id
    WHERE (l.resold, l.quarantined, l.discarded) <>
          (coalesce(i.resold, 0), coalesce(i.quarantined, 0), coalesce(i.discarded, 0)) OR i.is_nobodys
    """

# The name under which the ledger knows a return is `domain.returning.reference_of`.
RESTOCKED = f"""
    SELECT reference, item_id, location_id, cause, i.units AS by_inspections, m.units AS by_ledger
    FROM (
        SELECT concat('Return ', l.return_id) AS reference, l.item_id, i.location_id, one.cause, one.quantity,
               sum(i.quantity) AS units
        FROM return_inspections i JOIN return_lines l ON l.id = i.return_line_id
        CROSS JOIN LATERAL (VALUES ('RETURNED', 'ON_HAND'), ('RETURN_INSPECTED', 'QUALITY_CONTROL'))
            AS one(cause, quantity)
        WHERE i.outcome IN {_one_of(KEPT)} AND (one.cause = 'RETURNED' OR i.outcome = 'QUARANTINE')
        GROUP BY 1, 2, 3, 4, 5
    ) AS i
    FULL JOIN (
        SELECT reference, item_id, location_id, cause, quantity, sum(change) AS units
        FROM stock_movements WHERE cause IN ('RETURNED', 'RETURN_INSPECTED') GROUP BY 1, 2, 3, 4, 5
    ) AS m USING (reference, item_id, location_id, cause, quantity)
    WHERE i.units IS DISTINCT FROM m.units
    """  # noqa: S608

_RETURN_EVENTS = f"""
    SELECT CAST(payload ->> 'return_id' AS bigint) AS return_id,
           CAST(payload ->> 'return_version' AS bigint) AS version, payload ->> 'before' AS before,
           payload ->> 'after' AS after, payload
    FROM {LOG} WHERE type = 'ReturnChanged'
    """  # noqa: S608

RETURN_VERSIONS = f"""
    SELECT return_id, r.version, e.events, e.versions, e.first, e.last
    FROM (SELECT id AS return_id, version FROM returns) AS r
    FULL JOIN (
        SELECT return_id, count(*) AS events, count(DISTINCT version) AS versions, min(version) AS first,
               max(version) AS last
        FROM ({_RETURN_EVENTS}) AS e GROUP BY 1
    ) AS e USING (return_id)
    WHERE {broken_versions("r")}
    """  # noqa: S608

RETURN_EVENTS_SHOW_THE_RETURN = f"""
    SELECT e.return_id, e.version, e.before, e.expected, e.after, r.state
    FROM (
        SELECT e.*, CASE WHEN {CUT} AND row_number() OVER its = 1 THEN before
                         ELSE lag(e.after) OVER its END AS expected
        FROM ({_RETURN_EVENTS}) AS e WINDOW its AS (PARTITION BY return_id ORDER BY version)
    ) AS e
    JOIN returns r ON r.id = e.return_id
    JOIN (
        SELECT return_id, jsonb_build_object(
            'requested', sum(quantity - canceled), 'received', sum(received), 'resold', sum(resold),
            'quarantined', sum(quarantined), 'discarded', sum(discarded)) AS units
        FROM return_lines GROUP BY 1
    ) AS l ON l.return_id = r.id
    WHERE e.before IS DISTINCT FROM e.expected
        OR (e.version = r.version AND (e.after <> r.state OR NOT e.payload @> l.units))
    """  # noqa: S608

FOLLOW_UPS = f"""
    SELECT u.id AS follow_up_id, u.order_id, u.outcome, u.actor, u.request
    FROM follow_ups u
    WHERE '' IN (u.actor, u.request) OR u.outcome NOT IN {_one_of(FollowUpOutcome)}
        OR NOT EXISTS (SELECT FROM fulfillments f WHERE f.order_id = u.order_id AND f.state = 'DELIVERED')
    """  # noqa: S608

# What an older release wrote has no actor at all.
NOBODYS_GOODS = f"""
    SELECT id, type, payload ->> 'actor' AS actor FROM {LOG}
    WHERE type IN ('FulfillmentChanged', 'PickTasksChanged', 'ReturnChanged') AND payload ->> 'actor' = ''
        OR type = 'ReturnChanged' AND payload ->> 'actor' IS NULL
    """  # noqa: S608

RETURNS = (
    ("I2-returned", "No more of a line comes back than has left.", RETURNED_LINES),
    ("I2-inspected", "No more is received than was asked for, and no more is inspected than came.", RETURN_LIMITS),
    ("I2-back", "What comes back is what was ordered, of the order itself.", LINES_ARE_OF_THE_ORDER),
    ("I15-returns", "A return's state, and the times of it, follow from its lines.", STATES),
    ("I10-inspected", "What became of a return's units is what somebody said of them.", INSPECTIONS),
    ("I10-restocked", "What was kept of what came back is in the ledger, and nothing else is.", RESTOCKED),
    ("I5-returns", "A return's ReturnChanged versions have no hole and no double.", RETURN_VERSIONS),
    (
        "I5-back",
        "A return's events follow each other, and the last one shows it as it is.",
        RETURN_EVENTS_SHOW_THE_RETURN,
    ),
    ("I15-follow-ups", "Only what was delivered is followed up, by somebody, with a known outcome.", FOLLOW_UPS),
    ("I3-goods", "Every event about goods names who moved them.", NOBODYS_GOODS),
)
"""Id, statement and SQL of each."""
