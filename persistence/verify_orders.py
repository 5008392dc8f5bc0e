"""What must always be true of orders and what is set aside for them, as SQL; see `persistence.verify`."""

from domain.kinds import AllocateWhen, AllocationEnd, AllocationStatus, OrderStatus, ShippingPolicy
from persistence.sql import one_of

LINE_COUNTERS = """
    SELECT l.id AS line_id, l.order_id, l.allocated, l.overallocated, a.quantity AS by_allocations,
           a.overallocated AS overallocated_by_allocations
    FROM order_lines l
    LEFT JOIN (
        SELECT line_id, sum(quantity) AS quantity, sum(overallocated) AS overallocated FROM allocations GROUP BY 1
    ) AS a ON a.line_id = l.id
    WHERE l.allocated <> coalesce(a.quantity, 0) OR l.overallocated <> coalesce(a.overallocated, 0)
    """

LINE_LIMITS = """
    SELECT id AS line_id, order_id, quantity, allocated, overallocated, shipped, canceled, dropshipped
    FROM order_lines
    WHERE allocated + shipped + canceled + dropshipped > quantity
        OR least(allocated, overallocated, shipped, canceled, dropshipped) < 0 OR overallocated > allocated
    """

CLAIMS_ARE_OF_THEIR_LINE = """
    SELECT a.id AS allocation_id, a.line_id, a.reserved_line_id, a.item_id, a.quantity, a.overallocated,
           coalesce(l.item_id, r.item_id) AS item_of_the_line
    FROM allocations a
    LEFT JOIN order_lines l ON l.id = a.line_id LEFT JOIN reserved_lines r ON r.id = a.reserved_line_id
    WHERE (l.id IS NULL) = (r.id IS NULL) OR a.item_id <> coalesce(l.item_id, r.item_id)
        OR a.quantity <= 0 OR a.overallocated NOT BETWEEN 0 AND a.quantity
    """

CLAIMS_ARE_OF_FINALIZED_ORDERS = """
    SELECT o.id AS order_id, o.status, l.id AS line_id, l.allocated
    FROM orders o JOIN order_lines l ON l.order_id = o.id
    WHERE l.allocated > 0 AND o.status <> 'FINALIZED'
    """

VOID_ORDERS_ARE_CLOSED = """
    SELECT o.id AS order_id, l.id AS line_id, l.quantity, l.shipped, l.canceled, l.dropshipped
    FROM orders o JOIN order_lines l ON l.order_id = o.id
    WHERE o.status = 'VOID' AND l.quantity > l.shipped + l.canceled + l.dropshipped
    """

STATUS = """
    SELECT order_id, status, allocation_status, recomputed
    FROM (
        SELECT o.id AS order_id, o.status, o.allocation_status, CASE
            WHEN o.status = 'VOID' OR l.open IS NULL THEN NULL
            WHEN l.overallocated > 0 THEN 'OVERALLOCATED'
            WHEN l.allocated = l.open THEN 'ALLOCATED'
            WHEN l.allocated > 0 THEN 'PARTIALLY_ALLOCATED'
            WHEN l.looked_at THEN 'COULD_NOT_ALLOCATE'
            ELSE 'UNALLOCATED' END AS recomputed
        FROM orders o
        LEFT JOIN (
            SELECT order_id, sum(quantity - shipped - canceled - dropshipped) AS open, sum(allocated) AS allocated,
                   sum(overallocated) AS overallocated, bool_or(looked_at) AS looked_at
            FROM order_lines WHERE quantity > shipped + canceled + dropshipped GROUP BY 1
        ) AS l ON l.order_id = o.id
    ) AS both_ways
    WHERE allocation_status IS DISTINCT FROM recomputed
    """

KNOWN_STATUSES = f"""
    SELECT id AS order_id, status, allocation_status, shipping_policy FROM orders
    WHERE status NOT IN {one_of(OrderStatus)} OR allocation_status NOT IN {one_of(AllocationStatus)}
        OR shipping_policy NOT IN {one_of(ShippingPolicy)}
    """  # noqa: S608

