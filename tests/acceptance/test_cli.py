"""The command line, as people use it."""

import asyncio
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import asyncpg
import httpx
import psutil
import pytest

from tests.acceptance.processes import KEY, ROOT, Ended, has_traceback, serving
from tests.importing.files import DAY, DEMO_STOCK, UCI

MAPPED = [word for column, heading in UCI.items() for word in ("--map", f"{column}={heading}")]
STOP_SECONDS_MAX = 6
Command = Callable[..., Ended]


def test_help_names_every_command(command: Command):
    ended = command("--help")

    assert ended.code == 0
    for name in ("serve", "demo", "migrate", "schema", "import", "keys", "allocate", "status", "verify"):
        assert f" {name} " in ended.out


def test_the_schema_is_printed_as_it_is_in_the_repository(command: Command):
    assert command("schema").out == (ROOT / "gql" / "schema" / "schema.graphql").read_text()


def test_migrating_twice_is_migrating_once(empty_database_url: str, command: Command):
    first = command("migrate", DIBS_DATABASE_URL=empty_database_url)
    second = command("migrate", DIBS_DATABASE_URL=empty_database_url)

    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith("Applied 0001")
    assert second.out == "The schema is current.\n"


def test_a_day_is_imported_allocated_and_verified_and_twice_is_once(database_url: str, command: Command):
    def run(*arguments: object) -> str:
        ended = command(*arguments, DIBS_DATABASE_URL=database_url)
        assert ended.code == 0, ended
        assert not has_traceback(ended.err)
        return ended.told

    stock = run("import", "stock", DEMO_STOCK)
    orders = run("import", "orders", DAY, *MAPPED, "--channel", "day")
    again = run("import", "stock", DEMO_STOCK), run("import", "orders", DAY, *MAPPED, "--channel", "day")
    foreseen = run("allocate", "--dry-run")
    untouched = run("status")
    allocated = run("allocate")
    status = run("status")

    assert "locations created │ 3" in stock
    assert "orders placed │ 131 " in orders
    assert "rows reported │" in orders
    assert "orders placed │ 0 " in again[1]
    assert "orders that were there already │ 131 " in again[1]
    assert "stock levels changed │ 0 " in again[0]
    assert "items created │ 0 " in again[0]
    assert "UNALLOCATED │ 131 " in untouched
    assert counts(foreseen) == counts(allocated)
    assert sum(counts(allocated).values()) == 131
    assert all(counts(allocated)[one] > 0 for one in ("ALLOCATED", "PARTIALLY_ALLOCATED", "COULD_NOT_ALLOCATE"))
    assert counts(status) == counts(allocated)
    assert run("verify").startswith("All ")


def counts(table: str) -> dict[str, int]:
    """The allocation statuses of a printed table."""
    words = table.partition("llocation status")[2].replace("│", " ").split()
    statuses = ("UNALLOCATED", "ALLOCATED", "PARTIALLY_ALLOCATED", "COULD_NOT_ALLOCATE", "OVERALLOCATED")
    return {one: int(words[words.index(one) + 1].replace(",", "")) for one in statuses}


def test_rows_that_are_wrong_are_listed_and_the_others_are_in(database_url: str, tmp_path: Path, command: Command):
    stock = tmp_path / "stock.csv"
    stock.write_text("sku,location,on_hand\nA,LEEDS,5\nB,LEEDS,many\n,LEEDS,1\n")
    orders = tmp_path / "orders.csv"
    orders.write_text("order,sku,quantity\n1,A,1\n2,A,none\n3,UNKNOWN,1\n4,A\n")

    first = command("import", "stock", stock, DIBS_DATABASE_URL=database_url)
    second = command("import", "orders", orders, DIBS_DATABASE_URL=database_url)

    assert (first.code, second.code) == (0, 0)
    assert "rows reported │ 2 " in first.told
    assert "line 3" in first.told
    assert "line 4" in first.told
    assert "orders placed │ 1 " in second.told
    assert "line 3, order 2:" in second.told
    assert "line 4, order 3:" in second.told
    assert not has_traceback(first.err + second.err)


def test_what_cannot_be_done_is_told_in_a_sentence(
    database_url: str, empty_database_url: str, tmp_path: Path, command: Command
):
    """One line for people, no traceback, an exit code for programs."""
    columns = tmp_path / "columns.csv"
    columns.write_text("a,b\n1,2\n")
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        refusing = f"postgresql://dibs:secret@127.0.0.1:{closed.getsockname()[1]}/dibs"
        wrong_password = database_url.replace("://dibs:", "://dibs:not-")
        port = taken.getsockname()[1]
        here = {"DIBS_DATABASE_URL": database_url}
        cases: list[tuple[tuple[object, ...], dict[str, str], str]] = [
            (("import", "orders", columns), here, "order"),
            (("import", "stock", columns), here, "on_hand"),
            (("import", "orders", tmp_path / "nothing.csv"), here, "nothing.csv"),
            (("import", "orders", tmp_path), here, str(tmp_path.name)),
            (("import", "orders", columns, "--map", "nonsense"), here, "nonsense"),
            (("import", "orders", columns, "--map", "colour=a"), here, "colour"),
            (("status",), {"DIBS_DATABASE_URL": "mysql://localhost/x"}, "DIBS_DATABASE_URL"),
            (("status",), {"DIBS_DATABASE_URL": refusing}, "The database cannot be used"),
            (("status",), {"DIBS_DATABASE_URL": empty_database_url}, "dibs migrate"),
            (("status",), {"DIBS_DATABASE_URL": database_url + "_missing"}, "does not exist"),
            (("status",), {"DIBS_DATABASE_URL": wrong_password}, "password authentication failed"),
            (("serve",), here | {"DIBS_ADMIN_KEY": "short"}, "DIBS_ADMIN_KEY"),
            (("serve",), here | {"DIBS_PORT": "many"}, "DIBS_PORT"),
            (("serve",), here | {"DIBS_PORT": "70000"}, "DIBS_PORT"),
            (("serve", "--port", "-1"), here, "PORT"),
            (("serve", "--port", port), here, f"127.0.0.1:{port}"),
            (("serve", "--host", "no.such.host.invalid", "--port", "0"), here, "no.such.host.invalid"),
            (("serve",), here | {"DIBS_BELL_URL": "carrier-pigeon://"}, "DIBS_BELL_URL"),
            (("status", "--data", columns), {}, "columns.csv"),
            (("nonsense",), here, "nonsense"),
        ]
        told = [command(*arguments, **settings) for arguments, settings, _ in cases]

    for (arguments, _, expected), ended in zip(cases, told, strict=True):
        assert ended.code in {1, 2}, (arguments, ended)
        assert expected in ended.told, (arguments, ended)
        assert not has_traceback(ended.err), (arguments, ended)
        assert "secret" not in ended.told


