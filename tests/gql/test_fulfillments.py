"""From order to doorstep through the API: release, pick, check, pack, ship, deliver."""

import asyncio
from typing import Any

import pytest
import pytest_asyncio

from domain.fulfillments import TRANSITIONS
from domain.kinds import FulfillmentState
from tests.builders import a_key
from tests.gql.serving import SECONDS_MAX, Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

HOME = {
    "name": "Ada King",
    "line1": "12 St James's Square",
    "city": "London",
    "postalCode": "SW1Y 4JH",
    "countryCode": "GB",
}
FULFILLMENT = """
    id state version kind location { code } carrier trackingNumber estimatedShipAt estimatedDeliveryAt
    shippedAt deliveredAt onTime
    lines { quantity picked line { id sku } }
    pickTasks { id state version sku bin quantity picked short picker }
    parcels { id number sscc trackingNumber weightGrams contents { quantity line { sku } } }
    """
STATE = "... on FulfillmentNotInState { states: allowed fulfillment { state } }"
RELEASED = f"""... on ReleaseOrdersSuccess {{ results {{
    index order {{ number fulfillmentStatus allocationStatus }} fulfillments {{ {FULFILLMENT} }}
    refusal {{ __typename message ... on OrderNotReleasable {{ obstacles {{ code message }} }} }} }} }}"""
MOVED = f"""... on FulfillmentSuccess {{ fulfillment {{ {FULFILLMENT} order {{ status fulfillmentStatus allocationStatus
    lines {{ sku open allocated shipped dropshipped }} }} }} rest {{ {FULFILLMENT} }} }}
    ... on NotFound {{ references }}"""
RECORD = f"""
    mutation ($input: RecordPicksInput!) {{ recordPicks(input: $input) {{ __typename
      ... on InvalidInput {{ problems {{ path code }} }}
      ... on RecordPicksSuccess {{ results {{ commandId outcome
        task {{ id state version picked short bin }} fulfillments {{ {FULFILLMENT} }}
        refusal {{ __typename message ... on PickConflict {{ obstacle }} }} }} }} }} }}"""
LEVEL = """
    query ($sku: String!) { item(by: {sku: $sku}) { levels {
      location { code } onHand committed damaged qualityControl unavailable picked available overallocated
      bins { bin onHand } } } }"""
ORDER = f"""
    query ($id: ID!) {{ order(by: {{id: $id}}) {{ status allocationStatus fulfillmentStatus version
      lines {{ id sku open allocated shipped dropshipped canceled }} fulfillments {{ {FULFILLMENT} }} }} }}"""


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def locations(api: Served) -> None:
    places = [{"code": code, "name": code.title()} for code in ("LEEDS", "YORK")]
    places[1]["requiresQualityCheck"] = True  # type: ignore[assignment]
    await api.mutate(
        "saveLocations", locations=[*places, {"code": "SUPPLIER", "name": "Supplier", "kind": "DROPSHIP", "rank": 900}]
    )


