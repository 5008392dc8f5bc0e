"""A business with two channels and two locations, and everything of it four times over: ours and theirs, here and
yonder. Whatever is of a channel or a location says so in its texts, so that it is known wherever it turns up.
"""

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text

from gql.schema.ids import global_id
from services.notices import check_alerts
from tests.builders import a_key
from tests.gql.serving import SECONDS_MAX, Served
from tests.gql.test_fulfillments import Shop

OURS, THEIRS, HERE, YONDER = "chan-ours", "chan-theirs", "loc-here", "loc-yonder"
QUADRANTS = [(channel, place) for channel in (OURS, THEIRS) for place in (HERE, YONDER)]
BUSINESS, UNRELEASED = "business", "unreleased"
CART = ("cart", UNRELEASED)
PERSONAL, PRICE = "personal", "77.77"
"""What stands in everything about customers, and what everything costs."""
LATER = "2100-01-01T00:00:00Z"

TABLES = {
    "Order": "orders",
    "OrderLine": "order_lines",
    "Allocation": "allocations",
    "Payment": "payments",
    "OrderHold": "order_holds",
    "Invoice": "invoices",
    "Fulfillment": "fulfillments",
    "FulfillmentLine": "fulfillment_lines",
    "Parcel": "parcels",
    "PickTask": "pick_tasks",
    "PickList": "pick_lists",
    "TrackingEvent": "tracking_events",
    "Return": "returns",
    "ReturnLine": "return_lines",
    "FollowUp": "follow_ups",
    "StockLevel": "stock_levels",
    "StockMovement": "stock_movements",
    "StockReservation": "stock_reservations",
    "Supply": "supplies",
    "AllocationRun": "allocation_runs",
    "Event": "events",
    "Alert": "alerts",
    "Mail": "mails",
    "WebhookEndpoint": "webhook_endpoints",
    "WebhookDelivery": "webhook_deliveries",
    "ApiKey": "api_keys",
    "Channel": "channels",
    "Location": "locations",
}
"""Where the rows of each kind of object are."""
SHARED = {"Item"}
"""Kinds of which everybody knows."""


@dataclass
class World:
    """`of`: the ids of each kind, by whose they are: a quadrant, `unreleased` of one, a channel, a location, or the
    business's own.
    """

    api: Served
    of: defaultdict[Any, defaultdict[str, list[str]]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(list))
    )
    skus: dict[tuple[str, str], str] = field(default_factory=dict)
    documents: defaultdict[Any, list[str]] = field(default_factory=lambda: defaultdict(list))

    def ids(self, *whose: Any) -> dict[str, list[str]]:
        """By kind."""
        found: defaultdict[str, list[str]] = defaultdict(list)
        for one in whose:
            for kind, ids in self.of[one].items():
                if not (
                    kind == "Event" and UNRELEASED in one
                ):  # a level that moves is the location's, whatever moves it
                    found[kind] += ids
        return found

    async def building(self, whose: Any, building: Any) -> None:
        """Whatever comes to be meanwhile is theirs."""
        before = await self._rows()
        await building
        for kind, rows in (await self._rows()).items():
            self.of[whose][kind] += [global_id(kind, row) for row in sorted(rows - before[kind])]

    async def _rows(self) -> dict[str, set[int]]:
        async with self.api.database.engine.connect() as connection:
            return {
                kind: set((await connection.execute(text(f"SELECT id FROM {table}"))).scalars())  # noqa: S608
                for kind, table in TABLES.items()
            }

    async def all_of(self, whose: dict[str, list[str]]) -> list[str]:
        """Every row of these as it is now."""
        found = []
        async with self.api.database.engine.connect() as connection:
            for kind, ids in whose.items():
                if kind in {"ApiKey", "WebhookDelivery", "WebhookEndpoint", "Alert"}:
                    continue  # they change by themselves: a key is used, a delivery is tried
                statement = f"SELECT id, CAST(t AS text) FROM {TABLES[kind]} t ORDER BY id"  # noqa: S608
                rows = await connection.execute(text(statement))
                found += [row for number, row in rows if global_id(kind, number) in set(ids)]
        return found


