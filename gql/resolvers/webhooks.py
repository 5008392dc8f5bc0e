"""Webhooks: endpoints, their secrets, and what was delivered."""

from typing import Annotated

import strawberry

from domain.ids import DeliveryId, EndpointId
from gql.context import Info
from gql.errors import bad_input
from gql.pagination import connection, page_size, seek
from gql.resolvers import inputs as parsed
from gql.schema import filters, results, webhook_inputs
from gql.schema.ids import cursor
from gql.schema.nodes import Node
from gql.schema.webhooks import (
    WebhookDelivery,
    WebhookDeliveryConnection,
    WebhookDeliveryEdge,
    WebhookEndpoint,
    WebhookEndpointSecret,
    written,
)
from services import webhooks
from services.ports.webhooks import DeliveryFilter

ENDPOINT_FIELDS = ("name", "url", "types", "channels", "enabled")


async def endpoint_node(info: Info, row: int) -> Node | None:
    found = await info.context.read(lambda uow: uow.webhooks.by_ids([EndpointId(row)]))
    return WebhookEndpoint.of(found[0]) if found else None


async def delivery_node(info: Info, row: int) -> WebhookDelivery | None:
    found = await info.context.read(lambda uow: uow.webhooks.delivery(DeliveryId(row)))
    return None if found is None else WebhookDelivery.of(found)


async def webhook_endpoints(info: Info) -> list[WebhookEndpoint]:
    return [WebhookEndpoint.of(found) for found in await info.context.read(lambda uow: uow.webhooks.endpoints())]


async def webhook_deliveries(
    info: Info,
    filter: Annotated[
        filters.WebhookDeliveryFilter | None, strawberry.argument(description="Which deliveries; all when absent.")
    ] = None,
    first: Annotated[int, strawberry.argument(description="How many at most, 1 to 100.")] = 50,
    after: Annotated[str | None, strawberry.argument(description="Continue behind this cursor.")] = None,
) -> WebhookDeliveryConnection:
    condition, size, behind = _filter(filter), page_size(first), seek("delivery", after, (int,))
    before = behind[0] if behind else None
    rows = await info.context.read(lambda uow: uow.webhooks.page(condition, size + 1, before))
    edges = [
        WebhookDeliveryEdge(cursor=cursor("delivery", [row.id]), node=WebhookDelivery.of(row)) for row in rows[:size]
    ]
    return connection(WebhookDeliveryConnection, edges, len(rows), size, after)


def _filter(value: filters.WebhookDeliveryFilter | None) -> DeliveryFilter:
    if value is None:
        return DeliveryFilter()
    names, states = parsed.given(value.endpoints), parsed.given(value.states)
    return DeliveryFilter(
        endpoints=None if names is None else tuple(parsed.searchable(name) for name in names),
        states=None if states is None else tuple(states),
    )


async def save_webhook_endpoints(
    info: Info,
    input: Annotated[webhook_inputs.SaveWebhookEndpointsInput, strawberry.argument(description="What to save.")],
) -> results.SaveWebhookEndpointsResult:
    rows = [parsed.present(endpoint, ENDPOINT_FIELDS) for endpoint in input.endpoints]
    context = info.context
    saved = await webhooks.save_webhook_endpoints(
        context.database, rows, allow_loopback=context.webhooks_allow_loopback
    )
    found = {one.id: one for one in await context.read(lambda uow: uow.webhooks.by_ids(saved.endpoints))}
    return results.SaveWebhookEndpointsSuccess(
        endpoints=[WebhookEndpoint.of(found[endpoint]) for endpoint in saved.endpoints],
        secrets=[
            WebhookEndpointSecret(endpoint=found[endpoint].name, secret=written(saved.secrets[endpoint]))
            for endpoint in saved.endpoints
            if endpoint in saved.secrets
        ],
    )


async def rotate_webhook_secret(
    info: Info,
    input: Annotated[webhook_inputs.RotateWebhookSecretInput, strawberry.argument(description="Which endpoint.")],
) -> results.RotateWebhookSecretResult:
    context = info.context
    command = webhooks.RotateSecret(endpoint=input.endpoint, keep_previous_seconds=input.keep_previous_seconds)
    done = await webhooks.rotate_webhook_secret(context.database, context.caller, command, input.idempotency_key)
    secret = await context.read(lambda uow: uow.webhooks.secret(done.secret))
    return results.RotateWebhookSecretSuccess(
        endpoint=await _now(info, done.endpoint), secret=None if secret is None else written(secret)
    )


async def replay_webhook_events(
    info: Info,
    input: Annotated[webhook_inputs.ReplayWebhookEventsInput, strawberry.argument(description="From where.")],
) -> results.ReplayWebhookEventsResult:
    context = info.context
    behind = seek("log", input.after, (int,))
    if behind is None or behind[0] < 0:
        raise bad_input("`after` is not a cursor of the log.")
    command = webhooks.ReplayEvents(endpoint=input.endpoint, after=behind[0])
    done = await webhooks.replay_webhook_events(context.database, context.caller, command, input.idempotency_key)
    return results.ReplayWebhookEventsSuccess(endpoint=await _now(info, done.endpoint))


async def send_test_webhook(
    info: Info,
    input: Annotated[webhook_inputs.SendTestWebhookInput, strawberry.argument(description="Which endpoint.")],
) -> results.SendTestWebhookResult:
    context = info.context
    command = webhooks.SendTest(endpoint=input.endpoint)
    sent = await webhooks.send_test_webhook(context.database, context.caller, command, input.idempotency_key)
    return results.SendTestWebhookSuccess(delivery=await delivery_node(info, sent.delivery))


async def _now(info: Info, endpoint: EndpointId) -> WebhookEndpoint:
    (found,) = await info.context.read(lambda uow: uow.webhooks.by_ids([endpoint]))
    return WebhookEndpoint.of(found)
