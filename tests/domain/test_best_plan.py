"""Which orders are chosen to be completed: never worse than oldest first, and as good as trying everything."""

import asyncio
import random
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from dibs.solving import Highs, solve
from domain.allocation import POLICIES, Policy
from domain.batch import Batch
from domain.best_plan import Program, Solution, chosen_orders, completed, program_of, weights_of
from domain.changes import Facts
from domain.ids import ItemId, OrderId
from domain.kinds import AllocationSequence, ShippingPolicy
from domain.orders import allocation_status
from domain.runs import RunSeek
from domain.sourcing import Sourcing
from domain.what_if import served
from services.planning import Planner, Seen
from tests.builders import CHAIR, LAMP, LEEDS, LOCATIONS, SKUS, TABLE, YORK, batch, claim, level, line, order

ORDERS, VALUE = AllocationSequence.MAX_COMPLETE_ORDERS, AllocationSequence.MAX_COMPLETE_VALUE
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def everywhere(needs):
    """Rows of SKUs over all locations."""
    return {(item, 0): units for item, units in needs.items()}


def program(supply, *needs, weights=None):
    return Program(
        orders=tuple(OrderId(at) for at in range(len(needs))),
        needs=tuple(map(everywhere, needs)),
        weights=tuple(weights or [1.0] * len(needs)),
        supply=everywhere(supply),
    )


def fits(one: Program, chosen):
    return all(sum(one.needs[at].get(item, 0) for at in chosen) <= units for item, units in one.supply.items())


def best_by_trying(one: Program):
    """The choice of the largest sum and, of those, of the earliest positions, all choices tried."""
    choices = [chosen for size in range(len(one.orders) + 1) for chosen in combinations(range(len(one.orders)), size)]
    return max(
        ((sum(one.weights[at] for at in chosen), -sum(chosen)), chosen) for chosen in choices if fits(one, chosen)
    )


@st.composite
def programs(draw):
    needs = draw(
        st.lists(st.dictionaries(st.sampled_from((CHAIR, TABLE, LAMP)), st.integers(1, 4), min_size=1), max_size=7)
    )
    supply = {item: draw(st.integers(0, 8)) for item in (CHAIR, TABLE, LAMP)}
    possible = [one for one in needs if all(supply[item] >= units for item, units in one.items())]
    weights = [draw(st.sampled_from((1.0, 1.0, 2.5, 0.0))) for _ in possible]
    return program(supply, *possible, weights=weights)


@settings(deadline=None, max_examples=60)
@given(programs())
def test_highs_finds_what_trying_everything_finds_and_proves_it(one):
    solution = solve(one, 20)

    (most, _), _ = best_by_trying(one)
    assert fits(one, solution.chosen)
    assert solution.optimal
    assert abs(sum(one.weights[at] for at in solution.chosen) - most) < 1e-6
    assert abs(solution.bound - most) < 1e-6


@settings(deadline=None, max_examples=60)
@given(programs())
def test_of_choices_that_complete_as_many_the_one_of_the_oldest_orders_is_taken(one):
    counted = replace(one, weights=(1.0,) * len(one.orders))

    solution = solve(counted, 20)

    assert -sum(solution.chosen) == best_by_trying(counted)[0][1]


def a_hard_program():
    chance = random.Random(1)  # noqa: S311
    needs = [{ItemId(item): chance.randint(1, 5) for item in chance.sample(range(300), 3)} for _ in range(3_000)]
    return program({ItemId(item): chance.randint(20, 60) for item in range(300)}, *needs)


def test_what_is_found_in_time_is_the_answer_with_the_bound_that_is_proven_by_then():
    hard = a_hard_program()

    solution = solve(hard, 0.5)

    assert not solution.optimal
    assert 0 < len(chosen_orders(hard, solution)) <= solution.bound <= len(hard.orders)


async def test_whoever_stops_waiting_stops_the_solver():
    threads = set(threading.enumerate())
    waiting = asyncio.ensure_future(Highs().solve(a_hard_program(), 3_600))
    await asyncio.sleep(1)

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    await asyncio.get_running_loop().shutdown_default_executor()
    assert set(threading.enumerate()) <= threads


def test_a_choice_that_does_not_fit_by_the_unit_is_left_out_and_what_still_fits_is_added():
    one = program({CHAIR: 3}, {CHAIR: 2}, {CHAIR: 2}, {CHAIR: 1})

    chosen = chosen_orders(one, Solution(chosen=frozenset({0, 1}), bound=3, optimal=False))

    assert chosen == {0, 2}