async def a_world(api: Served) -> World:
    world = World(api)
    for channel in (OURS, THEIRS):
        saving = api.mutate("saveChannels", channels=[{"code": channel, "name": f"Shop {channel}"}])
        await world.building(channel, saving)
    for place in (HERE, YONDER):
        saving = api.mutate("saveLocations", locations=[{"code": place, "name": f"Place {place}"}])
        await world.building(place, saving)
    await api.mutate("saveMerchant", name="Merchant")
    for quadrant in QUADRANTS:
        await world.building(quadrant, _goods(world, *quadrant))
        await world.building((*quadrant, UNRELEASED), _unreleased(world, *quadrant))
        await world.building(quadrant, sent_and_returned(world, *quadrant))
    reserving = api.mutate("reserveStock", lines=[{"sku": world.skus[OURS, HERE], "quantity": 1}])
    await world.building(CART, reserving)
    running = api.mutate("startAllocationRun", filter={"channels": [OURS]}, dryRun=True)
    await world.building(OURS, running)
    await world.building(BUSINESS, _business(world))
    return world


def _money() -> dict[str, str]:
    return {"amount": PRICE, "currencyCode": "GBP"}


async def _goods(world: World, channel: str, place: str) -> None:
    api, sku = world.api, api_sku(channel, place)
    world.skus[channel, place] = sku
    await api.mutate("saveItems", items=[{"sku": sku, "name": sku, "barcode": f"{sku}-code"}])
    received = [{"sku": sku, "quantity": 50}]
    await api.mutate("receiveStock", location=place, lines=received, reference=f"receipt {place}")
    await api.mutate("moveStock", location=place, lines=[{"sku": sku, "quantity": 40, "to": f"bin {place}"}])
    await api.mutate(
        "expectSupply",
        reference=f"po {place} {channel}",
        location=place,
        expectedAt=LATER,
        lines=[{"sku": sku, "quantity": 5}],
    )


def api_sku(channel: str, place: str) -> str:
    return f"SKU-{QUADRANTS.index((channel, place))}"


async def an_order(world: World, channel: str, place: str, quantity: int = 2) -> str:
    api, number = world.api, world.api.unique(f"no {channel} {place}")
    about = f"{PERSONAL} {channel} {place}"
    placed = await api.mutate(
        "placeOrder",
        "... on PlaceOrderSuccess { order { id } }",
        channel=channel,
        number=number,
        lines=[{"sku": world.skus[channel, place], "quantity": quantity, "unitPrice": _money(), "tax": _money()}],
        customer={"name": about, "email": "personal@theirs.example", "reference": about},
        billTo={"name": about, "line1": about, "city": "London", "postalCode": "SW1Y 4JH", "countryCode": "GB"},
        shipTo={
            "name": f"Ada {channel} {place}",
            "line1": "12 St James's Square",
            "city": "London",
            "postalCode": "SW1Y 4JH",
            "countryCode": "GB",
        },
        shippingPrice=_money(),
        tax=_money(),
        note=about,
        tags=[f"tag {channel} {place}"],
        shippingPolicy="SHIP_COMPLETE",
        payments=[{"amount": {"amount": "5000.00", "currencyCode": "GBP"}, "method": about}],
    )
    order = str(placed["order"]["id"])
    await api.mutate("allocateOrders", "... on UserError { message }", orders=[{"order": {"id": order}}])
    return order


async def _unreleased(world: World, channel: str, place: str) -> None:
    """A cart, and orders of which the location has heard nothing yet: one is allocated and held, one is short."""
    api = world.api
    lines = [{"sku": world.skus[channel, place], "quantity": 1}]
    await api.mutate("reserveStock", lines=lines, channel=channel, expiresInSeconds=86_400)
    held = await an_order(world, channel, place)
    await api.mutate("holdOrders", orders=[{"id": held}], reason="OTHER", note=f"{PERSONAL} hold {channel} {place}")
    await an_order(world, channel, place, quantity=5_000)


