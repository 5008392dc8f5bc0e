"""Returns and follow-ups through the API: what comes back, what becomes of it, and what is heard of customers."""

from itertools import product
from typing import Any

import pytest
import pytest_asyncio

from domain.kinds import ReturnState
from domain.returns import TRANSITIONS
from services.runs import run_waiting_orders
from tests.builders import a_key
from tests.gql.serving import KNOWN, Served, serving
from tests.gql.test_fulfillments import MOVED, Shop

pytestmark = pytest.mark.asyncio(loop_scope="module")

LINES = """lines { id quantity reason note expected received canceled toInspect resold quarantined discarded
    line { id sku returned returnable } item { sku }
    inspections { outcome quantity note inspectedBy location { code } } }"""
RETURN = f"""id state version cancelReason requestedBy requestedAt receivedAt inspectedAt canceledAt
    location {{ code }} order {{ id status }} {LINES} supportedActions {{ action available reasons }}"""
TOO_MANY = "... on QuantityNotReturnable { order { id } lines { requested returnable line { id } } }"
ANSWER = f"... on ReturnSuccess {{ return {{ {RETURN} }} }} ... on NotFound {{ references }} "
STATE = "... on ReturnNotInState { allowed return { state } } "
ONE = f"query ($id: ID!) {{ return(id: $id) {{ {RETURN} }} node(id: $id) {{ __typename id }} }}"
MANY = """query ($filter: ReturnFilter, $first: Int = 50, $after: String) {
    returns(filter: $filter, first: $first, after: $after) {
      nodes { id state } edges { cursor } pageInfo { hasNextPage endCursor } } }"""
LEDGER = """query ($sku: String!) { stockMovements(sku: $sku, location: "LEEDS", first: 10) { nodes {
    quantity change balanceAfter cause reference actor request } } }"""
FOLLOWED = """... on RecordFollowUpSuccess { order { id version } followUps { id outcome note recordedBy recordedAt } }
    ... on NothingDelivered { order { id } } ... on NotFound { references }"""
OF_ORDER = """query ($id: ID!) { order(by: {id: $id}) { version returns { id state } followUps { outcome note }
    lines { id sku shipped dropshipped returned returnable } supportedActions { action available reasons } } }"""


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def locations(api: Served) -> None:
    places = [{"code": code, "name": code.title()} for code in ("LEEDS", "YORK")]
    await api.mutate(
        "saveLocations", locations=[*places, {"code": "SUPPLIER", "name": "Supplier", "kind": "DROPSHIP", "rank": 900}]
    )


class Counter(Shop):
    """Where customers bring things back."""

    async def sent(self, *lines: tuple[str, int], deliver: bool = True) -> Any:
        """An order that has left, with its lines by SKU."""
        order = await self.order(*lines)
        for fulfillment in await self.released(order):
            await self.pick(fulfillment)
            await self.move("packFulfillment", fulfillment, parcels=[{}])
            await self.move("shipFulfillment", fulfillment)
            if deliver:
                await self.move("deliverFulfillment", fulfillment)
        return (await self.api(OF_ORDER, id=order))["order"] | {"id": order}

    async def ask(self, order: Any, quantity: int = 2, **more: Any) -> Any:
        wanted = [{"line": order["lines"][0]["id"], "quantity": quantity, "reason": "UNWANTED"}]
        fields = {"order": {"id": order["id"]}, "location": "LEEDS", "lines": wanted} | more
        return await self.api.mutate("requestReturn", ANSWER + TOO_MANY, **fields)

    async def asked(self, order: Any, quantity: int = 2, **more: Any) -> Any:
        answer = await self.ask(order, quantity, **more)
        assert answer["__typename"] == "ReturnSuccess", answer
        return answer["return"]

    async def do(self, name: str, one: Any, **fields: Any) -> Any:
        refusals = ANSWER + STATE + ("" if name == "cancelReturn" else TOO_MANY)
        return await self.api.mutate(name, refusals, **({"return": one["id"]} | fields))

    async def receive(self, one: Any, quantity: int | None = None, **more: Any) -> Any:
        lines = None if quantity is None else [{"line": one["lines"][0]["id"], "quantity": quantity}]
        answer = await self.do("receiveReturn", one, lines=lines, **more)
        assert answer["__typename"] == "ReturnSuccess", answer
        return answer["return"]

    async def inspect(self, one: Any, *judged: tuple[int, str], **more: Any) -> Any:
        line = one["lines"][0]["id"]
        lines = [{"line": line, "quantity": units, "outcome": outcome} | more for units, outcome in judged]
        return await self.do("inspectReturn", one, lines=lines)

    async def now_of(self, one: Any) -> Any:
        return (await self.api(ONE, id=one["id"]))["return"]

    async def of_order(self, order: Any) -> Any:
        return (await self.api(OF_ORDER, id=order["id"]))["order"]