class Shop:
    """One test's own SKUs and orders."""

    def __init__(self, api: Served) -> None:
        self.api = api

    async def sku(self, barcode: str | None = None, **stock: int) -> str:
        sku = self.api.unique("SKU")
        await self.api.mutate("saveItems", items=[{"sku": sku, "name": "Thing", "barcode": barcode}])
        for location, quantity in stock.items():
            lines = [{"sku": sku, "quantity": quantity}]
            await self.api.mutate("receiveStock", location=location.upper(), lines=lines)
        return sku

    async def order(self, *lines: tuple[str, int], allocate: bool = True, **more: Any) -> str:
        placed = await self.api.mutate(
            "placeOrder",
            "... on PlaceOrderSuccess { order { id } }",
            number=self.api.unique("N"),
            lines=[{"sku": sku, "quantity": quantity} for sku, quantity in lines],
            **({"channel": "WEB", "shipTo": HOME} | more),
        )
        order = str(placed["order"]["id"])
        if allocate:
            await self.api.mutate(
                "allocateOrders", "... on AllocateOrdersSuccess { __typename }", orders=[{"order": {"id": order}}]
            )
        return order

    async def release(self, *orders: str, **more: Any) -> list[Any]:
        answer = await self.api.mutate("releaseOrders", RELEASED, orders=[{"id": order} for order in orders], **more)
        results: list[Any] = answer["results"]
        return results

    async def released(self, *orders: str) -> list[Any]:
        (result,) = await self.release(*orders)
        assert result["refusal"] is None, result
        fulfillments: list[Any] = result["fulfillments"]
        return fulfillments

    async def move(self, name: str, fulfillment: Any, **fields: Any) -> Any:
        return await self.api.mutate(name, MOVED + STATE, fulfillment=fulfillment["id"], **fields)

    async def record(self, *commands: Any) -> list[Any]:
        ready = [{"commandId": a_key(), **command} for command in commands]
        answer = (await self.api(RECORD, input={"commands": ready}))["recordPicks"]
        results: list[Any] = answer["results"]
        return results

    async def pick(self, fulfillment: Any) -> None:
        """All of it."""
        tasks = [task for task in fulfillment["pickTasks"] if task["state"] == "OPEN"]
        results = await self.record(*({"task": task["id"], "quantity": task["quantity"]} for task in tasks))
        assert {one["outcome"] for one in results} == {"APPLIED"}, results

    async def level(self, sku: str, location: str = "LEEDS") -> Any:
        levels = (await self.api(LEVEL, sku=sku))["item"]["levels"]
        return next(level for level in levels if level["location"]["code"] == location)

    async def now(self, order: str) -> Any:
        return (await self.api(ORDER, id=order))["order"]


@pytest.fixture
def shop(api: Served) -> Shop:
    return Shop(api)


async def test_r1_r6_a6_c4_c5_l2_l9_o3_an_order_goes_from_the_shelf_to_the_door(shop: Shop):
    sku = await shop.sku(leeds=5)
    order = await shop.order((sku, 2))
    assert (await shop.now(order))["status"] == "FINALIZED"

    (fulfillment,) = await shop.released(order)
    assert (fulfillment["state"], fulfillment["location"]["code"]) == ("RELEASED", "LEEDS")
    assert fulfillment["estimatedShipAt"] < fulfillment["estimatedDeliveryAt"]
    assert (await shop.now(order))["fulfillmentStatus"] == "RELEASED"

    await shop.pick(fulfillment)
    level = await shop.level(sku)
    assert (level["onHand"], level["committed"], level["picked"]) == (5, 2, 2)
    assert (await shop.now(order))["fulfillmentStatus"] == "PICKING"

    packed = await shop.move("packFulfillment", fulfillment, parcels=[{"weightGrams": 700}])
    assert packed["fulfillment"]["state"] == "PACKED"
    assert packed["fulfillment"]["parcels"][0]["contents"] == [{"quantity": 2, "line": {"sku": sku}}]

    shipped = await shop.move("shipFulfillment", fulfillment, carrier="Royal Mail", trackingNumber="RM1")
    assert shipped["fulfillment"]["state"] == "SHIPPED"
    assert shipped["fulfillment"]["order"]["allocationStatus"] is None
    assert shipped["fulfillment"]["order"]["lines"] == [
        {"sku": sku, "open": 0, "allocated": 0, "shipped": 2, "dropshipped": 0}
    ]
    level = await shop.level(sku)
    assert (level["onHand"], level["committed"], level["picked"], level["available"]) == (3, 0, 0, 3)

    delivered = await shop.move("deliverFulfillment", fulfillment)
    assert delivered["fulfillment"]["onTime"] is True
    assert delivered["fulfillment"]["order"]["status"] == "FULFILLED"
    assert delivered["fulfillment"]["order"]["fulfillmentStatus"] == "DELIVERED"


