"""What a key may ask for: of every operation there is, over HTTP, sockets and streams."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from graphql import GraphQLField, GraphQLObjectType, is_required_argument

from domain.access import Scope, granted
from gql.api import create_schema
from gql.scopes import FIELDS, OPERATIONS, TYPES, need_of
from tests.builders import a_key
from tests.gql.serving import Served

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCHEMA = create_schema()._schema
ROOTS = [root for root in (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type) if root]
EVERY_OPERATION = [(root, name) for root in ROOTS for name in root.fields]


def called(operation: tuple[GraphQLObjectType, str]) -> str:
    return f"{operation[0].name}.{operation[1]}"


NAMED = [called(one) for one in EVERY_OPERATION]
SCOPED = [(root, name) for root, name in EVERY_OPERATION if need_of(root.name, name).scope]
UNLIMITED = [
    (root, name)
    for root, name in EVERY_OPERATION
    if (need := need_of(root.name, name)).scope is not Scope.ADMIN and not (need.channels and need.locations)
]
CREATE = """
    mutation Create($input: CreateApiKeyInput!) {
      createApiKey(input: $input) {
        ... on CreateApiKeySuccess { secret apiKey { id name mark scopes channels locations createdBy lastUsedAt } }
        ... on InvalidInput { problems { path code } }
      }
    }"""


def document(root: GraphQLObjectType, name: str) -> str:
    """The smallest document that asks for the field. What its arguments are is never looked at."""
    field: GraphQLField = root.fields[name]
    needed = {argument: one.type for argument, one in field.args.items() if is_required_argument(one)}
    defined = f"({', '.join(f'${one}: {kind}' for one, kind in needed.items())})" if needed else ""
    given = f"({', '.join(f'{one}: ${one}' for one in needed)})" if needed else ""
    selection = "{ __typename }" if "String" not in str(field.type) else ""
    return f"{root.name.lower()} Asked{defined} {{ {name}{given} {selection} }}"


async def test_every_operation_says_what_it_takes():
    """A new one stands in the table, or it is for administrators, and this fails."""
    said = {f"{root}.{name}" for root, needs in OPERATIONS.items() for name in needs}

    assert said == set(NAMED)
    for root, name in EVERY_OPERATION:
        scope = need_of(root.name, name).scope
        assert scope is None or root.fields[name].description.endswith(f"Needs `{scope}`."), name


async def test_every_object_says_which_scopes_open_it():
    nodes = {kind.name for kind in SCHEMA.type_map.values() if "Node" in implemented_by(kind)}

    assert set(TYPES) == nodes
    for coordinate in FIELDS:
        kind, _, field = coordinate.partition(".")
        assert field in SCHEMA.type_map[kind].fields, coordinate


def implemented_by(kind: object) -> Iterator[str]:
    yield from (one.name for one in getattr(kind, "interfaces", ()))


async def test_c6_nothing_but_voiding_takes_the_scope_of_voiding():
    assert [name for name in NAMED if need_of(*name.split(".")).scope is Scope.ORDERS_VOID] == ["Mutation.voidOrder"]


@pytest.mark.parametrize(("root", "name"), SCOPED, ids=map(called, SCOPED))
async def test_a_key_without_the_scope_is_told_which_one_it_lacks(api: Served, root: GraphQLObjectType, name: str):
    scope = need_of(root.name, name).scope
    lacking = [one for one in Scope if scope not in granted([one])]
    key = await api.key_of(*lacking)

    answer = await key.post(
        {"query": document(root, name)}, accept="text/event-stream" if root.name == "Subscription" else "*/*"
    )

    assert '"code":"FORBIDDEN"' in answer.text, answer.text
    assert f'"scope":"{scope}"' in answer.text
    assert '"data"' not in answer.text


@pytest.mark.parametrize(("root", "name"), UNLIMITED, ids=map(called, UNLIMITED))
async def test_a_limited_key_is_refused_what_does_not_keep_to_its_limit(
    api: Served, root: GraphQLObjectType, name: str
):
    need, every = need_of(root.name, name), [scope for scope in Scope if scope is not Scope.ADMIN]
    for limit in ("channels", "locations"):
        if getattr(need, limit):
            continue
        key = await api.key_of(*every, **{limit: ["A"]})

        async with key.socket() as client:
            await client.subscribe("1", document(root, name))
            error = await client.error("1")

        assert error["extensions"] == {"code": "FORBIDDEN", "limit": limit}


async def test_what_is_nested_takes_its_own_scope(api: Served):
    """However it is written, and wherever it is found."""
    picker = await api.key_of(Scope.FULFILLMENT_PICK)
    for document_, lacking in (
        ("{ fulfillments { nodes { order { customer { email } } } } }", "orders:read"),
        (
            "{ fulfillments { nodes { ...F } } } fragment F on Fulfillment { order { payments { method } } }",
            "orders:read",
        ),
        ("{ fulfillments { nodes { ... on Fulfillment { order { shipTo { city } } } } } }", "orders:read"),
        ("{ fulfillments { nodes { lines { line { unitPrice { amount } } } } } }", "orders:read"),
        ("{ fulfillments { nodes { lines { line { item { levels { onHand } } } } } } }", "inventory:read"),
        ('{ node(id: "x") { ... on WebhookEndpoint { url } } }', "admin"),
        ('{ node(id: "x") { ... on ApiKey { scopes } } }', "admin"),
    ):
        (error,) = (await picker.answer(document_))["errors"]
        assert error["extensions"] == {"code": "FORBIDDEN", "scope": lacking}, document_

    await picker("{ fulfillments { nodes { order { id number lines { sku quantity item { barcode } } } } } }")


async def test_node_finds_only_what_the_key_may_read(api: Served):
    await api.mutate("saveItems", "... on SaveItemsSuccess { items { id } }", items=[{"sku": "NODE", "name": "Node"}])
    made = await created(api, "events:read")
    asked = f'{{ node(id: "{made["apiKey"]["id"]}") {{ __typename id }} }}'

    assert (await api(asked))["node"]["__typename"] == "ApiKey"
    assert (await (await api.key_of(*set(Scope) - {Scope.ADMIN}))(asked))["node"] is None


async def test_introspection_takes_no_scope(api: Served):
    key = await api.key_of(Scope.EVENTS_READ)

    assert (await key("{ __schema { queryType { name } } }"))["__schema"]["queryType"]["name"] == "Query"


# ---------------------------------------------------------------- the keys themselves


async def test_a_key_is_made_used_listed_turned_and_revoked(api: Served):
    fields = {"name": api.unique("phone"), "scopes": ["fulfillment:pick", "inventory:*"], "idempotencyKey": a_key()}
    made = (await api(CREATE, input=fields))["createApiKey"]
    key = made["apiKey"]
    assert made["secret"].startswith(f"dibs_{key['mark']}_")
    assert key["scopes"] == ["inventory:write", "fulfillment:pick"]
    assert (key["channels"], key["locations"]) == (None, None)
    assert (await api(CREATE, input=fields))["createApiKey"]["secret"] is None

    phone = with_secret(api, made["secret"])
    await phone("{ fulfillments { nodes { id } } }")
    assert await phone.code("{ orders { nodes { id } } }") == "FORBIDDEN"

    turned = await api.mutate(
        "rotateApiKey",
        "... on RotateApiKeySuccess { secret apiKey { previousSecretUntil } }",
        key=key["id"],
        keepPreviousSeconds=600,
    )
    assert turned["apiKey"]["previousSecretUntil"]
    for secret in (made["secret"], turned["secret"]):
        await with_secret(api, secret)("{ fulfillments { nodes { id } } }")

    revoked = await api.mutate(
        "revokeApiKey", "... on RevokeApiKeySuccess { apiKey { revokedAt name } }", key=key["id"]
    )
    assert revoked["apiKey"]["revokedAt"]
    for secret in (made["secret"], turned["secret"]):
        assert (await with_secret(api, secret).post({"query": "{ __typename }"})).status_code == 401

    assert key["name"] not in await names(api, ended=False)
    assert key["name"] in await names(api, ended=True)


async def test_garbage_is_the_id_of_no_key(api: Served):
    for garbage in ("", "x", "\x00", "QXBpS2V5Ojk5OTk5"):
        for mutation in ("rotateApiKey", "revokeApiKey"):
            answer = await api.mutate(mutation, "... on NotFound { references }", key=garbage)
            assert answer["__typename"] == "NotFound", (mutation, garbage)


async def test_no_answer_but_the_first_has_the_secret(api: Served):
    made = await created(api, "events:read")
    fields = " ".join(name for name, field in SCHEMA.type_map["ApiKey"].fields.items())

    answer = await api.post({"query": f'{{ node(id: "{made["apiKey"]["id"]}") {{ ... on ApiKey {{ {fields} }} }} }}'})

    assert made["apiKey"]["mark"] in answer.text
    assert made["secret"].rpartition("_")[2] not in answer.text


async def test_idempotency_keys_belong_to_the_key_and_not_to_its_secret(api: Served):
    made = await created(api, "inventory:write")
    turned = await api.mutate("rotateApiKey", "... on RotateApiKeySuccess { secret }", key=made["apiKey"]["id"])
    location, sku, once = api.unique("L"), api.unique("S"), a_key()
    await api.mutate("saveLocations", locations=[{"code": location, "name": location}])
    await api.mutate("saveItems", items=[{"sku": sku, "name": sku}])

    for secret in (made["secret"], turned["secret"]):
        key = with_secret(api, secret)
        done = await key.mutate(
            "receiveStock",
            "... on StockSuccess { levels { onHand } }",
            location=location,
            lines=[{"sku": sku, "quantity": 3}],
            idempotencyKey=once,
        )
        assert done["levels"] == [{"onHand": 3}]


async def created(api: Served, *scopes: str) -> Any:
    return (await api(CREATE, input={"name": a_key(), "scopes": scopes, "idempotencyKey": a_key()}))["createApiKey"]


async def names(api: Served, *, ended: bool) -> list[str]:
    found, after = [], None
    while True:
        page = await api(
            "query Keys($ended: Boolean!, $after: String) { apiKeys(ended: $ended, first: 100, after: $after) { "
            "nodes { name } pageInfo { hasNextPage endCursor } } }",
            ended=ended,
            after=after,
        )
        found += [one["name"] for one in page["apiKeys"]["nodes"]]
        after = page["apiKeys"]["pageInfo"]["endCursor"]
        if not page["apiKeys"]["pageInfo"]["hasNextPage"]:
            return found


def with_secret(api: Served, secret: str) -> Served:
    return replace(api, key=secret)