@pytest.fixture
def shop(api: Served) -> Counter:
    return Counter(api)


# ---------------------------------------------------------------- the way back


async def test_l11_goods_come_back_are_looked_at_unit_by_unit_and_what_is_good_is_for_sale_again(shop: Counter):
    sku = await shop.sku(leeds=5)
    order = await shop.sent((sku, 4))
    assert (order["lines"][0]["returned"], order["lines"][0]["returnable"]) == (0, 4)
    line = order["lines"][0]["id"]

    one = await shop.asked(
        order,
        lines=[
            {"line": line, "quantity": 3, "reason": "DAMAGED", "note": "The box was wet."},
            {"line": line, "quantity": 1, "reason": "UNWANTED"},
        ],
    )
    assert (one["state"], one["location"]["code"], one["order"]["status"]) == ("REQUESTED", "LEEDS", "FULFILLED")
    wet, unwanted = one["lines"]
    assert (wet["quantity"], wet["reason"], wet["note"], wet["expected"]) == (3, "DAMAGED", "The box was wet.", 3)
    assert (wet["line"]["sku"], wet["line"]["returnable"], wet["item"]["sku"]) == (sku, 0, sku)
    assert (await shop.level(sku))["onHand"] == 1

    came = await shop.receive(one)
    assert (came["state"], came["lines"][0]["toInspect"], came["lines"][0]["line"]["returned"]) == ("RECEIVED", 3, 4)
    assert came["receivedAt"] is not None
    assert (await shop.level(sku))["onHand"] == 1  # it is no stock before somebody has looked at it

    partly = await shop.do(
        "inspectReturn",
        one,
        lines=[
            {"line": wet["id"], "quantity": 1, "outcome": "DISCARD", "note": "Mouldy."},
            {"line": wet["id"], "quantity": 2, "outcome": "QUARANTINE"},
        ],
    )
    assert partly["return"]["state"] == "RECEIVED"
    done = await shop.do("inspectReturn", one, lines=[{"line": unwanted["id"], "quantity": 1, "outcome": "RESELL"}])

    assert (done["return"]["state"], done["return"]["inspectedAt"] is not None) == ("INSPECTED", True)
    first, second = done["return"]["lines"]
    assert (first["discarded"], first["quarantined"], first["resold"], first["toInspect"]) == (1, 2, 0, 0)
    assert (second["discarded"], second["quarantined"], second["resold"]) == (0, 0, 1)
    assert [(seen["outcome"], seen["quantity"], seen["note"], seen["location"]) for seen in first["inspections"]] == [
        ("DISCARD", 1, "Mouldy.", None),
        ("QUARANTINE", 2, None, {"code": "LEEDS"}),
    ]
    level = await shop.level(sku)
    assert (level["onHand"], level["qualityControl"], level["available"]) == (4, 2, 2)


