"""In which order the locations are tried for an order, and which of them may serve it."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.allocation import Ask, Policy, Take, plan
from domain.ids import ItemId, LineId, LocationId
from domain.kinds import SourcingRule
from domain.orders import Address
from domain.sourcing import SETS_MAX, Sourcing, arrange, distance, great_circle_km
from domain.stock import Location
from tests.builders import CHAIR, HULL, LEEDS, TABLE, YORK, level, stock, taken, wants

RANK, NEAREST = SourcingRule.LOCATION_RANK, SourcingRule.NEAREST
FEWEST_SPLITS, MOST_STOCK = SourcingRule.FEWEST_SPLITS, SourcingRule.MOST_STOCK
IN_HULL = Address(latitude=53.74, longitude=-0.33)


def place(number: int, rank: int = 100, **fields) -> Location:
    return Location(id=LocationId(number), code=f"L{number}", name="", rank=rank, **fields)


def arranged(demand, stock, rules, *, places=None, ship_to=None):
    """The numbers of the locations in the order in which they are tried; `stock` by (item, location)."""
    places = places or [place(number, rank=number) for number in sorted({at for _, at in stock})]
    return list(arrange(demand, places, rules, ship_to, lambda *key: stock.get(key, 0)).locations)


def test_l4_by_rank_the_lowest_comes_first_and_of_equal_ranks_the_oldest():
    places = [place(3, rank=1), place(2, rank=5), place(1, rank=5)]

    assert arranged({CHAIR: 1}, {}, (RANK,), places=places) == [3, 1, 2]


def test_l4_the_nearest_location_is_tried_first():
    leeds = place(1, latitude=53.80, longitude=-1.55)
    hull = place(2, latitude=53.74, longitude=-0.33)
    york = place(3, latitude=53.96, longitude=-1.08)

    assert arranged({CHAIR: 1}, {}, (NEAREST,), places=[leeds, hull, york], ship_to=IN_HULL) == [2, 3, 1]


def test_without_coordinates_the_same_region_comes_before_the_same_country_and_that_before_any_other():
    ship_to = Address(country_code="GB", region="Yorkshire")
    abroad, same_country = place(1, country_code="FR", region="Yorkshire"), place(2, country_code="GB")
    same_region = place(3, country_code="GB", region="YORKSHIRE")

    assert arranged({CHAIR: 1}, {}, (NEAREST,), places=[abroad, same_country, same_region], ship_to=ship_to) == [
        3,
        2,
        1,
    ]


def test_a_location_with_coordinates_is_nearer_than_one_that_only_shares_the_country():
    ship_to = Address(country_code="GB", region="Yorkshire", latitude=53.74, longitude=-0.33)
    near, unknown = place(2, latitude=-40.0, longitude=175.0), place(1, country_code="GB", region="Yorkshire")

    assert arranged({CHAIR: 1}, {}, (NEAREST,), places=[unknown, near], ship_to=ship_to) == [2, 1]


def test_the_great_circle_is_measured_in_kilometres():
    assert great_circle_km(51.4706, -0.461941, 40.6398, -73.7789) == pytest.approx(5_540, abs=10)  # LHR to JFK
    assert great_circle_km(0, 0, 0, 180) == pytest.approx(20_015, abs=1)
    assert great_circle_km(10, 20, 10, 20) == 0


def test_an_order_without_an_address_is_equally_far_from_everywhere():
    assert distance(place(1, latitude=1.0, longitude=1.0), None) == distance(place(2, country_code="GB"), None)


def test_one_location_that_has_everything_comes_before_two_of_better_rank():
    stock = {(CHAIR, 1): 2, (TABLE, 2): 2, (CHAIR, 3): 2, (TABLE, 3): 2}

    assert arranged({CHAIR: 2, TABLE: 2}, stock, (FEWEST_SPLITS, RANK)) == [3, 1, 2]
    assert arranged({CHAIR: 2, TABLE: 2}, stock, (RANK, FEWEST_SPLITS)) == [1, 2, 3]


def test_two_locations_that_have_everything_come_before_three():
    stock = {(CHAIR, 1): 1, (CHAIR, 2): 1, (CHAIR, 3): 1, (CHAIR, 4): 2}

    assert arranged({CHAIR: 3}, stock, (FEWEST_SPLITS,))[:2] == [1, 4]


def test_where_not_everything_is_there_as_few_locations_as_possible_serve_what_is():
    stock = {(CHAIR, 1): 1, (CHAIR, 2): 1, (CHAIR, 3): 0, (TABLE, 1): 1, (TABLE, 3): 1, (TABLE, 2): 1}

    assert arranged({CHAIR: 9, TABLE: 1}, stock, (FEWEST_SPLITS,))[:2] == [1, 2]


def test_the_location_with_the_most_of_what_is_wanted_comes_first():
    stock = {(CHAIR, 1): 3, (CHAIR, 2): 1, (TABLE, 2): 5, (ItemId(9), 1): 100}

    assert arranged({CHAIR: 1, TABLE: 1}, stock, (MOST_STOCK,)) == [2, 1]


def test_the_search_for_the_fewest_splits_is_bounded_and_says_so():
    places = [place(number, rank=number) for number in range(1, 60)]

    found = arrange({CHAIR: 59}, places, (FEWEST_SPLITS,), None, lambda *_: 1)
    easy = arrange({CHAIR: 2}, places[:10], (FEWEST_SPLITS,), None, lambda *_: 1)

    assert found.capped
    assert list(found.locations) == [one.id for one in places]
    assert SETS_MAX > 59 + 59 * 58 // 2, "the pairs fit; it is the triples that are too many"
    assert not easy.capped


@given(
    st.dictionaries(st.tuples(st.sampled_from((CHAIR, TABLE)), st.integers(1, 5)), st.integers(0, 3)),
    st.dictionaries(st.sampled_from((CHAIR, TABLE)), st.integers(1, 4), min_size=1),
)
def test_no_smaller_set_serves_what_the_chosen_one_serves(stock, demand):
    places = [place(number, rank=number) for number in range(1, 6)]
    wanted = {item: min(units, sum(stock.get((item, at.id), 0) for at in places)) for item, units in demand.items()}

    def serves(some):
        return all(sum(stock.get((item, at), 0) for at in some) >= units for item, units in wanted.items())

    order = arranged(demand, stock, (FEWEST_SPLITS,), places=places)
    used = next(size for size in range(6) if serves(order[:size]))

    smallest = next(size for size in range(6) if any(serves(some) for some in combinations(order, size)))
    assert used == smallest or smallest > 3


# ---------------------------------------------------------------- within a plan


def test_a_channel_is_served_from_its_own_locations_only():
    levels = level(CHAIR, LEEDS, on_hand=5), level(CHAIR, YORK, on_hand=1)

    decision = plan([wants(1, (CHAIR, 2), sourcing=Sourcing(locations=frozenset({YORK})))], stock(*levels))

    assert taken(decision) == [(1, "CHAIR", "YORK", 1)]
    assert decision.orders[0].short == {10: 1}


def test_each_order_is_arranged_over_what_those_before_it_have_left():
    whole = Sourcing(rules=(FEWEST_SPLITS, RANK))
    levels = level(CHAIR, LEEDS, on_hand=2), level(CHAIR, YORK, on_hand=3), level(CHAIR, HULL, on_hand=2)

    decision = plan([wants(number, (CHAIR, 2), sourcing=whole) for number in (1, 2, 3)], stock(*levels))

    assert [(order, place, units) for order, _, place, units in taken(decision)] == [
        (1, "LEEDS", 2),
        (2, "YORK", 2),
        (3, "HULL", 2),
    ]


def test_a_second_location_is_asked_for_the_remainder_only():
    sourcing = Sourcing(rules=(MOST_STOCK,))
    levels = level(CHAIR, LEEDS, on_hand=3), level(CHAIR, YORK, on_hand=4)

    decision = plan([wants(1, (CHAIR, 5), sourcing=sourcing)], stock(*levels))

    assert taken(decision) == [(1, "CHAIR", "YORK", 4), (1, "CHAIR", "LEEDS", 1)]


def test_a_line_that_must_not_be_split_goes_where_all_of_it_is():
    whole = Sourcing(split_lines=False)
    levels = level(CHAIR, LEEDS, on_hand=1), level(CHAIR, YORK, on_hand=2), level(TABLE, LEEDS, on_hand=1)

    decision = plan([wants(1, (CHAIR, 2), (TABLE, 1), sourcing=whole)], stock(*levels))

    assert taken(decision) == [(1, "CHAIR", "YORK", 2), (1, "TABLE", "LEEDS", 1)]


def test_a_line_that_must_not_be_split_and_is_nowhere_in_full_goes_where_most_of_it_is():
    levels = level(CHAIR, LEEDS, on_hand=1), level(CHAIR, YORK, on_hand=2)

    decision = plan([wants(1, (CHAIR, 5), sourcing=Sourcing(split_lines=False))], stock(*levels))

    assert taken(decision) == [(1, "CHAIR", "YORK", 2)]


def test_a_line_that_must_not_be_split_is_topped_up_where_it_is_already():
    order = wants(1, sourcing=Sourcing(split_lines=False), asks=(Ask(LineId(10), CHAIR, 2, (LEEDS,)),))
    levels = level(CHAIR, LEEDS, on_hand=2, committed=1), level(CHAIR, YORK, on_hand=9)

    assert taken(plan([order], stock(*levels))) == [(1, "CHAIR", "LEEDS", 1)]


# ---------------------------------------------------------------- policies


def test_a_smaller_later_order_passes_one_that_does_not_fit_unless_the_policy_forbids_it():
    orders = [wants(1, (CHAIR, 5), (TABLE, 1), whole=True), wants(2, (CHAIR, 2)), wants(3, (TABLE, 1))]
    levels = level(on_hand=3), level(TABLE, on_hand=1)

    assert taken(plan(orders, stock(*levels))) == [(2, "CHAIR", "LEEDS", 2), (3, "TABLE", "LEEDS", 1)]
    strict = plan(orders, stock(*levels), Policy(smaller_may_pass=False))
    assert taken(strict) == []
    assert strict.closed == {CHAIR, TABLE}


def test_what_is_closed_stays_closed_for_later_batches_of_the_run():
    strict = Policy(smaller_may_pass=False)

    assert taken(plan([wants(1, (CHAIR, 1))], stock(level(on_hand=3)), strict, closed={CHAIR})) == []


def test_where_nobody_may_pass_what_the_blocked_order_does_not_want_is_still_given():
    orders = [wants(1, (CHAIR, 5), whole=True), wants(2, (TABLE, 1))]

    decision = plan(orders, stock(level(on_hand=3), level(TABLE, on_hand=1)), Policy(smaller_may_pass=False))

    assert taken(decision) == [(2, "TABLE", "LEEDS", 1)]


def test_an_order_gives_back_what_it_holds_before_its_locations_are_arranged():
    holds = [Take(LineId(10), CHAIR, YORK, 2)]
    order = wants(1, (CHAIR, 2), gives_back=holds, sourcing=Sourcing(rules=(FEWEST_SPLITS,)))

    decision = plan([order], stock(level(CHAIR, LEEDS, on_hand=1), level(CHAIR, YORK, on_hand=2, committed=2)))

    assert taken(decision) == [(1, "CHAIR", "YORK", 2)]
