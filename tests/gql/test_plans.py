"""Policies side by side, runs that choose, and dry runs with a token, over the API."""

from tests.gql.serving import Served
from tests.gql.test_runs import ended, receive, statuses

COMPARE = """
query ($policies: [AllocationSequence!]!, $filter: OrderFilter) {
  compareAllocationPolicies(filter: $filter, policies: $policies) {
    policy completeOrders partialOrders units parcels completeValue { amount currencyCode }
    plan { plannedOrders completeOrders fifoCompleteOrders objective fifoObjective bound optimal }
    changed {
      total orders { order { number } first { allocationStatus allocated } here { allocationStatus allocated } }
    }
  }
}"""
START = """
mutation ($input: StartAllocationRunInput!) {
  startAllocationRun(input: $input) {
    ... on UserError { __typename message }
    ... on InvalidInput { problems { path code } }
    ... on StartAllocationRunSuccess { run { id state plan { bound } } }
  }
}"""
PLAN = (
    "query ($id: ID!) { allocationRun(id: $id) { plan { completeOrders fifoCompleteOrders bound optimal seconds } } }"
)
ANSWER = """
... on AllocateOrdersSuccess {
  token
  losers { total allSeen orders { order { number } withoutRun withRun } }
  results { after lines { allocated short from { location { code } quantity } } }
}
... on PlanChanged { levels { sku location { code } available } orders { number version } }
"""


async def a_shop(api: Served, on_hand: int, *quantities: int, price: str = "2.50") -> None:
    """Orders of chairs, numbered from 0 and the oldest first."""
    await api("""mutation { saveLocations(input: {locations: [{code: "LEEDS", name: "Leeds"}]}) { __typename } }""")
    await api("""mutation { saveItems(input: {items: [{sku: "CHAIR", name: "A chair"}]}) { __typename } }""")
    await receive(api, on_hand)
    for number, quantity in enumerate(quantities):
        unit = {"amount": price, "currencyCode": "GBP"}
        lines = [{"sku": "CHAIR", "quantity": quantity, "unitPrice": unit}]
        await api.mutate("placeOrder", channel="web", number=str(number), lines=lines, tags=[f"n{number}"])


def orders(*numbers: int) -> list:
    return [{"order": {"number": {"channel": "web", "number": str(number)}}} for number in numbers]


async def allocate(api: Served, *numbers: int, **more) -> dict:
    return await api.mutate("allocateOrders", ANSWER, orders=orders(*numbers), **more)


# ---------------------------------------------------------------- side by side


async def test_policies_stand_side_by_side(served: Served):
    await a_shop(served, 3, 3, 1, 2)

    answer = await served(COMPARE, policies=["PLACED_AT_ASC", "MAX_COMPLETE_ORDERS"])

    fifo, most = answer["compareAllocationPolicies"]
    assert fifo == {
        "policy": "PLACED_AT_ASC",
        "completeOrders": 1,
        "partialOrders": 0,
        "units": 3,
        "parcels": 1,
        "completeValue": [{"amount": "7.50", "currencyCode": "GBP"}],
        "plan": None,
        "changed": {"total": 0, "orders": []},
    }
    assert (most["completeOrders"], most["units"], most["parcels"]) == (2, 3, 2)
    assert most["plan"] == {
        "plannedOrders": 3,
        "completeOrders": 2,
        "fifoCompleteOrders": 1,
        "objective": 2.0,
        "fifoObjective": 1.0,
        "bound": 2.0,
        "optimal": True,
    }
    assert most["changed"]["total"] == 3
    assert most["changed"]["orders"][0] == {
        "order": {"number": "0"},
        "first": {"allocationStatus": "ALLOCATED", "allocated": 3},
        "here": {"allocationStatus": "COULD_NOT_ALLOCATE", "allocated": 0},
    }
    assert await statuses(served) == ["UNALLOCATED"] * 3


async def test_only_orders_that_match_are_compared(served: Served):
    await a_shop(served, 3, 3, 1, 2)

    answer = await served(COMPARE, policies=["PRIORITY_DESC"], filter={"tags": ["n1", "n2"]})

    (only,) = answer["compareAllocationPolicies"]
    assert (only["completeOrders"], only["partialOrders"]) == (2, 0)


async def test_a_comparison_of_nothing_or_of_a_policy_with_itself_is_refused(served: Served):
    assert await served.code(COMPARE, policies=[]) == "BAD_USER_INPUT"
    assert await served.code(COMPARE, policies=["PLACED_AT_ASC", "PLACED_AT_ASC"]) == "BAD_USER_INPUT"