async def test_l11_i3_the_ledger_says_what_came_back_why_and_who_put_it_there(shop: Counter):
    sku = await shop.sku(leeds=3)
    one = await shop.asked(await shop.sent((sku, 3)), 3)
    await shop.receive(one)
    await shop.inspect(one, (1, "RESELL"), (1, "QUARANTINE"), (1, "DISCARD"))

    rows = (await shop.api(LEDGER, sku=sku))["stockMovements"]["nodes"][:3]

    assert [(row["quantity"], row["change"], row["balanceAfter"], row["cause"]) for row in rows] == [
        ("QUALITY_CONTROL", 1, 1, "RETURN_INSPECTED"),
        ("ON_HAND", 1, 2, "RETURNED"),
        ("ON_HAND", 1, 1, "RETURNED"),
    ]
    assert len({(row["reference"], row["actor"], row["request"]) for row in rows}) == 1
    assert rows[0]["reference"].startswith("Return ")
    assert all((row["actor"], row["request"]) > ("", "") for row in rows)


async def test_l11_a_return_comes_in_parts_and_what_does_not_come_is_given_up(shop: Counter):
    sku = await shop.sku(leeds=3)
    order = await shop.sent((sku, 3))
    one = await shop.asked(order, 3)

    partly = await shop.receive(one, 1)
    assert (partly["state"], partly["lines"][0]["expected"]) == ("RECEIVED", 2)
    looked = await shop.inspect(one, (1, "RESELL"))
    assert looked["return"]["state"] == "RECEIVED"  # two are still to come
    given_up = await shop.do("cancelReturn", one, reason="They keep the rest.")

    assert (given_up["return"]["state"], given_up["return"]["cancelReason"]) == ("INSPECTED", "They keep the rest.")
    (line,) = given_up["return"]["lines"]
    assert (line["received"], line["canceled"], line["expected"]) == (1, 2, 0)
    assert (line["line"]["returned"], line["line"]["returnable"]) == (1, 2)
    assert (await shop.asked(order, 2))["state"] == "REQUESTED"


async def test_l11_units_go_to_the_location_that_is_named(shop: Counter):
    sku = await shop.sku(leeds=4)
    one = await shop.asked(await shop.sent((sku, 4)), 4)
    came = await shop.receive(one, 2, location="YORK")
    assert came["location"]["code"] == "YORK"
    await shop.receive(one)

    await shop.inspect(one, (1, "RESELL"))
    await shop.inspect(one, (2, "QUARANTINE"), location="LEEDS")

    york, leeds = await shop.level(sku, "YORK"), await shop.level(sku)
    assert (york["onHand"], york["available"]) == (1, 1)
    assert (leeds["onHand"], leeds["qualityControl"], leeds["available"]) == (2, 2, 0)


async def test_l11_c17_what_a_supplier_sent_comes_back_to_us_and_becomes_our_stock(shop: Counter):
    sku = await shop.sku(leeds=0)
    order = await shop.order((sku, 2), allocate=False)
    sent = await shop.api.mutate("dropshipOrder", MOVED, order={"id": order}, supplier="SUPPLIER")
    await shop.move("shipFulfillment", sent["fulfillment"])
    await shop.move("deliverFulfillment", sent["fulfillment"])
    known = (await shop.api(OF_ORDER, id=order))["order"] | {"id": order}
    assert (known["lines"][0]["dropshipped"], known["lines"][0]["returnable"]) == (2, 2)

    one = await shop.asked(known, 2)
    await shop.receive(one)
    await shop.inspect(one, (2, "RESELL"))

    assert (await shop.level(sku))["available"] == 2


