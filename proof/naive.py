"""The naive twins: small changes that a hurried hand would make, and the tests that must not let them pass.

A number is that of the list in the design of the engine (its section 5); a letter tells variants of one mistake apart,
and a name without a number is a mistake of our own. To add one: a row with the old text exactly as it stands in the
source, once, and the node ids of the fewest tests that turn red.
"""

from dataclasses import dataclass

RACES = "tests/persistence/test_races.py::"
DATABASE = "tests/persistence/test_database.py::"
GUARDS = "tests/persistence/test_batches.py::"
DESK = "tests/services/test_desk.py::"
KEYS = "tests/services/test_idempotency.py::"
ORDERS = "tests/services/test_orders.py::"
STOCK = "tests/services/test_stock.py::"
ALLOCATION = "tests/services/test_allocation.py::"
CARTS = "tests/services/test_reservations.py::"
LOG = "tests/persistence/test_events.py::"
RELAY = "tests/workers/test_relay.py::"
HUB = "tests/gql/test_feed.py::"
SHARING = "tests/gql/test_sharing.py::"
SOCKETS = "tests/gql/test_websocket.py::"
CLEANING = "tests/services/test_cleaning.py::"
RESTORING = "tests/operating/test_restoring.py::"
LINES = "tests/operating/test_log.py::"
READY = "tests/operating/test_readiness.py::"
ENDING = "tests/operating/test_draining.py::"
PLANS = "tests/domain/test_properties.py::"
GOODS = "tests/persistence/test_floor_races.py::"
RETURNS = "tests/domain/test_returns.py::"
BACK = "tests/persistence/test_return_races.py::"
FULFILLING = "tests/domain/test_fulfilling.py::"
PICKING = "tests/domain/test_picking.py::"
RELEASING = "tests/services/test_releasing.py::"
PAYMENTS = "tests/services/test_payments.py::"
SIGHT = "tests/persistence/test_sight.py::"
THIRD_PARTIES = "tests/gql/test_third_parties.py::"
TRACKING = "tests/gql/test_tracking.py::"
CARRIERS = "tests/domain/test_tracking.py::"

LAST_UNIT = RACES + "test_of_two_hundred_buyers_in_four_processes_exactly_one_gets_the_last_unit"
WAITING_TWIN = "tests/persistence/test_keys.py::test_a_concurrent_twin_waits_and_is_told_what_the_first_one_stored"
FIFTY_TWINS = KEYS + "test_i7_fifty_concurrent_twins_have_one_effect_and_one_answer"

ANYTHING_GOES = (
    "tests/services/test_state_machine.py::test_i1_to_i5_i7_i9_to_i16_any_sequence_of_requests_does_what_the_model_does"
)