async def test_r2_r8_a3_an_order_that_is_not_all_there_is_not_released_and_every_reason_is_told(shop: Shop):
    sku = await shop.sku(leeds=1)
    waiting, short = await shop.order((sku, 1), allocate=False), await shop.order((sku, 2))

    first, second = await shop.release(waiting, short)

    assert first["refusal"]["__typename"] == "OrderNotReleasable"
    assert [one["code"] for one in first["refusal"]["obstacles"]] == ["NOT_ALLOCATED"]
    assert [one["code"] for one in second["refusal"]["obstacles"]] == ["PARTIALLY_ALLOCATED"]

    ((partly,)) = await shop.release(short, partial=True)
    assert partly["fulfillments"][0]["lines"][0]["quantity"] == 1


async def test_r2_r4_payment_address_and_holds_are_in_the_way_and_all_are_told_at_once(shop: Shop):
    sku = await shop.sku(leeds=1)
    price = {"amount": "4.95", "currencyCode": "GBP"}
    order = await shop.order((sku, 1), shipTo={"countryCode": "GB", "city": "London"}, shippingPrice=price)
    held = "... on HoldOrdersSuccess { results { index } }"
    await shop.api.mutate("holdOrders", held, orders=[{"id": order}], reason="MANUAL_REVIEW", note="A gift?")

    (refused,) = await shop.release(order)
    codes = [one["code"] for one in refused["refusal"]["obstacles"]]
    assert codes == ["ON_HOLD", "PAYMENT_NOT_VERIFIED", "ADDRESS_INCOMPLETE", "ADDRESS_INCOMPLETE"]
    assert (await shop.now(order))["allocationStatus"] == "ALLOCATED"  # a hold stops no allocation

    await shop.api.mutate(
        "recordPayment",
        "... on RecordPaymentSuccess { order { paymentStatus } }",
        order={"id": order},
        amount=price,
        method="card",
        reference="P-1",
    )
    await shop.api.mutate(
        "releaseHolds",
        "... on ReleaseHoldsSuccess { results { index } }",
        orders=[{"id": order}],
        reasons=["MANUAL_REVIEW"],
    )
    await shop.api.mutate("editOrder", "... on EditOrderSuccess { order { id } }", order={"id": order}, shipTo=HOME)
    assert len(await shop.released(order)) == 1


async def test_l5_a_short_pick_closes_the_loop_from_another_location(shop: Shop):
    sku = await shop.sku(leeds=5, york=5)
    order = await shop.order((sku, 3))
    other = await shop.order((sku, 2))  # LEEDS again
    (fulfillment,) = await shop.released(order)
    (task,) = fulfillment["pickTasks"]

    (result,) = await shop.record({"task": task["id"], "quantity": 1, "short": {}})

    assert result["outcome"] == "APPLIED"
    assert (result["task"]["state"], result["task"]["picked"], result["task"]["short"]) == ("DONE", 1, 2)
    (elsewhere,) = result["fulfillments"]
    assert elsewhere["location"]["code"] == "YORK"
    assert elsewhere["lines"][0]["quantity"] == 2
    level = await shop.level(sku)
    assert (level["onHand"], level["committed"], level["picked"]) == (3, 3, 1)  # no bin was named: only 2 are gone
    now = await shop.now(order)
    assert (now["allocationStatus"], now["fulfillmentStatus"]) == ("ALLOCATED", "PICKING")
    assert [one["state"] for one in now["fulfillments"]] == ["PICKED", "RELEASED"]
    assert (await shop.now(other))["allocationStatus"] == "ALLOCATED"


async def test_l5_a_bin_that_is_found_empty_is_empty_in_the_ledger_and_others_who_counted_on_it_learn_of_it(shop: Shop):
    sku = await shop.sku(leeds=6)
    await shop.api.mutate(
        "moveStock",
        "... on MoveStockSuccess { levels { sku } }",
        location="LEEDS",
        lines=[{"sku": sku, "quantity": 4, "to": "A-1"}, {"sku": sku, "quantity": 2, "to": "B-7"}],
    )
    order, other = await shop.order((sku, 3)), await shop.order((sku, 3))
    (fulfillment,) = await shop.released(order)
    (task,) = fulfillment["pickTasks"]
    assert task["bin"] == "A-1"

    (result,) = await shop.record({"task": task["id"], "quantity": 2, "short": {}})

    assert result["outcome"] == "APPLIED"
    level = await shop.level(sku)
    # A-1 had 4: 2 were picked, 2 are gone.
    assert (level["onHand"], level["bins"]) == (4, [{"bin": "B-7", "onHand": 2}])
    assert (await shop.now(other))["allocationStatus"] == "OVERALLOCATED"
    now = await shop.now(order)
    assert now["allocationStatus"] in ("ALLOCATED", "PARTIALLY_ALLOCATED")