# ---------------------------------------------------------------- runs


async def test_a_run_in_the_background_is_planned_and_tells_how_good_its_plan_is(served: Served):
    await a_shop(served, 3, 3, 1, 2)

    fields = {"sequence": "MAX_COMPLETE_ORDERS", "idempotencyKey": "a"}
    started = (await served(START, input=fields))["startAllocationRun"]["run"]
    run = await ended(served, started["id"])

    assert (started["state"], started["plan"], run["state"]) == ("QUEUED", None, "SUCCEEDED")
    plan = (await served(PLAN, id=started["id"]))["allocationRun"]["plan"]
    assert plan.pop("seconds") >= 0
    assert plan == {"completeOrders": 2, "fifoCompleteOrders": 1, "bound": 2.0, "optimal": True}
    assert await statuses(served) == ["COULD_NOT_ALLOCATE", "ALLOCATED", "ALLOCATED"]


async def test_an_old_order_that_is_kept_goes_first(served: Served):
    await a_shop(served, 3, 3, 1, 2)

    fields = {"sequence": "MAX_COMPLETE_VALUE", "keepSequenceFor": {"tags": ["n0"]}, "idempotencyKey": "a"}
    started = (await served(START, input=fields))["startAllocationRun"]["run"]
    await ended(served, started["id"])

    assert await statuses(served) == ["ALLOCATED", "COULD_NOT_ALLOCATE", "COULD_NOT_ALLOCATE"]


async def test_to_keep_orders_of_a_sequence_that_nobody_changes_is_refused(served: Served):
    fields = {"keepSequenceFor": {"tags": ["n0"]}, "idempotencyKey": "a"}

    refused = (await served(START, input=fields))["startAllocationRun"]

    assert refused["problems"] == [{"path": ["input", "keepSequenceFor"], "code": "NOT_APPLICABLE"}]


# ---------------------------------------------------------------- what if


async def test_a_dry_run_names_who_loses_and_its_token_commits_it(served: Served):
    await a_shop(served, 0, 2, 3)
    await allocate(served, 0)
    await receive(served, 4)

    said = await allocate(served, 1, dryRun=True)

    assert said["losers"] == {
        "total": 1,
        "allSeen": True,
        "orders": [{"order": {"number": "0"}, "withoutRun": 2, "withRun": 1}],
    }
    assert await statuses(served) == ["COULD_NOT_ALLOCATE", "UNALLOCATED"]
    done = await allocate(served, 1, token=said["token"])
    assert done["results"] == said["results"]
    assert (done["losers"], done["token"]) == (None, None)
    assert await statuses(served) == ["COULD_NOT_ALLOCATE", "ALLOCATED"]


async def test_a_token_whose_ground_has_moved_is_refused_and_says_what_moved(served: Served):
    await a_shop(served, 4, 2, 3)
    said = await allocate(served, 0, 1, dryRun=True)
    await served.mutate("editOrder", order={"number": {"channel": "web", "number": "1"}}, priority=3)
    await receive(served, 5)

    refused = await allocate(served, 0, 1, token=said["token"], idempotencyKey="a")

    assert refused["__typename"] == "PlanChanged"
    assert refused["levels"] == [{"sku": "CHAIR", "location": {"code": "LEEDS"}, "available": 9}]
    assert refused["orders"] == [{"number": "1", "version": 2}]
    assert await statuses(served) == ["UNALLOCATED", "UNALLOCATED"]
    again = await allocate(served, 0, 1, token=said["token"], idempotencyKey="a")
    assert again["__typename"] == "PlanChanged"


async def test_a_token_that_somebody_changed_is_refused(served: Served):
    await a_shop(served, 4, 2)
    token = (await allocate(served, 0, dryRun=True))["token"]

    for changed in (token[:-2], token[::-1], "", "x" * 200):
        refused = await allocate(served, 0, token=changed)
        problems = [(one["path"], one["code"]) for one in refused["problems"]]
        assert problems == [(["input", "token"], "NOT_A_TOKEN")]


# ---------------------------------------------------------------- what if, in the background

RUN = (
    "query ($id: ID!) { allocationRun(id: $id) { token outcomes { status count } "
    """
    planChanged { message levels { sku location { code } available } orders { number } } } }"""
)
STARTED = """
    ... on StartAllocationRunSuccess { run { id token } }
    ... on PlanChanged { levels { sku available } orders { number } }
    """


