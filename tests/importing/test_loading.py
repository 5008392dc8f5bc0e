"""Files go into the database as a whole, once, and without harming what is there."""

import asyncio
import sys
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from sqlalchemy import select

from dibs.importing import loading_orders, loading_stock
from dibs.importing.barcodes import refused_barcodes
from dibs.importing.loading_orders import load_orders
from dibs.importing.loading_stock import load_stock
from dibs.importing.orders import read_orders
from dibs.importing.refusals import ImportRefused
from dibs.importing.stock import read_stock
from domain.automation import AllocationRule
from domain.kinds import AllocateWhen, AllocationStatus, StockQuantity
from persistence import batches
from persistence.tables import items, locations, stock_movements
from services.automation import save_allocation_rules
from services.catalog import save_items, save_locations
from services.ports.orders import OrderReference
from tests.builders import (
    a_bundle,
    a_catalog,
    allocated,
    counted,
    events_now,
    everything,
    level_now,
    lines_now,
    order_now,
    placed,
    quantities_now,
    status_now,
)
from tests.importing.files import DAY, DEMO_STOCK, UCI, orders_of, written

LINES = 5_286


def stock_of(folder, *rows, headings="sku,location,on_hand"):
    return list(read_stock(written(folder, "\n".join([headings, *rows, ""]), "stock.csv")))


def said(loaded):
    return [(issue.line_number, issue.order, issue.message) for issue in loaded.issues]


async def rows_of(engine, *columns):
    async with engine.connect() as connection:
        return [tuple(row) for row in await connection.execute(select(*columns).order_by(columns[0].table.c.id))]


async def imported(database, number, channel="SHOP"):
    (order,) = await database.read(lambda uow: uow.orders.resolve([OrderReference(channel=channel, number=number)]))
    return order


# ---------------------------------------------------------------- the real day


async def test_importing_a_real_day_twice_changes_nothing(database, engine, caller):
    day = read_orders(DAY, columns=UCI, default_channel="DEMO", default_currency="GBP")

    stock = await load_stock(database, caller, read_stock(DEMO_STOCK))
    orders = await load_orders(database, caller, day)
    before = await everything(engine)
    stock_again = await load_stock(database, caller, read_stock(DEMO_STOCK))
    orders_again = await load_orders(database, caller, day)

    assert (stock.items_created, stock.locations_created, stock.levels_changed, stock.issues) == (1_765, 3, 2_929, ())
    assert (orders.placed, orders.lines, orders.already_there) == (131, LINES, 0)
    assert (orders.left_out, len(orders.issues)) == (day.orders_left_out, len(day.issues))
    assert (stock_again.items_created, stock_again.items_changed, stock_again.levels_changed) == (0, 0, 0)
    assert (orders_again.placed, orders_again.already_there) == (0, 131)
    assert await everything(engine) == before


async def test_an_import_that_was_killed_is_completed_by_the_next(database, engine, database_url, caller, tmp_path):
    rows = [f"O{number},CHAIR,{line}" for number in range(6) for line in (1, 2)]
    file = written(tmp_path, "\n".join(["order,sku,quantity", *rows, ""]))
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    script = f"""
import asyncio, os, signal
from dibs.importing import loading_orders
from dibs.importing.orders import read_orders
from domain.ids import KeyId
from persistence.database import PostgresDatabase, connect
from services.callers import Caller
loading_orders.LINES_MAX = 4
def die(done, total):
    os.kill(os.getpid(), signal.SIGKILL)
read = read_orders({str(file)!r}, default_channel="SHOP")
caller = Caller(key=KeyId(1), actor="tester", request="a test")
asyncio.run(loading_orders.load_orders(PostgresDatabase(connect({database_url!r})), caller, read, progress=die))
"""
    killed = await asyncio.create_subprocess_exec(sys.executable, "-c", script)
    await killed.wait()

    loaded = await load_orders(database, caller, read_orders(file, default_channel="SHOP"))

    assert killed.returncode == -9
    assert (loaded.already_there, loaded.placed, loaded.lines) == (2, 4, 8)
    assert len((await everything(engine))["order_lines"]) == 12


