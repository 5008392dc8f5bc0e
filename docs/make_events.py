"""Write docs/events.md from the catalogue and the schema: `.venv/bin/python docs/make_events.py`.

What a field is, the schema says; what an event looks like, the code that answers and that posts webhooks says, of the
examples below.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, get_named_type

from dibs.settings import Settings
from domain.events import (
    CATALOGUE,
    AlertRaised,
    AlertResolved,
    AllocationRunProgressed,
    AllocationStatusChanged,
    Event,
    ExpectedAtChanged,
    FulfillmentChanged,
    LoggedEvent,
    OrderChanged,
    PickTasksChanged,
    ReturnChanged,
    StockLevelChanged,
    SupplyChanged,
    WebhookEndpointDisabled,
)
from domain.ids import (
    AlertId,
    DeliveryId,
    EndpointId,
    FulfillmentId,
    OrderId,
    PickTaskId,
    ReturnId,
    RunId,
    SupplyId,
)
from domain.kinds import (
    AlertKind,
    AllocationCause,
    AllocationStatus,
    FulfillmentState,
    OrderChange,
    ReturnState,
    RunState,
    SupplyKind,
    SupplyState,
)
from domain.webhooks import Claimed
from gql.api import create_schema
from gql.schema.events import event_of
from gql.webhook_payload import NAMES, TEST, plain, webhook_message

PAGE = Path(__file__).with_name("events.md")
KEPT_DAYS = Settings.model_fields["event_retention_days"].default
SCHEMA = create_schema()._schema  # noqa: SLF001  (Strawberry shows it nowhere else)

WRITTEN: Mapping[str, str] = {
    "OrderChanged": "In every commit that changes an order, whatever it changes: its terms and lines, its status, or "
    "what is set aside for it.",
    "AllocationStatusChanged": "Beside `OrderChanged`, in the same commit and with the same `orderVersion`, where the "
    "allocation status is another one than before. [Life cycles](life-cycles.md#allocation-status) lists every move.",
    "StockLevelChanged": "In every commit after which a quantity of a stock level is another one: goods come, go or "
    "are counted, and units are set aside or given back.",
    "AllocationRunProgressed": "In every commit of a run that `startAllocationRun` began: when it is queued, when it "
    "begins, after each batch of orders, and when it ends. The last one has `SUCCEEDED`, `FAILED` or `CANCELED`.",
    "SupplyChanged": "In every commit that changes a supply: it is announced or sent off, moved to another time, "
    "received in whole or in part, canceled or closed.",
    "ExpectedAtChanged": "Beside `SupplyChanged`, in the same commit, for every order whose date moved: where a supply "
    "is rescheduled, canceled or closed. Not where goods arrive: then the orders themselves change.",
    "WebhookEndpointDisabled": "When nothing got through to an enabled endpoint for 24 hours, or it answered 410. Not "
    "where a person disables it.",
    "FulfillmentChanged": "In every commit that moves a fulfillment on or back, or changes what it sends; beside "
    "`OrderChanged` of its order.",
    "PickTasksChanged": "In every commit that makes pick tasks at a location, changes or ends them, or moves them to "
    "another bin; one for everybody who did. Taking a pick list is none.",
    "ReturnChanged": "In every commit in which a return is asked for, comes, is inspected or canceled, also in part; "
    "beside `OrderChanged` of its order.",
    "AlertRaised": "When a rule of `saveAlertRules` finds its situation and has no alert open about it: within a "
    "second or two of the event that brought it about, and within half a minute where it came by the clock.",
    "AlertResolved": "When the situation of an open alert is over, or its rule is gone or watches for something else.",
}
"""When an event of this type is written; the rest of its chapter is in the code."""

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SUPPLY = SupplyId(4)
ORDER: Mapping[str, Any] = {"order_id": OrderId(7), "order_number": "1001", "channel_code": "SHOP"}
CHANGE: Mapping[str, Any] = {"order_version": 2, "skus": ("CHAIR",), "locations": ("LEEDS",)}

EXAMPLES: tuple[Event, ...] = (
    OrderChanged(**ORDER, **CHANGE, changes=(OrderChange.ALLOCATIONS_CHANGED,), actors=("shop",)),
    AllocationStatusChanged(
        **ORDER,
        **CHANGE,
        before=AllocationStatus.UNALLOCATED,
        after=AllocationStatus.PARTIALLY_ALLOCATED,
        cause=AllocationCause.RUN,
        actor="shop",
    ),
    StockLevelChanged(
        sku="CHAIR",
        location_code="LEEDS",
        version=3,
        on_hand=5,
        committed=5,
        unavailable=0,
        available=0,
        overallocated=0,
    ),
    AllocationRunProgressed(
        run_id=RunId(1),
        run_version=3,
        state=RunState.SUCCEEDED,
        dry_run=False,
        processed=131,
        total=131,
        outcomes={
            "ALLOCATED": 69,
            "PARTIALLY_ALLOCATED": 56,
            "COULD_NOT_ALLOCATE": 6,
        },
        started_at=NOON.replace(hour=11, minute=58),
        finished_at=NOON,
    ),
    SupplyChanged(
        supply_id=SUPPLY,
        supply_version=2,
        reference="PO-12",
        kind=SupplyKind.PURCHASE_ORDER,
        state=SupplyState.EXPECTED,
        location_code="LEEDS",
        skus=("CHAIR",),
        locations=("LEEDS",),
        expected_at=NOON.replace(day=9),
        expected_at_before=NOON.replace(day=5),
    ),
    ExpectedAtChanged(
        **ORDER,
        skus=("CHAIR",),
        supply_id=SUPPLY,
        supply_reference="PO-12",
        before=NOON.replace(day=5),
        after=NOON.replace(day=9),
        actor="buying",
    ),
    WebhookEndpointDisabled(
        endpoint_id=EndpointId(1), endpoint_name="partner", reason="Nothing has got through for 24 hours.", failures=16
    ),
    FulfillmentChanged(
        **ORDER,
        fulfillment_id=FulfillmentId(31),
        fulfillment_version=5,
        location_code="LEEDS",
        before=FulfillmentState.PACKED,
        after=FulfillmentState.SHIPPED,
        skus=("CHAIR",),
        locations=("LEEDS",),
        carrier="Royal Mail",
        tracking_number="QM000000001GB",
        estimated_ship_at=NOON.replace(day=3),
        estimated_delivery_at=NOON.replace(day=6),
        actor="packing",
    ),
    PickTasksChanged(
        location_code="LEEDS",
        task_ids=(PickTaskId(33), PickTaskId(34)),
        skus=("CHAIR",),
        locations=("LEEDS",),
        actor="picking",
    ),
    ReturnChanged(
        **ORDER,
        return_id=ReturnId(52),
        return_version=3,
        location_code="LEEDS",
        before=ReturnState.RECEIVED,
        after=ReturnState.INSPECTED,
        skus=("CHAIR",),
        locations=("LEEDS",),
        requested=3,
        received=3,
        resold=2,
        quarantined=0,
        discarded=1,
        actor="returns desk",
    ),
    AlertRaised(
        alert_id=AlertId(1),
        rule="overallocated",
        kind=AlertKind.ORDER_OVERALLOCATED,
        **ORDER,
        sku=None,
        location_code=None,
        available=None,
        endpoints=("partner",),
    ),
    AlertResolved(
        alert_id=AlertId(2),
        rule="few left",
        kind=AlertKind.STOCK_RUNNING_OUT,
        order_id=None,
        order_number=None,
        channel_code=None,
        sku="CHAIR",
        location_code="LEEDS",
        available=40,
        endpoints=(),
    ),
)
"""One of each type, in the catalogue's order."""


