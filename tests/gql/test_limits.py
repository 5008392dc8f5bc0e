"""What one document may ask for: judged before anything is executed, and in no time."""

import time
from collections.abc import Iterable
from typing import Any

import pytest
from graphql import get_introspection_query, parse, validate

from gql import limits
from gql.api import create_schema
from gql.execution import Executor, Operation, Refused
from tests.gql.test_contract import OPERATIONS, ROOT

SCHEMA = create_schema()


@pytest.fixture(scope="module")
def executor() -> Executor:
    return Executor(SCHEMA)


def refusal(executor: Executor, query: str, name: str | None = None, **variables: Any) -> str | None:
    """Why the operation is not executed; None where it would be."""
    prepared = executor.prepare(query, name, variables)
    if isinstance(prepared, Operation):
        return None
    assert isinstance(prepared, Refused)
    (error,) = prepared.errors
    assert error["extensions"]["code"] == "GRAPHQL_VALIDATION_FAILED", error
    return str(error["message"])


def examples() -> Iterable[str]:
    yield from OPERATIONS.values()
    for file in (ROOT / "explorer" / "examples").glob("*.graphql"):
        yield file.read_text()


def test_what_clients_really_ask_is_within_the_limits(executor: Executor):
    for query in examples():
        assert refusal(executor, query) is None, query
    assert refusal(executor, get_introspection_query(input_value_deprecation=True, specified_by_url=True)) is None


def test_a_whole_page_of_orders_with_everything_on_it_is_within_the_limits(executor: Executor):
    whole = """{ orders(first: 100) { nodes {
      channel { code } customer { name } shipTo { city }
      lines { item { name } unitPrice { amount } allocations { location { code } quantity } }
    } pageInfo { hasNextPage } } }"""

    assert refusal(executor, whole) is None


def test_ten_fields_below_each_other_are_taken_and_eleven_are_not(executor: Executor, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gql.execution.COST_MAX", 10**9)
    ten = "{ stockLevels { nodes { " + "item { levels { " * 3 + "item { __typename id }" + " } }" * 3 + " } } }"
    eleven = ten.replace("id", "levels { __typename id }")

    assert limits.DEPTH_MAX == 10
    assert refusal(executor, ten) is None
    assert "deeper than 10" in str(refusal(executor, eleven))


@pytest.mark.parametrize("levels", [10, 30])
def test_depth_hidden_in_fragments_is_seen(executor: Executor, levels: int):
    fragments = " ".join(
        f"fragment F{number} on Item {{ levels {{ item {{ ...F{number + 1} }} }} }}" for number in range(levels)
    )
    query = f'{{ item(by: {{sku: "A"}}) {{ ...F0 }} }} {fragments} fragment F{levels} on Item {{ id }}'

    assert "deeper than 10" in str(refusal(executor, query))


def test_fifteen_aliases_are_taken_and_sixteen_are_not(executor: Executor):
    def with_aliases(count: int) -> str:
        return "{ " + " ".join(f"a{number}: eventCursor" for number in range(count)) + " }"

    assert refusal(executor, with_aliases(15)) is None
    assert "16 aliases" in str(refusal(executor, with_aliases(16)))


def test_the_cost_counts_with_the_pages_that_are_asked_for(executor: Executor):
    query = """query Q($first: Int! = 100) { orders(first: $first) { nodes { lines { item { levels { location { code }
      item { levels { id } } } } } } } }"""

    assert refusal(executor, query, first=5) is None
    assert "objects" in str(refusal(executor, query, first=100))
    assert "objects" in str(refusal(executor, query))


def cost(executor: Executor, query: str, **variables: Any) -> int:
    prepared = executor.prepare(query, None, variables)
    assert isinstance(prepared, Operation), prepared
    return prepared.cost


PLACE = "mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { __typename } }"


def test_a_mutation_costs_one_more_for_each_entry_of_its_lists(executor: Executor):
    one, many = [
        cost(executor, PLACE, input={"lines": [{"sku": "CHAIR", "quantity": 1}] * lines}) for lines in (1, 2_000)
    ]

    assert many - one == 1_999


def test_entries_of_lists_within_lists_count_in_the_document_as_in_variables(executor: Executor):
    orders = '[{order: {id: "a"}, lines: [{line: "x"}, {line: "y"}]}, {order: {id: "b"}}]'
    allocate = 'allocateOrders(input: {orders: %s, idempotencyKey: "k"}) { __typename }'

    none, both = [cost(executor, f"mutation {{ {allocate % given} }}") for given in ("[]", orders)]

    assert both - none == 4


def test_what_is_sent_once_and_used_twice_counts_twice(executor: Executor):
    once = 'a: allocateOrders(input: {orders: $orders, idempotencyKey: "a"}) { __typename }'
    both = f"{once} {once.replace('a:', 'b:', 1)}"
    orders = [{"order": {"id": "a"}}] * 10

    head = "mutation ($orders: [AllocateOrderInput!]!)"
    one, two = [cost(executor, f"{head} {{ {used} }}", orders=orders) for used in (once, both)]

    assert two - 1 == 2 * (one - 1)


def test_input_that_is_nested_deeper_than_anything_is_counted_all_the_same(executor: Executor):
    nested: list[Any] = []
    for _ in range(5_000):
        nested = [nested]

    assert cost(executor, PLACE, input={"lines": nested}) > 5_000


@pytest.mark.parametrize("first", [-1, 0, 2**40, "many", None, True, [], {}])
def test_a_page_size_that_is_nonsense_is_refused_where_it_is_looked_at(executor: Executor, first: Any):
    query = "query ($n: Int!) { items(first: $n) { nodes { id } } }"

    assert refusal(executor, query, n=first) is None


def test_fragments_that_fan_out_are_counted_without_being_walked_again_and_again(executor: Executor):
    """Each doubles the next: 2^4 times ten to the fourth objects in a few words."""
    fan = " ".join(
        f"fragment F{number} on Item {{ levels {{ a: item {{ ...F{number + 1} }} b: item {{ ...F{number + 1} }} }} }}"
        for number in range(4)
    )
    query = f'{{ item(by: {{sku: "A"}}) {{ ...F0 }} }} {fan} fragment F4 on Item {{ id }}'
    started = time.thread_time()

    told = refusal(executor, query)

    assert "objects" in str(told)
    assert time.thread_time() - started < 0.5


def test_only_the_operation_that_is_executed_is_counted(executor: Executor):
    query = """query Small { eventCursor }
      query Large { orders(first: 100) { nodes { lines { item { levels { item { levels { id } } } } } } } }"""

    assert refusal(executor, query, "Small") is None
    assert "objects" in str(refusal(executor, query, "Large"))


@pytest.mark.parametrize(
    "query",
    [
        "{ " + "eventCursor " * 900 + "}",
        "{ " + " ".join(f"items(first: {number}) {{ nodes {{ id }} }}" for number in range(80)) + " }",
        "{ ...F0 } fragment F90 on Query { eventCursor } "
        + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} }}" for n in range(90)),
        "{ ...F0 } " + " ".join(f"fragment F{n} on Query {{ ...F{(n + 1) % 90} }}" for n in range(90)),
        "query (" + " ".join(f"$v{number}: Int" for number in range(240)) + ") { eventCursor }",
        "{ eventCursor " + "@include(if: true) " * 130 + "}",
        "{ items(filter: {skus: " + "[" * 300 + "]" * 300 + "}) { nodes { id } } }",
        "{ items(filter: " + "{skus: " * 200 + "1" + "}" * 200 + ") { nodes { id } } }",
        "{ __schema { types { fields { type { " + "ofType { " * 100 + "name" + " }" * 100 + " } } } } }",
        "{ __schema { types { fields { type { fields { type { fields { type { name } } } } } } } } }",
    ],
    ids=lambda query: query[:30],
)  # fmt: skip
def test_no_document_of_a_thousand_tokens_takes_long_to_judge(executor: Executor, query: str):
    started = time.thread_time()

    executor.prepare(query, None, {})

    assert time.thread_time() - started < 1


