"""The engine against the reference allocator, and what holds for every input."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.allocation import Ask, OpenOrder, Part, Policy, StockView, Take, flags, plan
from domain.ids import BundleId, LineId, OrderId
from domain.sourcing import BY_RANK, Sourcing
from tests import reference
from tests.builders import CHAIR, HULL, LAMP, LEEDS, LOCATIONS, SKUS, TABLE, YORK, claim, level

ITEMS, PLACES = st.sampled_from((CHAIR, TABLE, LAMP)), st.sampled_from((LEEDS, YORK, HULL))
UNITS = st.integers(0, 6)
WHOLE_LINES = Sourcing(split_lines=False)


@st.composite
def levels(draw):
    keys = draw(st.lists(st.tuples(ITEMS, PLACES), unique=True, max_size=9))
    return [
        level(*key, on_hand=draw(UNITS), committed=draw(UNITS), safety_stock=draw(st.integers(0, 2))) for key in keys
    ]


@st.composite
def open_orders(draw):
    orders = []
    for number in range(draw(st.integers(0, 6))):
        asks = draw(st.lists(st.tuples(ITEMS, UNITS), max_size=4))
        gives_back = draw(st.lists(st.tuples(ITEMS, PLACES, st.integers(1, 3)), max_size=2))
        orders.append(
            OpenOrder(
                order=OrderId(number),
                asks=tuple(Ask(LineId(number * 10 + at), *ask) for at, ask in enumerate(asks)),
                gives_back=tuple(Take(LineId(number * 10), *one) for one in gives_back),
                all_or_nothing=draw(st.booleans()),
                not_asked_for=draw(st.sampled_from((0, 0, 0, 1))),
                sourcing=draw(st.sampled_from((BY_RANK, BY_RANK, WHOLE_LINES))),
                parts=draw(parts_of_bundles(number, [item for item, _ in asks])),
            )
        )
    return orders


@st.composite
def parts_of_bundles(draw, number, items):
    """Some lines next to each other are of one bundle, in which each item stands once."""
    parts, bundle, items_of_it = {}, 0, set()
    for at, item in enumerate(items):
        if item in items_of_it or draw(st.booleans()):
            bundle, items_of_it = bundle + 1, set()
        items_of_it.add(item)
        if bundle % 2:
            units, held = draw(st.integers(1, 3)), draw(st.sampled_from((0, 0, 1, 2)))
            parts[LineId(number * 10 + at)] = Part(BundleId(bundle), units, held)
    return parts


RANKS = st.dictionaries(PLACES, st.integers(0, 2))


def by_reference(orders, levels, ranks, *, nobody_passes):
    places = [LOCATIONS[place].code for place in sorted(ranks, key=lambda place: (ranks[place], place))]
    free = {
        (SKUS[one.item], LOCATIONS[one.location].code): one.backing - one.committed
        for one in levels
        if one.location in ranks
    }
    wishes = [
        reference.Wish(
            asks=[(ask.line, SKUS[ask.item], ask.quantity) for ask in order.asks],
            gives_back=[(SKUS[one.item], LOCATIONS[one.location].code, one.quantity) for one in order.gives_back],
            everything_or_nothing=order.all_or_nothing,
            left_out=bool(order.not_asked_for),
            whole_lines=not order.sourcing.split_lines,
            bundles=order.parts,
        )
        for order in orders
    ]
    return reference.allocate(wishes, places, free, nobody_passes=nobody_passes)


@given(open_orders(), levels(), RANKS, st.booleans())
def test_i16_the_engine_gives_the_plan_of_the_reference_allocator(orders, levels, ranks, nobody_passes):
    places = {place: replace(LOCATIONS[place], rank=rank) for place, rank in ranks.items()}
    decision = plan(orders, StockView(levels, ranks, places), Policy(smaller_may_pass=not nobody_passes))

    expected = by_reference(orders, levels, ranks, nobody_passes=nobody_passes)
    for order, answer in zip(decision.orders, expected, strict=True):
        taken = {}
        for take in order.takes:
            key = (take.line, LOCATIONS[take.location].code)
            assert key not in taken, "one take a line and location"
            taken[key] = take.quantity
        assert taken == answer.taken
        assert dict(order.short) == answer.missing


@given(open_orders(), levels(), RANKS)
def test_i16_the_same_input_gives_the_same_plan_in_whichever_sequence_the_levels_were_read(orders, levels, ranks):
    view = StockView(levels, ranks, LOCATIONS)

    first = plan(orders, view)

    assert plan(orders, view) == first
    assert plan(orders, StockView(levels[::-1], dict(reversed(ranks.items())), LOCATIONS)) == first


@given(open_orders(), levels(), RANKS)
def test_of_a_bundle_only_whole_ones_are_taken_as_long_as_something_is_short(orders, levels, ranks):
    decision = plan(orders, StockView(levels, ranks, LOCATIONS))

    for order, made in zip(orders, decision.orders, strict=True):
        for bundle in {part.bundle for part in order.parts.values()}:
            parts = {line: part for line, part in order.parts.items() if part.bundle == bundle}
            had = {
                line: part.held + sum(take.quantity for take in made.takes if take.line == line)
                for line, part in parts.items()
            }
            short = [line for line in parts if line in made.short]
            bundles = min((had[line] // parts[line].units for line in short), default=None)
            for line, part in parts.items() if bundles is not None else ():
                assert had[line] <= max(part.held, bundles * part.units)


@given(open_orders(), levels(), RANKS)
def test_no_plan_takes_more_than_there_is_and_every_unit_is_taken_or_short(orders, levels, ranks):
    decision = plan(orders, StockView(levels, ranks, LOCATIONS))

    for one in levels:
        taken = sum(
            take.quantity for order in decision.orders for take in order.takes if (take.item, take.location) == one.key
        )
        given_back = sum(
            claim.quantity for order in orders for claim in order.gives_back if (claim.item, claim.location) == one.key
        )
        assert taken == 0 or one.committed - given_back + taken <= one.backing
    for order, made in zip(orders, decision.orders, strict=True):
        assert all(take.quantity > 0 for take in made.takes)
        for ask in order.asks:
            taken = sum(take.quantity for take in made.takes if take.line == ask.line)
            assert taken + made.short.get(ask.line, 0) == ask.quantity
        if order.all_or_nothing:
            assert not made.takes or not any(made.short.values())


@st.composite
def claims(draw):
    numbers = draw(st.lists(st.integers(1, 99), unique=True, max_size=8))
    return [claim(number, draw(st.integers(1, 4)), priority=draw(st.integers(-1, 1))) for number in numbers]


@given(claims(), st.integers(0, 30))
def test_flags_fall_unit_by_unit_on_the_weakest_claim(claims, missing):
    expected = reference.unbacked([(one.id, one.id, one.priority, one.quantity) for one in claims], missing)

    assert flags(claims, missing) == expected
    assert flags(claims[::-1], missing) == expected
    assert sum(expected.values()) == min(missing, sum(one.quantity for one in claims))


@given(claims(), st.integers(0, 30), st.integers(0, 30))
def test_fewer_missing_units_lift_flags_and_set_none(claims, missing, lifted):
    before, after = flags(claims, missing + lifted), flags(claims, missing)

    assert all(after[number] <= before[number] for number in after)


@given(claims(), st.integers(1, 30))
def test_a_claim_that_is_flagged_leaves_no_weaker_claim_backed(claims, missing):
    flagged = flags(claims, missing)

    for strong in claims:
        if flagged.get(strong.id):
            for weak in claims:
                if (weak.priority, -weak.id) < (strong.priority, -strong.id):
                    assert flagged[weak.id] == weak.quantity
