"""One line an event, whatever is sent; and no secret in it."""

import io
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from dibs import log
from dibs.log import Cleaner, JsonLines, PlainLines
from dibs.settings import Settings
from tests.acceptance.processes import KEY, working
from tests.acceptance.processes import serving as serving_dibs
from tests.gql.serving import Served, until

HOSTILE = [
    "two\nlines",
    "two\r\nlines",
    '\n{"level":"critical","event":"forged"}',
    "\x1b[2J\x1b[31mred",
    "\x9b31mred",
    "next\x85line",
    "line\u2028separator",
    "\u202edesrever",
    "nul\x00byte",
    "\ud800half of a character",
    "backspace\x08\x08\x08\x08",
    "x" * 1_000_000,
]
LINE_LENGTH_MAX = 30_000
STEERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")


def record(message: str, *, error: BaseException | None = None, **given: Any) -> logging.LogRecord:
    made = logging.makeLogRecord({"name": "dibs.test", "levelno": logging.INFO, "levelname": "INFO", "msg": message})
    vars(made).update(given)
    if error:
        made.exc_info = (type(error), error, error.__traceback__)
    return made


def in_json(*arguments: Any, secrets: tuple[str, ...] = (), **named: Any) -> str:
    return JsonLines(Cleaner(secrets)).format(record(*arguments, **named))


def plain(*arguments: Any, secrets: tuple[str, ...] = (), **named: Any) -> str:
    return PlainLines(Cleaner(secrets), colors=False).format(record(*arguments, **named))


# ---------------------------------------------------------------- one line an event


@pytest.mark.parametrize("text", HOSTILE)
def test_what_was_sent_begins_no_line_and_steers_no_terminal(text: str):
    error = RuntimeError(text)
    as_json = in_json(f"said {text}", operation=text, error=error)
    as_text = plain(f"said {text}", operation=text)

    assert len(as_json.splitlines()) == 1
    assert not STEERS.search(as_json)
    assert json.loads(as_json)["operation"][:3]
    assert len(as_json) < LINE_LENGTH_MAX
    assert len(as_text.splitlines()) == 1
    assert not STEERS.search(as_text)
    assert len(as_text) < LINE_LENGTH_MAX


@given(st.text(), st.text())
def test_any_text_is_one_line_that_can_be_read_back(text: str, other: str):
    line = in_json(text.replace("%", ""), other=other)

    assert len(line.splitlines()) == 1
    assert isinstance(json.loads(line)["other"], str)
    assert len(plain(text.replace("%", ""), other=other).splitlines()) == 1


def test_a_traceback_for_people_has_several_lines_of_which_none_passes_for_another_event():
    try:
        raise RuntimeError("first\n2026-01-01T00:00:00Z critical   forged [dibs]\x1b[31m")
    except RuntimeError as error:
        lines = plain("broken", error=error).split("\n")

    assert all(line.startswith("| ") for line in lines[1:])
    assert "Traceback" in lines[1]
    assert "\x1b" not in "".join(lines)


def test_what_is_no_number_is_text_and_what_json_cannot_hold_is_told_all_the_same():
    line = json.loads(in_json("said", huge=2**70, nothing=None, flag=True, thing=ValueError("broken"), half="\ud800"))

    assert (line["nothing"], line["flag"], line["thing"]) == ("None", "True", "broken")
    assert line["huge"] == str(2**70)
    assert line["half"] == r"\ud800"


def test_an_event_has_its_time_its_level_its_logger_and_what_was_given_with_it():
    line = json.loads(in_json("said", sku="MUG"))

    assert list(line) == ["time", "level", "logger", "event", "sku"]
    assert line["time"].endswith("+00:00")
    assert (line["level"], line["logger"], line["event"], line["sku"]) == ("info", "dibs.test", "said", "MUG")


# ---------------------------------------------------------------- no secrets

SECRET = "a-secret-that-nobody-may-read"  # noqa: S105


@pytest.mark.parametrize(
    "text",
    [
        f"Authorization: Bearer {SECRET}",
        f"authorization: basic {SECRET}",
        f"cannot connect to postgresql://dibs:{SECRET}@db.example:5432/dibs",
        f"password={SECRET} user=dibs",
        f'{{"password": "{SECRET}"}}',
        f"api_key={SECRET}&other=1",
        f"api-key: {SECRET}",
        f"the key dibs_{SECRET}",
        f"signed with whsec_{SECRET}=",
    ],
)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(text: str):
    for lines in (in_json, plain):
        shown = lines(text, given=text, error=RuntimeError(text))
        assert SECRET not in shown
        assert log.HIDDEN in shown


@given(st.text(min_size=1, alphabet=st.characters(exclude_characters="%\x00")))
def test_a_secret_that_is_known_is_hidden_whatever_it_looks_like(secret: str):
    cleaned = Cleaner([secret]).clean({"event": f"before {secret} after", "flag": True})

    assert secret in f"before  after{log.HIDDEN}" or secret not in cleaned["event"]


