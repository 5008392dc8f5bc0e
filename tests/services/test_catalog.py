"""Items and locations, on a real PostgreSQL."""

import asyncio

import pytest

from domain.errors import InvalidInput
from domain.ids import Sku
from domain.kinds import LocationKind
from domain.orders import NewLine, NewOrder
from persistence.database import Timeouts
from services.catalog import save_items, save_locations
from services.orders import place_orders
from tests.builders import a_catalog, everything


async def items_now(database):
    items = await database.read(lambda uow: uow.catalog.items(range(1, 50)))
    return sorted((item.sku, item.name, item.barcode) for item in items)


async def test_a_field_that_is_absent_keeps_its_value_and_null_clears_it(database):
    await save_items(
        database, [{"sku": "CHAIR", "name": "Chair", "barcode": "1"}, {"sku": "TABLE", "name": "T", "barcode": "2"}]
    )

    await save_items(database, [{"sku": "TABLE", "barcode": None}, {"sku": "CHAIR", "name": "Armchair"}])

    assert await items_now(database) == [("CHAIR", "Armchair", "1"), ("TABLE", "T", None)]


async def test_ids_come_back_in_the_order_of_the_rows_and_saving_twice_is_saving_once(database, engine):
    rows = [{"sku": sku, "name": sku.title()} for sku in ("TABLE", "CHAIR", "LAMP")]
    ids = await save_items(database, rows)
    before = await everything(engine)

    assert await save_items(database, rows[::-1]) == ids[::-1]

    assert await everything(engine) == before


async def test_a_new_item_and_a_new_location_need_a_name(database, engine):
    await save_items(database, [{"sku": "CHAIR", "name": "Chair"}])
    before = await everything(engine)

    with pytest.raises(InvalidInput) as refused:
        await save_items(database, [{"sku": "CHAIR", "barcode": "1"}, {"sku": "TABLE"}])
    assert [(one.path, one.code) for one in refused.value.problems] == [(("input", "items", "1", "name"), "REQUIRED")]
    with pytest.raises(InvalidInput) as refused:
        await save_locations(database, [{"code": "LEEDS", "rank": 1}])
    paths = [(one.path, one.code) for one in refused.value.problems]
    assert paths == [(("input", "locations", "0", "name"), "REQUIRED")]
    assert await everything(engine) == before


async def test_a_barcode_names_one_item(database):
    await save_items(database, [{"sku": "CHAIR", "name": "Chair", "barcode": "1"}])

    with pytest.raises(InvalidInput) as refused:
        await save_items(database, [{"sku": "TABLE", "name": "Table", "barcode": "1"}])

    assert [(one.path, one.code) for one in refused.value.problems] == [
        (("input", "items", "0", "barcode"), "DUPLICATE")
    ]
    await save_items(database, [{"sku": "CHAIR", "barcode": "1"}])


async def test_a_location_is_saved_with_everything_that_is_known_of_it(database):
    await save_locations(
        database,
        [
            {"code": "LEEDS", "name": "Leeds", "kind": LocationKind.STORE, "country_code": "gb", "latitude": 53.8},
            {"code": "YORK", "name": "York", "rank": 1},
        ],
    )
    await save_locations(database, [{"code": "LEEDS", "longitude": -1.5, "country_code": None}])

    york, leeds = await database.read(lambda uow: uow.catalog.locations())

    assert (york.code, york.kind, york.rank) == ("YORK", LocationKind.WAREHOUSE, 1)
    assert (leeds.name, leeds.kind, leeds.country_code) == ("Leeds", LocationKind.STORE, None)
    assert (leeds.latitude, leeds.longitude, leeds.rank) == (53.8, -1.5, 100)


async def test_many_who_save_the_same_items_at_once_agree_on_their_ids(database):
    rows = [{"sku": f"S{number}", "name": "x"} for number in range(20)]

    answers = await asyncio.gather(*(save_items(database, rows[:: (-1) ** turn]) for turn in range(8)))

    assert {tuple(ids[:: (-1) ** turn]) for turn, ids in enumerate(answers)} == {tuple(answers[0])}


async def test_items_are_saved_while_orders_with_them_are_being_placed(database, caller, databases):
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 0})
    impatient = databases(pool_size=1, timeouts=Timeouts(lock_seconds=0.05))
    new = NewOrder(channel="SHOP", number="N1", lines=(NewLine(sku=Sku("CHAIR"), quantity=1),))

    async def place_and_save(uow):
        await place_orders(uow, caller, [new])
        await save_items(impatient, [{"sku": "CHAIR", "name": "Armchair"}])

    await database.run(place_and_save)

    assert await items_now(database) == [("CHAIR", "Armchair", None)]