async def test_l11_what_the_carrier_brings_back_undelivered_is_returned_too(shop: Counter):
    sku = await shop.sku(leeds=1)
    order = await shop.sent((sku, 1), deliver=False)
    wanted = [{"line": order["lines"][0]["id"], "quantity": 1, "reason": "UNDELIVERABLE"}]

    one = await shop.asked(order, lines=wanted)

    assert one["order"]["status"] == "FINALIZED"
    (sent,) = (await shop.now(order["id"]))["fulfillments"]
    delivered = await shop.move("deliverFulfillment", sent)  # it is, in the end: the return is called off
    assert delivered["fulfillment"]["state"] == "DELIVERED"
    assert (await shop.do("cancelReturn", one))["return"]["state"] == "CANCELED"


async def test_o8_o20_what_comes_back_serves_who_waits_for_it_in_the_turn_of_waiting_orders(database_url: str):
    async with serving(database_url) as own:
        shop = Counter(own)
        await own.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        sku = await shop.sku(leeds=2)
        one = await shop.asked(await shop.sent((sku, 2)), 2)
        waiting = await shop.order((sku, 1))
        assert (await shop.now(waiting))["allocationStatus"] == "COULD_NOT_ALLOCATE"

        await run_waiting_orders(own.database, KNOWN)  # what came in the beginning

        await shop.receive(one)
        await shop.inspect(one, (1, "QUARANTINE"))
        assert await run_waiting_orders(own.database, KNOWN) == 0
        await shop.inspect(one, (1, "RESELL"))

        assert await run_waiting_orders(own.database, KNOWN) == 1
        assert (await shop.now(waiting))["allocationStatus"] == "ALLOCATED"


# ---------------------------------------------------------------- what is refused


async def test_l11_no_more_is_asked_back_than_has_left_and_does_not_come_back_already(shop: Counter):
    sku, other = await shop.sku(leeds=3), await shop.sku(leeds=0)
    order = await shop.order((sku, 3), (other, 1))
    lines = (await shop.now(order))["lines"]
    known = {"id": order, "lines": lines}

    early = await shop.ask(known, 1)
    assert (early["__typename"], early["lines"][0]["returnable"]) == ("QuantityNotReturnable", 0)
    fulfillments = (await shop.release(order, partial=True))[0]["fulfillments"]
    for fulfillment in fulfillments:
        await shop.pick(fulfillment)
        await shop.move("packFulfillment", fulfillment, parcels=[{}])
        await shop.move("shipFulfillment", fulfillment)
    await shop.asked(known, 2)

    wanted = [
        {"line": lines[0]["id"], "quantity": 1, "reason": "UNWANTED"},
        {"line": lines[0]["id"], "quantity": 1, "reason": "DEFECTIVE"},
        {"line": lines[1]["id"], "quantity": 1, "reason": "OTHER"},
    ]
    refused = await shop.ask(known, lines=wanted)

    assert refused["order"]["id"] == order
    assert [(one["line"]["id"], one["requested"], one["returnable"]) for one in refused["lines"]] == [
        (lines[0]["id"], 2, 1),
        (lines[1]["id"], 1, 0),
    ]
    assert len((await shop.of_order(known))["returns"]) == 1


async def test_no_more_is_received_than_was_asked_for_nor_inspected_than_came(shop: Counter):
    sku = await shop.sku(leeds=3)
    one = await shop.asked(await shop.sent((sku, 3)), 3)
    line = one["lines"][0]["id"]

    for units in (4, 1_000_000):
        answer = await shop.do("receiveReturn", one, lines=[{"line": line, "quantity": units}])
        assert (answer["lines"][0]["requested"], answer["lines"][0]["returnable"]) == (units, 3)
    await shop.receive(one, 1)
    answer = await shop.inspect(one, (1, "RESELL"), (1, "DISCARD"))

    assert (answer["__typename"], answer["lines"][0]["returnable"]) == ("QuantityNotReturnable", 1)
    assert (await shop.level(sku))["onHand"] == 0
    assert (await shop.now_of(one))["version"] == 2


