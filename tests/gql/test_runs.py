"""Background runs over the API, and the runs that set themselves off."""

import asyncio

from gql.schema.events import log_cursor
from tests.gql.serving import SECONDS_MAX, Served, all_numbered, cut_after, serving

START = """
mutation ($key: String!, $dry: Boolean!) {
  startAllocationRun(input: {idempotencyKey: $key, dryRun: $dry}) {
    ... on UserError { __typename message }
    ... on StartAllocationRunSuccess { run { id state dryRun } }
  }
}"""
RUN = "query ($id: ID!) { allocationRun(id: $id) { state processed total outcomes { status count } finishedAt } }"
LOSERS = """
    query ($id: ID!) {
      allocationRun(id: $id) { losers { total allSeen orders { order { number } withoutRun withRun } } }
    }"""
PROGRESS = """
    subscription ($run: ID!, $after: String) {
      allocationRunProgressed(run: $run, after: $after) { id cursor run { state processed finishedAt } }
    }"""
STATUSES = "{ orders { nodes { number allocationStatus } } }"


async def a_shop(api: Served, on_hand: int, orders: int) -> None:
    await api("""mutation { saveLocations(input: {locations: [{code: "LEEDS", name: "Leeds"}]}) { __typename } }""")
    await api("""mutation { saveItems(input: {items: [{sku: "CHAIR", name: "A chair"}]}) { __typename } }""")
    await receive(api, on_hand)
    for number in range(orders):
        lines = [{"sku": "CHAIR", "quantity": 2}]
        await api.mutate("placeOrder", channel="web", number=str(number), lines=lines)


async def receive(api: Served, quantity: int) -> None:
    if quantity:
        await api.mutate("receiveStock", location="LEEDS", lines=[{"sku": "CHAIR", "quantity": quantity}])


async def statuses(api: Served) -> list[str]:
    return [order["allocationStatus"] for order in (await api(STATUSES))["orders"]["nodes"]]


async def ended(api: Served, run: str) -> dict:
    async with asyncio.timeout(SECONDS_MAX):
        while True:
            found = (await api(RUN, id=run))["allocationRun"]
            if found["finishedAt"]:
                return found
            await asyncio.sleep(0.05)


async def test_o16_a_run_in_the_background_allocates_oldest_first_and_says_how_far_it_is(served: Served):
    await a_shop(served, on_hand=3, orders=3)

    started = (await served(START, key="a", dry=False))["startAllocationRun"]["run"]
    run = await ended(served, started["id"])

    assert (started["state"], run["state"], run["processed"], run["total"]) == ("QUEUED", "SUCCEEDED", 3, 3)
    assert {one["status"]: one["count"] for one in run["outcomes"] if one["count"]} == {
        "ALLOCATED": 1,
        "PARTIALLY_ALLOCATED": 1,
        "COULD_NOT_ALLOCATE": 1,
    }
    assert await statuses(served) == ["ALLOCATED", "PARTIALLY_ALLOCATED", "COULD_NOT_ALLOCATE"]


async def test_a_dry_run_in_the_background_leaves_the_orders_alone(served: Served):
    await a_shop(served, on_hand=3, orders=2)

    started = (await served(START, key="a", dry=True))["startAllocationRun"]["run"]

    assert (await ended(served, started["id"]))["state"] == "SUCCEEDED"
    assert await statuses(served) == ["UNALLOCATED", "UNALLOCATED"]


async def test_a_dry_run_in_the_background_names_the_waiting_orders_that_would_get_less(served: Served):
    await a_shop(served, on_hand=0, orders=2)
    await ended(served, (await served(START, key="a", dry=False))["startAllocationRun"]["run"]["id"])
    lines = [{"sku": "CHAIR", "quantity": 2}]
    await served.mutate("placeOrder", channel="till", number="9", lines=lines, priority=1)
    await receive(served, 3)

    made = await served.mutate(
        "startAllocationRun",
        "... on StartAllocationRunSuccess { run { id losers { total } } }",
        filter={"channels": ["till"]},
        dryRun=True,
    )
    await ended(served, made["run"]["id"])
    run = (await served(LOSERS, id=made["run"]["id"]))["allocationRun"]

    assert made["run"]["losers"] is None
    assert run["losers"] == {
        "total": 2,
        "allSeen": True,
        "orders": [
            {"order": {"number": "0"}, "withoutRun": 2, "withRun": 1},
            {"order": {"number": "1"}, "withoutRun": 1, "withRun": 0},
        ],
    }


async def test_i7_the_same_key_starts_one_run(served: Served):
    first = (await served(START, key="a", dry=False))["startAllocationRun"]["run"]

    assert (await served(START, key="a", dry=False))["startAllocationRun"]["run"]["id"] == first["id"]
    reused = (await served(START, key="a", dry=True))["startAllocationRun"]
    assert reused["__typename"] == "IdempotencyKeyReused"


async def test_a_run_that_nobody_knows_is_not_found(served: Served):
    assert (await served(RUN, id="garbage"))["allocationRun"] is None
    cancel = 'mutation { cancelAllocationRun(input: {run: "garbage"}) { ... on NotFound { references } } }'

    assert (await served(cancel))["cancelAllocationRun"] == {"references": ["garbage"]}


async def test_who_watches_a_run_is_told_how_it_ended_wherever_they_begin(served: Served):
    await a_shop(served, on_hand=3, orders=3)
    run = (await served(START, key="a", dry=False))["startAllocationRun"]["run"]["id"]
    async with served.socket() as client:
        await client.subscribe("1", PROGRESS, run=run, after=log_cursor(0))
        steps = [(await client.next("1"))["allocationRunProgressed"]]
        while not steps[-1]["run"]["finishedAt"]:
            steps.append((await client.next("1"))["allocationRunProgressed"])
        assert await client.receive() == {"type": "complete", "id": "1"}

        for after in (None, steps[0]["cursor"], steps[-1]["cursor"], (await served("{ eventCursor }"))["eventCursor"]):
            await client.subscribe("2", PROGRESS, run=run, after=after)
            expected = steps[1:] if after == steps[0]["cursor"] else steps[-1:]
            assert [(await client.next("2"))["allocationRunProgressed"] for _ in expected] == expected
            assert await client.receive() == {"type": "complete", "id": "2"}


async def test_a_run_of_which_the_log_tells_nothing_any_more_is_over_at_once(served: Served):
    run = (await served(START, key="a", dry=False))["startAllocationRun"]["run"]["id"]
    await ended(served, run)
    await all_numbered(served.database)
    end = await served.database.read(lambda uow: uow.events.end())
    await cut_after(served, end)

    async with served.socket() as client:
        for after in (None, log_cursor(end)):
            await client.subscribe("1", PROGRESS, run=run, after=after)
            assert await client.receive() == {"type": "complete", "id": "1"}


async def test_o8_what_arrives_is_given_to_who_waits_without_anyone_asking(database_url: str):
    async with serving(database_url, run_waiting=True) as api:
        await a_shop(api, on_hand=0, orders=1)
        await ended(api, (await api(START, key="a", dry=False))["startAllocationRun"]["run"]["id"])
        assert await statuses(api) == ["COULD_NOT_ALLOCATE"]

        await receive(api, 2)

        async with asyncio.timeout(SECONDS_MAX):
            while await statuses(api) != ["ALLOCATED"]:  # noqa: ASYNC110  (a worker does it)
                await asyncio.sleep(0.05)