# ---------------------------------------------------------------- what is answered and posted


def logged(event: Event, position: int) -> LoggedEvent:
    return LoggedEvent(id=position, position=position, occurred_at=NOON, event=event)


def answer(event: LoggedEvent) -> dict[str, Any]:
    """The event as an answer has it, with everything that does not ask for what is true now."""
    return {"__typename": event.event.type, **plain(event_of(event))}


def body(event: LoggedEvent | None) -> dict[str, Any]:
    """The webhook that tells of the event; None: the test."""
    claimed = Claimed(
        id=DeliveryId(1),
        endpoint=EndpointId(1),
        name="partner",
        url="https://partner.example/",
        secrets=(),
        lease="",
        attempts=0,
        event=event,
        expired=False,
        created_at=NOON,
    )
    said: dict[str, Any] = json.loads(webhook_message(claimed)[1])
    return said


def selection(kind: GraphQLObjectType | GraphQLInterfaceType) -> str:
    """Every field that the log itself answers, as a document selects it."""
    parts = []
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        if not is_live(kind, name):
            parts.append(f"{name} {selection(inner)}" if isinstance(inner, GraphQLObjectType) else name)
    return f"{{ {' '.join(parts)} }}"


def is_live(kind: GraphQLObjectType | GraphQLInterfaceType, name: str) -> bool:
    """Whether the field is read when it is asked for, rather than kept in the log."""
    definition = kind.extensions["strawberry-definition"]
    (field,) = (one for one in definition.fields if NAMES.get_graphql_name(one) == name)
    return field.base_resolver is not None


