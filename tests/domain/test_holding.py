"""Which new orders are held by themselves."""

from decimal import Decimal

import pytest

from domain.holding import HeldOrder, HoldRule, matches
from domain.kinds import HoldReason
from domain.money import Money
from domain.payments import Totals


def pounds(amount: str) -> Money:
    return Money(amount=Decimal(amount), currency_code="GBP")


def an_order(lines="100", discounts="0", *, tags=(), customized=False, is_first=False, currency="GBP") -> HeldOrder:
    totals = Totals(currency_code=currency, lines=Decimal(lines), discounts=Decimal(discounts))
    return HeldOrder(totals=totals, tags=tags, customized=customized, is_first=is_first)


def a_rule(**criteria) -> HoldRule:
    return HoldRule(name="a rule", reason=HoldReason.MANUAL_REVIEW, **criteria)


@pytest.mark.parametrize(
    ("rule", "order", "expected"),
    [
        (a_rule(), an_order(), True),
        (a_rule(discount_from=pounds("20")), an_order(discounts="20"), True),
        (a_rule(discount_from=pounds("20")), an_order(discounts="19.99"), False),
        (a_rule(discount_from=pounds("20")), an_order(discounts="20", currency="EUR"), False),
        (a_rule(discount_from=pounds("20")), an_order(currency=None), False),
        (a_rule(discount_percent_from=Decimal("12.5")), an_order(discounts="12.50"), True),
        (a_rule(discount_percent_from=Decimal("12.5")), an_order(discounts="12.49"), False),
        (a_rule(discount_percent_from=Decimal(1)), an_order(lines="0", discounts="5"), False),
        (a_rule(tags=("promo", "vip")), an_order(tags=("vip",)), True),
        (a_rule(tags=("promo",)), an_order(tags=("PROMO",)), False),
        (a_rule(customized=True), an_order(customized=True), True),
        (a_rule(customized=True), an_order(), False),
        (a_rule(customized=False), an_order(), True),
        (a_rule(first_order_from=pounds("100")), an_order(is_first=True), True),
        (a_rule(first_order_from=pounds("100")), an_order(is_first=False), False),
        (a_rule(first_order_from=pounds("100")), an_order(discounts="0.01", is_first=True), False),
        (a_rule(first_order_from=pounds("1")), an_order(is_first=True, currency="EUR"), False),
        (a_rule(tags=("promo",), customized=True), an_order(tags=("promo",)), False),
    ],
)
def test_r4_a_rule_matches_where_every_criterion_that_it_has_holds(rule, order, expected):
    assert matches(rule, order) is expected