def test_settings_know_their_secrets_and_the_passwords_within_their_addresses():
    settings = Settings(
        database_url=SecretStr("postgresql://dibs:p%40ss@db.example/dibs"),
        admin_key=SecretStr(KEY),
        smtp_url=SecretStr("smtps://shop:mailing@mail.example"),
        mail_from="shop@shop.example",
    )

    assert {KEY, "p%40ss", "p@ss", "mailing"} <= settings.secrets


def test_ordinary_words_are_left_as_they_are():
    words = "a basic key was taken for order dibs_1, see https://dibs.example/docs; keyset, passages and secretaries"

    assert json.loads(in_json(words))["event"] == words.replace("basic key", "basic [hidden]")


# ---------------------------------------------------------------- how a process logs


@pytest.fixture
def configured() -> Iterator[Callable[..., io.StringIO]]:
    """Configure logging as a process does; what it writes."""
    root, access = logging.getLogger(), logging.getLogger("dibs.access")
    before = root.handlers[:], root.level, access.level, sys.excepthook, log.writes_json()
    written = io.StringIO()

    def configure(**named: Any) -> io.StringIO:
        log.configure(**named)
        (handler,) = root.handlers
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(written)
        return written

    yield configure
    logging.captureWarnings(capture=False)
    root.handlers[:], _, _, sys.excepthook, log._Form.is_json = before
    root.setLevel(before[1])
    access.setLevel(before[2])


def lines_of(written: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def test_where_there_is_no_terminal_events_are_json(configured):
    written = configured()

    logging.getLogger("dibs.test").warning("said %d times", 3)

    (line,) = lines_of(written)
    assert (line["level"], line["event"]) == ("warning", "said 3 times")


def test_a_setting_says_otherwise(configured):
    written = configured(as_json=False)

    logging.getLogger("dibs.test").warning("said %d times", 3)

    assert re.fullmatch(r"\S+Z warning  said 3 times \[dibs\.test\]\n", written.getvalue())


def test_a_line_that_is_written_for_a_request_has_its_id_and_others_have_none(configured):
    written = configured()

    before = log.REQUEST.set("0123456789abcdef")
    logging.getLogger("dibs.test").info("within")
    log.REQUEST.reset(before)
    logging.getLogger("dibs.test").info("without")

    within, without = lines_of(written)
    assert within["request"] == "0123456789abcdef"
    assert "request" not in without


def test_warnings_of_python_and_what_ends_the_process_are_events_too(configured):
    written = configured(secrets=[SECRET])

    logging.getLogger("py.warnings").warning("deprecated\nand more")
    try:
        raise RuntimeError(SECRET)
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)

    warning, end = lines_of(written)
    assert warning["event"] == "deprecated\nand more"
    assert (end["level"], end["event"]) == ("critical", "the process ends")
    assert "RuntimeError" in end["exception"]
    assert SECRET not in end["exception"]


# ---------------------------------------------------------------- a line for each request


@pytest.fixture
def access(configured) -> Callable[[], list[dict[str, Any]]]:
    written = configured()
    return lambda: [line for line in lines_of(written) if line["logger"] == "dibs.access"]


async def test_a_request_is_one_line_with_its_duration_its_status_and_its_operation(served: Served, access):
    response = await served.post({"query": "query Now { eventCursor }"})

    (line,) = access()
    assert line.pop("ms") > 0
    assert line.pop("time")
    assert line.pop("actor").startswith("test ")
    assert line.pop("request") == response.headers["x-request-id"]
    assert line == {
        "level": "info",
        "logger": "dibs.access",
        "event": "request",
        "way": "http",
        "method": "POST",
        "path": "/graphql",
        "client": "127.0.0.1",
        "kind": "query",
        "operation": "Now",
        "field": "eventCursor",
        "status": 200,
    }


async def test_the_ledger_knows_a_request_by_the_id_that_the_log_has(served: Served, access):
    await served.mutate("saveItems", items=[{"sku": "MUG", "name": "Mug"}])
    await served.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
    await served.mutate("receiveStock", location="LEEDS", lines=[{"sku": "MUG", "quantity": 1}])
    moved = await served('{ stockMovements(sku: "MUG", location: "LEEDS", first: 1) { nodes { request } } }')

    assert moved["stockMovements"]["nodes"][0]["request"] == access()[2]["request"]


async def test_neither_documents_nor_variables_nor_keys_are_in_the_log(served: Served, access):
    query = "query ($id: ID!) { node(id: $id) { id } } # not-for-the-log"
    await served.post({"query": query, "variables": {"id": "neither-is-this"}})
    await served.post({"query": "{ nobody knows(this: field) }"})
    await served.post({"query": "{ eventCursor }"}, authorization="Bearer nobody-has-this-key")

    lines = json.dumps(access())
    assert [line.get("code") for line in access()] == [None, "GRAPHQL_VALIDATION_FAILED", "UNAUTHENTICATED"]
    for secret in ("not-for-the-log", "neither-is-this", "nobody", "knows", served.key):
        assert secret not in lines


