"""Who gets the stock, and which claims lose it."""

from domain.allocation import StockView, Take, flags, plan
from domain.ids import LineId
from tests.builders import CHAIR, HULL, LEEDS, TABLE, YORK, claim, level, stock, taken, wants


def short(decision):
    """Order, line and units of everything that is short."""
    return [(order.order, line, units) for order in decision.orders for line, units in order.short.items()]


# ---------------------------------------------------------------- plan


def test_the_location_of_lowest_rank_is_used_before_the_next_one():
    decision = plan([wants(1, (CHAIR, 5))], stock(level(CHAIR, YORK, on_hand=9), level(CHAIR, LEEDS, on_hand=3)))

    assert taken(decision) == [(1, "CHAIR", "LEEDS", 3), (1, "CHAIR", "YORK", 2)]
    assert short(decision) == []


def test_of_locations_of_the_same_rank_the_oldest_is_used_first():
    levels = [level(CHAIR, place, on_hand=1) for place in (HULL, YORK, LEEDS)]

    decision = plan([wants(1, (CHAIR, 2))], StockView(levels, dict.fromkeys((YORK, HULL, LEEDS), 7)))

    assert taken(decision) == [(1, "CHAIR", "LEEDS", 1), (1, "CHAIR", "YORK", 1)]


def test_a_location_that_may_not_be_used_is_not_used():
    levels = level(CHAIR, LEEDS, on_hand=5), level(CHAIR, YORK, on_hand=1)

    decision = plan([wants(1, (CHAIR, 2))], stock(*levels, ranks={YORK: 1}))

    assert taken(decision) == [(1, "CHAIR", "YORK", 1)]
    assert short(decision) == [(1, 10, 1)]


def test_orders_are_served_in_the_sequence_given():
    orders = [wants(2, (CHAIR, 2)), wants(1, (CHAIR, 2)), wants(3, (CHAIR, 1))]

    decision = plan(orders, stock(level(on_hand=3)))

    assert [order.order for order in decision.orders] == [2, 1, 3]
    assert taken(decision) == [(2, "CHAIR", "LEEDS", 2), (1, "CHAIR", "LEEDS", 1)]
    assert short(decision) == [(1, 10, 1), (3, 30, 1)]


def test_only_what_is_available_is_taken():
    decision = plan([wants(1, (CHAIR, 9))], stock(level(on_hand=9, committed=4, damaged=1, safety_stock=2)))

    assert taken(decision) == [(1, "CHAIR", "LEEDS", 2)]


def test_nothing_is_taken_where_more_is_committed_than_there_is():
    decision = plan([wants(1, (CHAIR, 1))], stock(level(CHAIR, LEEDS, on_hand=1, committed=3), level(CHAIR, YORK)))

    assert taken(decision) == []
    assert short(decision) == [(1, 10, 1)]


def test_i13_the_same_sku_on_two_lines_draws_on_one_stock():
    decision = plan([wants(1, (CHAIR, 3), (TABLE, 1), (CHAIR, 3))], stock(level(on_hand=5), level(TABLE, on_hand=1)))

    assert taken(decision) == [(1, "CHAIR", "LEEDS", 3), (1, "TABLE", "LEEDS", 1), (1, "CHAIR", "LEEDS", 2)]
    assert short(decision) == [(1, 12, 1)]


def test_an_order_that_wants_everything_or_nothing_takes_nothing_when_a_unit_is_missing_and_the_next_one_may():
    orders = [wants(1, (CHAIR, 2), (TABLE, 2), whole=True), wants(2, (CHAIR, 2), whole=True)]

    decision = plan(orders, stock(level(on_hand=2), level(TABLE, on_hand=1)))

    assert taken(decision) == [(2, "CHAIR", "LEEDS", 2)]
    assert short(decision) == [(1, 10, 2), (1, 11, 2)]


def test_an_order_that_wants_everything_takes_nothing_while_it_does_not_ask_for_everything():
    decision = plan([wants(1, (CHAIR, 1), whole=True, not_asked_for=1)], stock(level(on_hand=9)))

    assert taken(decision) == []


def test_an_order_gives_back_before_it_takes_and_after_those_that_come_before_it():
    holds = [Take(LineId(20), CHAIR, LEEDS, 2)]
    orders = [wants(1, (CHAIR, 1)), wants(2, (CHAIR, 2), gives_back=holds), wants(3, (CHAIR, 1))]

    decision = plan(orders, stock(level(on_hand=2, committed=2)))

    assert taken(decision) == [(2, "CHAIR", "LEEDS", 2)]
    assert short(decision) == [(1, 10, 1), (3, 30, 1)]


def test_what_an_order_gives_back_at_a_location_that_may_not_be_used_is_not_taken_again():
    holds = [Take(LineId(10), CHAIR, LEEDS, 2)]

    decision = plan([wants(1, (CHAIR, 2), gives_back=holds)], stock(level(on_hand=2, committed=2), ranks={YORK: 1}))

    assert taken(decision) == []


def test_a_plan_leaves_the_stock_as_it_is():
    view = stock(level(on_hand=5))

    assert plan([wants(1, (CHAIR, 3))], view) == plan([wants(1, (CHAIR, 3))], view)


def test_an_item_without_any_level_is_short():
    assert short(plan([wants(1, (TABLE, 3))], stock(level(on_hand=5)))) == [(1, 10, 3)]


# ---------------------------------------------------------------- flags


def test_where_nothing_is_missing_no_claim_is_flagged():
    assert flags([claim(1, 3), claim(2, 1)], 0) == {}


def test_the_latest_claim_of_the_lowest_priority_carries_the_flag():
    claims = [claim(1, 1, priority=0), claim(2, 1, priority=-1), claim(3, 1, priority=-1), claim(4, 1, priority=5)]

    assert flags(claims, 1) == {3: 1}
    assert flags(claims, 2) == {3: 1, 2: 1}
    assert flags(claims, 3) == {3: 1, 2: 1, 1: 1}


def test_a_flag_takes_a_part_of_a_claim():
    assert flags([claim(1, 5), claim(2, 2)], 3) == {2: 2, 1: 1}


def test_no_more_than_what_is_claimed_is_flagged():
    assert flags([claim(1, 1)], 9) == {1: 1}
