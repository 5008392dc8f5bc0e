"""The floor for single reservations: one call of one function a transaction, which writes what Dibs writes.

The claim, the guarded level, the line, the order, the events, and the idempotency key with its outcome. It gets every
advantage: it takes the level last, so that the row is locked for as short as can be, and it knows that the order has
one line and is wanted in full. Its callers talk to the driver (asyncpg) directly.
"""

import asyncpg

from bench.servers import Server

FUNCTION = """
    CREATE FUNCTION bench_reserve(owner int, called text, made_from bytea, wanted bigint) RETURNS void
    LANGUAGE plpgsql AS $$
    DECLARE
        line record;
        level record;
        held text;
    BEGIN
        INSERT INTO idempotency_keys (owner_id, mutation, key, fingerprint)
        VALUES (owner, 'allocateOrders', called, made_from) ON CONFLICT DO NOTHING;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        SELECT l.id, l.item_id, l.quantity, o.number, o.version + 1 AS version, c.code AS channel, i.sku INTO line
        FROM orders o JOIN order_lines l ON l.order_id = o.id JOIN channels c ON c.id = o.channel_id
        JOIN items i ON i.id = l.item_id WHERE o.id = wanted AND o.status = 'FINALIZED' FOR NO KEY UPDATE OF o;
        UPDATE order_lines SET allocated = quantity, looked_at = true WHERE id = line.id;
        UPDATE orders SET allocation_status = 'ALLOCATED', version = line.version, updated_at = now() WHERE id = wanted;
        UPDATE idempotency_keys SET outcome = jsonb_build_object('results', jsonb_build_array(jsonb_build_object(
            'index', 0, 'order', wanted, 'before', 'UNALLOCATED', 'after', 'ALLOCATED', 'refusal', null,
            'lines', jsonb_build_array(jsonb_build_object('line', line.id, 'item', line.item_id, 'quantity',
                line.quantity, 'allocated', line.quantity,
                'locations', jsonb_build_array(jsonb_build_array(1, line.quantity)))))))
        WHERE owner_id = owner AND mutation = 'allocateOrders' AND key = called;
        UPDATE stock_levels s SET committed = committed + line.quantity, version = s.version + 1
        FROM locations p WHERE s.item_id = line.item_id AND p.id = s.location_id
            AND committed + line.quantity <= greatest(0, on_hand - damaged - quality_control - safety_stock)
        RETURNING s.*, p.code AS location INTO level;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is not enough stock';
        END IF;
        INSERT INTO allocations (line_id, item_id, location_id, quantity)
        VALUES (line.id, line.item_id, level.location_id, line.quantity);
        INSERT INTO events (type, order_id, payload) VALUES
            ('OrderChanged', wanted, jsonb_build_object('order_id', wanted, 'order_number', line.number,
                'channel_code', line.channel, 'order_version', line.version, 'skus', jsonb_build_array(line.sku),
                'locations', jsonb_build_array(level.location),
                'changes', jsonb_build_array('ALLOCATIONS_CHANGED'))),
            ('AllocationStatusChanged', wanted, jsonb_build_object('order_id', wanted, 'order_number', line.number,
                'channel_code', line.channel, 'order_version', line.version, 'skus', jsonb_build_array(line.sku),
                'locations', jsonb_build_array(level.location), 'before', 'UNALLOCATED', 'after', 'ALLOCATED',
                'cause', 'RUN')),
            ('StockLevelChanged', NULL, jsonb_build_object('sku', line.sku, 'location_code', level.location,
                'version', level.version, 'on_hand', level.on_hand, 'committed', level.committed, 'unavailable',
                level.damaged + level.quality_control + level.safety_stock, 'available',
                level.on_hand - level.damaged - level.quality_control - level.safety_stock - level.committed,
                'overallocated', 0));
    END $$
    """
CALL = "SELECT bench_reserve($1, $2, $3, $4)"
ROWS = """
    SELECT (SELECT count(*) FROM allocations) AS claims, (SELECT sum(committed) FROM stock_levels) AS units,
           (SELECT count(*) FROM order_lines WHERE looked_at) AS lines,
           (SELECT count(*) FROM orders WHERE allocation_status = 'ALLOCATED') AS orders,
           (SELECT count(*) FROM events WHERE order_id IS NOT NULL) AS events_of_orders,
           (SELECT count(*) FROM idempotency_keys WHERE outcome IS NOT NULL) AS keys
    """
"""Of each kind that both write, how many there are. Events of levels differ: a version of a level is a commit."""


async def prepare(server: Server, database: str) -> None:
    connection = await asyncpg.connect(server.url(database))
    await connection.execute(FUNCTION)
    await connection.close()


async def rows(server: Server, database: str) -> dict[str, int]:
    connection = await asyncpg.connect(server.url(database))
    found = dict(await connection.fetchrow(ROWS))
    await connection.close()
    return found