def test_the_schema_of_the_tests_is_the_one_that_is_served():
    assert validate(SCHEMA._schema, parse("{ eventCursor }")) == []


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("{ " + "items { nodes { id } } " * 33 + "}", "528 pairs of repeated fields"),
        ("{ " + "... on Query { items { nodes { id } } } " * 33 + "}", "528 pairs of repeated fields"),
        ("{ " + "eventCursor @nonsense " * 10 + "@nonsense " * 41 + "}", "51 directives"),
        ("{ ...F0 } " + " ".join(f"fragment F{n} on Query {{ eventCursor }}" for n in range(51)), "51 fragments"),
        ("{ __schema { types { name } } b: __schema { types { name } } }", "2 introspections"),
        ('{ __schema { types { name } } __type(name: "Order") { name } }', "2 introspections"),
        ("{ items(first: " + "1" * 101 + ") { nodes { id } } }", "101 digits in one number"),
        ("{ items(first: 1." + "1" * 99 + ") { nodes { id } } }", "101 digits in one number"),
    ],
)
def test_what_would_make_validation_slow_is_counted_before_it(executor: Executor, query: str, what: str):
    assert what in str(refusal(executor, query))


def test_introspection_once_is_taken_and_has_its_price(executor: Executor):
    prepared = executor.prepare("{ __schema { types { name } } }", None, {})

    assert isinstance(prepared, Operation)
    assert prepared.cost == 1 + limits.INTROSPECTION_COST


def test_a_short_document_of_nested_fragments_is_judged_in_no_time(executor: Executor):
    """674 characters of this kind cost a second where each spread is walked anew; a few more, and it is minutes."""
    names = "ABCDEFGHIJKLMNOPQRS"
    pairs = zip(names, names[1:] + "Z", strict=True)
    query = "{ ...A } " + " ".join(f"fragment {one} on Query {{ ...{other} ...{other} }}" for one, other in pairs)
    query += " fragment Z on Query { eventCursor }"
    started = time.thread_time()

    assert refusal(executor, query) is None
    assert len(query) < 700
    assert time.thread_time() - started < 0.3