# ---------------------------------------------------------------- orders


async def test_an_order_is_placed_with_all_that_its_rows_say(database, caller, tmp_path):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9, ("LAMP", "LEEDS"): 9})
    read = orders_of(
        tmp_path,
        "A1,EBAY,CHAIR,2,2011-12-05T08:38,9.90,GBP,Ann,France",
        "A1,EBAY,LAMP,1,2011-12-05T08:40,0.50,,Ann,France",
        headings="order,channel,sku,quantity,placed_at,unit_price,currency,customer,country",
        default_currency="GBP",
    )

    loaded = await load_orders(database, caller, read)

    order = await order_now(database, await imported(database, "A1", "EBAY"))
    lines = await lines_now(database, order.id)
    assert (loaded.placed, loaded.lines, loaded.issues) == (1, 2, ())
    assert (order.placed_at, order.customer.name) == (datetime(2011, 12, 5, 8, 38, tzinfo=UTC), "Ann")
    assert order.ship_to.country_code == "FR"
    assert [(line.sku, line.quantity, line.unit_price, line.currency_code) for line in lines] == [
        ("CHAIR", 2, Decimal("9.90"), "GBP"),
        ("LAMP", 1, Decimal("0.50"), "GBP"),
    ]


async def test_an_unknown_sku_leaves_its_whole_order_out_and_each_of_its_lines_is_listed(database, caller, tmp_path):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    read = orders_of(tmp_path, "A1,CHAIR,1", "A1,SOFA,1", "A2,CHAIR,1", "A1,STOOL,1", "A1,SOFA,2")

    loaded = await load_orders(database, caller, read)

    assert (loaded.placed, loaded.lines, loaded.left_out) == (1, 1, 1)
    assert said(loaded) == [
        (3, "A1", "SKU 'SOFA' is unknown: import its stock first"),
        (5, "A1", "SKU 'STOOL' is unknown: import its stock first"),
        (6, "A1", "SKU 'SOFA' is unknown: import its stock first"),
    ]
    assert await imported(database, "A1") is None


async def test_an_order_that_was_left_out_comes_in_once_its_skus_are_known(database, caller, tmp_path):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    read = orders_of(tmp_path, "A1,CHAIR,1", "A1,SOFA,1", "A2,CHAIR,1")
    await load_orders(database, caller, read)
    await load_stock(database, caller, stock_of(tmp_path, "SOFA,LEEDS,3"))

    loaded = await load_orders(database, caller, read)

    assert (loaded.placed, loaded.already_there, loaded.left_out) == (1, 1, 0)


@pytest.mark.parametrize("rows", [("A1,CHAIR,7",), ("A1,CHAIR,7", "A1,SOFA,1")], ids=["other", "unknown SKU"])
async def test_an_order_that_is_there_stays_as_it_is_whatever_the_file_says(database, engine, caller, tmp_path, rows):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    await placed(database, caller, {"CHAIR": 2}, number="A1")
    before = await everything(engine)

    loaded = await load_orders(database, caller, orders_of(tmp_path, *rows))

    assert (loaded.placed, loaded.already_there, loaded.left_out, loaded.issues) == (0, 1, 0, ())
    assert await everything(engine) == before


async def test_the_same_number_on_another_channel_is_another_order(database, caller, tmp_path):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    await placed(database, caller, {"CHAIR": 2}, number="A1", channel="EBAY")

    loaded = await load_orders(database, caller, orders_of(tmp_path, "A1,CHAIR,1", default_channel="SHOP"))

    assert (loaded.placed, loaded.already_there) == (1, 0)


