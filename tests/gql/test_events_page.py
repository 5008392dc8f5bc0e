"""The page about events: what it shows is what the API answers and what webhooks post."""

from typing import Any

import orjson
import pytest
from graphql import parse, validate

from docs.make_events import (
    EXAMPLES,
    PAGE,
    SCHEMA,
    WRITTEN,
    answer,
    body,
    logged,
    page,
    selection,
    subscription_of,
)
from domain.events import CATALOGUE, Event
from persistence.events import append, event_from
from tests.gql.serving import Served, all_numbered

KINDS = SCHEMA.type_map
OF_THEIR_PLACE = ("id", "cursor", "occurredAt")


def of_each_type() -> Any:
    return pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.type)


def test_the_page_about_events_is_what_the_script_writes():
    assert PAGE.read_text(encoding="utf-8") == page(), "run `.venv/bin/python docs/make_events.py`"


def test_every_type_of_the_catalogue_has_an_example_and_says_when_it_is_written():
    assert [example.type for example in EXAMPLES] == list(CATALOGUE)
    assert list(WRITTEN) == list(CATALOGUE)
    assert all(CATALOGUE[kind].type_version >= 1 for kind in CATALOGUE)


@of_each_type()
def test_an_example_is_an_event_that_the_log_can_hold(example: Event):
    row = orjson.loads(orjson.dumps(example))

    assert event_from(example.type, row) == example


@of_each_type()
def test_an_example_that_is_followed_with_a_subscription_can_be_asked_for_there(example: Event):
    found = subscription_of(example.type)
    if found is None:
        assert example.type in ("WebhookEndpointDisabled", "AlertRaised", "AlertResolved")
        return
    name, field = found
    required = {"run": '(run: "UnVuOjE")', "location": '(location: "LEEDS")'}
    arguments = next((given for argument, given in required.items() if argument in field.args), "")
    document = f"subscription {{ {name}{arguments} {selection(KINDS[example.type])} }}"  # type: ignore[arg-type]

    assert validate(SCHEMA, parse(document)) == []


@of_each_type()
def test_a_webhook_of_the_page_says_what_the_answer_says(example: Event):
    event = logged(example, 1)
    fields = {name: value for name, value in answer(event).items() if name != "__typename"}

    assert body(event) == {
        "type": example.type,
        "typeVersion": example.type_version,
        "timestamp": fields["occurredAt"],
        "data": fields,
    }


@pytest.mark.breaks_invariants  # events of orders that were never placed
async def test_the_api_answers_the_examples_as_the_page_shows_them(served: Served):
    async with served.database.engine.begin() as connection:
        await append(connection, EXAMPLES)
    await all_numbered(served.database)
    for at, example in enumerate(EXAMPLES, start=1):
        fields = f"__typename ... on {example.type} {selection(KINDS[example.type])}"  # type: ignore[arg-type]
        document = (
            f"query ($types: [String!]) {{ events(filter: {{types: $types}}, first: 100) {{ nodes {{ {fields} }} }} }}"
        )
        (node,) = (await served(document, types=[example.type]))["events"]["nodes"]
        assert without_place(node) == without_place(answer(logged(example, at)))


def without_place(node: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name not in OF_THEIR_PLACE}
