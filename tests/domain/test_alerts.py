"""Alerts: raised once for each situation, and resolved when it is over."""

from dataclasses import replace
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from domain.alerts import AlertRule, Judged, Subject, WatchingRule, judge_change, settle
from domain.events import AllocationStatusChanged
from domain.ids import AlertId, OrderId
from domain.kinds import AlertKind, AllocationCause, AllocationStatus

RULE = AlertRule(name="over", kind=AlertKind.ORDER_OVERALLOCATED)
IDS = [AlertId(number) for number in range(1, 100)]


def subject(order: int = 7) -> Subject:
    return Subject(order=OrderId(order), order_number=str(order), channel="SHOP")


def judged(holds: bool, order: int = 7, rule: AlertRule = RULE) -> Judged:
    return Judged(rule=rule, subject=subject(order), holds=holds)


def changed(after: AllocationStatus | None, *, channel: str = "SHOP") -> AllocationStatusChanged:
    return AllocationStatusChanged(
        order_id=OrderId(7),
        order_number="7",
        channel_code=channel,
        order_version=2,
        skus=(),
        locations=(),
        before=None,
        after=after,
        cause=AllocationCause.RUN,
    )


def test_r11_a_situation_is_raised_once_however_often_it_is_seen():
    changes = settle([judged(True), judged(True)], {}, IDS)

    assert [event.type for event in changes.events] == ["AlertRaised"]
    assert [one.id for one in changes.opened] == [1]
    assert settle([judged(True)], {("over", subject().key): AlertId(1)}, IDS).events == ()


def test_r11_an_alert_is_resolved_when_its_situation_is_over_and_may_come_again():
    changes = settle([judged(False), judged(True), judged(False)], {("over", subject().key): AlertId(50)}, IDS)

    assert [(event.type, event.alert_id) for event in changes.events] == [
        ("AlertResolved", 50),
        ("AlertRaised", 1),
        ("AlertResolved", 1),
    ]
    assert changes.closed == (50,)
    assert [(one.id, one.over) for one in changes.opened] == [(1, True)]


def test_two_rules_and_two_subjects_are_told_apart():
    another = replace(RULE, name="another")

    changes = settle([judged(True), judged(True, 8), judged(True, rule=another)], {}, IDS)

    assert [(event.rule, event.order_id) for event in changes.events] == [("over", 7), ("over", 8), ("another", 7)]


@given(st.lists(st.tuples(st.booleans(), st.integers(1, 3))), st.sets(st.integers(1, 3)))
def test_what_is_open_afterwards_is_what_held_last_and_every_alert_is_raised_before_it_is_resolved(
    seen: list[tuple[bool, int]], open_before: set[int]
):
    opened = {("over", subject(order).key): AlertId(1000 + order) for order in open_before}
    ids = count(1)

    changes = settle([judged(holds, order) for holds, order in seen], opened, [AlertId(next(ids)) for _ in seen])

    now = dict.fromkeys(open_before, True) | {order: holds for holds, order in seen}
    still = {one.judged.subject.order for one in changes.opened if not one.over}
    kept = {order for order in open_before if AlertId(1000 + order) not in changes.closed}
    assert {order for order, holds in now.items() if holds} == still | kept
    assert not still & kept
    raised = [event.alert_id for event in changes.events if event.type == "AlertRaised"]
    resolved = [event.alert_id for event in changes.events if event.type == "AlertResolved"]
    assert len(set(raised)) == len(raised)
    assert len(set(resolved)) == len(resolved)
    assert set(resolved) <= {*raised, *opened.values()}


def test_a7_rules_judge_the_status_after_a_change_of_orders_from_their_channels_behind_where_they_began():
    rules = [
        WatchingRule(rule=RULE, since=10),
        WatchingRule(rule=replace(RULE, name="done", kind=AlertKind.ORDER_ALLOCATED), since=0),
        WatchingRule(rule=replace(RULE, name="ebay", channels=("EBAY",)), since=0),
        WatchingRule(rule=AlertRule(name="few", kind=AlertKind.STOCK_RUNNING_OUT, units=1), since=0),
    ]

    def found(after: AllocationStatus | None, position: int) -> list[tuple[str, bool]]:
        return [(one.rule.name, one.holds) for one in judge_change(rules, changed(after), position)]

    assert found(AllocationStatus.OVERALLOCATED, 11) == [("over", True), ("done", False)]
    assert found(AllocationStatus.ALLOCATED, 10) == [("done", True)]
    assert found(None, 11) == [("over", False), ("done", False)]


def test_a_rule_that_tells_others_watches_as_before():
    assert RULE.watches_as(replace(RULE, emails=("a@b.example",), endpoints=("x",)))
    assert not RULE.watches_as(replace(RULE, channels=("WEB",)))
    assert not RULE.watches_as(None)


def test_a_subject_is_named_for_people():
    assert str(subject()) == "order 7 of SHOP"
    assert str(Subject(sku="CHAIR")) == "CHAIR"
    assert str(Subject(sku="CHAIR", location="LEEDS")) == "CHAIR at LEEDS"
