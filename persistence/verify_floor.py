"""What must always be true of fulfillments, pick tasks and bins, as SQL; see `persistence.verify`."""

from persistence.verify_log import CUT, LOG, broken_versions

UNDER_WAY = "('RELEASED', 'PICKING', 'PICKED', 'CHECKED', 'PACKED')"

PICKED_LEVELS = """
    SELECT s.item_id, s.location_id, s.picked, coalesce(a.picked, 0) AS by_claims
    FROM stock_levels s
    LEFT JOIN (SELECT item_id, location_id, sum(picked) AS picked FROM allocations GROUP BY 1, 2) AS a
        USING (item_id, location_id)
    WHERE s.picked <> coalesce(a.picked, 0)
    """

SENT_LINES = f"""
    SELECT l.id AS fulfillment_line_id, f.state, l.quantity, l.picked, a.units, a.picked AS picked_by_claims
    FROM fulfillment_lines l JOIN fulfillments f ON f.id = l.fulfillment_id
    LEFT JOIN (
        SELECT fulfillment_line_id, sum(quantity) AS units, sum(picked) AS picked FROM allocations
        WHERE fulfillment_line_id IS NOT NULL GROUP BY 1
    ) AS a ON a.fulfillment_line_id = l.id
    WHERE CASE WHEN f.kind = 'STOCK' AND f.state IN {UNDER_WAY}
               THEN (l.quantity, l.picked) IS DISTINCT FROM (coalesce(a.units, 0)::int, coalesce(a.picked, 0)::int)
               ELSE a.units IS NOT NULL END
    """  # noqa: S608

CLAIMS_ARE_SENT_WHERE_THEY_ARE = """
    SELECT a.id AS allocation_id, a.line_id, l.line_id AS sent_for, a.location_id, f.location_id AS sent_from
    FROM allocations a
    LEFT JOIN fulfillment_lines l ON l.id = a.fulfillment_line_id LEFT JOIN fulfillments f ON f.id = l.fulfillment_id
    WHERE a.fulfillment_line_id IS NOT NULL AND (a.line_id, a.location_id) IS DISTINCT FROM (l.line_id, f.location_id)
    """

SHIPPED_LINES = """
    SELECT o.id AS line_id, o.shipped, o.dropshipped, coalesce(s.shipped, 0) AS by_shipped,
           coalesce(s.dropshipped, 0) AS by_dropshipped
    FROM order_lines o
    LEFT JOIN (
        SELECT l.line_id, sum(l.quantity) FILTER (WHERE f.kind = 'STOCK' AND f.state IN ('SHIPPED', 'DELIVERED'))
                   AS shipped,
               sum(l.quantity) FILTER (WHERE f.kind = 'DROPSHIP' AND f.state <> 'CANCELED') AS dropshipped
        FROM fulfillment_lines l JOIN fulfillments f ON f.id = l.fulfillment_id GROUP BY 1
    ) AS s ON s.line_id = o.id
    WHERE (o.shipped, o.dropshipped) IS DISTINCT FROM
          (coalesce(s.shipped, 0)::int, coalesce(s.dropshipped, 0)::int)
    """

FULFILLMENT_STATUSES = f"""
    SELECT order_id, status, fulfillment_status, expected
    FROM (
        SELECT o.id AS order_id, o.status, o.fulfillment_status, CASE
            WHEN w.wanted > 0 AND coalesce(f.delivered, 0) >= w.wanted THEN 'DELIVERED'
            WHEN w.wanted > 0 AND coalesce(f.gone, 0) >= w.wanted THEN 'SHIPPED'
            WHEN coalesce(f.gone, 0) > 0 THEN 'PARTIALLY_SHIPPED'
            WHEN coalesce(f.under_way, 0) = 0 THEN 'NOT_RELEASED'
            WHEN f.packed = f.under_way THEN 'PACKED'
            WHEN f.released = f.under_way THEN 'RELEASED'
            ELSE 'PICKING' END AS expected
        FROM orders o
        JOIN (SELECT order_id, sum(quantity - canceled) AS wanted FROM order_lines GROUP BY 1) AS w ON w.order_id = o.id
        LEFT JOIN (
            SELECT order_id, sum(units) FILTER (WHERE state = 'DELIVERED') AS delivered,
                   sum(units) FILTER (WHERE state IN ('SHIPPED', 'DELIVERED')) AS gone,
                   count(*) FILTER (WHERE state IN {UNDER_WAY}) AS under_way,
                   count(*) FILTER (WHERE state = 'PACKED') AS packed,
                   count(*) FILTER (WHERE state = 'RELEASED') AS released
            FROM (
                SELECT f.order_id, f.state, sum(l.quantity) AS units
                FROM fulfillments f JOIN fulfillment_lines l ON l.fulfillment_id = f.id GROUP BY f.id
            ) AS one GROUP BY 1
        ) AS f ON f.order_id = o.id
    ) AS told
    WHERE fulfillment_status <> expected OR (status = 'FULFILLED') <> (expected = 'DELIVERED')
    """  # noqa: S608

TASKS = """
    SELECT t.id AS task_id, t.state, t.quantity, t.picked, t.short, f.state AS fulfillment_state
    FROM pick_tasks t JOIN fulfillments f ON f.id = t.fulfillment_id
    WHERE CASE t.state
        WHEN 'OPEN' THEN f.state NOT IN ('RELEASED', 'PICKING') OR t.picked + t.short >= t.quantity
        WHEN 'DONE' THEN t.picked + t.short <> t.quantity
        ELSE t.state <> 'CANCELED' END
    """