def test_what_an_order_holds_counts_and_an_order_that_takes_nothing_from_anybody_is_free():
    lines = [
        line(CHAIR, 5, number=1, order=1, allocated=4),
        line(CHAIR, 2, number=2, order=2),
        line(TABLE, 1, number=3, order=3),
        line(TABLE, 9, number=4, order=4),
    ]
    levels = [level(CHAIR, LEEDS, on_hand=5, committed=4), level(CHAIR, YORK, on_hand=1), level(TABLE, on_hand=3)]
    claims = [claim(1, 4, order=1, line=1)]
    now = batch(levels, [order(number) for number in (1, 2, 3, 4)], lines, claims)

    one = program_of(now, [OrderId(number) for number in (1, 2, 3, 4)], dict.fromkeys(map(OrderId, range(1, 5)), 1.0))

    assert one.orders == (1, 2)
    assert one.needs == (everywhere({CHAIR: 1}), everywhere({CHAIR: 2}))
    assert one.supply == everywhere({CHAIR: 2})
    assert one.free == {3}


def test_stock_that_a_channel_is_not_served_from_does_not_count_for_its_orders():
    lines = [line(CHAIR, 2, number=number, order=number) for number in (1, 2, 3)]
    orders = [order(1), order(2), replace(order(3), channel="ELSEWHERE")]
    levels = [level(CHAIR, LEEDS, on_hand=3), level(CHAIR, YORK, on_hand=2)]
    sourcing = {"SHOP": Sourcing(locations=frozenset({LEEDS}))}
    now = Batch(Facts(locations=LOCATIONS, skus=SKUS, levels=levels, orders=orders, lines=lines, sourcing=sourcing))

    one = program_of(now, [OrderId(1), OrderId(2), OrderId(3)], dict.fromkeys(map(OrderId, (1, 2, 3)), 1.0))

    assert sorted(one.supply.values()) == [3, 5]
    assert best_by_trying(one)[1] == (0, 2)


def test_what_an_overallocated_order_gives_back_is_there():
    lines = [line(CHAIR, 3, number=1, order=1, allocated=3, overallocated=1), line(CHAIR, 2, number=2, order=2)]
    claims = [claim(1, 3, order=1, line=1, overallocated=1)]
    now = batch([level(CHAIR, on_hand=2, committed=3)], [order(1), order(2)], lines, claims)

    one = program_of(now, [OrderId(1), OrderId(2)], {OrderId(1): 1.0, OrderId(2): 1.0})

    assert (one.orders, one.free) == ((), {2}), "the first can not be completed at all"


# ---------------------------------------------------------------- values


def test_without_exchange_rates_an_order_counts_in_mean_orders_of_its_currency():
    values = {
        OrderId(1): {"GBP": Decimal(30)},
        OrderId(2): {"GBP": Decimal(10)},
        OrderId(3): {"JPY": Decimal(5000)},
        OrderId(4): {},
    }

    assert weights_of(VALUE, [OrderId(at) for at in (1, 2, 3, 4)], values) == {1: 1.5, 2: 0.5, 3: 1.0, 4: 0.0}
    assert weights_of(VALUE, [OrderId(1)], {OrderId(1): {"GBP": Decimal("30.50")}}) == {1: 30.5}
    assert weights_of(ORDERS, [OrderId(1)], values) == {1: 1.0}


# ---------------------------------------------------------------- the whole plan

ITEMS, PLACES = (CHAIR, TABLE, LAMP), (LEEDS, YORK)


@st.composite
def shops(draw):
    """Orders, the oldest first, some of which hold something or have lost it, and what is there."""
    chance = draw(st.randoms(use_true_random=False))
    orders, lines, claims = [], [], []
    committed = dict.fromkeys(((item, place) for item in ITEMS for place in PLACES), 0)
    for number in range(1, draw(st.integers(1, 8)) + 1):
        policy = chance.choice(list(ShippingPolicy))
        mine = []
        for item in chance.sample(ITEMS, chance.randint(1, 3)):
            quantity = chance.randint(1, 4)
            held = chance.choice((0, 0, 0, 1, quantity - 1))
            one = line(item, quantity, number=len(lines) + 1, order=number, allocated=held)
            if held:
                place = chance.choice(PLACES)
                committed[item, place] += held
                claims.append(claim(len(claims) + 1, held, item=item, location=place, order=number, line=one.id))
            lines.append(one)
            mine.append(one)
        made = order(number, policy=policy, allocation_status=allocation_status(order().status, mine))
        orders.append(replace(made, channel=chance.choice(("SHOP", "ELSEWHERE"))))
    lost = lines[claims[0].line - 1] if claims and chance.random() < 0.5 else None
    if lost:
        claims[0] = replace(claims[0], overallocated=1)
        lines[lost.id - 1] = replace(lost, overallocated=1)
    levels = [
        level(
            *key,
            on_hand=units - 1 if lost and key == claims[0].level else units + chance.randint(0, 4),
            committed=units,
        )
        for key, units in committed.items()
    ]
    sourcing = {"ELSEWHERE": Sourcing(locations=frozenset({YORK}), split_lines=chance.random() < 0.5)}
    facts = Facts(
        locations=LOCATIONS,
        sourcing=sourcing,
        skus=SKUS,
        levels=levels,
        orders=orders,
        lines=lines,
        claims=claims,
    )
    places = [
        RunSeek(placed_at=NOON + timedelta(minutes=one.id), order=one.id, priority=chance.randint(0, 2))
        for one in orders
    ]
    kept = frozenset(one.id for one in orders if chance.random() < 0.2)
    values = {one.id: {"GBP": Decimal(chance.randint(0, 20))} for one in orders}
    run = Policy(smaller_may_pass=chance.random() < 0.7)
    return Seen(places=places, facts=facts, kept=kept, values=values, policy=run)