async def test_i15_every_step_that_the_table_does_not_allow_is_refused_and_changes_nothing(shop: Counter):
    sku = await shop.sku(leeds=40)

    async def at(state: str) -> Any:
        one = await shop.asked(await shop.sent((sku, 2)), 2)
        if state == "CANCELED":
            await shop.do("cancelReturn", one)
        if state in ("RECEIVED", "INSPECTED"):
            await shop.receive(one)
        if state == "INSPECTED":
            await shop.inspect(one, (2, "DISCARD"))
        found = await shop.now_of(one)
        assert found["state"] == state
        return found

    tried = 0
    for state, step in product(TRANSITIONS, ("receiveReturn", "inspectReturn", "cancelReturn")):
        if step in TRANSITIONS[state] and (state, step) != (ReturnState.RECEIVED, "cancelReturn"):
            continue
        one = await at(state)
        judged = [{"line": one["lines"][0]["id"], "quantity": 1, "outcome": "RESELL"}]
        answer = await shop.do(step, one, **({"lines": judged} if step == "inspectReturn" else {}))
        assert (answer["__typename"], answer["return"]["state"]) == ("ReturnNotInState", state), (state, step)
        offered = {told["action"]: told["available"] for told in one["supportedActions"]}
        assert offered[step.removesuffix("Return").upper()] is False
        assert await shop.now_of(one) == one
        tried += 1
    assert tried == 8


async def test_what_is_not_there_or_is_rubbish_is_refused_in_words_and_changes_nothing(shop: Counter):
    sku = await shop.sku(leeds=3)
    order, other = await shop.sent((sku, 1)), await shop.sent((sku, 1))
    one = await shop.asked(order, 1)
    line, of_order = one["lines"][0]["id"], order["lines"][0]["id"]
    elses = (await shop.asked(other, 1))["lines"][0]["id"]
    judged = {"line": line, "quantity": 1, "outcome": "RESELL"}

    for nobody in ("", "x", order["id"], line, "\x00"):
        for step in ("receiveReturn", "cancelReturn"):
            answer = await shop.do(step, {"id": nobody})
            assert answer["__typename"] == "NotFound", (step, nobody)
        answer = await shop.do("inspectReturn", {"id": nobody}, lines=[judged])
        assert answer["__typename"] == "NotFound"
    for stranger in ("", "x", of_order, elses):
        answer = await shop.do("receiveReturn", one, lines=[{"line": stranger, "quantity": 1}])
        assert (answer["__typename"], answer["references"]) == ("NotFound", [stranger or '""'])
    nowhere = await shop.do("receiveReturn", one, location="NOWHERE")
    assert nowhere["references"] == ["NOWHERE"]
    wanted = [{"line": other["lines"][0]["id"], "quantity": 1, "reason": "OTHER"}]
    strangers = await shop.ask(order, lines=wanted, location="NOWHERE")
    assert strangers["references"] == ["NOWHERE", wanted[0]["line"]]
    assert (await shop.ask({"id": "x", "lines": order["lines"]}))["references"] == ["x"]

    for lines in ([], [{"line": line, "quantity": 0}], [{"line": line, "quantity": -1}]):
        answer = await shop.do("receiveReturn", one, lines=lines)
        assert answer["__typename"] == "InvalidInput", lines
    twice = [{"line": line, "quantity": 1}] * 2
    assert (await shop.do("receiveReturn", one, lines=twice))["problems"][0]["code"] == "DUPLICATE"
    for wrong in ({"line": "x"}, {"quantity": 0}, {"note": "x" * 2_001}, {"note": "\x00"}):
        wanted = [{"line": of_order, "quantity": 1, "reason": "OTHER"} | wrong]
        answer = await shop.ask(order, lines=wanted)
        assert (answer["__typename"], answer["problems"][0]["path"][:3]) == ("InvalidInput", ["input", "lines", "0"])
    assert (await shop.ask(order, lines=[]))["problems"][0]["code"] == "REQUIRED"
    assert (await shop.ask(order, location=" "))["__typename"] == "InvalidInput"

    await shop.receive(one)
    assert (await shop.do("inspectReturn", one, lines=[]))["__typename"] == "InvalidInput"
    for wrong, code in (({"quantity": 0}, "OUT_OF_RANGE"), ({"note": "x" * 2_001}, "TOO_LONG")):
        answer = await shop.do("inspectReturn", one, lines=[judged | wrong])
        assert answer["problems"][0]["code"] == code
    kept = await shop.do("inspectReturn", one, lines=[judged | {"outcome": "DISCARD", "location": "YORK"}])
    assert (kept["problems"][0]["path"], kept["problems"][0]["code"]) == (
        ["input", "lines", "0", "location"],
        "NOT_APPLICABLE",
    )
    nowhere = await shop.do("inspectReturn", one, lines=[judged | {"location": "NOWHERE"}])
    assert nowhere["references"] == ["NOWHERE"]
    assert (await shop.now_of(one))["version"] == 2
    assert (await shop.level(sku))["onHand"] == 1