async def test_a_phone_that_was_offline_replays_its_queue_and_nothing_is_picked_twice(shop: Shop):
    sku = await shop.sku(leeds=5)
    (fulfillment,) = await shop.released(await shop.order((sku, 3)))
    (task,) = fulfillment["pickTasks"]
    one, two = (
        {"commandId": a_key(), "task": task["id"], "quantity": 1},
        {
            "commandId": a_key(),
            "task": task["id"],
            "quantity": 2,
        },
    )

    first = await shop.record(one)
    again = await shop.record(one, two, {"task": task["id"], "quantity": 1})

    assert [answer["outcome"] for answer in first] == ["APPLIED"]
    assert [answer["outcome"] for answer in again] == ["ALREADY_APPLIED", "APPLIED", "CONFLICT"]
    assert again[2]["refusal"]["obstacle"] == "TASK_ENDED"
    assert (await shop.level(sku))["picked"] == 3


async def test_what_was_scanned_must_be_the_item(shop: Shop):
    sku = await shop.sku(barcode="4006381333931", leeds=5)
    (fulfillment,) = await shop.released(await shop.order((sku, 1)))
    (task,) = fulfillment["pickTasks"]

    wrong, right = await shop.record(
        {"task": task["id"], "quantity": 1, "barcode": "96385074"},
        {"task": task["id"], "quantity": 1, "barcode": "4006381333931"},
    )

    assert wrong["refusal"]["obstacle"] == "WRONG_BARCODE"
    assert right["outcome"] == "APPLIED"


async def test_r7_what_fails_the_quality_check_is_set_apart_and_picked_again(shop: Shop):
    sku = await shop.sku(york=5)
    order = await shop.order((sku, 2))
    (fulfillment,) = await shop.released(order)
    await shop.pick(fulfillment)
    refused = await shop.move("packFulfillment", fulfillment, parcels=[{}])
    assert (refused["__typename"], refused["states"]) == ("FulfillmentNotInState", ["CHECKED"])
    line = fulfillment["lines"][0]["line"]["id"]

    failed = await shop.move(
        "checkFulfillment", fulfillment, failed=[{"line": line, "quantity": 1, "reason": "DAMAGED"}]
    )

    assert failed["fulfillment"]["state"] == "PICKING"
    level = await shop.level(sku, "YORK")
    assert (level["onHand"], level["qualityControl"], level["committed"], level["picked"]) == (5, 1, 2, 1)
    await shop.pick(failed["fulfillment"])
    passed = await shop.move("checkFulfillment", fulfillment)
    assert passed["fulfillment"]["state"] == "CHECKED"
    packed = await shop.move("packFulfillment", fulfillment, parcels=[{}])
    assert packed["fulfillment"]["state"] == "PACKED"


