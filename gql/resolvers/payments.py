"""Payments, holds, and the rules that place them: input, service, result."""

from typing import Annotated

import strawberry

from domain.holding import HoldOutcome, HoldRule
from domain.ids import OrderId
from domain.orders import Payment
from gql.context import Info
from gql.errors import refusal_of
from gql.resolvers import inputs as parsed
from gql.schema import money, payment_inputs
from gql.schema import payment_results as results
from gql.schema.orders import Order
from services import holds, payments


async def record_payment(
    info: Info, input: Annotated[payment_inputs.RecordPaymentInput, strawberry.argument(description="What came.")]
) -> results.RecordPaymentResult:
    context = info.context
    command = payments.RecordPayment(order=parsed.order_reference(input.order), payment=_payment(input))
    done = await payments.record_payment(context.performer, context.caller, command, input.idempotency_key)
    return results.RecordPaymentSuccess(order=await _order(info, done.order))


async def record_refund(
    info: Info, input: Annotated[payment_inputs.RecordRefundInput, strawberry.argument(description="What went back.")]
) -> results.RecordRefundResult:
    context = info.context
    command = payments.RecordRefund(order=parsed.order_reference(input.order), payment=_payment(input))
    done = await payments.record_refund(context.performer, context.caller, command, input.idempotency_key)
    return results.RecordRefundSuccess(order=await _order(info, done.order))


async def hold_orders(
    info: Info, input: Annotated[payment_inputs.HoldOrdersInput, strawberry.argument(description="Which, and why.")]
) -> results.HoldOrdersResult:
    context = info.context
    command = holds.HoldOrders(
        orders=tuple(parsed.order_reference(by) for by in input.orders),
        reason=input.reason,
        note=parsed.given(input.note),
    )
    done = await holds.hold_orders(context.performer, context.caller, command, input.idempotency_key)
    return results.HoldOrdersSuccess(results=await _outcomes(info, done.results))


async def release_holds(
    info: Info, input: Annotated[payment_inputs.ReleaseHoldsInput, strawberry.argument(description="Which holds.")]
) -> results.ReleaseHoldsResult:
    context, reasons = info.context, parsed.given(input.reasons)
    command = holds.ReleaseHolds(
        orders=tuple(parsed.order_reference(by) for by in input.orders),
        reasons=None if reasons is None else tuple(reasons),
    )
    done = await holds.release_holds(context.performer, context.caller, command, input.idempotency_key)
    return results.ReleaseHoldsSuccess(results=await _outcomes(info, done.results))


async def save_hold_rules(
    info: Info, input: Annotated[payment_inputs.SaveHoldRulesInput, strawberry.argument(description="All the rules.")]
) -> results.SaveHoldRulesResult:
    saved = await holds.save_hold_rules(info.context.database, [_rule(rule) for rule in input.rules])
    return results.SaveHoldRulesSuccess(rules=[money.HoldRule.of(rule) for rule in saved])


async def hold_rules(info: Info) -> list[money.HoldRule]:
    found = await info.context.read(lambda uow: uow.automation.hold_rules())
    return [money.HoldRule.of(rule) for rule in found]


def _payment(input: payment_inputs.RecordPaymentInput | payment_inputs.RecordRefundInput) -> Payment:
    return Payment(
        amount=parsed.amount(input.amount),
        method=input.method,
        reference=parsed.given(input.reference),
        occurred_at=parsed.given(input.occurred_at),
    )


def _rule(rule: payment_inputs.HoldRuleInput) -> HoldRule:
    tags = parsed.given(rule.tags)
    return HoldRule(
        name=rule.name,
        reason=rule.reason,
        note=parsed.given(rule.note),
        discount_from=parsed.money(rule.discount_from),
        discount_percent_from=parsed.given(rule.discount_percent_from),
        tags=None if tags is None else tuple(tags),
        customized=parsed.given(rule.customized),
        first_order_from=parsed.money(rule.first_order_from),
    )


async def _order(info: Info, order: OrderId) -> Order:
    info.context.forget()
    return await Order.load(info, order)


async def _outcomes(info: Info, outcomes: tuple[HoldOutcome, ...]) -> list[results.OrderHoldOutcome]:
    info.context.forget()
    await info.context.loaders.orders.load_many([one.order for one in outcomes if one.order is not None])
    return [
        results.OrderHoldOutcome(
            index=one.index,
            order=None if one.order is None else await Order.find(info, one.order),
            changed=one.changed,
            refusal=None if one.refusal is None else await refusal_of(info, one.refusal),
        )
        for one in outcomes
    ]
