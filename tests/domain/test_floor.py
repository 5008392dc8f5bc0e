"""Bins and tasks: what lies where, and who was sent to fetch it."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from domain.floor import Floor, FloorFacts
from domain.fulfillments import Fulfillment, FulfillmentLine, PickTask
from domain.ids import FulfillmentId, FulfillmentLineId, LineId, OrderId, PickTaskId
from domain.kinds import FulfillmentState, PickTaskState
from tests.builders import CHAIR, LEEDS, TABLE, YORK

KEY = (CHAIR, LEEDS)
CODES = ("A-1", "B-2", "C-3")
BINS = st.dictionaries(st.sampled_from(CODES), st.integers(0, 6))


def key(code):
    return (*KEY, code)


def a_floor(bins, tasks=(), picked=0):
    """`tasks`: bin and units, all for one line of one fulfillment, of which so many units more are picked."""
    line = FulfillmentLineId(2)
    asked = sum(units for _, units in tasks)
    one = Fulfillment(
        id=FulfillmentId(1),
        order=OrderId(1),
        location=LEEDS,
        version=1,
        lines=(FulfillmentLine(id=line, line=LineId(1), item=CHAIR, quantity=asked + picked, picked=picked),),
        state=FulfillmentState.PICKING if picked else FulfillmentState.RELEASED,
    )
    made = [
        PickTask(
            id=PickTaskId(number),
            fulfillment=one.id,
            fulfillment_line=line,
            item=CHAIR,
            location=LEEDS,
            bin=code,
            quantity=units,
            version=1,
        )
        for number, (code, units) in enumerate(tasks, 10)
    ]
    floor = Floor()
    floor.learn(FloorFacts(fulfillments=[one], tasks=made, bins={key(code): units for code, units in bins.items()}))
    return floor


@st.composite
def floors(draw):
    """Tasks that ask for what the bins have, and for some that lies elsewhere."""
    bins = draw(BINS)
    tasks = [(code, draw(st.integers(1, units))) for code, units in bins.items() if units and draw(st.booleans())]
    more = [(None, units) for units in draw(st.lists(st.integers(1, 3), max_size=2))]
    return a_floor(bins, draw(st.permutations([*tasks, *more])), draw(st.integers(0, 3)))


def missing(floor):
    return sum(task.missing for task in floor.tasks.values())


def is_sound(floor):
    """Nobody asks a bin for more than it has."""
    return all(floor.asked_of(bin_key) <= units for bin_key, units in floor.bins.items())


@given(floors(), st.integers(1, 20))
def test_what_is_to_be_picked_is_asked_of_bins_that_have_it_and_of_each_once(floor, units):
    found = floor.where_to_pick(CHAIR, LEEDS, units)

    assert sum(here for _, here in found) == units
    codes = [code for code, _ in found]
    assert len(set(codes)) == len(codes)
    for code, here in found:
        assert here > 0
        assert code is None or here <= floor.bins[key(code)] - floor.asked_of(key(code))
    free = sum(units - floor.asked_of(bin_key) for bin_key, units in floor.bins.items())
    assert dict(found).get(None, 0) == max(0, units - free), "elsewhere only where no bin has it"


@given(floors(), st.sampled_from(CODES), st.integers(0, 6))
def test_whatever_lies_in_a_bin_now_its_tasks_ask_for_no_more_and_none_is_forgotten(floor, code, units):
    before = missing(floor)

    floor.set_bin(key(code), units)

    assert floor.bins[key(code)] == units
    assert is_sound(floor)
    assert missing(floor) == before


@given(floors(), st.integers(0, 12))
def test_bins_are_emptied_from_the_last_on_and_only_as_far_as_they_have_to_be(floor, units):
    before, asked = floor.in_bins(KEY), missing(floor)

    floor.trim_bins(KEY, units)

    assert floor.in_bins(KEY) == min(before, units)
    assert is_sound(floor)
    assert missing(floor) == asked


@given(floors(), st.data())
def test_a_line_of_which_less_is_sent_asks_for_exactly_what_is_missing(floor, data):
    (line,) = floor.fulfillments[FulfillmentId(1)].lines
    picked = data.draw(st.integers(0, line.picked))
    units = data.draw(st.integers(picked, picked + line.quantity - line.picked))

    floor.shrink(line.id, units, picked)

    now = floor.line(line.id)
    assert (now.quantity, now.picked) == (line.quantity - units, line.picked - picked)
    assert missing(floor) == now.quantity - now.picked
    state = floor.fulfillments[FulfillmentId(1)].state
    if not now.quantity:
        assert state is FulfillmentState.CANCELED
    elif now.quantity == now.picked:
        assert state is FulfillmentState.PICKED
    else:
        assert state in (FulfillmentState.RELEASED, FulfillmentState.PICKING)


@given(floors(), st.sampled_from(CODES), st.integers(0, 6))
def test_only_what_is_different_is_written_each_with_its_next_version(floor, code, units):
    bins, tasks = dict(floor.bins), dict(floor.tasks)
    floor.set_bin(key(code), units)

    changes = floor.changes()

    assert (changes.fulfillments, changes.new_fulfillments, changes.new_tasks) == ([], [], [])
    assert changes.bins == {at: n for at, n in floor.bins.items() if bins.get(at) != n}
    assert {task.id for task in changes.tasks} == {one for one in tasks if floor.tasks[one] != tasks[one]}
    assert all(task.version == 2 for task in changes.tasks)


def test_tasks_that_nobody_has_to_do_any_more_end():
    floor = a_floor({"A-1": 3, "B-2": 2}, [("A-1", 3), ("B-2", 2)])
    first, second = floor.tasks.values()
    floor.change_task(replace(first, picked=1))
    floor.change_line(replace(floor.line(first.fulfillment_line), picked=1))

    floor.shrink(first.fulfillment_line, 3)

    assert (floor.tasks[first.id].state, floor.tasks[first.id].quantity) == (PickTaskState.OPEN, 2)
    assert floor.tasks[second.id].state is PickTaskState.CANCELED
    floor.shrink(first.fulfillment_line, 1)
    assert floor.tasks[first.id].state is PickTaskState.DONE


def test_bins_of_other_skus_and_locations_are_left_alone():
    floor = a_floor({"A-1": 3})
    floor.learn(FloorFacts(bins={(TABLE, LEEDS, "A-1"): 5, (CHAIR, YORK, "A-1"): 5}))

    floor.trim_bins(KEY, 0)

    assert floor.bins == {key("A-1"): 0, (TABLE, LEEDS, "A-1"): 5, (CHAIR, YORK, "A-1"): 5}
    assert floor.where_to_pick(CHAIR, LEEDS, 1) == [(None, 1)]
