"""GraphQL over HTTP: what the reference library audits of a server, asked of ours."""

from pathlib import Path

from tests.acceptance.processes import KEY, Serving
from tests.clients.node import answered

AUDITS = 61
GET_IS_TAKEN = {
    "5A70": "MAY accept application/x-www-form-urlencoded formatted GET requests",
    "D6D5": "MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting "
    "application/graphql-response+json",
    "6A70": "MAY allow URL-encoded JSON string {variables} parameter in GETs when accepting application/json",
}
"""What a server may do and ours does not, on purpose: a GET could be sent by any page and stays in logs and caches."""


def test_every_audit_of_graphql_over_http_passes(program: str, scripts: Path, shop: Serving):
    """None fails and none warns. What is not there is only what the specification leaves open and we refuse: GET."""
    audits = answered([program, "audits.mjs"], scripts, {"ADDRESS": shop.address, "KEY": KEY})

    assert len(audits) == AUDITS
    assert {one["id"]: (one["status"], one["name"], one["reason"]) for one in audits if one["status"] != "ok"} == {
        one: ("notice", name, "Response status code is not 200") for one, name in GET_IS_TAKEN.items()
    }
