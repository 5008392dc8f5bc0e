"""The command line. Every command works against the given PostgreSQL or the embedded one."""

import os
import socket
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError

from dibs import log
from dibs.ending import ending_in_time
from dibs.importing.refusals import ImportRefused, RowIssue
from dibs.opening import (
    LocksDoNotLock,
    NotDurable,
    SchemaNotCurrent,
    command_line,
    database_url,
    opened,
    require_promises,
    run,
)
from dibs.serving import PortTaken, listen, serve, stopping_on_sigterm
from dibs.settings import Settings
from dibs.showing import console, errors, issues, progress, remark, table
from domain.errors import DomainError
from domain.kinds import AllocationStatus, FulfillmentStatus, OrderStatus, PaymentStatus
from persistence.embedded import EmbeddedUnavailable
from services.ports.database import Busy, OutcomeUnknown
from services.ports.orders import OrderFilter, OrderTally

app = typer.Typer(
    name="dibs",
    help="Order allocation: a merchant's orders call dibs on stock.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
importing = typer.Typer(no_args_is_help=True, help="Bring orders or stock in from a CSV file.")
app.add_typer(importing, name="import")
keys = typer.Typer(no_args_is_help=True, help="API keys: who may do what.")
app.add_typer(keys, name="keys")

Data = Annotated[
    Path | None, typer.Option(help="Where the embedded PostgreSQL keeps its files (without DIBS_DATABASE_URL).")
]
File = Annotated[Path, typer.Argument(help="A CSV file, plain or compressed (.gz, .xz).", show_default=False)]
Map = Annotated[
    list[str] | None, typer.Option("--map", help="A heading that is named otherwise, such as order=InvoiceNo.")
]


EXPECTED = (
    EmbeddedUnavailable,
    ImportRefused,
    LocksDoNotLock,
    NotDurable,
    PortTaken,
    SchemaNotCurrent,
    OutcomeUnknown,
)


def main() -> None:
    """Run the command that was typed; what can be expected to go wrong ends in a sentence."""
    try:
        with stopping_on_sigterm():
            app()
    except DomainError as refusal:
        _give_up(str(refusal).replace("input.", ""))
    except EXPECTED as error:
        _give_up(str(error))
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(("DIBS", *map(str, problem["loc"]))).upper()
            errors.print(f"{name}: {problem['msg'].removeprefix('Value error, ')}", style="red", markup=False)
        sys.exit(2)
    except (SQLAlchemyError, OSError, Busy) as error:
        cause = error.__cause__ if isinstance(error, Busy) and error.__cause__ else error
        reason = str(getattr(cause, "orig", None) or cause).partition("\n")[0]
        _give_up(f"The database cannot be used: {reason or type(cause).__name__}")
    except KeyboardInterrupt:
        sys.exit(130)


def _give_up(sentence: str) -> None:
    remark(sentence, style="red")
    sys.exit(1)


def _settings(data: Path | None = None, **given: Any) -> Settings:
    chosen = {name: value for name, value in ({"data": data} | given).items() if value is not None}
    return Settings(**chosen)


def _log(settings: Settings) -> None:
    log.configure(as_json=settings.log_json, secrets=settings.secrets, access=settings.log_access)


def _say(sentence: str) -> None:
    remark(sentence)


@contextmanager
def _database(data: Path | None, *, any_schema: bool = False) -> Iterator[str]:
    with database_url(_settings(data), _say, any_schema=any_schema) as url:
        yield url


@contextmanager
def _side_listener(settings: Settings) -> Iterator[socket.socket | None]:
    """Where metrics are asked for, if they are."""
    if settings.metrics_port is None:
        yield None
        return
    with listen(settings.metrics_host, settings.metrics_port, option="DIBS_METRICS_PORT") as listener:
        console.print(f"Metrics are on http://{settings.metrics_host}:{listener.getsockname()[1]}/metrics")
        yield listener


# ---------------------------------------------------------------- serving


@app.command("serve")
def serve_command(
    host: Annotated[str | None, typer.Option(help="The address to serve on; 127.0.0.1 when absent.")] = None,
    port: Annotated[int | None, typer.Option(help="The port, 8000 when absent; 0 takes a free one.")] = None,
    data: Data = None,
    no_workers: Annotated[bool, typer.Option("--no-workers", help="Only serve: `dibs work` does the rest.")] = False,
) -> None:
    """Serve the API, with its workers, until Ctrl-C."""
    from dibs.app import create_app
    from dibs.keys import ensure_key

    settings = _settings(data, host=host, port=port)
    _log(settings)
    with (
        listen(settings.host, settings.port) as listener,
        _side_listener(settings) as side,
        database_url(settings, _say, any_schema=True) as url,
    ):
        run(require_promises(settings, url))
        run(ensure_key(url, settings))
        console.print(f"Dibs listens on http://{settings.host}:{listener.getsockname()[1]}/graphql")
        serve(create_app(settings, url, with_workers=not no_workers, side=side), listener)


@app.command("work")
def work_command(data: Data = None) -> None:
    """Number events, carry out runs and tidy up, for nodes that only serve, until Ctrl-C."""
    from dibs.working import work

    settings = _settings(data)
    _log(settings)
    with _side_listener(settings) as side, database_url(settings, _say) as url:
        run(require_promises(settings, url))
        with ending_in_time() as begin_to_end:
            run(work(settings, url, side, begin_to_end, lambda: console.print("Dibs works.")))


@app.command("demo")
def demo_command(
    port: Annotated[int | None, typer.Option(help="The port; a free one where 8000 is taken.")] = None,
    data: Data = None,
    once: Annotated[bool, typer.Option("--once", help="Stop when the day is allocated.")] = False,
) -> None:
    """Allocate a real day of orders, watch it happen, and keep serving until Ctrl-C."""
    from dibs.demo import demo

    # Pages on this machine, such as examples/browser, are opened from the disk.
    origins = os.environ.get("DIBS_CORS_ORIGINS") or "null"
    settings = _settings(data, port=port, explorer=True, cors_origins=origins)
    demo(settings, port_was_given=port is not None, once=once)


@app.command("migrate")
def migrate_command(data: Data = None) -> None:
    """Bring the database to the schema of this release."""
    from persistence.database import connect
    from persistence.migrating import migrate

    async def work(url: str) -> list[str]:
        engine = connect(url)
        try:
            return await migrate(engine)
        finally:
            await engine.dispose()

    with _database(data, any_schema=True) as url:
        applied = run(work(url))
    console.print(f"Applied {', '.join(applied)}." if applied else "The schema is current.")


@app.command("restored")
def restored_command(data: Data = None) -> None:
    """After a restore to an earlier moment, before serving: see that nothing new is taken for what was lost."""
    from persistence.database import connect
    from persistence.restoring import Restored, mark_restored

    async def work(url: str) -> Restored:
        engine = connect(url)
        try:
            return await mark_restored(engine)
        finally:
            await engine.dispose()

    with _database(data) as url:
        found = run(work(url))
    console.print(f"The log goes on far behind position {found.position:,}; cursors of what was lost are expired.")
    console.print(f"Sent again, though they may have been sent: {found.webhooks:,} webhooks, {found.mails:,} mails.")


@app.command("schema")
def schema_command() -> None:
    """Print the GraphQL schema."""
    from gql.api import create_schema

    sys.stdout.write(create_schema().as_str() + "\n")


# ---------------------------------------------------------------- keys


@keys.command("create")
def create_key_command(
    name: Annotated[str, typer.Argument(help="Unique, also among those that are gone.", show_default=False)],
    scope: Annotated[
        list[str], typer.Option(help="What it may do, such as orders:write, inventory:* or admin; several times.")
    ],
    channel: Annotated[list[str] | None, typer.Option(help="Limit it to this channel; several times.")] = None,
    location: Annotated[list[str] | None, typer.Option(help="Limit it to this location; several times.")] = None,
    days: Annotated[int | None, typer.Option(min=1, max=36_500, help="For so many days; for ever when absent.")] = None,
    data: Data = None,
) -> None:
    """Make an API key; its secret is shown this once."""
    from dibs.keys import create

    with _database(data) as url:
        secret = run(create(url, name, scope, channel, location, days))
    console.print(secret, markup=False, soft_wrap=True)


@keys.command("list")
def list_keys_command(
    ended: Annotated[bool, typer.Option("--ended", help="Also those that have expired or were revoked.")] = False,
    data: Data = None,
) -> None:
    """Show the API keys, without their secrets."""
    from dibs.keys import found

    with _database(data) as url:
        rows = run(found(url, ended=ended))
    table("API keys", ("name", "scopes", "limited to", "made", "last used", "ends"), rows)


@keys.command("revoke")
def revoke_key_command(
    name: Annotated[str, typer.Argument(help="Which key.", show_default=False)], data: Data = None
) -> None:
    """Let an API key open nothing any more; its connections end within two seconds."""
    from dibs.keys import revoke

    with _database(data) as url:
        run(revoke(url, name))
    console.print(f"{name} opens nothing any more.", markup=False)


# ---------------------------------------------------------------- importing


@importing.command("orders")
def import_orders(
    file: File,
    mapping: Map = None,
    channel: Annotated[str, typer.Option(help="The channel of rows that name none.")] = "import",
    currency: Annotated[str, typer.Option(help="The currency of prices that name none.")] = "GBP",
    service_codes: Annotated[
        str | None, typer.Option(help="Codes that are no goods, comma-separated; * stands for any ending.")
    ] = None,
    data: Data = None,
) -> None:
    """Place the orders of a CSV file; an order is in or out as a whole, and importing twice changes nothing.

    Columns: order, channel, sku, quantity, placed_at, unit_price, currency, customer, country.

    Import stock first: it creates the items.
    """
    from dibs.importing.loading_orders import load_orders
    from dibs.importing.orders import ORDER_COLUMNS, SERVICE_CODES, read_orders
    from dibs.importing.reading import parse_map

    columns = parse_map(mapping or [], ORDER_COLUMNS)
    with progress("Reading") as tell:
        read = read_orders(
            file,
            columns=columns,
            default_channel=channel,
            default_currency=currency,
            service_codes=service_codes or SERVICE_CODES,
            progress=tell,
        )

    async def work(url: str) -> Any:
        async with opened(url) as database:
            with progress("Placing orders") as tell:
                return await load_orders(database, command_line("import orders"), read, progress=tell)

    with _database(data) as url:
        loaded = run(work(url))
    rows = (
        ("orders placed", loaded.placed),
        ("lines placed", loaded.lines),
        ("orders that were there already", loaded.already_there),
        ("orders left out", loaded.left_out),
        ("service rows skipped", read.service_rows_skipped),
        ("rows of quantity zero skipped", read.zero_quantity_rows_skipped),
        ("rows reported", len(loaded.issues)),
    )
    table(f"{file.name}: {read.rows:,} rows", ("what", "count"), rows)
    for note in read.notes:
        console.print(f"  country {note.name!r} is not known: left empty (orders: {note.orders})", markup=False)
    _show_issues(loaded.issues)


@importing.command("stock")
def import_stock(file: File, mapping: Map = None, data: Data = None) -> None:
    """Set stock to the counts of a CSV file, creating items and locations; importing twice changes nothing.

    Columns: sku, location, on_hand; name, barcode and location_name where there are any.
    """
    from dibs.importing.loading_stock import load_stock
    from dibs.importing.reading import parse_map
    from dibs.importing.stock import STOCK_COLUMNS, read_stock

    columns = parse_map(mapping or [], STOCK_COLUMNS)
    rows = list(read_stock(file, columns=columns))

    async def work(url: str) -> Any:
        async with opened(url) as database:
            with progress("Setting stock") as tell:
                return await load_stock(database, command_line("import stock"), rows, progress=tell)

    with _database(data) as url:
        loaded = run(work(url))
    counted = (
        ("items created", loaded.items_created),
        ("items changed", loaded.items_changed),
        ("locations created", loaded.locations_created),
        ("stock levels changed", loaded.levels_changed),
        ("orders that became overallocated", len(loaded.orders_overallocated)),
        ("rows reported", len(loaded.issues)),
    )
    table(f"{file.name}: {loaded.rows:,} rows", ("what", "count"), counted)
    _show_issues(loaded.issues)


def _show_issues(found: tuple[RowIssue, ...]) -> None:
    issues([(issue.line_number, issue.order, issue.message) for issue in found])


# ---------------------------------------------------------------- working


@app.command("allocate")
def allocate_command(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen, and write nothing.")] = False,
    data: Data = None,
) -> None:
    """Allocate every order that waits for stock, oldest first."""
    from services.allocation import allocate_waiting

    async def work(url: str) -> Counter[AllocationStatus]:
        async with opened(url) as database:
            with progress("Allocating") as tell:
                return await allocate_waiting(database, command_line("allocate"), progress=tell, dry_run=dry_run)

    with _database(data) as url:
        after = run(work(url))
    title = "What would become of the waiting orders" if dry_run else "What became of the waiting orders"
    table(title, ("allocation status", "orders"), [(status.value, after[status]) for status in AllocationStatus])


@app.command("status")
def status_command(data: Data = None) -> None:
    """Count the orders by status, allocation status, payment status and fulfillment status."""

    async def work(url: str) -> OrderTally:
        async with opened(url) as database:
            return await database.read(lambda uow: uow.orders.counts(OrderFilter()))

    with _database(data) as url:
        found = run(work(url))
    table("Orders by status", ("status", "orders"), [(one.value, found.by_status.get(one, 0)) for one in OrderStatus])
    rows = [(one.value, found.by_allocation_status.get(one, 0)) for one in AllocationStatus]
    rows.append(("nothing open", found.by_allocation_status.get(None, 0)))
    table("Orders by allocation status", ("allocation status", "orders"), rows)
    rows = [(one.value, found.by_payment_status.get(one, 0)) for one in PaymentStatus]
    table("Orders by payment status", ("payment status", "orders"), rows)
    rows = [(one.value, found.by_fulfillment_status.get(one, 0)) for one in FulfillmentStatus]
    table("Orders by fulfillment status", ("fulfillment status", "orders"), rows)


@app.command("verify")
def verify_command(data: Data = None) -> None:
    """Check everything that must always be true; exit 1 with the rows where something is not."""
    from persistence.database import connect
    from persistence.verify import INVARIANTS, Broken, verify

    async def work(url: str) -> list[Broken]:
        engine = connect(url)
        try:
            return await verify(engine)
        finally:
            await engine.dispose()

    with _database(data) as url:
        broken = run(work(url))
    if not broken:
        console.print(f"All {len(INVARIANTS)} invariants hold.")
        return
    for one in broken:
        errors.print(f"{one.invariant.id}: {one.invariant.statement}", style="red", markup=False)
        for row in one.rows:
            errors.print(f"  {row}", markup=False)
    raise typer.Exit(1)