ONE_LIFE = (
    "tests/services/test_state_machine.py::"
    "test_i9_i10_i14_one_life_that_meets_what_the_examples_may_miss_does_what_the_model_does"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """In this file, where the old text stands once, the new one."""

    file: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A naive twin of Dibs. `waits_for`: what it twists is not there yet; it is told and not run."""

    name: str
    edits: tuple[Edit, ...] = ()
    tests: tuple[str, ...] = ()
    waits_for: str = ""


def twin(name: str, tests: str | tuple[str, ...], *edits: tuple[str, str, str]) -> Twin:
    return Twin(
        name=name,
        edits=tuple(Edit(file=file, old=old, new=new) for file, old, new in edits),
        tests=(tests,) if isinstance(tests, str) else tests,
    )


TAKE_LOCKS = "                await lock_skus(self._driver, locked)\n"
NO_LOCKS = "                pass\n"
AND_MEASURE = "            finally:\n                self.lock_seconds = perf_counter() - began\n"
READ_FLOOR = "floor=await read_floor(self._driver, has_any, locked if bins else None)"
EARLY_FLOOR = (
    (
        "persistence/batches.py",
        TAKE_LOCKS,
        "                early = await read_floor(self._driver, orders, locked)\n" + TAKE_LOCKS,
    ),
    ("persistence/batches.py", READ_FLOOR, "floor=early"),
)
"""What is sent is read before the lock, and looked at as if it were still so."""
EARLY_RETURNS = (
    (
        "persistence/batches.py",
        TAKE_LOCKS,
        "                early = await read_returns(self._driver, orders)\n" + TAKE_LOCKS,
    ),
    ("persistence/batches.py", "returns=await read_returns(self._driver, orders))", "returns=early)"),
)
"""What comes back is read before the lock, and looked at as if it were still so."""
READ_LEVELS = "        skus, bundles, levels = await self._levels(locked)\n"

TWINS = (
    twin(
        "1 lock and read in one statement",
        LAST_UNIT,
        ("persistence/batches.py", TAKE_LOCKS, NO_LOCKS),
        (
            "persistence/batches.py",
            "    FROM items i LEFT JOIN stock_levels s ON s.item_id = i.id\n    WHERE i.id = ANY(:items)\n",
            (
                "    FROM (SELECT n, pg_advisory_xact_lock(53685, n) FROM unnest(:items) AS n ORDER BY n) AS locked\n"
                "    JOIN items i ON i.id = locked.n LEFT JOIN stock_levels s ON s.item_id = i.id\n"
            ),
        ),
    ),
    twin("1b no lock", LAST_UNIT, ("persistence/batches.py", TAKE_LOCKS, NO_LOCKS)),
    twin(
        "2 REPEATABLE READ",
        RACES + "test_units_that_are_taken_off_at_once_in_four_processes_are_all_counted",
        ("persistence/database.py", "max_overflow=0,", 'max_overflow=0, isolation_level="REPEATABLE READ",'),
    ),
    twin(
        "3 rows read before the lock",
        LAST_UNIT,
        (
            "persistence/batches.py",
            TAKE_LOCKS + AND_MEASURE + READ_LEVELS,
            "        " + READ_LEVELS + TAKE_LOCKS + AND_MEASURE,
        ),
    ),
    twin(
        "3b an order that grew under its locks is served with too few",
        RACES + "test_a_run_takes_the_sku_that_an_edit_adds_before_it_has_the_locks",
        ("persistence/batches.py", "if any(line[LINE_ITEM] not in locked for line in rows.lines):", "if False:"),
    ),
    twin(
        "4 keys not sorted",
        (
            RACES + "test_locks_are_taken_by_rising_key_each_once_in_a_statement_of_their_own",
            RACES + "test_orders_that_want_the_same_skus_in_opposite_sequence_never_deadlock",
        ),
        ("persistence/locks.py", "sorted(set(items))", "list(set(items))"),
    ),
    twin(
        "5 clamp instead of refuse",
        STOCK + "test_less_than_nothing_is_refused_with_every_shortage_and_nothing_is_written",
        (
            "domain/stocking.py",
            "level.with_quantity(name, getattr(level, name) + change.delta)",
            "level.with_quantity(name, max(0, getattr(level, name) + change.delta))",
        ),
    ),
    twin(
        "5b clamp in SQL instead of refuse",
        STOCK + "test_less_than_nothing_is_refused_with_every_shortage_and_nothing_is_written",
        (
            "domain/stocking.py",
            "if getattr(after, FIELD[one.quantity]) < 0 or after.set_apart > after.on_hand",
            "if False",
        ),
        (
            "persistence/stock_writes.py",
            "SET on_hand = n.on_hand, committed",
            "SET on_hand = greatest(0, n.on_hand), committed",
        ),
    ),
    twin(
        "5c nothing falls below what is committed",
        ALLOCATION + "test_o14_an_order_of_one_becomes_overallocated_when_stock_falls_to_zero",
        (
            "domain/stocking.py",
            "level.with_quantity(name, change.counted)",
            "level.with_quantity(name, max(level.committed, change.counted))",
        ),
    ),
    twin(
        "6 event after commit",
        LOG + "test_a_change_whose_event_cannot_be_written_is_not_there",
        (
            "persistence/batches.py",
            "        await self._driver.write_all(writes(changes, outcomes, self._channels))\n",
            (
                "        late = [one for one in writes(changes, outcomes) if 'INTO events' in one.statement.text]\n"
                "        rest = [one for one in writes(changes, ()) if 'INTO events' not in one.statement.text]\n"
                "        await self._driver.write_all(rest)\n"
                "        await self._driver._raw.execute('COMMIT')\n"
                "        await self._driver.write_all(late)\n"
            ),
        ),
    ),
    twin(
        "7 id > cursor",
        LOG + "test_a_reader_who_goes_on_after_its_cursor_misses_nothing_that_commits_late",
        (
            "persistence/events.py",
            "where(events.c.position > (start if after is None else after))",
            "where(events.c.id > (start if after is None else after))",
        ),
        ("persistence/events.py", "order_by(events.c.position).limit(first)", "order_by(events.c.id).limit(first)"),
        (
            "persistence/events.py",
            "select_from(log_start.outerjoin(found, true())).order_by(found.c.position)",
            "select_from(log_start.outerjoin(found, true())).order_by(found.c.id)",
        ),
        ("persistence/events.py", "id=row.id, position=row.position or 0,", "id=row.id, position=row.id,"),
    ),
    twin(
        "8 bell as the only trigger: the relay",
        RELAY + "test_events_of_another_process_are_numbered_within_a_poll",
        ("workers/relay.py", "await rest(POLL_SECONDS, self._nudged)", "await self._nudged.wait()"),
    ),
    twin(
        "8b bell as the only trigger: the feed",
        RELAY + "test_the_feed_carries_on_when_the_bell_never_rings",
        ("gql/feed.py", "self._bell.wait(WAIT_SECONDS_MAX, heard)", "self._bell.wait(3_600, heard)"),
    ),
    twin(
        "9 subscribe after the snapshot",
        HUB + "test_events_between_the_snapshot_and_the_subscription_are_told_once",
        ("gql/hub.py", "        stream.subscribers.add(subscriber)\n", ""),
        (
            "gql/hub.py",
            "            subscriber.is_live = True\n",
            "            subscriber.is_live = True\n            stream.subscribers.add(subscriber)\n",
        ),
    ),
    twin(
        "9b who comes while the feed only looks how far the log goes is passed over",
        HUB + "test_whoever_comes_while_the_feed_only_looks_how_far_the_log_goes_misses_nothing",
        ("gql/feed.py", "        if self._is_wanted():  # also by", "        else:  # not by"),
    ),
    twin(
        "10 idempotency by select-then-insert",
        (FIFTY_TWINS, WAITING_TWIN),
        (
            "persistence/keys.py",
            (
                '        taken = await self._driver.rows(CLAIM, columns(rows, (*KEY_TYPES, "fingerprints")))\n'
                "        if len(taken) == len(rows):\n"
                "            return {}\n"
                "        known = {key for key, _ in keys} - {tuple(row) for row in taken}\n"
            ),
            (
                "        names = columns([key for key, _ in keys], tuple(KEY_TYPES))\n"
                "        known = {tuple(row)[:3] for row in await self._driver.rows(STORED, names)}\n"
                '        await self._driver.rows(CLAIM, columns(rows, (*KEY_TYPES, "fingerprints")))\n'
                "        if not known:\n"
                "            return {}\n"
            ),
        ),
    ),
    twin(
        "11 key committed before the effect",
        (FIFTY_TWINS, KEYS + "test_a_key_whose_first_request_fails_for_another_reason_is_free"),
        (
            "persistence/keys.py",
            "        if len(taken) == len(rows):\n",
            "        await self._connection.commit()\n        if len(taken) == len(rows):\n",
        ),
    ),
    twin(
        "11b effect committed before the key's outcome",
        KEYS + "test_an_effect_whose_outcome_cannot_be_kept_is_not_there",
        ("persistence/batch_writes.py", "    yield from kept(outcomes)\n", ""),
        (
            "persistence/batches.py",
            "        await self._driver.write_all(writes(changes, outcomes, self._channels))\n",
            (
                "        from persistence import batch_writes\n"
                "        await self._driver.write_all(writes(changes, ()))\n"
                "        await self._driver._raw.execute('COMMIT')\n"
                "        await self._driver.write_all(batch_writes.kept(outcomes))\n"
            ),
        ),
    ),
    twin(
        "12 blind retry after a COMMIT error",
        DATABASE + "test_a_commit_without_an_answer_is_an_unknown_outcome_and_not_done_again",
        ("persistence/database.py", "if not repeatable or not tries_left:", "if not tries_left:"),
    ),
    twin(
        "12b a batch with a request without a key is done again after a COMMIT error",
        DESK + "test_what_has_no_key_and_whose_commit_has_no_answer_is_not_done_again",
        (
            "services/performing.py",
            "repeatable=all(one.key is not None for one in asked)",
            "repeatable=True",
        ),
    ),
    twin(
        "13 duplicate SKU not summed: receipts",
        STOCK + "test_i13_a_sku_that_is_repeated_in_a_receipt_counts_as_its_sum",
        ("domain/stocking.py", "total[item] += units", "total[item] = units"),
    ),
    twin(
        "13b duplicate SKU not summed: corrections",
        STOCK + "test_i13_differences_of_a_repeated_sku_count_as_their_sum",
        ("services/stock.py", "line.delta + ((before and before.delta) or 0)", "line.delta"),
    ),
    twin(
        "13c duplicate SKU not summed: lines of an order draw on the stock each for itself",
        (
            PLANS + "test_i16_the_engine_gives_the_plan_of_the_reference_allocator",
            ALLOCATION + "test_i13_the_same_sku_on_two_lines_draws_on_one_stock",
        ),
        ("domain/allocation.py", "                self.committed[key] += quantity\n", ""),
    ),
    twin(
        "14 void without a status guard",
        ORDERS + "test_i14_of_many_who_void_one_order_at_once_exactly_one_does",
        (
            "domain/ordering.py",
            '_move(batch.orders[order_id], "voidOrder")',
            '_move(replace(batch.orders[order_id], status=EDITABLE[0]), "voidOrder")',
        ),
    ),
    twin(
        "15 expiry by the application's clock",
        CARTS + "test_expiry_is_judged_by_the_clock_of_the_database_alone",
        (
            "persistence/batches.py",
            "SELECT id, state, expires_at <= clock_timestamp() AS is_due,",
            "SELECT id, state, extract(epoch FROM expires_at) AS is_due,",
        ),
        ("persistence/batch_rows.py", "is_due=is_due", 'is_due=is_due <= __import__("time").time()'),
    ),
    twin(
        "16 hub without visibility",
        HUB + "test_the_hub_tells_nobody_what_it_may_not_see",
        ("gql/streams.py", "if visible(visibility, one.event) and matches(", "if matches("),
    ),
    twin(
        "16b callers who may see different things share what they are told",
        SHARING + "test_callers_who_may_see_different_things_never_share",
        ("gql/execution.py", "variables, context.caller.visibility)", "variables)"),
    ),
    twin(
        "16c hub that knows of channels alone",
        HUB + "test_what_is_sent_is_visible_within_the_limits_of_both",
        (
            "services/following.py",
            ' and _within(\n        visibility.locations, OF_A_LOCATION, event, "location_code"\n    )',
            "",
        ),
    ),
    twin(
        "16d view without its channel filter",
        SIGHT + "test_i17_a_partner_reads_the_orders_of_its_channels_and_what_hangs_on_them",
        ("persistence/sight.py", """Rule(f"t.code = {listed('channels')}", ANYTHING)""", "both(ANYTHING)"),
    ),
    twin(
        "16e view without its location filter",
        SIGHT + "test_i17_a_location_reads_its_stock_and_what_it_sends_and_not_who_pays",
        ("persistence/sight.py", """Rule(ANYTHING, f"t.code = {listed('locations')}")""", "both(ANYTHING)"),
    ),
    twin(
        "16f view of stock without its location filter",
        SIGHT + "test_i17_a_location_reads_its_stock_and_what_it_sends_and_not_who_pays",
        ("persistence/sight.py", '"stock_levels": Rule(NOTHING, HERE)', '"stock_levels": Rule(NOTHING, ANYTHING)'),
    ),
    twin(
        "16g view of stock that partners look into as well",
        SIGHT + "test_i17_a_partner_reads_the_orders_of_its_channels_and_what_hangs_on_them",
        ("persistence/sight.py", '"stock_levels": Rule(NOTHING, HERE)', '"stock_levels": Rule(ANYTHING, HERE)'),
    ),
    twin(
        "16h an order is known wherever anything is known",
        SIGHT + "test_i17_what_nobody_sends_from_a_location_is_nothing_to_it",
        (
            "persistence/sight.py",
            """f"{of('fulfillments', 'id', 'order_id')} OR {of('returns', 'id', 'order_id')}",\n        hidden""",
            "ANYTHING,\n        hidden",
        ),
    ),
    twin(
        "16i limited callers look at the tables",
        (
            SIGHT + "test_i17_a_partner_reads_the_orders_of_its_channels_and_what_hangs_on_them",
            SIGHT + "test_i17_orders_are_counted_as_far_as_they_are_seen",
        ),
        ("persistence/sight.py", "set_config('search_path', :sight, true)", "set_config('dibs.sight', :sight, true)"),
    ),
    twin(
        "16j mutation that does not ask whether its caller sees the order",
        SIGHT + "test_i17_an_order_that_is_out_of_sight_cannot_be_voided",
        (
            "services/preparing.py",
            "    if not caller.visibility.is_limited:\n        return orders, numbers\n",
            "    if caller.visibility is not None:\n        return orders, numbers\n",
        ),
    ),
    twin(
        "16k mutation that does not ask whether its caller sees the fulfillment",
        SIGHT + "test_i17_what_another_location_sends_cannot_be_canceled",
        (
            "services/preparing.py",
            'await cut(uow, sight, "fulfillments", _of(needs.fulfillments, found.fulfillments))',
            "_of(needs.fulfillments, found.fulfillments)",
        ),
    ),
    twin(
        "16l count without visibility",
        THIRD_PARTIES + "test_i17_a_partner_counts_its_own_orders_and_no_others",
        (
            "gql/resolvers/queries.py",
            "await info.context.read(lambda uow: uow.orders.counts(condition))",
            "await info.context.database.read(lambda uow: uow.orders.counts(condition))",
        ),
    ),
    twin(
        "17 authentication only at connect",
        SOCKETS + "test_a_socket_whose_key_is_replaced_is_closed_and_told_nothing_more",
        ("gql/websocket.py", 'partial(self._line.close_soon, 4403, "Forbidden")', "lambda: None"),
    ),
    twin(
        "17b authentication of streams and sockets only at connect",
        (
            "tests/gql/test_websocket.py::test_a_socket_whose_key_is_replaced_is_closed_and_told_nothing_more",
            "tests/gql/test_event_stream.py::test_a_stream_whose_key_is_replaced_is_cut_off_and_told_nothing_more",
        ),
        (
            "services/credentials.py",
            "                if secret not in known:\n",
            "                if secret is None:\n",
        ),
    ),
    twin(
        "17c authentication that is looked at again whenever there is time",
        "tests/gql/test_revoking.py::test_i19_while_nobody_can_be_looked_after_nobody_is_told_anything",
        (
            "gql/streams.py",
            "        told = await self._told(events)\n        await self._certain()\n",
            "        told = await self._told(events)\n",
        ),
    ),
    twin(
        "17d a key that expires is looked for like one that is revoked, and no clock is asked",
        "tests/gql/test_revoking.py::test_i19_a_connection_ends_when_its_key_expires_and_needs_nobody_who_looks",
        ("services/credentials.py", "        if caller.ends_at is not None:\n", "        if False:\n"),
    ),
    twin(
        "18 unbounded subscriber queue",
        (
            HUB + "test_an_outbox_holds_few_bytes_however_few_messages_they_are",
            HUB + "test_a_subscriber_that_does_not_keep_up_is_told_its_last_cursor_and_others_are_not_held_up",
        ),
        (
            "gql/outbox.py",
            "        if not self._has_room(messages):\n",
            "        if False:\n",
        ),
    ),
    twin(
        "18b what is held for one that catches up is bounded, and the rest is lost",
        HUB + "test_what_is_held_for_a_subscriber_that_catches_up_is_bounded_and_nothing_is_lost",
        ("gql/streams.py", "            self.has_missed = True\n", "            pass\n"),
    ),
    twin(
        "18c what is held for a subscriber that catches up is unbounded",
        HUB + "test_what_is_held_for_a_subscriber_that_catches_up_is_bounded_and_nothing_is_lost",
        ("gql/streams.py", "if len(self.held) < QUEUE_EVENTS_MAX:", "if self.held is not None:"),
    ),
    twin(
        "19 two relays",
        (
            RELAY + "test_two_relays_number_every_event_once_without_a_hole",
            LOG + "test_many_relays_and_many_writers_make_one_dense_log_in_which_every_order_is_in_order",
        ),
        (
            "persistence/events.py",
            'if not (await driver.row(TRY_LOCK, {"key": RELAY_KEY}))[0]:',
            "if not most:",
        ),
    ),
    twin(
        "20 what is sent is read before the lock: void and ship",
        GOODS + "test_i14_i10_of_who_voids_an_order_and_who_ships_it_the_first_one_wins",
        *EARLY_FLOOR,
    ),
    twin(
        "20b what is sent is read before the lock: cancel and pick",
        GOODS + "test_i14_of_who_cancels_a_fulfillment_and_who_picks_it_nothing_stays_in_the_pickers_hands",
        *EARLY_FLOOR,
    ),
    twin(
        "20c what is sent is read before the lock: two pickers",
        (
            GOODS + "test_of_two_who_fetch_all_of_one_task_the_second_is_told",
            GOODS + "test_in_four_processes_no_more_is_fetched_than_was_asked_for",
        ),
        *EARLY_FLOOR,
    ),
    twin(
        "20d what is sent is read before the lock: pick, pack and edit",
        (
            GOODS + "test_who_picks_what_an_edit_takes_away_is_told_or_puts_it_back",
            GOODS + "test_what_an_edit_takes_away_is_not_packed_and_what_is_packed_is_not_edited_away",
        ),
        *EARLY_FLOOR,
    ),
    twin(
        "20e what is sent is read before the lock: two who ship",
        GOODS + "test_i14_i10_of_two_who_ship_the_same_parcels_one_does_and_the_goods_leave_once",
        *EARLY_FLOOR,
    ),
    twin(
        "20f what is sent is read before the lock: two who deliver",
        GOODS + "test_i14_c5_an_order_that_two_deliver_is_fulfilled_once",
        *EARLY_FLOOR,
    ),
    twin(
        "21 shipped without looking at the state again under the lock",
        (
            GOODS + "test_i14_i10_of_who_voids_an_order_and_who_ships_it_the_first_one_wins",
            GOODS + "test_i14_i10_of_two_who_ship_the_same_parcels_one_does_and_the_goods_leave_once",
        ),
        (
            "domain/shipping.py",
            'one = moved(batch, fulfillment_id, "shipFulfillment")',
            "one = replace(batch.floor.fulfillments[fulfillment_id], state=FulfillmentState.SHIPPED)",
        ),
    ),
    twin(
        "21b delivered without looking at the state again under the lock",
        GOODS + "test_i14_c5_an_order_that_two_deliver_is_fulfilled_once",
        (
            "domain/shipping.py",
            'one = moved(batch, fulfillment_id, "deliverFulfillment")',
            "one = replace(batch.floor.fulfillments[fulfillment_id], state=FulfillmentState.DELIVERED)",
        ),
    ),
    twin(
        "21c an order is voided whatever of it has left",
        GOODS + "test_i14_i10_of_who_voids_an_order_and_who_ships_it_the_first_one_wins",
        (
            "domain/ordering.py",
            "    if gone:\n        lines = tuple(dict",
            "    if not gone:\n        lines = tuple(dict",
        ),
    ),
    twin(
        "22 released without the stock re-check",
        (
            GOODS + "test_i9_r8_an_order_whose_stock_is_taken_is_released_before_or_not_at_all",
            FULFILLING + "test_i9_r8_what_is_short_or_has_lost_its_stock_is_not_released_and_nothing_moves",
        ),
        (
            "domain/releasing.py",
            "obstacles = (*found, *stock_obstacles(status, policy, waits=bool(waiting), partial=partial))",
            "obstacles = tuple(found)",
        ),
    ),
    twin(
        "22b released whatever holds it",
        PAYMENTS + "test_r4_what_is_split_off_a_held_order_is_held_as_well",
        ("services/releasing.py", "for reason in sorted(holds):", "for reason in ():"),
    ),
    twin(
        "22c what comes behind a release shares its commit",
        RELEASING + "test_i9_what_comes_behind_a_release_has_a_transaction_of_its_own",
        ("services/desk.py", " or (ends and not asked.needs.last)", ""),
    ),
    twin(
        "22d what is split off a held order is not held",
        PAYMENTS + "test_r4_what_is_split_off_a_held_order_is_held_as_well",
        ("domain/splitting.py", "    _hold_as_well(batch, order, to)\n", ""),
    ),
    twin(
        "22e an order that is voided is held until its commit",
        PAYMENTS + "test_whoever_lifts_the_holds_of_an_order_that_was_voided_beside_it_finds_none",
        (
            "domain/batch.py",
            "        self._fulfill()\n        self._hold_nothing_that_is_void()\n",
            "        self._fulfill()\n",
        ),
        (
            "domain/batch.py",
            "        self._balance()\n",
            "        self._hold_nothing_that_is_void()\n        self._balance()\n",
        ),
    ),
    twin(
        "22f a hold is lifted as often as somebody asks",
        "tests/gql/test_payments.py::test_r4_orders_are_held_for_several_reasons_at_once_and_each_ends_once",
        (
            "domain/books.py",
            "        if reason not in standing.holds:\n            return False\n",
            "        if not standing:\n            return False\n",
        ),
    ),
    twin(
        "23 picked units are flagged like others",
        PICKING + "test_r8_who_has_fetched_units_loses_stock_last_and_as_few_as_possible",
        (
            "domain/allocation.py",
            "min(claim.quantity - claim.picked, overallocated)",
            "min(claim.quantity, overallocated)",
        ),
    ),
    twin(
        "23b a run takes picked units from an order that has lost its stock",
        FULFILLING + "test_r8_a_run_takes_nothing_that_is_picked_from_an_order_that_has_lost_its_stock",
        ("domain/allocating.py", "min(claim.overallocated, claim.quantity - claim.picked)", "claim.overallocated"),
    ),
    twin(
        "23c the flags of what is packed apart stay with the older part",
        FULFILLING + "test_the_flags_of_units_that_are_packed_apart_go_with_those_that_came_off_last",
        (
            "domain/claim_moves.py",
            "        if claim.overallocated:  # the part",
            "        if claim is None:  # the part",
        ),
    ),
    twin(
        "24 more is fetched than was asked for",
        GOODS + "test_in_four_processes_no_more_is_fetched_than_was_asked_for",
        ("domain/picking.py", "    if task.state is not PickTaskState.OPEN:\n", "    if task is None:\n"),
        ("domain/picking.py", "    if pick.quantity > task.missing:\n", "    if pick.quantity > task.quantity:\n"),
    ),
    twin(
        "24b two who come together expect the same version of a task, and both are right",
        PICKING + "test_i12_of_two_who_expect_the_same_version_in_one_transaction_the_second_is_told",
        ("domain/picking.py", " or batch.floor.has_moved(task.id)", ""),
    ),
    twin(
        "25 what waits for its release is sent with what replaces missing units",
        FULFILLING + "test_what_is_missing_is_replaced_and_what_waits_for_its_release_goes_on_waiting",
        ("domain/fulfilling.py", "if claim.id not in known]", "if claim.fulfillment_line is None]"),
    ),
    twin(
        "26 what is packed at one of two locations may be edited away",
        FULFILLING + "test_what_is_packed_at_two_locations_is_not_edited_away",
        ("domain/ordering.py", "packed[line.line] += line.quantity", "packed[line.line] = line.quantity"),
    ),
    twin(
        "26b an edit takes units out of a parcel that others could give",
        FULFILLING + "test_an_edit_gives_back_first_what_waits_then_what_is_not_picked_and_never_what_is_packed",
        ("domain/ordering.py", "claim.picked > 0, claim.fulfillment_line in packed", "claim.picked > 0, False"),
    ),
    twin(
        "27 a line that is added and dropshipped in one batch is written as open",
        DESK + "test_a_line_that_is_added_and_dropshipped_in_one_batch_is_the_suppliers",
        ("persistence/order_writes.py", "        line.dropshipped,  # or", "        0,  # or"),
    ),
    twin(
        "28 what is ready is released all at once, however many SKUs that are",
        RELEASING + "test_orders_of_more_skus_than_a_transaction_takes_are_released_one_transaction_after_the_other",
        ("services/fulfillments.py", "orders = await within_bounds(uow, ready)", "orders = ready"),
    ),
    twin(
        "29 what comes back is read before the lock: receive and cancel",
        BACK + "test_i14_of_who_receives_a_return_and_who_cancels_it_the_first_one_wins",
        *EARLY_RETURNS,
    ),
    twin(
        "29b what comes back is read before the lock: two who ask, receive and inspect",
        (
            BACK + "test_l11_of_two_who_ask_for_the_same_units_the_second_is_told_how_many_are_left",
            BACK + "test_l11_of_two_who_receive_the_same_units_the_second_is_told",
            BACK + "test_i10_of_two_who_inspect_the_same_units_one_does_and_they_become_stock_once",
            BACK + "test_i10_in_four_processes_each_unit_that_comes_back_becomes_stock_once",
        ),
        *EARLY_RETURNS,
    ),
    twin(
        "29c what is sent is read before the lock: ship and ask back",
        BACK + "test_l11_what_is_asked_back_while_it_leaves_has_left_or_cannot_come_back",
        *EARLY_FLOOR,
    ),
    twin(
        "29d inspected without looking at what has been inspected",
        (
            BACK + "test_i10_of_two_who_inspect_the_same_units_one_does_and_they_become_stock_once",
            RETURNS + "test_no_more_is_received_than_is_still_to_come_nor_inspected_than_has_come",
        ),
        (
            "domain/returning.py",
            "((lines[line].line, count, lines[line].to_inspect) for line, count in total.items())",
            "((lines[line].line, count, lines[line].received) for line, count in total.items())",
        ),
    ),
    twin(
        "29e received without looking at the state again under the lock",
        BACK + "test_i14_of_who_receives_a_return_and_who_cancels_it_the_first_one_wins",
        ("domain/returning.py", '    require(one, "receiveReturn")\n', ""),
        ("domain/returning.py", '    require(one, "cancelReturn")\n', ""),
    ),
    twin(
        "29f what comes back is on hand before anybody has looked at it",
        RETURNS + "test_l11_what_came_back_is_no_stock_before_somebody_has_looked_at_it",
        (
            "domain/returning.py",
            '    require(one, "receiveReturn")\n',
            """    require(one, "receiveReturn")
    arrived = [StockChange(item=line.item, location=one.location, delta=line.expected) for line in one.lines]
    apply(batch, arrived, MovementCause.RETURNED, AllocationCause.RETURNED, None)
""",
        ),
    ),
    twin(
        "29g what comes back for sale is nothing to those who wait",
        (
            BACK + "test_o8_who_wants_what_comes_back_gets_it_at_once_or_in_the_turn_of_who_waits",
            RETURNS + "test_o8_only_what_is_for_sale_again_sets_off_a_run_of_who_waits",
        ),
        (
            "domain/deriving.py",
            "    AllocationCause.RETURNED,\n    AllocationCause.STOCK_RES",
            "    AllocationCause.STOCK_RES",
        ),
    ),
    twin(
        "29h what comes back for sale is on hand twice",
        ONE_LIFE,
        (
            "domain/returning.py",
            "changes.append(StockChange(item=item, location=place, delta=units.quantity))",
            "changes.append(StockChange(item=item, location=place, delta=2 * units.quantity))",
        ),
    ),
    twin(
        "30 a transfer that is canceled is nowhere",
        ONE_LIFE,
        (
            "domain/supplying.py",
            "_changes(before.from_location, before.open, MovementCause.TRANSFER_CANCELED)",
            "_changes(before.from_location, {}, MovementCause.TRANSFER_CANCELED)",
        ),
    ),
    twin(
        "a connection that has broken off is written to",
        "tests/gql/test_breaking_off.py::test_a_connection_that_has_broken_off_takes_nothing_and_disturbs_nobody",
        ("dibs/door.py", "        if self.transport.is_closing():", "        if self.transport is None:"),
    ),
    twin(
        "a cursor that is too old skips in silence",
        CLEANING + "test_a_cursor_from_before_the_log_begins_has_expired_and_no_other",
        ("persistence/events.py", "(rows[0].start > max(after, 0) or rows[0].undone)", "rows[0].undone"),
    ),
    twin(
        "a cursor of a history that a restore has undone is taken",
        RESTORING + "test_after_a_restore_cursors_of_what_was_lost_are_expired_and_others_go_on",
        ("persistence/events.py", " or rows[0].undone)", ")"),
    ),
    twin(
        "after a restore new events have the ids of lost ones",
        RESTORING + "test_after_a_restore_cursors_of_what_was_lost_are_expired_and_others_go_on",
        (
            "persistence/restoring.py",
            'await connection.execute(MOVE_SEQUENCES, {"ahead": AHEAD, "ahead_small": AHEAD_SMALL})',
            "pass",
        ),
    ),
    twin(
        "what was sent stands in the log as it is",
        LINES + "test_what_was_sent_begins_no_line_and_steers_no_terminal",
        ("dibs/log.py", "{_escaped(event)}", "{event}"),
    ),
    twin(
        "a secret is hidden only where somebody thought of it",
        LINES + "test_what_looks_like_a_secret_is_hidden_wherever_it_stands",
        ("dibs/log.py", "values[name] = self._secrets.sub(_without_secret, value)", "pass"),
    ),
    twin(
        "a database that loses commits is good enough",
        READY + "test_synchronous_commit_off_is_an_obstacle_unless_it_is_allowed",
        ("dibs/readiness.py", "not await is_durable(self._engine)", "False"),
    ),
    twin(
        "ready is who has a free connection",
        READY + "test_a_process_whose_connections_are_all_at_work_is_ready",
        (
            "dibs/working.py",
            "readiness = Readiness(watching,",
            "readiness = Readiness(engine,",
        ),
    ),
    twin(
        "the end waits for a driver that waits for ever",
        ENDING + "test_a_database_that_says_nothing_any_more_does_not_keep_a_process_from_ending",
        ("dibs/ending.py", "            timer.start()\n", "            pass\n"),
    ),
    twin(
        "what webhooks have not taken up is forgotten",
        CLEANING + "test_what_webhooks_have_not_taken_up_or_delivered_is_kept",
        ("persistence/events.py", "(SELECT min(position) FROM webhook_endpoints WHERE enabled)", "NULL"),
    ),
    twin(
        "a replay goes back to what is being forgotten",
        CLEANING + "test_nobody_goes_back_to_what_is_being_forgotten",
        ("persistence/events.py", "FROM log_start FOR NO KEY UPDATE", "FROM log_start"),
    ),
    twin(
        "a level is written over whatever it is now",
        GUARDS + "test_a_level_that_changed_since_it_was_read_is_not_written_over",
        ("persistence/stock_writes.py", " AND s.version = n.version - 1", ""),
    ),
    twin(
        "a key is answered whatever was asked under it",
        KEYS + "test_the_same_key_with_other_input_is_refused_and_the_first_answer_stays",
        ("services/keys.py", "    if stored != made_from:\n", "    if not stored:\n"),
    ),
    twin(
        "the desk gives answers to the wrong callers",
        DESK + "test_a_refusal_of_one_request_touches_no_other",
        ("services/desk.py", "in zip(batch, answers, strict=True)", "in zip(batch, answers[::-1], strict=True)"),
    ),
    twin(
        "the desk puts twins into one batch",
        DESK + "test_twins_that_come_together_have_one_effect_and_break_no_batch",
        ("services/desk.py", "asked.identity in identities or ", ""),
    ),
    twin(
        "a poisoned request takes its batch with it",
        DESK + "test_a_request_that_breaks_fails_alone",
        (
            "services/desk.py",
            "                if unknown and ticket.asked.key is None:\n",
            "                if ticket.asked.key or ticket.asked.key is None:\n",
        ),
    ),
    twin(
        "a request of a batch is lost with the caller who stopped waiting",
        DESK + "test_whoever_stops_waiting_disturbs_nobody_and_the_key_tells_the_outcome",
        (
            "services/desk.py",
            "            batch.append(self._queue.popleft())\n",
            "            batch += [one for one in [self._queue.popleft()] if not one.answer.done()]\n",
        ),
    ),
    twin(
        "a request does not see the flags that the ones before it left",
        DESK + "test_a_request_sees_the_flags_that_the_ones_before_it_lifted",
        (
            "services/performing.py",
            "        await settle(uow, batch)  # the next command sees the flags as this one leaves them\n    changes",
            "    await settle(uow, batch)\n    changes",
        ),
    ),
    twin(
        "a line that is added and canceled in one batch is written as open",
        DESK + "test_a_line_that_is_added_and_voided_in_one_batch_is_canceled",
        ("persistence/order_writes.py", "        line.canceled,  # a later", "        0,  # a later"),
    ),
    twin(
        "flags are not set anew when stock falls",
        ALLOCATION + "test_o14_an_order_of_one_becomes_overallocated_when_stock_falls_to_zero",
        (
            "domain/claim_moves.py",
            "        self._stale_levels.add(level.key)\n        self._blame(level.key, cause)\n",
            "        self._blame(level.key, cause)\n",
        ),
    ),
    twin(
        "parts of a bundle stay set aside that make no whole one",
        ANYTHING_GOES,
        (
            "domain/allocation.py",
            "                takes[taken_before:] = self._only_whole(asks, order.parts, takes[taken_before:], short)\n",
            "                pass\n",
        ),
    ),
    twin(
        "whoever comes back is told what was read before they asked",
        "tests/gql/test_streams.py::test_nobody_is_told_what_was_read_before_they_asked",
        ("gql/streams.py", "                if execution.began >= since:\n", "                if True:\n"),
    ),
    twin(
        "the strongest claim is flagged first",
        (
            PLANS + "test_flags_fall_unit_by_unit_on_the_weakest_claim",
            ALLOCATION + "test_the_order_of_lowest_priority_loses_its_stock_first_although_it_was_allocated_first",
        ),
        ("domain/allocation.py", "return claim.priority, -made, -number", "return -claim.priority, made, number"),
    ),
    twin(
        "the claims that compete are read the strongest first",
        ALLOCATION + "test_the_order_of_lowest_priority_loses_its_stock_first_although_it_was_allocated_first",
        (
            "persistence/batches.py",
            "ORDER BY coalesce(o.priority, 0), coalesce(a.seniority, a.id) DESC, a.id DESC)",
            "ORDER BY coalesce(o.priority, 0) DESC, coalesce(a.seniority, a.id), a.id)",
        ),
    ),
    twin(
        "an overallocated order keeps its old claims beside the new ones",
        ALLOCATION + "test_allocating_an_overallocated_order_deallocates_and_allocates_it_in_one_transaction",
        ("domain/allocating.py", "        if demand.gives_back:\n", "        if not demand:\n"),
    ),
    twin(
        "an order that ships complete keeps a part",
        ALLOCATION + "test_i13_an_order_that_ships_complete_gets_nothing_when_only_its_sum_is_too_much",
        ("domain/allocation.py", "if order.all_or_nothing and (short or order.not_asked_for):", "if False:"),
    ),
    twin(
        "available is read as on hand less committed",
        ALLOCATION + "test_damaged_and_safety_stock_take_stock_from_under_a_claim_as_a_count_does",
        ("domain/stock.py", "max(0, self.on_hand - self.unavailable)", "max(0, self.on_hand)"),
    ),
    twin(
        "a tracking link is made by whoever finds none",
        TRACKING + "test_fifty_who_ask_for_a_new_link_at_a_time_get_the_same",
        (
            "persistence/journeys.py",
            "ORDER BY n.order_id ON CONFLICT (order_id) DO NOTHING",
            "ORDER BY n.order_id ON CONFLICT (order_id) DO UPDATE SET token = excluded.token",
        ),
    ),
    twin(
        "customers are told why an order is held",
        TRACKING + "test_a_held_order_tells_nobody_why",
        (
            "persistence/journeys.py",
            "o.ship_to ->> 'city',",
            "(SELECT max(h.note) FROM order_holds h WHERE h.order_id = o.id),",
        ),
    ),
    twin(
        "a parcel that arrives delivers all of its fulfillment",
        CARRIERS + "test_l9_what_has_arrived_in_all_its_parcels_is_delivered_when_the_last_one_came",
        (
            "domain/tracking.py",
            "return None if None in times else max(",
            "return None if not any(times) else max(",
        ),
    ),
    twin(
        "what a carrier says last is what happened last",
        CARRIERS + "test_l8_the_latest_by_the_carriers_clock_counts_in_whatever_sequence_they_come",
        (
            "domain/tracking.py",
            "return (event.occurred_at, RANK[event.status]) > (at, RANK[status])",
            "return event.status is not status",
        ),
    ),
    twin(
        "whoever comes last in a batch has done it all",
        "tests/domain/test_batch.py::test_of_several_who_share_a_batch_each_is_named_for_their_own_change",
        (
            "domain/deriving.py",
            "actors=tuple(changes[change] for change in sequence),",
            "actors=tuple(copy.actor for _ in sequence),",
        ),
    ),
    twin(
        "what may be committed is called busy when it cannot be done again",
        DATABASE + "test_what_may_have_been_committed_is_not_called_busy_because_it_could_not_be_done_again",
        ("persistence/database.py", "given_up = OutcomeUnknown  # whatever", "given_up = busy  # whatever"),
    ),
    twin(
        "a batch that may be committed is called busy when its requests cannot be looked up",
        DESK + "test_a_batch_that_is_committed_is_not_called_busy_because_it_cannot_be_looked_up",
        ("services/desk.py", "OutcomeUnknown() if may_be_done and isinstance(error, Busy) else error", "error"),
    ),
    twin(
        "what was written is called busy when it cannot be shown",
        "tests/gql/test_cut_off.py::"
        "test_i7_what_was_written_and_cannot_be_shown_is_an_unknown_outcome_and_the_key_tells_it",
        ("gql/errors.py", "if writes and isinstance(cause, NotRead):", "if False:"),
    ),
    twin(
        "everybody finds out for themselves that a connection leads nowhere",
        DATABASE + "test_connections_that_lead_nowhere_are_doubted_once_something_was_not_answered",
        ("persistence/database.py", "            doubt_connections(self.engine)\n", ""),
    ),
    twin(
        "what happens while it is asked whether something has ended is told to nobody",
        HUB + "test_whether_what_is_watched_has_ended_is_asked_once_nothing_can_be_missed",
        ("gql/hub.py", " or subscriber.held or subscriber.has_missed:", ":"),
    ),
    twin(
        "an embedded server that ends stays away",
        "tests/persistence/test_embedded.py::"
        "test_a_server_that_is_killed_is_started_again_on_its_port_and_has_its_data",
        (
            "persistence/embedded.py",
            "            keeper.start()\n",
            "            keeper.start = keeper.join = lambda: None\n            keeper.start()\n",
        ),
    ),
)