async def test_c10_some_quantities_are_shipped_and_the_rest_stays(shop: Shop):
    chair, table = await shop.sku(leeds=5), await shop.sku(leeds=5)
    order = await shop.order((chair, 3), (table, 1))
    (fulfillment,) = await shop.released(order)
    await shop.pick(fulfillment)
    chairs = next(line["line"]["id"] for line in fulfillment["lines"] if line["line"]["sku"] == chair)
    tables = next(line["line"]["id"] for line in fulfillment["lines"] if line["line"]["sku"] == table)

    packed = await shop.move(
        "packFulfillment",
        fulfillment,
        parcels=[
            {"contents": [{"line": chairs, "quantity": 1}]},
            {"contents": [{"line": chairs, "quantity": 1}, {"line": tables, "quantity": 1}]},
        ],
    )
    assert packed["rest"]["state"] == "PICKED"
    assert [(line["quantity"], line["picked"]) for line in packed["rest"]["lines"]] == [(1, 1)]
    first = packed["fulfillment"]["parcels"][0]["id"]
    shipped = await shop.move("shipFulfillment", fulfillment, parcels=[{"parcel": first, "trackingNumber": "T1"}])

    assert shipped["fulfillment"]["order"]["fulfillmentStatus"] == "PARTIALLY_SHIPPED"
    assert shipped["fulfillment"]["parcels"][0]["trackingNumber"] == "T1"
    assert shipped["rest"]["state"] == "PACKED"
    assert len(shipped["rest"]["parcels"]) == 1
    lines = {line["sku"]: line for line in shipped["fulfillment"]["order"]["lines"]}
    assert (lines[chair]["shipped"], lines[chair]["open"], lines[table]["shipped"]) == (1, 2, 0)
    level = await shop.level(chair)
    assert (level["onHand"], level["committed"], level["picked"]) == (4, 2, 2)

    await shop.move("shipFulfillment", shipped["rest"])
    await shop.move("packFulfillment", packed["rest"], parcels=[{}])
    done = await shop.move("shipFulfillment", packed["rest"])
    assert done["fulfillment"]["order"]["fulfillmentStatus"] == "SHIPPED"


async def test_o5_c17_a_supplier_sends_it_and_the_stock_is_free_again(shop: Shop):
    sku = await shop.sku(leeds=2)
    order = await shop.order((sku, 2))

    sent = await shop.api.mutate("dropshipOrder", MOVED, order={"id": order}, supplier="SUPPLIER")

    assert sent["fulfillment"]["kind"] == "DROPSHIP"
    level = await shop.level(sku)
    assert (level["onHand"], level["committed"], level["available"]) == (2, 0, 2)
    shipped = await shop.move("shipFulfillment", sent["fulfillment"], carrier="DHL", trackingNumber="JD1")
    assert shipped["fulfillment"]["order"]["lines"][0]["dropshipped"] == 2
    delivered = await shop.move("deliverFulfillment", sent["fulfillment"])
    assert delivered["fulfillment"]["order"]["status"] == "FULFILLED"


async def test_what_is_on_hold_is_given_to_no_supplier(shop: Shop):
    order = await shop.order((await shop.sku(leeds=2), 2))
    await shop.api.mutate("holdOrders", orders=[{"id": order}], reason="SUSPECTED_FRAUD")
    given = {"order": {"id": order}, "supplier": "SUPPLIER"}

    refused = await shop.api.mutate("dropshipOrder", "... on OrderNotReleasable { obstacles { code } }", **given)

    assert (refused["__typename"], refused["obstacles"]) == ("OrderNotReleasable", [{"code": "ON_HOLD"}])
    await shop.api.mutate("releaseHolds", orders=[{"id": order}], reasons=["SUSPECTED_FRAUD"])
    assert "fulfillment" in await shop.api.mutate("dropshipOrder", MOVED, **given)


async def test_i14_an_order_of_which_something_has_left_is_not_voided_and_a_voided_one_leaves_nothing(shop: Shop):
    sku = await shop.sku(leeds=4)
    gone, kept = await shop.order((sku, 1)), await shop.order((sku, 1))
    for order in (gone, kept):
        (fulfillment,) = await shop.released(order)
        await shop.pick(fulfillment)
        await shop.move("packFulfillment", fulfillment, parcels=[{}])
        if order == gone:
            await shop.move("shipFulfillment", fulfillment)

    selection = "... on VoidOrderSuccess { order { status } } ... on QuantityAlreadyShipped { lines { sku } }"
    refused = await shop.api.mutate("voidOrder", selection, order={"id": gone}, reason="Too late")
    voided = await shop.api.mutate("voidOrder", selection, order={"id": kept}, reason="In time")

    assert refused["__typename"] == "QuantityAlreadyShipped"
    assert voided["order"]["status"] == "VOID"
    assert [one["state"] for one in (await shop.now(kept))["fulfillments"]] == ["CANCELED"]
    late = await shop.move("shipFulfillment", (await shop.now(kept))["fulfillments"][0])
    assert (late["__typename"], late["fulfillment"]["state"]) == ("FulfillmentNotInState", "CANCELED")
    level = await shop.level(sku)
    assert (level["onHand"], level["committed"], level["picked"]) == (3, 0, 0)