def test_a_setting_that_is_empty_counts_as_not_set(database_url: str, command: Command):
    empty = dict.fromkeys(("DIBS_PORT", "DIBS_EXPLORER", "DIBS_BELL_URL", "DIBS_ADMIN_KEY", "DIBS_LISTEN_URL"), "")

    assert command("status", DIBS_DATABASE_URL=database_url, **empty).code == 0


@pytest.mark.breaks_invariants
def test_verify_shows_what_is_broken_and_fails(database_url: str, command: Command):
    command("import", "stock", DEMO_STOCK, DIBS_DATABASE_URL=database_url)
    asyncio.run(execute(database_url, "UPDATE stock_levels SET on_hand = on_hand + 1 WHERE id = 1"))

    ended = command("verify", DIBS_DATABASE_URL=database_url)

    assert ended.code == 1
    assert "I3-ledger: Every stock quantity is the sum of its ledger." in ended.told
    assert not has_traceback(ended.err)


def test_keys_are_made_listed_and_revoked(database_url: str, tmp_path: Path, command: Command):
    def run(*arguments: object) -> Ended:
        ended = command("keys", *arguments, DIBS_DATABASE_URL=database_url)
        assert not has_traceback(ended.err)
        return ended

    secret = run("create", "phone 1", "--scope", "fulfillment:pick", "--scope", "events:read", "--days", 30).out.strip()
    with serving(tmp_path, DIBS_DATABASE_URL=database_url) as server:
        assert "data" in server.ask("{ eventCursor }", secret).json()
        assert (
            server.ask("{ orders { nodes { id } } }", secret).json()["errors"][0]["extensions"]["code"] == "FORBIDDEN"
        )
        assert "phone 1" in (listed := run("list").told)
        assert secret not in listed

        assert run("revoke", "phone 1").code == 0

        assert server.ask("{ eventCursor }", secret).status_code == 401
    assert "phone 1" not in run("list").told
    assert "phone 1" in run("list", "--ended").told

    again, unknown = run("create", "phone 1", "--scope", "admin"), run("revoke", "nobody")
    assert (again.code, again.err.strip()) == (1, "name: There is, or was, a key of this name.")
    assert unknown.code == 1
    assert "scopes.0: There is no such scope" in run("create", "x", "--scope", "orders:eat").err


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


# ---------------------------------------------------------------- serving


def test_the_first_start_shows_the_key_once_and_signals_stop_everything(tmp_path: Path):
    data = tmp_path / ".dibs"
    with serving(tmp_path, "--data", data) as server:
        shown = server.said.partition("shown this once: ")[2].split()[0]
        assert server.ask("{ eventCursor }", shown).status_code == 200
        assert server.ask("{ eventCursor }", "wrong").status_code == 401
        first = stopped_by(signal.SIGINT, server)

    with serving(tmp_path, "--data", data) as server:
        assert "shown this once" not in server.said
        assert shown not in server.log.read_text()
        assert server.ask("{ eventCursor }", shown).status_code == 200
        second = stopped_by(signal.SIGTERM, server)

    assert first in {0, 130}
    assert second in {0, 143}
    assert not has_traceback(server.log.read_text())


def stopped_by(which: signal.Signals, server: object) -> int:
    """The exit code; in seconds, with an idle connection open, and with no PostgreSQL left."""
    process, descendants = server.process, server.descendants()  # type: ignore[attr-defined]
    assert any("postgres" in one.name() for one in descendants)
    address = server.address.partition("/graphql")[0]  # type: ignore[attr-defined]
    with httpx.Client(base_url=address) as client:
        assert client.get("/readyz").status_code == 200
        started = time.monotonic()
        process.send_signal(which)
        code: int = process.wait(STOP_SECONDS_MAX)
    assert time.monotonic() - started < STOP_SECONDS_MAX
    assert [one for one in descendants if one.is_running() and one.status() != psutil.STATUS_ZOMBIE] == []
    return code


def test_a_preset_key_opens_the_api_and_is_never_shown(database_url: str, tmp_path: Path):
    with serving(tmp_path, DIBS_DATABASE_URL=database_url, DIBS_ADMIN_KEY=KEY) as server:
        assert server.ask("{ eventCursor }").status_code == 200
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(STOP_SECONDS_MAX)
    with serving(tmp_path, DIBS_DATABASE_URL=database_url, DIBS_ADMIN_KEY=KEY[::-1], DIBS_LOG_JSON="1") as server:
        assert server.ask("{ eventCursor }").status_code == 401
        assert server.ask("{ eventCursor }", KEY[::-1]).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(STOP_SECONDS_MAX)

    everything = server.said + server.log.read_text()
    assert KEY not in everything
    assert KEY[::-1] not in everything
