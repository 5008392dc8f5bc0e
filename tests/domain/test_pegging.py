"""On which dated supply each waiting unit rests."""

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from domain.ids import LineId, OrderId, SupplyId
from domain.pegging import Peg, WaitingLine, peg
from domain.supply import OpenSupplyLine
from tests.builders import CHAIR, LEEDS, TABLE, YORK, level


def at(day: int) -> datetime:
    return datetime(2026, 1, day, tzinfo=UTC)


def waits(line: int, units: int, item=CHAIR, locations=None) -> WaitingLine:
    return WaitingLine(order=OrderId(line), line=LineId(line), item=item, units=units, locations=locations)


def comes(day: int, units: int, *, supply: int | None = None, item=CHAIR, location=LEEDS) -> OpenSupplyLine:
    return OpenSupplyLine(supply=SupplyId(supply or day), item=item, location=location, open=units, expected_at=at(day))


def rests(pegs, line):
    """Units and day of what the line rests on; day 0: now."""
    return [(one.units, one.expected_at.day if one.expected_at else 0) for one in pegs.get(line, ())]


def test_each_line_rests_on_the_earliest_supply_that_those_before_it_leave():
    pegs = peg([waits(1, 2), waits(2, 2), waits(3, 2)], [], [comes(9, 4), comes(5, 3)])

    assert rests(pegs, 1) == [(2, 5)]
    assert rests(pegs, 2) == [(1, 5), (1, 9)]
    assert rests(pegs, 3) == [(2, 9)]


def test_a_line_for_which_nothing_is_expected_rests_on_nothing():
    assert peg([waits(1, 2), waits(2, 1)], [], [comes(5, 2)]).get(2) is None


def test_what_is_free_now_comes_first_and_has_no_date():
    pegs = peg([waits(1, 3)], [level(on_hand=2)], [comes(5, 9)])

    assert pegs[1] == (
        Peg(location=LEEDS, units=2),
        Peg(location=LEEDS, units=1, supply=SupplyId(5), expected_at=at(5)),
    )


def test_claims_that_have_lost_their_stock_come_before_those_that_wait():
    lost = level(on_hand=0, committed=2)

    assert rests(peg([waits(1, 2)], [lost], [comes(5, 3), comes(6, 3)]), 1) == [(1, 5), (1, 6)]
    assert rests(peg([waits(1, 2)], [lost], [comes(5, 3, location=YORK)]), 1) == [(2, 5)], "they are in Leeds"


def test_a_line_rests_only_on_what_comes_to_a_location_that_serves_its_channel():
    supplies = [comes(5, 9), comes(7, 9, location=YORK)]

    pegs = peg([waits(1, 2, locations=frozenset({YORK})), waits(2, 9)], [], supplies)

    assert rests(pegs, 1) == [(2, 7)]
    assert rests(pegs, 2) == [(9, 5)]


def test_of_supplies_of_one_date_the_older_is_used_first():
    pegs = peg([waits(1, 2)], [], [comes(5, 1, supply=8), comes(5, 1, supply=7)])

    assert [one.supply for one in pegs[1]] == [7, 8]


ITEMS, PLACES = st.sampled_from((CHAIR, TABLE)), st.sampled_from((LEEDS, YORK))
SUPPLIES = st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5), ITEMS, PLACES), max_size=6)
QUEUE = st.lists(st.tuples(st.integers(1, 5), ITEMS, st.none() | st.frozensets(PLACES)), max_size=6)


@given(QUEUE, SUPPLIES)
def test_nothing_is_pegged_twice_and_nobody_later_is_served_from_what_an_earlier_one_could_have(queue, supplies):
    lines = [waits(number, units, item, places) for number, (units, item, places) in enumerate(queue, 1)]
    dated = [
        comes(day, units, supply=number, item=item, location=place)
        for number, (day, units, item, place) in enumerate(supplies, 1)
    ]

    pegs = peg(lines, [], dated)

    used = Counter()
    for line in lines:
        free = {one.supply: one.open - used[one.supply] for one in dated if one.item == line.item}
        usable = [
            one
            for one in sorted(dated, key=lambda one: (one.expected_at, one.supply))
            if free.get(one.supply, 0) > 0 and (line.locations is None or one.location in line.locations)
        ]
        got = pegs.get(line.line, ())
        assert sum(one.units for one in got) == min(line.units, sum(free[one.supply] for one in usable))
        assert [one.supply for one in got] == [one.supply for one in usable][: len(got)]
        used.update({one.supply: one.units for one in got})