class Nonsense:
    """Chooses everything, which can not be done."""

    async def solve(self, program, seconds):
        return Solution(chosen=frozenset(range(len(program.orders))), bound=sum(program.weights), optimal=False)


def reached(seen, policy, sequence):
    weights = weights_of(policy, [one.order for one in seen.places], seen.values)
    return sum(weights[one] for one in completed(served(seen.facts, sequence, seen.policy), sequence))


@settings(deadline=None, max_examples=150)
@given(shops(), st.sampled_from((ORDERS, VALUE)), st.sampled_from((Highs(), Nonsense())))
def test_a_best_plan_is_never_worse_than_oldest_first_and_never_beats_its_bound(seen, policy, solver):
    made = asyncio.run(Planner(None, solver)._make(seen, policy, 20))

    kept = [one.order for one in seen.places if one.order in seen.kept]
    fifo = kept + [one.order for one in seen.places if one.order not in seen.kept]
    assert sorted(made.sequence) == sorted(fifo)
    assert list(made.sequence[: len(kept)]) == kept
    assert made.report.fifo_objective == reached(seen, policy, fifo)
    assert made.report.objective == reached(seen, policy, made.sequence) >= made.report.fifo_objective
    assert made.report.objective <= made.report.bound + 1e-6


@settings(deadline=None, max_examples=60)
@given(shops(), st.sampled_from((ORDERS, VALUE)), st.randoms(use_true_random=False))
def test_no_sequence_whatever_beats_the_proven_bound(seen, policy, chance):
    made = asyncio.run(Planner(None, Highs())._make(seen, policy, 20))

    kept = [one.order for one in seen.places if one.order in seen.kept]
    others = [one.order for one in seen.places if one.order not in seen.kept]
    for _ in range(5):
        chance.shuffle(others)
        assert reached(seen, policy, kept + others) <= made.report.bound + 1e-6


def test_small_orders_are_completed_where_an_old_large_one_would_leave_nothing():
    lines = [line(CHAIR, 3, number=1, order=1), line(CHAIR, 1, number=2, order=2), line(CHAIR, 2, number=3, order=3)]
    facts = Facts(
        locations=LOCATIONS, skus=SKUS, levels=[level(on_hand=3)], orders=[order(1), order(2), order(3)], lines=lines
    )
    places = [RunSeek(placed_at=NOON, order=OrderId(number), priority=0) for number in (1, 2, 3)]
    seen = Seen(places=places, facts=facts, kept=frozenset(), values={})

    made = asyncio.run(Planner(None, Highs())._make(seen, ORDERS, 20))

    assert list(made.sequence) == [2, 3, 1]
    assert (made.report.complete_orders, made.report.fifo_complete_orders) == (2, 1)
    assert (made.report.bound, made.report.optimal) == (2.0, True)


def test_every_sequence_has_its_policy():
    assert set(POLICIES) == set(AllocationSequence)


def test_policies_sort():
    places = [
        RunSeek(placed_at=NOON + timedelta(minutes=minute), order=OrderId(number), priority=priority)
        for number, minute, priority in ((1, 2, 5), (2, 1, 0), (3, 1, 0))
    ]

    def sorted_by(policy, chosen=()):
        return [one.order for one in POLICIES[policy](places, chosen)]

    assert sorted_by(AllocationSequence.PLACED_AT_ASC) == [2, 3, 1]
    assert sorted_by(AllocationSequence.PRIORITY_DESC) == [1, 2, 3]
    assert sorted_by(ORDERS, {OrderId(1), OrderId(3)}) == [3, 1, 2]
