"""Whose pages may ask from a browser: those of the list, over HTTP and over sockets."""

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Origin, Subprotocol

from dibs.settings import Settings
from tests.gql.serving import PROTOCOL, Served, serving

SHOP, STRANGER = "https://shop.example", "https://stranger.example"


async def preflight(served: Served, origin: str) -> tuple[int, str | None]:
    headers = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,content-type",
    }
    answer = await served.client.options("/graphql", headers=headers)
    return answer.status_code, answer.headers.get("access-control-allow-origin")


async def opens(served: Served, origin: str | None) -> bool:
    url, given = served.address.replace("http", "ws", 1), None if origin is None else Origin(origin)
    try:
        async with connect(url, subprotocols=[Subprotocol(PROTOCOL)], origin=given):
            return True
    except InvalidStatus as refused:
        return refused.response.status_code != 403


async def test_a_listed_page_may_ask_and_another_may_not(database_url: str):
    async with serving(database_url, cors_origins=SHOP) as served:
        assert await preflight(served, SHOP) == (200, SHOP)
        assert await preflight(served, STRANGER) == (400, None)
        for origin, allowed in ((SHOP, SHOP), (STRANGER, None)):
            answer = await served.post({"query": "{ eventCursor }"}, origin=origin)
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert await opens(served, origin) is (allowed is not None)


async def test_without_a_list_only_our_own_pages_may(served: Served):
    assert (await preflight(served, SHOP))[1] is None
    assert "access-control-allow-origin" not in (await served.post({"query": "{ eventCursor }"}, origin=SHOP)).headers
    assert [await opens(served, one) for one in (SHOP, "null", "")] == [False, False, False]
    assert await opens(served, served.address.removesuffix("/graphql"))


async def test_who_is_no_browser_names_no_origin_and_comes_in(served: Served):
    assert await opens(served, None)


async def test_everybody_may_where_everybody_is_listed(database_url: str):
    async with serving(database_url, cors_origins="*") as served:
        assert await preflight(served, STRANGER) == (200, "*")
        assert await opens(served, STRANGER)


def test_the_list_is_read_with_commas_and_in_any_case(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DIBS_CORS_ORIGINS", " https://Shop.example , null,")

    assert Settings().cors_origins == ("https://shop.example", "null")


@pytest.mark.parametrize("wrong", ["shop.example", "https://shop.example/", "https://a.example/path", "https:", "a b"])
def test_what_is_no_origin_is_told_at_the_start(wrong: str):
    with pytest.raises(ValueError, match="is no origin"):
        Settings(cors_origins=wrong)
