"""Why a line is short: each location that was considered, and the reason that it gave nothing or not more."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from domain.explaining import Circumstances, Rivals, explain
from domain.ids import OrderId, SupplyId
from domain.kinds import NotTakenReason as Why
from domain.kinds import ShippingPolicy, SourcingRule
from domain.orders import Address
from domain.pegging import Peg
from domain.sourcing import Sourcing
from tests.builders import CHAIR, HULL, LEEDS, LOCATIONS, TABLE, YORK, level, line, order

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def told(*levels, sourcing=None, held=None, rivals=None, pegs=None) -> Circumstances:
    return Circumstances(
        places=LOCATIONS,
        sourcing={} if sourcing is None else {"SHOP": sourcing},
        levels={one.key: one for one in levels},
        held=held or {},
        rivals=rivals or {},
        pegs=pegs or {},
    )


def reasons(order, wanted, circumstances):
    """Of the only line: location, units taken and reason, in the order considered."""
    (found,) = explain(order, [wanted], circumstances)
    return [(LOCATIONS[one.location].code, one.taken, one.reason) for one in found.candidates]


def test_a_location_with_nothing_has_too_little():
    assert reasons(order(), line(CHAIR, 2), told(level(on_hand=0))) == [("LEEDS", 0, Why.INSUFFICIENT_AVAILABLE)]


def test_what_stronger_claims_hold_is_told_with_who_they_are():
    circumstances = told(
        level(on_hand=3, committed=3),
        rivals={(1, CHAIR): Rivals(orders=(OrderId(7),), total=1, units={LEEDS: 3})},
    )

    (found,) = explain(order(), [line(CHAIR, 2)], circumstances)

    assert [one.reason for one in found.candidates] == [Why.HELD_BY_STRONGER_CLAIM]
    assert found.candidates[0].message == "3 units of 3 on hand set aside for stronger claims."
    assert found.rivals.orders == (7,)


def test_what_weaker_claims_and_carts_hold_is_not_called_stronger():
    (found,) = explain(order(), [line(CHAIR, 2)], told(level(on_hand=3, committed=3)))

    assert found.candidates[0].reason is Why.INSUFFICIENT_AVAILABLE
    assert "3 units set aside for weaker claims and carts" in found.candidates[0].message


def test_safety_stock_that_would_have_sufficed_is_the_reason():
    circumstances = told(level(on_hand=5, safety_stock=4, committed=1), held={1: {LEEDS: 1}})

    assert reasons(order(), line(CHAIR, 2, allocated=1), circumstances) == [("LEEDS", 1, Why.SAFETY_STOCK)]


def test_locations_of_other_channels_come_last():
    circumstances = told(
        level(CHAIR, LEEDS, on_hand=5), level(CHAIR, YORK), sourcing=Sourcing(locations=frozenset({YORK}))
    )

    assert reasons(order(), line(CHAIR, 2), circumstances) == [
        ("YORK", 0, Why.INSUFFICIENT_AVAILABLE),
        ("LEEDS", 0, Why.LOCATION_NOT_IN_CHANNEL),
    ]


def test_a_location_that_the_last_run_was_not_to_use_says_so():
    asked = replace(order(), asked_at=(LEEDS,))

    assert reasons(asked, line(CHAIR, 2), told(level(CHAIR, LEEDS), level(CHAIR, YORK, on_hand=9))) == [
        ("LEEDS", 0, Why.INSUFFICIENT_AVAILABLE),
        ("YORK", 0, Why.LOCATION_NOT_ASKED_FOR),
    ]


def test_an_order_that_is_complete_or_nothing_leaves_what_is_there():
    whole = order(policy=ShippingPolicy.SHIP_COMPLETE)
    lines = [line(CHAIR, 2), line(TABLE, 1, number=2)]

    found = explain(whole, lines, told(level(CHAIR, on_hand=5), level(TABLE)))

    assert [[one.reason for one in line.candidates] for line in found] == [
        [Why.SHIP_COMPLETE_POLICY],
        [Why.INSUFFICIENT_AVAILABLE],
    ]


def test_a_line_that_must_not_be_split_leaves_what_is_elsewhere():
    circumstances = told(
        level(CHAIR, LEEDS, on_hand=2, committed=2),
        level(CHAIR, YORK, on_hand=1),
        sourcing=Sourcing(split_lines=False),
        held={1: {LEEDS: 2}},
    )

    assert reasons(order(), line(CHAIR, 3, allocated=2), circumstances) == [
        ("LEEDS", 2, Why.INSUFFICIENT_AVAILABLE),
        ("YORK", 0, Why.SPLIT_NOT_ALLOWED),
    ]


def test_what_has_come_since_the_last_run_has_no_reason_but_a_hint():
    (found,) = explain(order(), [line(CHAIR, 2)], told(level(on_hand=1)))

    assert found.candidates[0].reason is None
    assert "allocate the order again" in found.candidates[0].message


def test_a_line_that_has_everything_says_from_where_and_who_was_not_needed():
    circumstances = told(
        level(CHAIR, LEEDS, on_hand=2, committed=2), level(CHAIR, YORK, on_hand=1), held={1: {LEEDS: 2}}
    )

    assert reasons(order(), line(CHAIR, 2, allocated=2), circumstances) == [
        ("LEEDS", 2, None),
        ("YORK", 0, Why.NOT_NEEDED),
    ]


def test_locations_are_told_in_the_order_in_which_they_were_considered():
    near_hull = replace(order(), ship_to=Address(country_code="GB", region="Hull"))
    places = {at: replace(one, country_code="GB", region=one.name) for at, one in LOCATIONS.items()}
    circumstances = replace(
        told(*(level(CHAIR, at) for at in LOCATIONS), sourcing=Sourcing(rules=(SourcingRule.NEAREST,))), places=places
    )

    (found,) = explain(near_hull, [line(CHAIR, 2)], circumstances)

    assert [one.location for one in found.candidates] == [HULL, LEEDS, YORK]


def test_lines_with_nothing_open_have_no_explanation():
    assert explain(order(), [line(CHAIR, 2, shipped=2)], told()) == ()


@pytest.mark.parametrize(
    ("pegs", "expected"),
    [
        ((), None),
        ((1,), None),
        ((1, 2), datetime(2026, 1, 3, tzinfo=UTC)),
        ((3,), datetime(2026, 1, 4, tzinfo=UTC)),
    ],
)
def test_a_line_can_be_had_when_the_last_of_its_missing_units_is(pegs, expected):
    resting = tuple(
        Peg(
            location=LEEDS,
            units=max(1, units - 1),
            supply=SupplyId(units),
            expected_at=datetime(2026, 1, units + 1, tzinfo=UTC),
        )
        for units in pegs
    )

    (found,) = explain(order(), [line(CHAIR, 3, allocated=1)], told(pegs={1: resting}))

    assert found.short == 2
    assert found.expected_at(NOW) == expected


def test_units_that_are_there_can_be_had_now():
    (found,) = explain(order(), [line(CHAIR, 1)], told(pegs={1: (Peg(location=LEEDS, units=1),)}))

    assert found.expected_at(NOW) == NOW
