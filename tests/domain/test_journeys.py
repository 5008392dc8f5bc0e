"""What customers are told, over every combination of how far an order can be."""

import re
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from domain.journey_facts import Goods, JourneyFacts, JourneyParcel, JourneyPart, Scan
from domain.journeys import HowFar, day, headline, journey
from domain.kinds import (
    AllocationStatus,
    FulfillmentState,
    HoldReason,
    JourneyStage,
    OrderStatus,
    Punctuality,
    StageProgress,
    TrackingStatus,
)

MONDAY = datetime(2026, 11, 30, 9, tzinfo=UTC)
DAY = timedelta(days=1)
CHAIRS = (Goods(title="Chair", quantity=2),)
State = FulfillmentState
INTERNAL = re.compile("|".join([*AllocationStatus, *OrderStatus, *HoldReason, "[A-Z]{2,}", "_", "fraud", "hold"]))
"""No word that is ours and not the customer's."""


def facts(**more: Any) -> JourneyFacts:
    given: dict[str, Any] = {
        "number": "1001",
        "merchant": "The Shop",
        "status": OrderStatus.FINALIZED,
        "allocation_status": AllocationStatus.UNALLOCATED,
        "placed_at": MONDAY,
        "now": MONDAY + DAY,
        "wanted": 2,
        "ordered": CHAIRS,
    }
    return JourneyFacts(**(given | more))


def part(state: FulfillmentState, units: int = 2, **more: Any) -> JourneyPart:
    given: dict[str, Any] = {
        "released_at": MONDAY,
        "estimated_ship_at": MONDAY + DAY,
        "estimated_delivery_at": MONDAY + 4 * DAY,
        "contents": (Goods(title="Chair", quantity=units),) if units else (),
        "carrier": "Royal Mail",
        "tracking_number": "RM1",
        "tracking_url": "https://carrier.example/RM1",
    }
    if state in (State.SHIPPED, State.DELIVERED):
        given["shipped_at"] = MONDAY + DAY
    if state is State.DELIVERED:
        given["delivered_at"] = MONDAY + 3 * DAY
    return JourneyPart(state=state, units=units, **(given | more))


def every_way() -> list[tuple[JourneyFacts, HowFar]]:
    """Status, allocation, hold, and how many of three units are aside, sent, gone and delivered."""
    found = []
    for status, allocation, held, packed in product(
        OrderStatus, [None, *AllocationStatus], (False, True), (False, True)
    ):
        for wanted in (0, 3):
            for units in product(range(wanted + 1), repeat=4):
                if list(units) == sorted(units, reverse=True):
                    aside, sent, gone, delivered = units
                    far = HowFar(
                        wanted=wanted,
                        aside=aside,
                        sent=sent,
                        gone=gone,
                        delivered=delivered,
                        packed=packed and sent > gone,
                    )
                    found.append((facts(status=status, allocation_status=allocation, held=held, wanted=wanted), far))
    return found


EVERY_WAY = every_way()


def test_a4_there_is_a_headline_for_every_combination_and_nothing_internal_is_in_it():
    assert len(EVERY_WAY) > 3_000
    for known, far in EVERY_WAY:
        told = headline(known, far)
        assert re.fullmatch(r"[A-Z][a-z ,]+\.", told), told
        assert not INTERNAL.search(told), told


def test_a4_a_headline_says_of_all_goods_only_what_is_true_of_all_goods():
    for known, far in EVERY_WAY:
        told = headline(known, far)
        alive = known.status is not OrderStatus.VOID and far.wanted > 0
        assert ("canceled" in told) == (not alive)
        assert (told == "Your order has been delivered.") == (alive and far.delivered == far.wanted)
        assert (told == "Your order is on its way.") == (alive and far.gone == far.wanted and not far.delivered)
        if alive and far.gone not in (0, far.wanted):
            assert told.startswith("Part of your order")
        if told.startswith("Everything you ordered is reserved"):
            assert far.aside == far.wanted
            assert not far.sent


def test_a4_no_headline_sounds_further_than_the_goods_are():
    """A customer is never told of a stage that nothing has come through."""
    words = {"deliver": "delivered", "on its way": "gone", "prepared": "sent", "packed": "sent", "reserved": "aside"}
    for known, far in EVERY_WAY:
        for word, stage in words.items():
            if word in headline(known, far):
                assert getattr(far, stage) > 0, (known, far)


def test_a_hold_is_told_in_the_same_words_whatever_it_is_for():
    told = journey(facts(held=True))

    assert told.headline == "We are checking your order before we send it."
    assert len(told.remarks) == 1
    assert not INTERNAL.search(told.remarks[0])
    assert journey(facts(held=True, parts=(part(State.SHIPPED),))).remarks == (), "it has left: nothing is held"


