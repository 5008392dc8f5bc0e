"""Alerts over the API: rules, what they raise and resolve, and who is told."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy import text

from tests.gql.serving import Served, serving
from tests.gql.test_fulfillments import HOME, RELEASED, Shop
from tests.receiver import receiving
from tests.workers.webhooks import eventually, settled

RULE = "name kind channels skus locations units hours emails endpoints"
SAVED = f"... on SaveAlertRulesSuccess {{ rules {{ {RULE} }} }}"
ALERTS = """query ($open: Boolean, $first: Int! = 50, $after: String) {
  alerts(open: $open, first: $first, after: $after) {
    nodes { id rule kind order { number } sku locationCode available raisedAt resolvedAt }
    pageInfo { hasNextPage endCursor } } }"""
ABOUT = "about { orderNumber channelCode sku locationCode available }"
TOLD = f"""{{ events(first: 100, filter: {{types: ["AlertRaised", "AlertResolved"]}}) {{ nodes {{
  __typename id ... on AlertEvent {{ alertId alertKind rule endpoints {ABOUT} }} }} }} }}"""
OVER = {"name": "over", "kind": "ORDER_OVERALLOCATED"}
DONE = {"name": "done", "kind": "ORDER_ALLOCATED"}
FEW = {"name": "few", "kind": "STOCK_RUNNING_OUT", "units": 2}
LATE = {"name": "late", "kind": "ORDER_NOT_ALLOCATED", "hours": 2}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The workers look as often as a test wants to wait."""
    monkeypatch.setattr("workers.foreman.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("dibs.working.WATCHING_SECONDS", 0.05)


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url, webhook_allow_loopback=True) as served:
        yield served


async def rules(served: Served, *wanted: dict[str, Any]) -> list[Any]:
    saved = await served.mutate("saveAlertRules", SAVED, rules=list(wanted))
    assert saved["__typename"] == "SaveAlertRulesSuccess", saved
    found: list[Any] = saved["rules"]
    return found


async def a_shop(served: Served, on_hand: int = 5) -> None:
    await served.mutate("saveItems", items=[{"sku": "CHAIR", "name": "Chair"}])
    await served.mutate("saveLocations", locations=[{"code": one, "name": one} for one in ("LEEDS", "YORK")])
    await receive(served, on_hand)


async def receive(served: Served, units: int, location: str = "LEEDS") -> None:
    await served.mutate("receiveStock", location=location, lines=[{"sku": "CHAIR", "quantity": units}])


async def count(served: Served, units: int) -> None:
    lines = [{"sku": "CHAIR", "change": {"counted": units}}]
    done = await served.mutate("adjustStock", location="LEEDS", reason="COUNT", lines=lines)
    assert done["__typename"] == "StockSuccess", done


async def place(served: Served, number: str, quantity: int = 1, channel: str = "SHOP", **more: Any) -> None:
    lines = [{"sku": "CHAIR", "quantity": quantity}]
    await served.mutate("placeOrder", channel=channel, number=number, lines=lines, **more)


def named(number: str, channel: str = "SHOP") -> dict[str, Any]:
    return {"number": {"channel": channel, "number": number}}


async def allocate(served: Served, number: str, channel: str = "SHOP") -> None:
    await served.mutate("allocateOrders", orders=[{"order": named(number, channel)}])


async def alerts(served: Served, **conditions: Any) -> list[Any]:
    found: list[Any] = (await served(ALERTS, **conditions))["alerts"]["nodes"]
    return found


async def told(served: Served) -> list[tuple[str, str, str | None]]:
    """What was told of which rule about which order or SKU."""
    nodes = (await served(TOLD))["events"]["nodes"]
    return [(one["__typename"], one["rule"], one["about"]["orderNumber"] or one["about"]["sku"]) for one in nodes]


async def all_read(served: Served) -> None:
    """Wait until everything that is committed has been read, and what was made of it too."""

    async def caught_up() -> bool:
        async with served.database.engine.connect() as connection:
            return bool(
                (
                    await connection.execute(
                        text(
                            """SELECT r.position = l.position AND NOT EXISTS (SELECT FROM events WHERE position IS NULL)
                            FROM log_readers r, log_end l"""
                        )
                    )
                ).scalar()
            )

    await eventually(caught_up)


# ---------------------------------------------------------------- rules