async def test_a_price_without_a_currency_is_left_away_and_counted(database, caller, tmp_path):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    read = orders_of(tmp_path, "A1,CHAIR,1,9.90", "A1,CHAIR,2,", headings="order,sku,quantity,unit_price")

    loaded = await load_orders(database, caller, read)

    (first, second) = await lines_now(database, await imported(database, "A1"))
    assert (loaded.placed, loaded.prices_without_currency) == (1, 1)
    assert (first.unit_price, first.currency_code, second.unit_price) == (None, None, None)


async def test_what_the_reading_lets_through_and_the_api_would_not_is_an_issue_of_its_row(database, caller, tmp_path):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    read = orders_of(
        tmp_path,
        "LATE,CHAIR,1,2200-12-31T23:30-01:00",
        *(f"LONG,CHAIR,{line + 1},2011-12-05" for line in range(2_001)),
        "FINE,CHAIR,1,2011-12-05",
        headings="order,sku,quantity,placed_at",
    )

    loaded = await load_orders(database, caller, read)

    assert (loaded.placed, loaded.left_out) == (1, 2)
    assert said(loaded) == [
        (2, "LATE", "placedAt: A time lies between the years 1900 and 2200."),
        (3, "LONG", "lines: This list may have at most 2,000 entries."),
    ]


async def test_orders_go_in_by_batches_that_never_divide_one(database, engine, caller, tmp_path, monkeypatch):
    monkeypatch.setattr(loading_orders, "ORDERS_MAX", 2)
    monkeypatch.setattr(loading_orders, "LINES_MAX", 3)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    sizes = {"A": 1, "B": 1, "C": 1, "D": 5, "E": 2, "F": 2}
    rows = [f"{order},CHAIR,1" for order, lines in sizes.items() for _ in range(lines)]
    seen = []

    await load_orders(
        database, caller, orders_of(tmp_path, *rows), progress=lambda done, total: seen.append((done, total))
    )

    assert seen == [(2, 6), (3, 6), (4, 6), (5, 6), (6, 6)]
    assert [event.order_number for event in await events_now(engine) if hasattr(event, "changes")] == list("ABCDEF")


# ---------------------------------------------------------------- stock


async def test_new_items_and_locations_are_named_by_the_first_row_that_names_them(database, engine, caller, tmp_path):
    rows = stock_of(
        tmp_path,
        "CHAIR,,123,YORK,,4",
        "CHAIR,A chair,,LEEDS,Leeds warehouse,5",
        "LAMP,,,YORK,York store,6",
        headings="sku,name,barcode,location,location_name,on_hand",
    )

    loaded = await load_stock(database, caller, rows)

    assert (loaded.rows, loaded.items_created, loaded.locations_created, loaded.levels_changed) == (3, 2, 2, 3)
    assert await rows_of(engine, items.c.sku, items.c.name, items.c.barcode) == [
        ("CHAIR", "A chair", "123"),
        ("LAMP", "LAMP", None),
    ]
    assert sorted(await rows_of(engine, locations.c.rank, locations.c.code, locations.c.name)) == [
        (10, "YORK", "York store"),
        (20, "LEEDS", "Leeds warehouse"),
    ]


async def test_new_locations_are_tried_after_those_that_are_known(database, engine, caller, tmp_path):
    await save_locations(database, [{"code": "HULL", "name": "Hull", "rank": 7}])

    await load_stock(database, caller, stock_of(tmp_path, "CHAIR,YORK,4", "CHAIR,HULL,1", "CHAIR,LEEDS,4"))

    ranks = sorted(await rows_of(engine, locations.c.rank, locations.c.code))
    assert ranks == [(7, "HULL"), (17, "YORK"), (27, "LEEDS")]