def test_goods_that_went_to_another_order_are_not_passed_over_in_silence():
    told = [journey(facts(**{name: True})).remarks for name in ("is_part", "has_parts")]

    assert told == [("The rest of what you ordered is sent to you separately.",)] * 2


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, "DONE TO_COME TO_COME TO_COME TO_COME"),
        ({"aside": 1}, "DONE PARTLY TO_COME TO_COME TO_COME"),
        ({"aside": 2}, "DONE DONE TO_COME TO_COME TO_COME"),
        ({"aside": 2, "parts": (part(State.RELEASED),)}, "DONE DONE DONE TO_COME TO_COME"),
        ({"aside": 2, "parts": (part(State.PACKED),)}, "DONE DONE DONE TO_COME TO_COME"),
        ({"aside": 1, "parts": (part(State.SHIPPED, 1),)}, "DONE PARTLY PARTLY PARTLY TO_COME"),
        ({"aside": 2, "parts": (part(State.SHIPPED, 1), part(State.PICKING, 1))}, "DONE DONE DONE PARTLY TO_COME"),
        ({"aside": 2, "parts": (part(State.SHIPPED),)}, "DONE DONE DONE DONE TO_COME"),
        ({"aside": 2, "parts": (part(State.DELIVERED, 1), part(State.SHIPPED, 1))}, "DONE DONE DONE DONE PARTLY"),
        ({"aside": 2, "parts": (part(State.DELIVERED),)}, "DONE DONE DONE DONE DONE"),
        ({"status": OrderStatus.VOID}, "DONE"),
        ({"wanted": 0, "status": OrderStatus.FULFILLED, "ordered": ()}, "DONE"),
    ],
)
def test_l1_r12_stages_say_how_much_came_through_each(known: dict[str, Any], expected: str):
    told = journey(facts(**known)).stages

    assert [one.progress for one in told] == [StageProgress(one) for one in expected.split()]
    assert [one.name for one in told] == list(JourneyStage)[: len(told)]


def test_a5_the_customer_sees_when_it_was_reserved():
    stages = journey(facts(aside=2, allocated_at=MONDAY + DAY)).stages

    assert stages[1].at == MONDAY + DAY


# ---------------------------------------------------------------- dates


@pytest.mark.parametrize(
    ("known", "expected", "remark"),
    [
        ({}, Punctuality.NO_DATE, None),
        ({"promised_delivery_at": MONDAY + 2 * DAY}, Punctuality.EXPECTED, None),
        ({"promised_delivery_at": MONDAY}, Punctuality.LATE, "promised for 30 November 2026 and is late"),
        ({"parts": (part(State.RELEASED),)}, Punctuality.EXPECTED, None),
        (
            {"parts": (part(State.RELEASED),), "promised_delivery_at": MONDAY + 2 * DAY},
            Punctuality.EXPECTED_LATE,
            "come on 4 December 2026, later than promised (2 December 2026)",
        ),
        (
            {"parts": (part(State.SHIPPED),), "now": MONDAY + 5 * DAY},
            Punctuality.LATE,
            "expected by 4 December 2026 and is late",
        ),
        ({"parts": (part(State.DELIVERED),)}, Punctuality.CAME_IN_TIME, None),
        ({"parts": (part(State.DELIVERED),), "promised_delivery_at": MONDAY + 3 * DAY}, Punctuality.CAME_IN_TIME, None),
        ({"parts": (part(State.DELIVERED),), "promised_delivery_at": MONDAY}, Punctuality.CAME_LATE, "than promised"),
        (
            {"parts": (part(State.DELIVERED, estimated_delivery_at=MONDAY),)},
            Punctuality.CAME_LATE,
            "than expected",
        ),
        ({"parts": (part(State.DELIVERED, estimated_delivery_at=None),)}, Punctuality.NO_DATE, None),
        ({"status": OrderStatus.VOID, "promised_delivery_at": MONDAY}, Punctuality.NO_DATE, None),
    ],
)
def test_l9_late_is_told_honestly(known: dict[str, Any], expected: Punctuality, remark: str | None):
    told = journey(facts(**known))

    assert told.punctuality is expected
    assert len(told.remarks) == (remark is not None)
    assert remark is None or remark in told.remarks[0]


def test_r9_the_estimates_are_those_of_the_last_goods_and_nothing_is_guessed():
    later = {"estimated_ship_at": MONDAY + 2 * DAY, "estimated_delivery_at": MONDAY + 6 * DAY}
    all_sent = journey(facts(parts=(part(State.SHIPPED, 1), part(State.PICKING, 1, **later))))
    some_sent = journey(facts(parts=(part(State.SHIPPED, 1),)))
    unknown = journey(facts(parts=(part(State.RELEASED, 1, estimated_delivery_at=None), part(State.RELEASED, 1))))

    assert (all_sent.estimated_ship_at, all_sent.estimated_delivery_at) == (MONDAY + 2 * DAY, MONDAY + 6 * DAY)
    assert (some_sent.estimated_ship_at, some_sent.estimated_delivery_at) == (None, None)
    assert unknown.estimated_delivery_at is None