ENDED = f"""
    SELECT e.id AS ended_allocation_id, e.allocation_id, e.line_id, e.reserved_line_id, e.item_id, e.location_id,
           e.quantity, e.reason
    FROM ended_allocations e
    LEFT JOIN order_lines l ON l.id = e.line_id LEFT JOIN reserved_lines r ON r.id = e.reserved_line_id
    LEFT JOIN stock_levels s ON s.item_id = e.item_id AND s.location_id = e.location_id
    LEFT JOIN allocations a ON a.id = e.allocation_id
    WHERE (l.id IS NULL) = (r.id IS NULL) OR e.item_id <> coalesce(l.item_id, r.item_id)
        OR s.id IS NULL OR e.quantity <= 0 OR e.reason NOT IN {one_of(AllocationEnd)}
        OR (e.reason IN {one_of((AllocationEnd.RELEASED, AllocationEnd.EXPIRED))}) <> (r.id IS NOT NULL)
        OR (a.item_id, a.location_id, a.allocated_at) <> (e.item_id, e.location_id, e.allocated_at)
    """  # noqa: S608

ENDED_PARTS_AGREE = """
    SELECT allocation_id, count(*) AS parts FROM ended_allocations
    GROUP BY 1 HAVING (min(item_id), min(location_id), min(allocated_at))
        <> (max(item_id), max(location_id), max(allocated_at))
    """

SCHEDULED = """
    SELECT id AS order_id, status, allocation_status, allocate_after FROM orders
    WHERE allocate_after IS NOT NULL AND (status, allocation_status) IS DISTINCT FROM ('FINALIZED', 'UNALLOCATED')
    """

# A line that is no part of a bundle may be of an item that became one later.
PARTS_OF_BUNDLES = """
    SELECT l.id AS line_id, l.order_id, l.item_id, l.bundle_id, l.bundle_units, l.unit_price, b.item_id AS bundle_item
    FROM order_lines l LEFT JOIN order_bundles b ON b.id = l.bundle_id
    WHERE (l.bundle_id IS NOT NULL OR l.bundle_units IS NOT NULL)
        AND (b.id IS NULL OR l.bundle_units IS NULL OR l.bundle_units <= 0 OR l.unit_price IS NOT NULL
             OR l.item_id = b.item_id)
    """

BUNDLES_HAVE_NO_STOCK = """
    SELECT i.id AS item_id, i.sku, s.location_id, s.on_hand
    FROM items i JOIN stock_levels s ON s.item_id = i.id WHERE i.components IS NOT NULL
    """

COMPONENTS = """
    SELECT i.id AS item_id, i.sku, c.part
    FROM items i CROSS JOIN LATERAL jsonb_array_elements(i.components) AS c(part)
    LEFT JOIN items p ON p.id = CAST(c.part ->> 'item' AS int)
    WHERE p.id IS NULL OR p.sku <> c.part ->> 'sku' OR p.components IS NOT NULL
        OR (CAST(c.part ->> 'units' AS int) BETWEEN 1 AND 10000) IS NOT TRUE
    """

SPLITS = """
    SELECT o.id AS order_id, o.split_from, o.channel_id, s.channel_id AS channel_of_the_other
    FROM orders o LEFT JOIN orders s ON s.id = o.split_from
    WHERE o.split_from IS NOT NULL AND (s.id < o.id AND s.channel_id = o.channel_id) IS NOT TRUE
    """

RULES = f"""
    SELECT name, position, allocate_when, every_minutes, value_from, value_below, currency_code
    FROM (SELECT *, row_number() OVER (ORDER BY position) - 1 AS expected FROM allocation_rules) AS r
    WHERE position <> expected OR allocate_when NOT IN {one_of(AllocateWhen)}
        OR (every_minutes BETWEEN 1 AND 1440) IS DISTINCT FROM CASE WHEN allocate_when = 'ON_SCHEDULE' THEN true END
        OR (coalesce(value_from, value_below) IS NULL) <> (currency_code IS NULL) OR value_from >= value_below
    """  # noqa: S608