async def test_an_item_changes_only_in_what_the_file_says_of_it(database, engine, caller, tmp_path):
    known = [
        {"sku": "CHAIR", "name": "Chair", "barcode": "1"},
        {"sku": "LAMP", "name": "Lamp", "barcode": "2"},
        {"sku": "SOFA", "name": "Sofa", "barcode": "3"},
    ]
    await save_items(database, known)
    headings = "sku,name,barcode,location,on_hand"
    rows = stock_of(tmp_path, "CHAIR,,,LEEDS,1", "LAMP,A lamp,2,LEEDS,1", "SOFA,Sofa,33,LEEDS,1", headings=headings)

    loaded = await load_stock(database, caller, rows)

    assert (loaded.items_created, loaded.items_changed) == (0, 2)
    assert await rows_of(engine, items.c.sku, items.c.name, items.c.barcode) == [
        ("CHAIR", "Chair", "1"),
        ("LAMP", "A lamp", "2"),
        ("SOFA", "Sofa", "33"),
    ]


async def test_on_hand_becomes_what_was_counted_and_the_ledger_says_why(database, engine, caller, tmp_path):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9, ("LAMP", "LEEDS"): 3, ("SOFA", "LEEDS"): 2})
    before = len((await everything(engine))["stock_movements"])

    loaded = await load_stock(
        database, caller, stock_of(tmp_path, "CHAIR,LEEDS,4", "LAMP,LEEDS,3"), reference="stock.csv"
    )

    assert loaded.levels_changed == 1
    assert [(await level_now(database, sku)).on_hand for sku in ("CHAIR", "LAMP", "SOFA")] == [4, 3, 2]
    columns = stock_movements.c.change, stock_movements.c.cause, stock_movements.c.reference, stock_movements.c.actor
    assert (await rows_of(engine, *columns))[before:] == [(-5, "COUNT", "stock.csv", caller.actor)]


async def test_a_count_below_what_is_set_aside_makes_orders_overallocated(database, caller, tmp_path):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9})
    strong = await placed(database, caller, {"CHAIR": 4}, priority=1)
    weak = await placed(database, caller, {"CHAIR": 5})
    await allocated(database, caller, strong, weak)

    loaded = await load_stock(database, caller, stock_of(tmp_path, "CHAIR,LEEDS,6"))

    assert loaded.orders_overallocated == (weak,)
    assert await status_now(database, strong) is AllocationStatus.ALLOCATED
    assert await quantities_now(database, "CHAIR") == (6, 9, 0, 3)


async def test_a_count_below_what_is_damaged_is_left_out_and_the_others_count(database, caller, tmp_path):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 9, ("LAMP", "LEEDS"): 9})
    await counted(database, caller, {"CHAIR": 3}, quantity=StockQuantity.DAMAGED)

    loaded = await load_stock(database, caller, stock_of(tmp_path, "CHAIR,LEEDS,2", "LAMP,LEEDS,5"))

    assert said(loaded) == [(2, None, "on_hand 2 is less than what is damaged or in quality control there")]
    assert loaded.levels_changed == 1
    assert [(await level_now(database, sku)).on_hand for sku in ("CHAIR", "LAMP")] == [9, 5]


async def test_a_bundle_has_no_stock_to_import_and_is_ordered_by_its_components(database, caller, tmp_path):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    await a_bundle(database, "SET", {"CHAIR": 4})

    loaded = await load_stock(database, caller, stock_of(tmp_path, "SET,LEEDS,5", "CHAIR,LEEDS,7"))
    placed = await load_orders(database, caller, orders_of(tmp_path, "A1,SET,2", "A2,CHAIR,1", "A2,SET,250001"))

    told = "SKU 'SET' is a bundle, which has no stock of its own: import that of its components"
    assert said(loaded) == [(2, None, told)]
    assert (loaded.levels_changed, placed.placed, placed.left_out) == (1, 1, 1)
    assert said(placed) == [(4, "A2", "quantity: This takes more than 1,000,000 units of CHAIR.")]
    assert [line.quantity for line in await lines_now(database, await imported(database, "A1"))] == [8]