async def test_a7_r11_rules_are_saved_as_a_list_and_read_back(served: Served):
    await served.mutate("saveWebhookEndpoints", endpoints=[{"name": "partner", "url": "https://partner.example/"}])
    wanted = [
        OVER | {"channels": ["SHOP"], "emails": ["team@shop.example"], "endpoints": ["partner"]},
        FEW | {"skus": ["CHAIR"], "locations": ["LEEDS", "YORK"], "units": 0},
        LATE,
    ]

    saved = await rules(served, *wanted)

    assert saved == (await served(f"{{ alertRules {{ {RULE} }} }}"))["alertRules"]
    empty = dict.fromkeys(("channels", "skus", "locations", "units", "hours")) | {"emails": [], "endpoints": []}
    assert saved == [empty | one for one in wanted]
    assert await rules(served, DONE) == [empty | DONE]
    assert await rules(served) == []


@pytest.mark.parametrize(
    ("rule", "path", "code"),
    [
        (FEW | {"units": None}, ["units"], "REQUIRED"),
        (FEW | {"units": -1}, ["units"], "OUT_OF_RANGE"),
        (FEW | {"channels": ["A"]}, ["channels"], "NOT_ALLOWED"),
        (OVER | {"units": 1}, ["units"], "NOT_ALLOWED"),
        (OVER | {"hours": 1}, ["hours"], "NOT_ALLOWED"),
        (OVER | {"skus": ["A"]}, ["skus"], "NOT_ALLOWED"),
        (OVER | {"channels": []}, ["channels"], "REQUIRED"),
        (OVER | {"channels": ["A", "A"]}, ["channels", "1"], "DUPLICATE"),
        (LATE | {"hours": 0}, ["hours"], "OUT_OF_RANGE"),
        (LATE | {"hours": None}, ["hours"], "REQUIRED"),
        (OVER | {"emails": ["nobody"]}, ["emails", "0"], "NOT_A_MAIL_ADDRESS"),
        (OVER | {"emails": ["a@b.example\r\nBcc: x@y.example"]}, ["emails", "0"], "NOT_A_MAIL_ADDRESS"),
        (OVER | {"endpoints": ["nobody"]}, ["endpoints", "0"], "UNKNOWN"),
        (OVER | {"name": " "}, ["name"], "REQUIRED"),
        (OVER | {"name": "a\x00"}, ["name"], "INVALID_CHARACTER"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused_and_the_rules_stay(
    served: Served, rule: dict[str, Any], path: list[str], code: str
):
    await rules(served, DONE)

    refused = await served.mutate("saveAlertRules", rules=[rule])

    assert refused["__typename"] == "InvalidInput"
    assert [(one["path"], one["code"]) for one in refused["problems"]] == [(["input", "rules", "0", *path], code)]
    assert [one["name"] for one in (await served("{ alertRules { name } }"))["alertRules"]] == ["done"]


# ---------------------------------------------------------------- situations


async def test_a7_r11_an_overallocated_order_is_alerted_to_once_until_it_is_over(served: Served):
    await rules(served, OVER, DONE)
    await a_shop(served, 5)
    await place(served, "1", 5)
    await allocate(served, "1")
    await count(served, 4)
    await count(served, 3)
    await all_read(served)

    assert await told(served) == [
        ("AlertRaised", "done", "1"),
        ("AlertRaised", "over", "1"),
        ("AlertResolved", "done", "1"),
    ]
    (open_now,) = await alerts(served, open=True)
    assert (open_now["rule"], open_now["kind"], open_now["order"]) == ("over", "ORDER_OVERALLOCATED", {"number": "1"})

    await receive(served, 9)
    await all_read(served)

    assert (await told(served))[3:] == [("AlertResolved", "over", "1"), ("AlertRaised", "done", "1")]
    assert [(one["rule"], one["resolvedAt"] is None) for one in await alerts(served)] == [
        ("done", True),
        ("over", False),
        ("done", False),
    ]


async def test_what_came_and_went_while_nobody_looked_is_told_all_the_same(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("services.notices.EVENTS_AT_ONCE_MAX", 1)
    await rules(served, OVER)
    await a_shop(served, 1)
    await place(served, "1")
    await allocate(served, "1")
    await count(served, 0)
    await count(served, 1)
    await all_read(served)

    assert await told(served) == [("AlertRaised", "over", "1"), ("AlertResolved", "over", "1")]


async def test_a_void_order_is_over(served: Served):
    await rules(served, DONE, LATE | {"name": "late"})
    await a_shop(served)
    await place(served, "1")
    await allocate(served, "1")
    await served.mutate("voidOrder", order=named("1"), reason="a test")
    await all_read(served)

    assert await told(served) == [("AlertRaised", "done", "1"), ("AlertResolved", "done", "1")]


async def test_a7_rules_watch_the_channels_that_they_name(served: Served):
    await rules(served, DONE | {"channels": ["EBAY"]})
    await a_shop(served)
    for channel in ("SHOP", "EBAY"):
        await place(served, f"{channel}-1", channel=channel)
        await allocate(served, f"{channel}-1", channel)
    await all_read(served)

    assert await told(served) == [("AlertRaised", "done", "EBAY-1")]


async def test_a5_stock_that_runs_out_is_alerted_to_over_all_and_at_a_location(served: Served):
    await rules(served, FEW, FEW | {"name": "leeds", "locations": ["LEEDS"], "skus": ["CHAIR"]})
    await a_shop(served, 5)
    await receive(served, 5, "YORK")
    await place(served, "1", 4)
    await allocate(served, "1")
    await all_read(served)

    (leeds,) = await alerts(served)
    assert (leeds["rule"], leeds["sku"], leeds["locationCode"], leeds["available"]) == ("leeds", "CHAIR", "LEEDS", 1)

    await place(served, "2", 4)
    await allocate(served, "2")
    await all_read(served)
    over_all, _ = await alerts(served, open=True)
    assert (over_all["rule"], over_all["locationCode"], over_all["available"]) == ("few", None, 2)

    await receive(served, 50)
    await all_read(served)
    assert await alerts(served, open=True) == []
    assert (await told(served))[2:] == [("AlertResolved", "few", "CHAIR"), ("AlertResolved", "leeds", "CHAIR")]


async def test_a_new_rule_finds_what_runs_out_already_though_nothing_moves(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("services.notices.FOUND_AT_ONCE_MAX", 2)
    skus = [f"SKU-{number}" for number in range(5)]
    await served.mutate("saveItems", items=[{"sku": sku, "name": sku} for sku in skus])
    await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
    await served.mutate("receiveStock", location="LEEDS", lines=[{"sku": sku, "quantity": 1} for sku in skus])

    await rules(served, FEW)

    async def all_found() -> bool:
        return len(await alerts(served, open=True)) == 5

    await eventually(all_found)
    assert len(await told(served)) == 5


async def age(served: Served, hours: int, number: str | None = None) -> None:
    async with served.database.engine.begin() as connection:
        await connection.execute(
            text(
                """UPDATE orders SET placed_at = now() - make_interval(hours => :hours)
                WHERE CAST(:number AS text) IS NULL OR number = :number"""
            ),
            {"hours": hours, "number": number},
        )


async def test_r11_an_order_that_waits_for_too_long_is_alerted_to_by_the_clock_alone(
    served: Served, monkeypatch: pytest.MonkeyPatch
):
    """Nothing happens to it: the next second is what makes it late. A page of them at a time."""
    monkeypatch.setattr("services.notices.FOUND_AT_ONCE_MAX", 2)
    await a_shop(served, 50)
    for number in range(5):
        await place(served, str(number), 1)
    await place(served, "young", 1)
    await place(served, "done", 1)
    await allocate(served, "done")
    await age(served, 3)
    await age(served, 1, "young")

    await rules(served, LATE)

    async def all_found() -> bool:
        return len(await alerts(served, open=True)) == 5

    await eventually(all_found)
    assert {one["order"]["number"] for one in await alerts(served)} == set("01234")

    await allocate(served, "0")
    await all_read(served)
    assert (await told(served))[-1] == ("AlertResolved", "late", "0")
    assert len(await told(served)) == 6


async def test_r11_an_order_that_was_released_and_does_not_leave_is_alerted_to_until_it_does(served: Served):
    await a_shop(served)
    await place(served, "1", shipTo=HOME)
    await allocate(served, "1")
    answer = await served.mutate("releaseOrders", RELEASED, orders=[named("1")])
    (fulfillment,) = answer["results"][0]["fulfillments"]
    async with served.database.engine.begin() as connection:
        await connection.execute(text("UPDATE orders SET released_at = now() - interval '3 hours'"))
    await rules(served, {"name": "stuck", "kind": "ORDER_NOT_SHIPPED", "hours": 2})

    async def is_found() -> bool:
        return len(await alerts(served, open=True)) == 1

    await eventually(is_found)
    shop = Shop(served)
    await shop.pick(fulfillment)
    await shop.move("packFulfillment", fulfillment, parcels=[{}])
    await shop.move("shipFulfillment", fulfillment)
    await all_read(served)
    assert await told(served) == [("AlertRaised", "stuck", "1"), ("AlertResolved", "stuck", "1")]


async def test_r11_an_order_that_comes_in_late_or_is_given_back_late_is_alerted_to_by_its_events(served: Served):
    await rules(served, LATE)
    await a_shop(served)
    await place(served, "imported", placedAt="2026-01-01T00:00:00Z")
    await allocate(served, "imported")
    await served.mutate("deallocateOrders", orders=[named("imported")])
    await all_read(served)

    assert await told(served) in (
        [("AlertRaised", "late", "imported")],
        [(what, "late", "imported") for what in ("AlertRaised", "AlertResolved", "AlertRaised")],
    )
    assert len(await alerts(served, open=True)) == 1


async def test_a_rule_that_is_gone_or_watches_for_something_else_resolves_its_alerts_and_one_that_tells_others_does_not(
    served: Served,
):
    await rules(served, DONE, DONE | {"name": "gone"}, DONE | {"name": "kept"})
    await a_shop(served)
    await place(served, "1")
    await allocate(served, "1")
    await all_read(served)

    await rules(served, DONE | {"channels": ["EBAY"]}, DONE | {"name": "kept", "emails": ["a@b.example"]})
    await all_read(served)

    assert [(one["rule"], one["resolvedAt"] is None) for one in await alerts(served)] == [
        ("kept", True),
        ("gone", False),
        ("done", False),
    ]
    assert sorted((await told(served))[3:]) == [("AlertResolved", "done", "1"), ("AlertResolved", "gone", "1")]


async def test_a_rule_hears_of_what_happens_from_now_on(served: Served):
    await a_shop(served)
    await place(served, "1")
    await allocate(served, "1")
    await rules(served, OVER)
    await all_read(served)
    await rules(served, OVER, DONE)
    await place(served, "2")
    await allocate(served, "2")
    await all_read(served)

    assert await told(served) == [("AlertRaised", "done", "2")]


async def test_alerts_are_paged_and_are_nodes(served: Served):
    await rules(served, DONE)
    await a_shop(served)
    for number in "123":
        await place(served, number)
        await allocate(served, number)
    await all_read(served)

    first = (await served(ALERTS, first=2))["alerts"]
    second = (await served(ALERTS, first=2, after=first["pageInfo"]["endCursor"]))["alerts"]

    assert [one["order"]["number"] for one in first["nodes"] + second["nodes"]] == ["3", "2", "1"]
    assert (first["pageInfo"]["hasNextPage"], second["pageInfo"]["hasNextPage"]) == (True, False)
    node = await served("query ($id: ID!) { node(id: $id) { id ... on Alert { rule } } }", id=first["nodes"][0]["id"])
    assert node["node"] == {"id": first["nodes"][0]["id"], "rule": "done"}
    assert await served.code(ALERTS, after="x") == "BAD_USER_INPUT"


# ---------------------------------------------------------------- who is told


async def test_a7_a_webhook_gets_alerts_by_its_filter_and_those_of_rules_that_name_another_not_at_all(served: Served):
    async with receiving() as ours, receiving() as theirs:
        await served.mutate(
            "saveWebhookEndpoints",
            endpoints=[
                {"name": "ours", "url": ours.url, "types": ["AlertRaised"]},
                {"name": "theirs", "url": theirs.url, "types": ["AlertRaised", "AlertResolved"]},
            ],
        )
        await rules(served, DONE | {"endpoints": ["theirs"]}, DONE | {"name": "for all"})
        await a_shop(served)
        await place(served, "1")
        await allocate(served, "1")
        await served.mutate("deallocateOrders", orders=[named("1")])
        await all_read(served)
        await settled(served.database)

    def seen(receiver: Any) -> list[tuple[str, str]]:
        return [(one.json["type"], one.json["data"]["rule"]) for one in receiver.taken]

    assert seen(ours) == [("AlertRaised", "for all")]
    assert sorted(seen(theirs)) == sorted(
        (what, rule) for what in ("AlertRaised", "AlertResolved") for rule in ("done", "for all")
    )
    about = theirs.taken[0].json["data"]["about"]
    assert (about["orderNumber"], about["channelCode"], about["sku"]) == ("1", "SHOP", None)


async def test_a8_alerts_are_followed_like_every_event_and_filtered_by_channel_and_sku(served: Served):
    await a_shop(served, 5)
    await rules(served, FEW, DONE)
    document = """subscription ($filter: EventFilter) { events(filter: $filter) { ... on AlertEvent { rule } } }"""
    async with served.socket() as client:
        types = {"types": ["AlertRaised"]}
        await client.subscribe("1", document, filter=types | {"channels": ["SHOP"]})
        await client.subscribe("2", document, filter=types | {"skus": ["CHAIR"]})
        await eventually(lambda: served.hub.subscribers == 2)
        await place(served, "1", 4)
        await allocate(served, "1")
        messages = [await client.receive(), await client.receive()]

    found = {one["id"]: one["payload"]["data"]["events"]["rule"] for one in messages}
    assert found == {"1": "done", "2": "few"}