async def test_i14_an_order_that_comes_back_is_not_voided(shop: Counter):
    sku = await shop.sku(leeds=1)
    order = await shop.sent((sku, 1), deliver=False)
    one = await shop.asked(order, 1)
    await shop.receive(one)
    await shop.inspect(one, (1, "RESELL"))

    selection = "... on QuantityAlreadyShipped { lines { returned } }"
    refused = await shop.api.mutate("voidOrder", selection, order={"id": order["id"]}, reason="All of it came back")

    assert (refused["__typename"], refused["lines"]) == ("QuantityAlreadyShipped", [{"returned": 1}])


# ---------------------------------------------------------------- once


async def test_i7_the_same_key_does_each_step_once_and_with_other_input_is_refused(shop: Counter):
    sku = await shop.sku(leeds=4)
    order = await shop.sent((sku, 4))
    key = a_key()
    one, again = await shop.asked(order, 2, idempotencyKey=key), await shop.asked(order, 2, idempotencyKey=key)
    assert one["id"] == again["id"]
    assert (await shop.ask(order, 1, idempotencyKey=key))["__typename"] == "IdempotencyKeyReused"

    first = await shop.receive(one, 1, idempotencyKey=key)
    repeated = await shop.receive(one, 1, idempotencyKey=key)
    assert (first["lines"][0]["received"], repeated["lines"][0]["received"], repeated["version"]) == (1, 1, 2)
    line = one["lines"][0]["id"]
    judged = {"lines": [{"line": line, "quantity": 1, "outcome": "RESELL"}], "idempotencyKey": key}
    for _ in range(2):
        answer = await shop.do("inspectReturn", one, **judged)
        assert answer["return"]["lines"][0]["resold"] == 1
    too_many = [await shop.do("inspectReturn", one, **(judged | {"idempotencyKey": "k"})) for _ in range(2)]
    assert {answer["__typename"] for answer in too_many} == {"QuantityNotReturnable"}  # it is kept
    for _ in range(2):
        assert (await shop.do("cancelReturn", one, idempotencyKey=key))["return"]["state"] == "INSPECTED"

    assert (await shop.level(sku))["onHand"] == 1
    assert (await shop.now_of(one))["version"] == 4


# ---------------------------------------------------------------- reading