async def test_two_pickers_never_take_one_task(shop: Shop):
    sku = await shop.sku(leeds=9)
    (fulfillment,) = await shop.released(await shop.order((sku, 3)))
    listed = "... on CreatePickListSuccess { list { id picker tasks { id bin quantity } } }"
    made = await shop.api.mutate(
        "createPickList", listed, location="LEEDS", fulfillments=[fulfillment["id"]], picker="Ann"
    )
    again = await shop.api.mutate(
        "createPickList", listed, location="LEEDS", fulfillments=[fulfillment["id"]], picker="Bob"
    )
    (task,) = made["list"]["tasks"]

    (by_bob,) = await shop.record({"task": task["id"], "quantity": 3, "picker": "Bob"})
    (by_ann,) = await shop.record({"task": task["id"], "quantity": 3, "picker": "Ann"})

    assert again["list"] is None
    assert by_bob["refusal"]["obstacle"] == "CLAIMED_BY_ANOTHER"
    assert by_ann["outcome"] == "APPLIED"


async def test_r8_picked_units_are_never_taken_from_an_order(shop: Shop):
    sku = await shop.sku(leeds=3)
    older, picked = await shop.order((sku, 1)), await shop.order((sku, 1))
    (fulfillment,) = await shop.released(picked)
    await shop.pick(fulfillment)

    async def adjust(counted: int) -> Any:
        return await shop.api.mutate(
            "adjustStock",
            "... on InsufficientStock { shortages { sku } }",
            location="LEEDS",
            reason="LOSS",
            lines=[{"sku": sku, "change": {"counted": counted}}],
        )

    await adjust(1)
    assert (await shop.now(older))["allocationStatus"] == "OVERALLOCATED"  # the stronger one, but not yet picked
    assert (await shop.now(picked))["allocationStatus"] == "ALLOCATED"
    assert (await adjust(0))["__typename"] == "InsufficientStock"


ACTIONS = """
    query ($id: ID!) { order(by: {id: $id}) {
      supportedActions { action available reasons }
      fulfillments { supportedActions { action available reasons } } } }"""


async def test_c7_which_buttons_to_show_and_why_the_others_are_off(shop: Shop):
    sku = await shop.sku(leeds=2)
    order = await shop.order((sku, 2), allocate=False)

    async def available() -> tuple[dict[str, list[str]], list[str]]:
        told = (await shop.api(ACTIONS, id=order))["order"]
        off = {one["action"]: one["reasons"] for one in told["supportedActions"] if not one["available"]}
        sent = [one for fulfillment in told["fulfillments"] for one in fulfillment["supportedActions"]]
        return off, [one["action"] for one in sent if one["available"]]

    off, _ = await available()
    later = {"REQUEST_RETURN", "RECORD_FOLLOW_UP"}
    assert set(off) == {"FINALIZE", "DEALLOCATE", "RELEASE", "RELEASE_HOLDS", "RECORD_REFUND"} | later
    assert off["RELEASE"] == ["Nothing is set aside for it: allocate it first."]

    await shop.api.mutate(
        "allocateOrders", "... on AllocateOrdersSuccess { __typename }", orders=[{"order": {"id": order}}]
    )
    (fulfillment,) = await shop.released(order)
    off, sending = await available()
    assert "DEALLOCATE" in off
    assert "RELEASE" in off
    assert sending == ["PICK", "CANCEL"]

    await shop.pick(fulfillment)
    assert (await available())[1] == ["CHECK", "PACK", "CANCEL"]
    await shop.move("packFulfillment", fulfillment, parcels=[{}])
    await shop.move("shipFulfillment", fulfillment)
    off, sending = await available()
    assert "VOID" in off
    assert sending == ["DELIVER"]


