"""Which rule decides on a new order."""

from decimal import Decimal

import pytest

from domain.automation import AllocationRule, Priced, RuledOrder, automate, first_match, matches
from domain.batch import Batch
from domain.kinds import AllocateWhen, AllocationStatus, OrderChange, OrderStatus
from domain.money import Money
from domain.orders import Address, OrderTerms
from tests.builders import CHAIR, batch, level, line, order

AT_ONCE, ON_SCHEDULE, NEVER = AllocateWhen
LEEDS_BOUND = Address(country_code="GB", region="Yorkshire")


def pounds(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency_code="GBP")


def rule(name: str = "a rule", when: AllocateWhen = AT_ONCE, **criteria: object) -> AllocationRule:
    return AllocationRule(name=name, when=when, **criteria)  # type: ignore[arg-type]


def seen(
    *lines: tuple[int, Money | None], channel: str = "SHOP", tags: tuple[str, ...] = (), ship_to: Address | None = None
) -> RuledOrder:
    return RuledOrder(
        channel=channel,
        terms=OrderTerms(tags=tags, ship_to=ship_to),
        lines=tuple(Priced(quantity=units, unit_price=price) for units, price in lines),
    )


def test_o23_the_first_rule_that_matches_decides():
    rules = [rule("web", channels=("WEB",)), rule("shop", NEVER, channels=("SHOP",)), rule("all")]

    assert [first_match(rules, seen(channel=code)).name for code in ("SHOP", "WEB", "TILL")] == ["shop", "web", "all"]


def test_without_a_rule_that_matches_nobody_decides():
    assert first_match([], seen()) is None
    assert first_match([rule(channels=("WEB",))], seen()) is None


@pytest.mark.parametrize(
    ("criteria", "matching"),
    [
        ({}, True),
        ({"channels": ("WEB", "SHOP")}, True),
        ({"channels": ("shop",)}, False),
        ({"country_codes": ("DE", "GB")}, True),
        ({"country_codes": ("DE",)}, False),
        ({"regions": (" YORKSHIRE ",)}, True),
        ({"regions": ("York",)}, False),
        ({"tags": ("rush", "gift")}, True),
        ({"tags": ("rush", "fragile")}, False),
        ({"channels": ("SHOP",), "tags": ("fragile",)}, False),
    ],
)
def test_every_criterion_that_is_given_must_hold(criteria, matching):
    asked = seen(tags=("gift", "b2b"), ship_to=LEEDS_BOUND)

    assert matches(rule(**criteria), asked) is matching


def test_an_order_without_an_address_is_in_no_country_and_no_region():
    assert not matches(rule(country_codes=("GB",)), seen())
    assert not matches(rule(regions=("Yorkshire",)), seen())
    assert matches(rule(), seen())


@pytest.mark.parametrize(
    ("lines", "matching"),
    [
        ([(2, pounds("5")), (1, pounds("0.01"))], True),
        ([(1, pounds("10"))], True),
        ([(1, pounds("9.99"))], False),
        ([(2, pounds("10"))], False),
        ([(1, pounds("12")), (1, None)], False),
        ([(1, pounds("12")), (1, Money(amount=Decimal(1), currency_code="EUR"))], False),
        ([(1, pounds("12")), (0, None)], True),
    ],
)
def test_a_value_is_from_one_bound_and_below_the_other_where_every_line_has_a_price_in_the_currency(lines, matching):
    assert matches(rule(value_from=pounds("10"), value_below=pounds("20")), seen(*lines)) is matching


def test_a_value_of_one_bound_alone_is_open_on_the_other_side():
    assert matches(rule(value_from=pounds("10")), seen((1_000_000, pounds("1000"))))
    assert matches(rule(value_below=pounds("10")), seen((5, pounds("0"))))


# ---------------------------------------------------------------- what the rule does


def a_batch(status: OrderStatus = OrderStatus.FINALIZED) -> Batch:
    return batch([level(CHAIR, on_hand=3)], [order(status=status)], [line(CHAIR, 2)])


def test_at_once_the_order_is_allocated_in_the_batch():
    working = a_batch()

    automate(working, order().id, [rule()], seen())

    assert working.status_of(order().id) is AllocationStatus.ALLOCATED


@pytest.mark.parametrize("rules", [[], [rule(when=NEVER), rule()], [rule(channels=("WEB",))]])
def test_otherwise_it_is_left_alone(rules):
    working = a_batch()

    automate(working, order().id, rules, seen())

    assert working.status_of(order().id) is AllocationStatus.UNALLOCATED
    assert working.changes().schedules == {}


def test_a_draft_is_left_alone():
    working = a_batch(OrderStatus.DRAFT)

    automate(working, order().id, [rule()], seen())

    assert working.changes().orders == []


def test_a_schedule_is_dropped_where_a_run_looks_at_the_order_in_the_same_batch():
    scheduled, looked_at = a_batch(), a_batch()
    for working in (scheduled, looked_at):
        working.note(order().id, OrderChange.FINALIZED)
        automate(working, order().id, [rule(when=ON_SCHEDULE, every_minutes=15)], seen())
    automate(looked_at, order().id, [rule()], seen())

    assert scheduled.changes().schedules == {order().id: 15}
    assert looked_at.changes().schedules == {}