async def dry_run(api: Served, **fields) -> dict:
    started = await api.mutate("startAllocationRun", STARTED, dryRun=True, **fields)
    await ended(api, started["run"]["id"])
    assert started["run"]["token"] is None
    return (await api(RUN, id=started["run"]["id"]))["allocationRun"]


async def commit(api: Served, token: str, **fields) -> dict:
    return await api.mutate("startAllocationRun", STARTED, token=token, **fields)


async def test_a_dry_run_in_the_background_gives_a_token_that_commits_exactly_what_it_said(served: Served, monkeypatch):
    monkeypatch.setattr("services.runs.CHUNK_ORDERS_MAX", 1)
    await a_shop(served, 3, 3, 1, 2)
    fields = {"sequence": "MAX_COMPLETE_ORDERS", "filter": {"channels": ["web"]}, "smallerMayPass": False}
    said = await dry_run(served, **fields)
    await served.mutate("placeOrder", channel="web", number="late", lines=[{"sku": "CHAIR", "quantity": 1}])

    committed = await commit(served, said["token"], **fields)
    run = await ended(served, committed["run"]["id"])

    assert (run["state"], run["processed"], run["total"]) == ("SUCCEEDED", 3, 3)
    assert run["outcomes"] == said["outcomes"]
    assert await statuses(served) == ["COULD_NOT_ALLOCATE", "ALLOCATED", "ALLOCATED", "UNALLOCATED"]
    about = (await served(RUN, id=committed["run"]["id"]))["allocationRun"]
    assert (about["token"], about["planChanged"]) == (None, None)
    again = await commit(served, said["token"], **fields)
    assert (again["__typename"], again["levels"]) == ("PlanChanged", [{"sku": "CHAIR", "available": 0}])


async def test_a_token_of_the_background_whose_ground_has_moved_starts_no_run(served: Served):
    await a_shop(served, 4, 2, 3)
    said = await dry_run(served)
    await served.mutate("editOrder", order={"number": {"channel": "web", "number": "1"}}, priority=3)
    await receive(served, 5)

    refused = await commit(served, said["token"])

    assert refused["__typename"] == "PlanChanged"
    assert refused["levels"] == [{"sku": "CHAIR", "available": 9}]
    assert refused["orders"] == [{"number": "1"}]
    assert await statuses(served) == ["UNALLOCATED", "UNALLOCATED"]


async def test_a_run_that_finds_something_moved_goes_no_further_and_says_what_and_how_far(served: Served, monkeypatch):
    monkeypatch.setattr("services.runs.CHUNK_ORDERS_MAX", 1)
    await a_shop(served, 4, 2)
    await served.mutate("saveItems", items=[{"sku": "DESK", "name": "A desk"}])
    for number in ("1", "2"):
        await served.mutate("placeOrder", channel="web", number=number, lines=[{"sku": "DESK", "quantity": 1}])
    said = await dry_run(served)
    # There was no level of desks: nothing that the dry run found has moved, until their turn comes.
    await served.mutate("receiveStock", location="LEEDS", lines=[{"sku": "DESK", "quantity": 2}])

    started = await commit(served, said["token"])
    run = await ended(served, started["run"]["id"])

    assert (run["state"], run["processed"], run["total"]) == ("FAILED", 1, 3)
    changed = (await served(RUN, id=started["run"]["id"]))["allocationRun"]["planChanged"]
    assert changed["levels"] == [{"sku": "DESK", "location": {"code": "LEEDS"}, "available": 2}]
    assert changed["orders"] == []
    assert await statuses(served) == ["ALLOCATED", "UNALLOCATED", "UNALLOCATED"]


async def test_a_token_of_the_background_is_good_for_its_own_input_and_for_no_other_mutation(served: Served):
    await a_shop(served, 4, 2)
    token = (await dry_run(served))["token"]
    of_orders = (await allocate(served, 0, dryRun=True))["token"]

    async def code(**fields) -> str:
        refused = await served.mutate("startAllocationRun", "... on InvalidInput { problems { path code } }", **fields)
        ((path, found),) = [(one["path"], one["code"]) for one in refused["problems"]]
        assert path == ["input", "token"]
        return str(found)

    assert await code(token=token, filter={"channels": ["web"]}) == "OTHER_INPUT"
    assert await code(token=token, dryRun=True) == "NOT_APPLICABLE"
    assert await code(token=token[:-2]) == "NOT_A_TOKEN"
    assert await code(token=of_orders) == "NOT_A_TOKEN"
    assert (await allocate(served, 0, token=token))["problems"][0]["code"] == "NOT_A_TOKEN"