STEPS: dict[str, dict[str, Any]] = {
    "checkFulfillment": {},
    "packFulfillment": {"parcels": [{}]},
    "shipFulfillment": {},
    "deliverFulfillment": {},
    "cancelFulfillment": {},
}


async def test_i15_every_step_that_the_table_does_not_allow_is_refused_and_changes_nothing(shop: Shop):
    sku = await shop.sku(leeds=60)

    async def at(state: str) -> Any:
        """A new fulfillment in this state."""
        (fulfillment,) = await shop.released(await shop.order((sku, 2)))
        task = fulfillment["pickTasks"][0]["id"]
        if state == "CANCELED":
            await shop.move("cancelFulfillment", fulfillment)
        if state == "PICKING":
            await shop.record({"task": task, "quantity": 1})
        if state in ("PICKED", "CHECKED", "PACKED", "SHIPPED", "DELIVERED"):
            await shop.pick(fulfillment)
        for reached, step in (
            ("CHECKED", "checkFulfillment"),
            ("PACKED", "packFulfillment"),
            ("SHIPPED", "shipFulfillment"),
            ("DELIVERED", "deliverFulfillment"),
        ):
            if state == reached or (reached in ("PACKED", "SHIPPED") and state in ("SHIPPED", "DELIVERED")):
                await shop.move(step, fulfillment, **STEPS[step])
        return fulfillment

    states = ("RELEASED", "PICKING", "PICKED", "CHECKED", "PACKED", "SHIPPED", "DELIVERED", "CANCELED")
    tried = 0
    for state in states:
        forbidden = [step for step in STEPS if step not in TRANSITIONS[FulfillmentState(state)]]
        if state == "RELEASED":
            forbidden.append("shipFulfillment")  # only what a supplier sends goes straight
        fulfillment = await at(state)
        for step in forbidden:
            answer = await shop.move(step, fulfillment, **STEPS[step])
            assert answer["__typename"] == "FulfillmentNotInState", (state, step)
            assert answer["fulfillment"]["state"] == state
            tried += 1
    assert tried == 30


async def test_r3_r10_a_channel_releases_its_orders_by_itself_as_soon_as_nothing_is_in_the_way(shop: Shop):
    channel = shop.api.unique("SELF")
    await shop.api.mutate("saveChannels", channels=[{"code": channel, "name": "Self", "releasesByItself": True}])
    sku = await shop.sku(leeds=5)
    ready = await shop.order((sku, 1), channel=channel)
    nowhere = await shop.order((sku, 1), channel=channel, shipTo={"countryCode": "GB"})

    await released_by_itself(shop, ready)
    assert (await shop.now(nowhere))["fulfillmentStatus"] == "NOT_RELEASED"
    await shop.api.mutate("editOrder", "... on EditOrderSuccess { order { id } }", order={"id": nowhere}, shipTo=HOME)
    await released_by_itself(shop, nowhere)


async def released_by_itself(shop: Shop, order: str) -> None:
    async with asyncio.timeout(SECONDS_MAX):
        while (await shop.now(order))["fulfillmentStatus"] != "RELEASED":  # noqa: ASYNC110  (nothing tells it)
            await asyncio.sleep(0.05)


HELD = "query ($id: ID!) { order(by: {id: $id}) { holds { reason placedBy } fulfillments { id state } } }"