TASKS_ASK_FOR_WHAT_IS_MISSING = f"""
    SELECT l.id AS fulfillment_line_id, l.quantity, l.picked, coalesce(t.missing, 0) AS asked_for
    FROM fulfillment_lines l JOIN fulfillments f ON f.id = l.fulfillment_id
    LEFT JOIN (
        SELECT fulfillment_line_id, sum(quantity - picked - short) AS missing FROM pick_tasks WHERE state = 'OPEN'
        GROUP BY 1
    ) AS t ON t.fulfillment_line_id = l.id
    WHERE f.kind = 'STOCK' AND f.state IN {UNDER_WAY} AND l.quantity - l.picked <> coalesce(t.missing, 0)
    """  # noqa: S608

BINS = """
    SELECT s.item_id, s.location_id, s.on_hand, s.picked, b.units AS in_bins
    FROM stock_levels s JOIN (
        SELECT item_id, location_id, sum(on_hand) AS units FROM bin_levels GROUP BY 1, 2
    ) AS b USING (item_id, location_id)
    WHERE b.units > s.on_hand - s.damaged - s.quality_control - s.picked
    """

PARCELS = """
    SELECT f.id AS fulfillment_id, f.state, l.id AS fulfillment_line_id, l.quantity, coalesce(p.units, 0) AS in_parcels
    FROM fulfillments f JOIN fulfillment_lines l ON l.fulfillment_id = f.id
    LEFT JOIN (
        SELECT p.fulfillment_id, CAST(c.value ->> 0 AS bigint) AS line, sum(CAST(c.value ->> 1 AS int)) AS units
        FROM parcels p, jsonb_array_elements(p.contents) AS c GROUP BY 1, 2
    ) AS p ON p.fulfillment_id = f.id AND p.line = l.id
    WHERE f.kind = 'STOCK' AND f.state IN ('PACKED', 'SHIPPED', 'DELIVERED') AND l.quantity <> coalesce(p.units, 0)
    """

ARRIVED = """
    SELECT f.id, f.state, count(*) AS parcels FROM fulfillments f JOIN parcels p ON p.fulfillment_id = f.id
    WHERE f.state = 'SHIPPED' GROUP BY f.id HAVING bool_and(p.delivered_at IS NOT NULL)
    """

FULFILLMENT_VERSIONS = f"""
    SELECT fulfillment_id, f.version, e.events, e.versions, e.first, e.last
    FROM (SELECT id AS fulfillment_id, version FROM fulfillments) AS f
    FULL JOIN (
        SELECT CAST(payload ->> 'fulfillment_id' AS bigint) AS fulfillment_id, count(*) AS events,
               count(DISTINCT payload ->> 'fulfillment_version') AS versions,
               min(CAST(payload ->> 'fulfillment_version' AS bigint)) AS first,
               max(CAST(payload ->> 'fulfillment_version' AS bigint)) AS last
        FROM {LOG} WHERE type = 'FulfillmentChanged' GROUP BY 1
    ) AS e USING (fulfillment_id)
    WHERE {broken_versions("f")}
    """  # noqa: S608

RELEASED_WHOLE = f"""
    SELECT r.order_id, r.version, s.after
    FROM (
        SELECT order_id, CAST(payload ->> 'order_version' AS bigint) AS version FROM {LOG}
        WHERE type = 'OrderChanged' AND payload -> 'changes' ? 'RELEASED'
    ) AS r
    LEFT JOIN LATERAL (
        SELECT true AS is_known, payload ->> 'after' AS after FROM {LOG}
        WHERE type = 'AllocationStatusChanged' AND order_id = r.order_id
            AND CAST(payload ->> 'order_version' AS bigint) <= r.version
        ORDER BY CAST(payload ->> 'order_version' AS bigint) DESC LIMIT 1
    ) AS s ON true
    WHERE s.after IS DISTINCT FROM 'ALLOCATED' AND (s.is_known OR NOT {CUT})
    """  # noqa: S608

FLOOR = (
    (
        "I9-whole",
        "An order was fully allocated in the commit that released it, or released in part on purpose.",
        RELEASED_WHOLE,
    ),
    ("I1-picked", "What is picked of a level is what its allocations say.", PICKED_LEVELS),
    ("I2-sent", "What a fulfillment under way sends is set aside for it, and what has left is not.", SENT_LINES),
    ("I9-where", "What is released is sent for its line, from where it is.", CLAIMS_ARE_SENT_WHERE_THEY_ARE),
    ("I10-shipped", "What is shipped and dropshipped of a line is what its fulfillments say.", SHIPPED_LINES),
    (
        "I15-fulfilled",
        "How far an order's goods are follows from its fulfillments; it is fulfilled once it has all.",
        FULFILLMENT_STATUSES,
    ),
    ("I15-tasks", "A pick task is open until it is done or canceled.", TASKS),
    ("I2-tasks", "Pick tasks ask for what is missing, and for no more.", TASKS_ASK_FOR_WHAT_IS_MISSING),
    ("I2-bins", "No more lies in bins than is on hand and not apart.", BINS),
    ("I2-parcels", "What is packed is in parcels.", PARCELS),
    ("I15-arrived", "What has been shipped and has arrived in all its parcels is delivered.", ARRIVED),
    (
        "I5-fulfillments",
        "A fulfillment's FulfillmentChanged versions have no hole and no double.",
        FULFILLMENT_VERSIONS,
    ),
)
"""Id, statement and SQL of each."""