async def test_a_barcode_of_another_item_leaves_its_row_out(database, engine, caller, tmp_path):
    await save_items(database, [{"sku": "STOOL", "name": "Stool", "barcode": "1"}])
    rows = stock_of(
        tmp_path, "CHAIR,1,LEEDS,5", "LAMP,2,LEEDS,5", "SOFA,2,LEEDS,5", headings="sku,barcode,location,on_hand"
    )

    loaded = await load_stock(database, caller, rows)

    assert said(loaded) == [
        (2, None, "barcode '1' belongs to the item 'STOOL'"),
        (4, None, "barcode '2' belongs to the item 'LAMP'"),
    ]
    assert await rows_of(engine, items.c.sku, items.c.barcode) == [("STOOL", "1"), ("LAMP", "2")]


async def test_items_can_exchange_their_barcodes(database, engine, caller, tmp_path):
    await save_items(database, [{"sku": sku, "name": sku, "barcode": sku} for sku in "ABC"])
    rows = stock_of(tmp_path, "A,B,LEEDS,1", "B,C,LEEDS,1", "C,A,LEEDS,1", headings="sku,barcode,location,on_hand")

    loaded = await load_stock(database, caller, rows)

    assert (loaded.items_changed, loaded.issues) == (3, ())
    assert await rows_of(engine, items.c.sku, items.c.barcode) == [("A", "B"), ("B", "C"), ("C", "A")]


def test_who_does_not_get_a_new_barcode_keeps_the_old_one_from_others():
    wanted = {"A": "9", "B": "1", "C": "2"}

    refused = refused_barcodes(wanted, {"A": "1", "B": "2", "C": "3"}, {"9": "Z", "1": "A", "2": "B"})

    assert refused == {"A": "Z", "B": "A", "C": "B"}


async def test_nothing_of_a_damaged_file_is_imported(database, engine, caller, tmp_path):
    def rows():
        yield from stock_of(tmp_path, "CHAIR,LEEDS,4")
        raise ImportRefused("The file cannot be read to its end.")

    before = await everything(engine)
    with pytest.raises(ImportRefused):
        await load_stock(database, caller, rows())

    assert await everything(engine) == before


async def test_stock_goes_in_by_batches_of_one_location(database, caller, tmp_path, monkeypatch):
    monkeypatch.setattr(loading_stock, "ROWS_MAX", 2)
    rows = [f"S{number},{place},{number}" for number in range(3) for place in ("LEEDS", "YORK")]
    seen = []

    loaded = await load_stock(
        database, caller, stock_of(tmp_path, *rows), progress=lambda done, total: seen.append((done, total))
    )

    assert (loaded.items_created, loaded.levels_changed) == (3, 6)
    assert seen == [(2, 6), (3, 6), (5, 6), (6, 6)]


# ---------------------------------------------------------------- rules


async def test_imported_orders_that_a_rule_allocates_at_once_are_allocated_also_where_they_have_many_skus(
    database, caller, tmp_path, monkeypatch
):
    await a_catalog(database, caller, {(f"S{number}", "LEEDS"): 1 for number in range(8)})
    monkeypatch.setattr(batches, "SKUS_MAX", 3)
    rows = [f"O{number},S{number},1" for number in range(8)] + ["O8,S0,1"]
    file = written(tmp_path, "\n".join(["order,sku,quantity", *rows, ""]))
    await save_allocation_rules(database, [AllocationRule(name="all", when=AllocateWhen.AT_ONCE)])

    loaded = await load_orders(database, caller, read_orders(file, default_channel="SHOP"))

    assert (loaded.placed, loaded.lines) == (9, 9)
    orders = [await imported(database, f"O{number}") for number in range(9)]
    assert [await status_now(database, order) for order in orders] == [AllocationStatus.ALLOCATED] * 8 + [
        AllocationStatus.COULD_NOT_ALLOCATE
    ]