@pytest.mark.parametrize("name", [*HOSTILE[:-1], "x" * 100_000])
async def test_names_of_operations_are_bounded_and_forge_nothing(served: Served, access, name: str):
    await served.post(
        {"query": "query Fine { eventCursor }", "operationName": name.encode("utf-8", "replace").decode()}
    )
    legal = re.sub("[^a-z]", "", name) or "x"
    await served.post({"query": f"query {legal} {{ eventCursor }}"})

    refused, answered = access()
    assert refused["code"] == "BAD_USER_INPUT"
    assert "operation" not in refused
    assert answered["operation"] == legal[:64]


async def test_what_is_asked_for_elsewhere_is_told_without_its_words(served: Served, access):
    await served.client.get("/wp-admin/%0d%0aforged?password=hunter2")
    await served.client.get("/healthz")
    await served.client.get("/documents/labels/%1b%5b2J.pdf")

    other, document = access()  # probes that find all well are no news
    assert (other["path"], other["status"]) == ("(other)", 404)
    assert (document["path"], document["status"]) == ("/documents", 401)


async def test_a_customer_s_link_is_not_in_the_log(served: Served, access):
    await served.client.get("/track/not-for-the-log")
    await served.client.get("/track/not-for-the-log.json")

    assert [(line["path"], line["status"]) for line in access()] == [("/track", 404)] * 2
    assert "not-for-the-log" not in json.dumps(access())


async def test_a_socket_is_a_line_for_each_operation_and_one_for_itself(served: Served, access):
    async with served.socket() as socket:
        await socket.subscribe("1\n", "query One { eventCursor }")
        await socket.next("1\n")
        await socket.receive()
        await socket.subscribe("2", "subscription Two { orderChanged { cursor } }")
        await socket.subscribe("3", "{ nothing }")
        await socket.error("3")
        await socket.send(type="complete", id="2")
        await until(lambda: len(access()) == 3)
    await until(lambda: len(access()) == 4)

    one, refused, two, connection = access()
    assert (one["way"], one["kind"], one["operation"]) == ("socket", "query", "One")
    assert refused["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert (two["kind"], two["field"]) == ("subscription", "orderChanged")
    assert (connection["way"], connection["path"]) == ("connection", "/graphql")
    assert len({line["request"] for line in access()}) == 1


async def test_a_stream_is_a_line_when_it_ends(served: Served, access):
    query = {"query": "subscription Watching { orderChanged { cursor } }"}
    headers = {"accept": "text/event-stream", "authorization": f"Bearer {served.key}"}
    async with served.client.stream("POST", "/graphql", json=query, headers=headers) as stream:
        assert stream.status_code == 200
        assert access() == []
    await until(lambda: len(access()) == 1)

    (line,) = access()
    assert (line["way"], line["kind"], line["operation"]) == ("stream", "subscription", "Watching")


async def test_a_setting_leaves_the_lines_of_requests_out(served: Served, configured):
    written = configured(access=False)

    await served("{ eventCursor }")

    assert lines_of(written) == []


async def test_what_is_done_for_many_is_nobodys_request(served: Served, configured, monkeypatch):
    async def broken(*_: object) -> None:
        raise RuntimeError("the batch is broken")

    written = configured()
    monkeypatch.setattr("services.desk.perform_all", broken)
    await served.answer(
        """mutation { saveItems(input: {items: [{sku: "MUG"}]}) { __typename } }""",
    )
    first = {"input": {"channel": "web", "idempotencyKey": "1", "lines": [{"sku": "MUG", "quantity": 1}]}}
    await served.answer("mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) { __typename } }", **first)

    told = [line for line in lines_of(written) if line["logger"] == "dibs.gql"]
    assert all("request" in line for line in told), "a mistake is told within the request that it befell"


# ---------------------------------------------------------------- as processes


def test_everything_that_a_server_writes_to_its_log_is_json(database_url: str, tmp_path):
    with serving_dibs(tmp_path, DIBS_DATABASE_URL=database_url, DIBS_ADMIN_KEY=KEY) as server:
        assert server.ask("{ eventCursor }").status_code == 200
        assert server.ask("{ eventCursor }", "wrong").status_code == 401
        server.process.terminate()
        server.process.wait(30)

    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert [line["status"] for line in lines if line["logger"] == "dibs.access"] == [200, 401]
    assert KEY not in server.log.read_text()


def test_everything_that_a_worker_writes_to_its_log_is_json(database_url: str, tmp_path):
    with working(tmp_path, DIBS_DATABASE_URL=database_url, DIBS_ADMIN_KEY=KEY) as process:
        process.terminate()
        process.wait(30)

    for line in (tmp_path / "work.log").read_text().splitlines():
        assert json.loads(line)["event"]