async def test_l11_the_warehouse_sees_what_comes_back_to_it_by_state_place_reason_and_order(shop: Counter):
    place = shop.api.unique("DEPOT")
    await shop.api.mutate("saveLocations", locations=[{"code": place, "name": "Depot"}])
    sku = await shop.sku(leeds=9)
    orders = [await shop.sent((sku, 2)) for _ in range(3)]
    first, second = [await shop.asked(order, 1, location=place) for order in orders[:2]]
    faulty = [{"line": orders[2]["lines"][0]["id"], "quantity": 1, "reason": "DEFECTIVE"}]
    third = await shop.asked(orders[2], lines=faulty, location=place)
    await shop.receive(second)

    async def found(**condition: Any) -> list[str]:
        page = (await shop.api(MANY, filter={"locations": [place]} | condition))["returns"]
        return [node["id"] for node in page["nodes"]]

    assert await found() == [first["id"], second["id"], third["id"]]
    assert await found(states=["RECEIVED"]) == [second["id"]]
    assert await found(states=[]) == []
    assert await found(orders=[orders[0]["id"]]) == [first["id"]]
    assert await found(reasons=["DEFECTIVE", "DAMAGED"]) == [third["id"]]
    assert await found(orders=["x"]) == []
    page = (await shop.api(MANY, filter={"locations": [place]}, first=2))["returns"]
    assert page["pageInfo"]["hasNextPage"]
    rest = await shop.api(MANY, filter={"locations": [place]}, first=2, after=page["pageInfo"]["endCursor"])
    assert [node["id"] for node in rest["returns"]["nodes"]] == [third["id"]]
    assert await shop.api.code(MANY, after="rubbish") == "BAD_USER_INPUT"


async def test_a_return_is_found_by_its_id_and_rubbish_is_null(shop: Counter):
    sku = await shop.sku(leeds=1)
    order = await shop.sent((sku, 1))
    one = await shop.asked(order, 1)

    found = await shop.api(ONE, id=one["id"])
    assert (found["return"]["id"], found["node"]) == (one["id"], {"__typename": "Return", "id": one["id"]})
    assert [back["id"] for back in (await shop.of_order(order))["returns"]] == [one["id"]]
    for rubbish in ("", "x", order["id"]):
        assert (await shop.api(ONE, id=rubbish))["return"] is None


async def test_c7_what_can_be_asked_back_and_followed_up_is_on_and_the_reason_is_told_where_it_is_not(shop: Counter):
    sku = await shop.sku(leeds=1)
    order = await shop.order((sku, 1))

    async def off() -> dict[str, list[str]]:
        told = (await shop.api(OF_ORDER, id=order))["order"]["supportedActions"]
        wanted = ("REQUEST_RETURN", "RECORD_FOLLOW_UP")
        return {one["action"]: one["reasons"] for one in told if one["action"] in wanted and not one["available"]}

    nothing = {
        "REQUEST_RETURN": ["Nothing of it has left."],
        "RECORD_FOLLOW_UP": ["Nothing of it has been delivered yet."],
    }
    assert await off() == nothing
    (fulfillment,) = await shop.released(order)
    await shop.pick(fulfillment)
    await shop.move("packFulfillment", fulfillment, parcels=[{}])
    await shop.move("shipFulfillment", fulfillment)
    assert set(await off()) == {"RECORD_FOLLOW_UP"}
    await shop.move("deliverFulfillment", fulfillment)
    assert await off() == {}
    await shop.asked({"id": order, "lines": (await shop.now(order))["lines"]}, 1)
    assert await off() == {"REQUEST_RETURN": ["All that has left comes back already."]}


# ---------------------------------------------------------------- follow-ups


async def test_l10_what_is_heard_after_delivery_stands_with_the_order(shop: Counter):
    sku = await shop.sku(leeds=1)
    order = await shop.sent((sku, 1))
    by, key = {"id": order["id"]}, a_key()

    await shop.api.mutate("recordFollowUp", FOLLOWED, order=by, outcome="NOT_REACHED")
    for _ in range(2):
        heard = await shop.api.mutate(
            "recordFollowUp", FOLLOWED, order=by, outcome="ISSUE_FOUND", note="A leg is loose.", idempotencyKey=key
        )

    told = [(one["outcome"], one["note"]) for one in heard["followUps"]]
    assert told == [("NOT_REACHED", None), ("ISSUE_FOUND", "A leg is loose.")]
    assert all(one["recordedBy"] and one["recordedAt"] for one in heard["followUps"])
    assert heard["order"]["version"] == order["version"] + 2
    assert [one["outcome"] for one in (await shop.of_order(order))["followUps"]] == ["NOT_REACHED", "ISSUE_FOUND"]