async def sent_and_returned(world: World, channel: str, place: str) -> str:
    """One order that has come back, with an invoice; and one that is on a pick list."""
    api, shop = world.api, Shop(world.api)
    sent = await an_order(world, channel, place)
    (fulfillment,) = await shop.released(sent)
    await shop.pick(fulfillment)
    packed = await shop.move("packFulfillment", fulfillment, parcels=[{"weightGrams": 500}])
    (parcel,) = packed["fulfillment"]["parcels"]
    tracking = f"tracking {channel} {place}"
    await shop.move("shipFulfillment", fulfillment, carrier="Carrier", trackingNumber=tracking)
    said = {"about": {"fulfillment": fulfillment["id"]}, "status": "IN_TRANSIT", "occurredAt": "2026-01-01T00:00:00Z"}
    recorded = "mutation ($input: RecordTrackingEventsInput!) { recordTrackingEvents(input: $input) { __typename } }"
    await api(recorded, input={"events": [said | {"place": f"depot {channel} {place}"}]})
    await shop.move("deliverFulfillment", fulfillment)
    invoice = await api.mutate("createInvoice", "... on CreateInvoiceSuccess { invoice { id } }", order={"id": sent})
    line = packed["fulfillment"]["order"]["lines"] and fulfillment["lines"][0]["line"]["id"]
    wanted = [{"line": line, "quantity": 1, "reason": "UNWANTED", "note": f"back {channel} {place}"}]
    asked = await api.mutate(
        "requestReturn",
        "... on ReturnSuccess { return { id lines { id } } }",
        order={"id": sent},
        location=place,
        lines=wanted,
    )
    back = asked["return"]
    await api.mutate("receiveReturn", **{"return": back["id"]})
    judged = [{"line": back["lines"][0]["id"], "quantity": 1, "outcome": "RESELL"}]
    await api.mutate("inspectReturn", **{"return": back["id"]}, lines=judged)
    await api.mutate("recordFollowUp", order={"id": sent}, outcome="SATISFIED", note=f"{PERSONAL} {channel} {place}")
    waiting = await an_order(world, channel, place)
    (to_pick,) = await shop.released(waiting)
    made = await api.mutate(
        "createPickList",
        "... on CreatePickListSuccess { list { id } }",
        location=place,
        fulfillments=[to_pick["id"]],
        picker=f"picker {place}",
    )
    world.documents[channel, place] += [
        f"label/{parcel['id']}.pdf",
        f"packing-slip/{parcel['id']}.pdf",
        f"invoice/{invoice['invoice']['id']}.pdf",
        f"pick-list/{made['list']['id']}.pdf",
    ]
    return waiting


async def _business(world: World) -> None:
    """What is of no channel and no location."""
    api = world.api
    await api.mutate(
        "saveWebhookEndpoints", endpoints=[{"name": BUSINESS, "url": "http://127.0.0.1:1/", "types": ["SupplyChanged"]}]
    )
    await api.mutate("sendTestWebhook", endpoint=BUSINESS)
    await api.mutate(
        "saveAlertRules", rules=[{"name": BUSINESS, "kind": "STOCK_RUNNING_OUT", "units": 1_000, "skus": ["SKU-0"]}]
    )
    await api.mutate("startAllocationRun", filter={"channels": [THEIRS]})
    async with api.database.engine.begin() as connection:
        await connection.execute(text(A_MAIL))
        async with asyncio.timeout(SECONDS_MAX):
            while not (await connection.execute(text(ALL_DONE))).scalar_one():
                await check_alerts(api.database)  # the watchman looks at new rules every half a minute
                await asyncio.sleep(0.05)
    await api.mutate("createApiKey", name=api.unique(BUSINESS), scopes=["admin"], idempotencyKey=a_key())


ALL_DONE = """
    SELECT EXISTS (SELECT FROM alerts) AND NOT EXISTS (SELECT FROM allocation_runs WHERE finished_at IS NULL)
    """
A_MAIL = """
    INSERT INTO mails
        (once, about, topic, audience, recipient, subject, text, html, event_id, state, attempts, ended_at)
    VALUES ('x', 'x', 'ORDER_PLACED', 'CUSTOMER', 'personal@theirs.example', 'personal', 'personal', 'personal', 1,
            'SENT', 1, now())
    """
