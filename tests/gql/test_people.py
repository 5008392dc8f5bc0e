"""People who come with a token of their issuer: what they may do, for how long, and under which name."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from dibs.settings import Settings
from tests.builders import a_key
from tests.dibs.issuer import AUDIENCE, LocalIssuer, an_issuer, answering
from tests.gql.serving import Served, serving

ROLES = {
    "desk": {"scopes": ["orders:write"]},
    "pick": {"scopes": ["fulfillment:pick", "inventory:read"]},
    "boss": {"scopes": ["admin"]},
}
SAVED = "... on SaveItemsSuccess { items { sku } }"
ORDERS = "{ orders(first: 1) { nodes { id } } }"


@asynccontextmanager
async def a_house(database_url: str, **more: Any) -> AsyncIterator[tuple[Served, LocalIssuer]]:
    """An API that takes the word of an issuer."""
    async with an_issuer() as issuer:
        settings = {
            "oidc_issuer": issuer.address,
            "oidc_audience": AUDIENCE,
            "oidc_roles": json.dumps(ROLES),
            "oidc_allow_loopback": True,
        }
        async with serving(database_url, **settings | more) as served:
            yield served, issuer


def as_(served: Served, token: str) -> Served:
    """The same API, asked with the token."""
    return replace(served, key=token)


async def test_what_a_person_may_do_is_what_their_roles_give(database_url: str):
    async with a_house(database_url) as (served, issuer):
        desk = as_(served, issuer.token(roles=["desk", "nobody has described this one"]))
        assert (await desk(ORDERS))["orders"]["nodes"] == []
        assert await desk.code("{ stockLevels(first: 1) { nodes { id } } }") == "FORBIDDEN"

        both = as_(served, issuer.token(roles=["desk", "pick"]))
        assert (await both(ORDERS))["orders"]["nodes"] == []
        assert (await both("{ stockLevels(first: 1) { nodes { id } } }"))["stockLevels"]["nodes"] == []

        nobody = as_(served, issuer.token(roles=["nobody has described this one"]))
        assert await nobody.code(ORDERS) == "FORBIDDEN"
        boss = as_(served, issuer.token(roles=["boss"]))
        assert (await boss.mutate("saveItems", SAVED, items=[{"sku": "A", "name": "A"}]))["items"] == [{"sku": "A"}]


@pytest.mark.parametrize(
    "token",
    [
        lambda issuer: issuer.token(aud="another"),
        lambda issuer: issuer.token(exp=int(time.time()) - 120),
        lambda issuer: issuer.token()[:-4] + "AAAA",
        lambda _: "eyJ.a.b",
    ],
)
async def test_a_token_that_proves_nothing_opens_nothing(database_url: str, token: Any):
    async with a_house(database_url) as (served, issuer):
        answer = await as_(served, token(issuer)).post({"query": ORDERS})

        assert answer.status_code == 401
        assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        assert (await served(ORDERS))["orders"]["nodes"] == []


async def test_where_no_issuer_is_set_no_token_opens_anything(database_url: str):
    async with an_issuer() as issuer, serving(database_url) as served:
        answer = await as_(served, issuer.token(roles=["admin"])).post({"query": ORDERS})

        assert answer.status_code == 401


async def test_while_the_issuer_cannot_be_asked_people_are_told_to_come_again_and_keys_are_served(database_url: str):
    async with a_house(database_url) as (served, issuer):
        issuer.says["/keys"] = answering(b"", "503 Service Unavailable")
        answer = await as_(served, issuer.token(roles=["desk"])).post({"query": ORDERS})

        assert answer.status_code == 503
        assert answer.json()["errors"][0]["extensions"]["code"] == "BUSY"
        assert (await served(ORDERS))["orders"]["nodes"] == []


async def test_what_a_person_did_is_in_the_ledger_under_their_name(database_url: str):
    async with a_house(database_url, oidc_name_claim="email") as (served, issuer):
        boss = as_(served, issuer.token(roles=["boss"], email="alice@shop.example"))
        await boss.mutate("saveItems", items=[{"sku": "CHAIR", "name": "Chair"}])
        await boss.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        await boss.mutate("receiveStock", location="LEEDS", lines=[{"sku": "CHAIR", "quantity": 5}])

        moved = await served('{ stockMovements(sku: "CHAIR", location: "LEEDS", first: 1) { nodes { actor } } }')
        assert moved["stockMovements"]["nodes"] == [{"actor": "person:alice@shop.example"}]


async def test_a_person_is_the_same_with_each_token_and_nobody_else(database_url: str):
    """An idempotency key is its owner's: the same request again, by another token, is told the same answer."""
    async with a_house(database_url) as (served, issuer):
        await served.mutate("saveItems", items=[{"sku": "CHAIR", "name": "Chair"}])
        await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        given = {"location": "LEEDS", "lines": [{"sku": "CHAIR", "quantity": 5}], "idempotencyKey": a_key()}
        select = "... on StockSuccess { levels { onHand } }"

        for subject, times in (("alice", 2), ("bob", 1)):
            for number in range(times):
                token = issuer.token(sub=subject, roles=["boss"], jti=f"{subject}-{number}")
                assert "levels" in await as_(served, token).mutate("receiveStock", select, **given)

        levels = await served("{ stockLevels(first: 9) { nodes { onHand } } }")
        assert levels["stockLevels"]["nodes"] == [{"onHand": 10}]


async def test_people_are_no_keys_and_their_rows_open_nothing(database_url: str):
    async with a_house(database_url) as (served, issuer):
        await as_(served, issuer.token(roles=["boss"]))(ORDERS)

        keys = (await served("{ apiKeys(first: 50) { nodes { name } } }"))["apiKeys"]["nodes"]
        assert [one["name"] for one in keys if one["name"].startswith("person")] == []


async def test_i19_a_socket_ends_with_the_token_that_opened_it(database_url: str):
    async with a_house(database_url) as (served, issuer):
        expires = int(time.time()) + 2
        token = issuer.token(roles=["boss"], exp=expires)
        async with as_(served, token).socket() as socket:
            await socket.subscribe("1", "subscription { events { __typename } }")
            code, _ = await socket.closed()

        assert code in (4401, 4403)
        assert expires - 1 <= time.time() <= expires + 2


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"oidc_issuer": "https://login.example"}, "together"),
        ({"oidc_audience": "dibs", "oidc_roles": '{"a": {"scopes": ["admin"]}}'}, "together"),
        ({"oidc_issuer": "http://login.example", "oidc_audience": "d", "oidc_roles": json.dumps(ROLES)}, "https://"),
        ({"oidc_roles": "{"}, "JSON"),
        ({"oidc_roles": "[]"}, "object"),
        ({"oidc_roles": '{"a": {}}'}, "scopes"),
        ({"oidc_roles": '{"a": {"scopes": ["orders:eat"]}}'}, "orders:eat"),
        ({"oidc_roles": '{"a": {"scopes": "admin"}}'}, "list"),
        ({"oidc_roles": '{"a": {"scopes": ["admin"], "locations": ["LEEDS"]}}'}, "no limits"),
        ({"oidc_roles": '{"a": {"scopes": ["admin"], "power": 1}}'}, "nothing else"),
        ({"oidc_roles": '{"a": {"scopes": ["orders:read"], "channels": []}}'}, "channels"),
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(settings: dict[str, Any], words: str):
    with pytest.raises(ValidationError, match=words):
        Settings(**settings)