async def test_l10_there_is_nothing_to_follow_up_before_delivery_and_rubbish_is_refused(shop: Counter):
    sku = await shop.sku(leeds=1)
    order = await shop.sent((sku, 1), deliver=False)
    by = {"id": order["id"]}

    early = await shop.api.mutate("recordFollowUp", FOLLOWED, order=by, outcome="SATISFIED")
    assert (early["__typename"], early["order"]["id"]) == ("NothingDelivered", order["id"])
    nobody = await shop.api.mutate("recordFollowUp", FOLLOWED, order={"id": "x"}, outcome="SATISFIED")
    assert nobody["references"] == ["x"]
    long = await shop.api.mutate("recordFollowUp", FOLLOWED, order=by, outcome="OTHER", note="x" * 2_001)
    assert long["problems"][0]["path"] == ["input", "note"]
    assert (await shop.of_order(order))["followUps"] == []


# ---------------------------------------------------------------- watching


async def test_l11_every_step_of_a_return_is_told_in_order_with_who_did_it(shop: Counter):
    sku = await shop.sku(leeds=3)
    order = await shop.sent((sku, 3))
    start = (await shop.api("{ eventCursor }"))["eventCursor"]
    one = await shop.asked(order, 3)
    await shop.receive(one, 2)
    await shop.inspect(one, (1, "RESELL"), (1, "DISCARD"))
    await shop.do("cancelReturn", one)
    watch = """subscription ($orders: [ID!], $after: String) {
        returnChanged(filter: {orders: $orders}, after: $after) {
          orderNumber returnId returnVersion locationCode before after skus requested received resold quarantined
          discarded actor return { state } order { version } } }"""

    async with shop.api.socket() as socket:
        await socket.subscribe("1", watch, orders=[order["id"]], after=start)
        told = [(await socket.next("1"))["returnChanged"] for _ in range(4)]

    assert [step["returnVersion"] for step in told] == [1, 2, 3, 4]
    assert [(step["before"], step["after"]) for step in told] == [
        (None, "REQUESTED"),
        ("REQUESTED", "RECEIVED"),
        ("RECEIVED", "RECEIVED"),
        ("RECEIVED", "INSPECTED"),
    ]
    assert {(step["returnId"], tuple(step["skus"]), step["locationCode"]) for step in told} == {
        (one["id"], (sku,), "LEEDS")
    }
    units = [(step["requested"], step["received"], step["resold"], step["discarded"]) for step in told]
    assert units == [(3, 0, 0, 0), (3, 2, 0, 0), (3, 2, 1, 1), (2, 2, 1, 1)]
    assert {step["actor"] for step in told} == {one["requestedBy"]}
    assert told[-1]["return"]["state"] == "INSPECTED"


async def test_every_event_about_goods_names_its_actor(shop: Counter):
    start = (await shop.api("{ eventCursor }"))["eventCursor"]
    sku = await shop.sku(leeds=1)
    one = await shop.asked(await shop.sent((sku, 1)), 1)
    query = """query ($after: String!) { events(filter: {types: ["FulfillmentChanged", "PickTasksChanged",
        "ReturnChanged"]}, after: $after, first: 100) { nodes { __typename ... on FulfillmentChanged { who: actor }
        ... on PickTasksChanged { who: actor } ... on ReturnChanged { by: actor } } } }"""

    told: list[Any] = []
    while not any(event["__typename"] == "ReturnChanged" for event in told):
        told = (await shop.api(query, after=start))["events"]["nodes"]

    assert {event["__typename"] for event in told} == {"FulfillmentChanged", "PickTasksChanged", "ReturnChanged"}
    assert {event.get("who", event.get("by")) for event in told} == {one["requestedBy"]}