def subscription_of(event: str) -> tuple[str, GraphQLField] | None:
    """The subscription that tells of this type of event and no other."""
    found = SCHEMA.subscription_type.fields if SCHEMA.subscription_type else {}
    return next(((name, field) for name, field in found.items() if str(get_named_type(field.type)) == event), None)


# ---------------------------------------------------------------- the page


def page() -> str:
    chapters = [_event(logged(event, at)) for at, event in enumerate(EXAMPLES, start=41)]
    parts = (_introduction(), *chapters, _test())
    return "\n".join("\n".join((*part, "")) for part in parts)


def _introduction() -> list[str]:
    return [
        "# Events",
        "",
        "`docs/make_events.py` writes this page from the code, and a test holds that the two agree. Change the code,",
        "then run the script; do not edit the page.",
        "",
        "An event is written in the transaction of the change that it tells of, and gets its place in the log after",
        "the commit. There is one catalogue and one log: subscriptions, webhooks and `events(after:)` tell the same",
        "events in the same order. Each event has",
        "",
        "- an `id`, the same wherever it is told: what was seen twice is known by it;",
        "- a `cursor`, to go on behind it: `events(after:)`, `after` of a subscription, `replayWebhookEvents`;",
        "- `occurredAt`, by the database's clock.",
        "",
        "Every event is told by the subscription `events` and by webhooks, and is found with the query `events`; most",
        "types have a subscription of their own too.",
        "",
        f"Events are kept for {KEPT_DAYS} days, or as `DIBS_EVENT_RETENTION_DAYS` says. A cursor from before the log",
        "begins is refused with `CURSOR_EXPIRED`: read the data anew, and go on from `eventCursor`.",
        "",
        "**Versions.** Every type has a version. A field more leaves it as it is, so read only the fields that you",
        "know; it rises when a field would mean something else, or is gone. Webhooks carry it as `typeVersion`; in",
        "GraphQL, fields are deprecated before they go. An enum may gain values under any version.",
        "",
        "**Webhooks.** A body has the `type`, its `typeVersion`, the `timestamp` at which it happened, and in `data`",
        "what GraphQL answers for the event, without `__typename` and without the fields that are *read live*, which",
        "show what is true when they are read and not when the event happened.",
        "",
        "A document that selects both `AllocationStatusChanged` and `ExpectedAtChanged` has to give `before` and",
        "`after` other names (`was: before`), since they are statuses in one and times in the other.",
        "",
        "| Event | Version | Subscription | What it says |",
        "| --- | --- | --- | --- |",
        *(_row_of(kind) for kind in CATALOGUE),
    ]


def _row_of(kind: str) -> str:
    subscription = subscription_of(kind)
    told = f"`{subscription[0]}`" if subscription else ""
    version = CATALOGUE[kind].type_version
    return f"| [`{kind}`](#{kind.lower()}) | {version} | {told} | {_type(kind).description} |"


def _event(event: LoggedEvent) -> list[str]:
    kind = event.event.type
    found = subscription_of(kind)
    arguments = ", ".join(f"`{name}: {one.type}`" for name, one in found[1].args.items()) if found else ""
    return [
        f"## {kind}",
        "",
        f"{_type(kind).description} Version {event.event.type_version}.",
        "",
        f"**Written:** {WRITTEN[kind]}",
        "",
        f"**Followed** with the subscription `{found[0]}` ({arguments}), and as every event is."
        if found
        else "**Followed** as every event is, and with no subscription of its own.",
        "",
        "| Field | Type | Meaning |",
        "| --- | --- | --- |",
        *_fields(_type(kind)),
        "",
        "As an answer:",
        "",
        *_json(answer(event)),
        "",
        "As a webhook:",
        "",
        *_json(body(event)),
    ]


def _test() -> list[str]:
    return [
        f"## {TEST}",
        "",
        "What `sendTestWebhook` posts. It is in no log, so it has no cursor; `id` is that of the delivery.",
        "",
        *_json(body(None)),
    ]


def _type(kind: str) -> GraphQLObjectType:
    found = SCHEMA.type_map[kind]
    assert isinstance(found, GraphQLObjectType)
    return found


def _fields(kind: GraphQLObjectType, above: str = "") -> list[str]:
    rows = []
    for name, field in kind.fields.items():
        live = is_live(kind, name)
        rows.append(f"| `{above}{name}` | `{field.type}` | {field.description}{' *Read live.*' if live else ''} |")
        inner = get_named_type(field.type)
        if isinstance(inner, GraphQLObjectType) and not live:
            rows += _fields(inner, f"{above}{name}.")
    return rows


def _json(value: Any) -> list[str]:
    return ["```json", json.dumps(value, indent=2, ensure_ascii=False), "```"]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