def test_a_day_is_written_in_words():
    assert day(datetime(2026, 2, 1, tzinfo=UTC)) == "1 February 2026"


# ---------------------------------------------------------------- parcels


def test_l8_each_parcel_has_its_own_number_and_a_link_only_where_it_leads_to_it():
    parcels = tuple(JourneyParcel(tracking_number=number, contents=CHAIRS) for number in ("RM1", "RM2", None))

    told = journey(facts(parts=(part(State.SHIPPED, parcels=parcels),))).parcels

    assert [one.tracking_number for one in told] == ["RM1", "RM2", "RM1"]
    assert [bool(one.tracking_url) for one in told] == [True, False, True]
    assert {one.words for one in told} == {"On its way"}


def test_what_has_not_left_has_no_tracking_and_what_is_canceled_is_not_told():
    told = journey(facts(parts=(part(State.PACKED, 1), part(State.CANCELED, 1), part(State.RELEASED, 0)))).parcels

    assert [(one.words, one.carrier, one.tracking_number, one.tracking_url) for one in told] == [
        ("Packed and about to leave", None, None, None)
    ]


def test_goods_that_a_supplier_sends_are_told_without_a_parcel():
    (told,) = journey(facts(parts=(part(State.SHIPPED),))).parcels

    assert (told.contents, told.tracking_number, told.shipped_at) == (CHAIRS, "RM1", MONDAY + DAY)


def scan(status: TrackingStatus, hours: int = 0) -> Scan:
    return Scan(status=status, at=MONDAY + DAY + timedelta(hours=hours))


def on_its_way(*last: TrackingStatus | None) -> JourneyFacts:
    """So many parcels, of each what its carrier said last."""
    parcels = tuple(
        JourneyParcel(tracking_number=str(at), contents=CHAIRS, scans=(scan(one),) if one else ())
        for at, one in enumerate(last)
    )
    return facts(parts=(part(State.SHIPPED, parcels=parcels),))


@pytest.mark.parametrize(
    ("last", "told"),
    [
        ((None, None), "Your order is on its way."),
        ((TrackingStatus.IN_TRANSIT,), "Your order is on its way."),
        ((TrackingStatus.OUT_FOR_DELIVERY,), "Your order is out for delivery."),
        ((TrackingStatus.OUT_FOR_DELIVERY, TrackingStatus.IN_TRANSIT), "Your order is on its way."),
        ((TrackingStatus.FAILURE,), "Your order could not be delivered."),
        ((TrackingStatus.AVAILABLE_FOR_PICKUP,) * 2, "Your order is ready for you to fetch."),
        ((TrackingStatus.RETURN_TO_SENDER,), "Your order is on its way back to us."),
    ],
)
def test_l8_r12_what_carriers_say_of_all_of_it_is_the_headline(last: tuple[TrackingStatus | None, ...], told: str):
    assert journey(on_its_way(*last)).headline == told


def test_every_headline_about_carriers_is_a_sentence_without_anything_internal():
    for status in TrackingStatus:
        told = journey(on_its_way(status)).headline
        assert re.fullmatch(r"[A-Z][a-z ,]+\.", told), told
        assert not INTERNAL.search(told), told


def test_a_parcel_that_has_arrived_is_told_so_before_the_others_have():
    parcels = (
        JourneyParcel(tracking_number="1", contents=(Goods(title="Chair", quantity=1),), delivered_at=MONDAY + 2 * DAY),
        JourneyParcel(
            tracking_number="2",
            contents=(Goods(title="Chair", quantity=1),),
            scans=(scan(TrackingStatus.OUT_FOR_DELIVERY),),
        ),
    )

    told = journey(facts(parts=(part(State.SHIPPED, parcels=parcels),)))

    assert [one.words for one in told.parcels] == ["Delivered", "Out for delivery"]
    assert [one.stage for one in told.parcels] == [JourneyStage.DELIVERED, JourneyStage.SHIPPED]
    assert told.headline == "Part of your order has been delivered, the rest is on its way."
    assert (told.stages[-1].progress, told.stages[-1].at) == (StageProgress.PARTLY, MONDAY + 2 * DAY)
    assert told.delivered_at is None


def test_of_a_parcel_that_was_scanned_often_the_latest_scans_are_told():
    scans = tuple(scan(TrackingStatus.IN_TRANSIT, hours) for hours in range(50, 0, -1))
    parcels = (JourneyParcel(tracking_number="1", contents=CHAIRS, scans=scans),)

    (told,) = journey(facts(parts=(part(State.SHIPPED, parcels=parcels),))).parcels

    assert told.scans == scans[:20]