async def test_what_somebody_cancels_in_a_channel_that_releases_by_itself_stays_until_somebody_lets_it_go(shop: Shop):
    channel = shop.api.unique("SELF")
    await shop.api.mutate("saveChannels", channels=[{"code": channel, "name": "Self", "releasesByItself": True}])
    sku = await shop.sku(leeds=5)
    order, beside = [await shop.order((sku, 1), channel=channel) for _ in range(2)]
    await released_by_itself(shop, order)
    (fulfillment,) = (await shop.api(HELD, id=order))["order"]["fulfillments"]

    await shop.move("cancelFulfillment", fulfillment)
    await shop.api.mutate("editOrder", "... on EditOrderSuccess { order { id } }", order={"id": order}, priority=9)
    await released_by_itself(shop, await shop.order((sku, 1), channel=channel))  # it has been to work since then

    now = (await shop.api(HELD, id=order))["order"]
    assert [hold["reason"] for hold in now["holds"]] == ["FULFILLMENT_CANCELED"]
    assert [one["state"] for one in now["fulfillments"]] == ["CANCELED"]
    assert (await shop.now(order))["fulfillmentStatus"] == "NOT_RELEASED"
    await shop.api.mutate("releaseHolds", orders=[{"id": order}], reasons=["FULFILLMENT_CANCELED"])
    await released_by_itself(shop, order)
    assert (await shop.now(beside))["fulfillmentStatus"] == "RELEASED"


async def test_elsewhere_a_canceled_fulfillment_holds_nothing(shop: Shop):
    order = await shop.order((await shop.sku(leeds=1), 1))
    (fulfillment,) = await shop.released(order)

    await shop.move("cancelFulfillment", fulfillment)

    assert (await shop.api(HELD, id=order))["order"]["holds"] == []


async def test_what_is_not_there_or_is_rubbish_is_refused_in_words_and_changes_nothing(shop: Shop):
    sku = await shop.sku(leeds=3)
    order = await shop.order((sku, 3))
    (fulfillment,) = await shop.released(order)
    (task,) = fulfillment["pickTasks"]
    line = fulfillment["lines"][0]["line"]["id"]

    for step in STEPS:
        for nobody in ("", "x", order, task["id"]):
            answer = await shop.move(step, {"id": nobody}, **STEPS[step])
            assert answer["__typename"] == "NotFound", (step, nobody)
    strangers, too_many, none = await shop.record(
        {"task": order, "quantity": 1}, {"task": task["id"], "quantity": 4}, {"task": task["id"], "quantity": 3}
    )
    assert strangers["refusal"]["__typename"] == "NotFound"
    assert too_many["refusal"]["obstacle"] == "MORE_THAN_ASKED_FOR"
    assert none["outcome"] == "APPLIED"
    for contents in ([{"line": line, "quantity": 4}], [{"line": line, "quantity": 0}], []):
        answer = await shop.move("packFulfillment", fulfillment, parcels=[{"contents": contents}])
        assert answer["__typename"] == "InvalidInput", contents
    future = await shop.move("packFulfillment", fulfillment, parcels=[{"weightGrams": -1}])
    assert future["__typename"] == "InvalidInput"
    await shop.move("packFulfillment", fulfillment, parcels=[{}])
    for wrong in ({"shippedAt": "2199-01-01T00:00:00Z"}, {"trackingUrl": "javascript:alert(1)"}):
        assert (await shop.move("shipFulfillment", fulfillment, **wrong))["__typename"] == "InvalidInput"
    assert [one["state"] for one in (await shop.now(order))["fulfillments"]] == ["PACKED"]


async def test_a_picker_sees_the_live_list_of_a_location(shop: Shop):
    sku = await shop.sku(leeds=3)
    watch = """subscription ($location: String!, $after: String) {
        pickTasksChanged(location: $location, after: $after) { locationCode skus tasks { sku state picked } } }"""
    start = (await shop.api("{ eventCursor }"))["eventCursor"]
    (fulfillment,) = await shop.released(await shop.order((sku, 3)))
    await shop.pick(fulfillment)

    async with shop.api.socket() as socket:
        await socket.subscribe("1", watch, location="LEEDS", after=start)
        told = [(await socket.next("1"))["pickTasksChanged"] for _ in range(2)]

    assert [one["skus"] for one in told] == [[sku], [sku]]
    assert told[1]["tasks"] == [{"sku": sku, "state": "DONE", "picked": 3}]
    query = "query ($location: String!) { pickTasks(location: $location) { nodes { sku bin } } }"
    assert sku not in [task["sku"] for task in (await shop.api(query, location="LEEDS"))["pickTasks"]["nodes"]]
