"""I17, rule by rule: what limited callers read through the views, and what they cannot reach by its name.

`tests/gql/test_sight.py` asks the whole schema, and finds whatever leaks anywhere; here it is plain which rule is
broken.
"""

from dataclasses import dataclass, replace

import pytest

from domain.access import Visibility
from domain.errors import NotFound
from domain.ids import FulfillmentId, OrderId
from domain.kinds import FulfillmentState, OrderStatus
from persistence.database import PostgresDatabase
from services.callers import Caller
from services.desk import Desk
from services.orders import void_order
from services.ports.orders import OrderFilter
from services.ports.stock import StockLevelFilter
from tests.builders import a_catalog, a_key, allocated, by_id, order_now, placed
from tests.warehousing import HOME, canceled_one, fulfillments_now, to_warehouse

ANY = OrderFilter()
WEB = Visibility(channels=frozenset({"WEB"}))
LEEDS = Visibility(locations=frozenset({"LEEDS"}))


@dataclass(frozen=True)
class Goods:
    """An order of each channel, each served and released from a location of its own."""

    web: OrderId
    till: OrderId
    from_leeds: FulfillmentId
    from_york: FulfillmentId


@pytest.fixture
async def goods(database: PostgresDatabase, caller: Caller) -> Goods:
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1, ("TABLE", "YORK"): 1})
    orders = []
    for channel, sku in (("WEB", "CHAIR"), ("TILL", "TABLE")):
        orders.append(await placed(database, caller, {sku: 1}, channel=channel, ship_to=HOME))
        await allocated(database, caller, orders[-1])
        assert (await to_warehouse(database, caller, orders[-1])).refusal is None
    ((one,), (other,)) = [await fulfillments_now(database, order) for order in orders]
    return Goods(*orders, one.id, other.id)


async def orders_seen(database: PostgresDatabase, visibility: Visibility) -> list[OrderId]:
    reader = database.seen_by(visibility)
    return [order.id for order in await reader.read(lambda uow: uow.orders.page(ANY, "PLACED_AT_DESC", 10, None))]


async def test_i17_a_partner_reads_the_orders_of_its_channels_and_what_hangs_on_them(database, goods):
    both = [goods.web, goods.till]
    reader = database.seen_by(WEB)

    lines = await reader.read(lambda uow: uow.orders.lines_of(both))
    sent = await reader.read(lambda uow: uow.fulfillments.of_orders(both))
    levels = await reader.read(lambda uow: uow.stock.page(StockLevelFilter(), 10, None))

    assert await orders_seen(database, WEB) == [goods.web]
    assert {line.order for line in lines} == {goods.web}
    assert [one.id for one in sent] == [goods.from_leeds]
    assert levels == [], "stock is of no channel"


async def test_i17_a_location_reads_its_stock_and_what_it_sends_and_not_who_pays(database, goods):
    both = [goods.web, goods.till]
    reader = database.seen_by(LEEDS)

    lines = await reader.read(lambda uow: uow.orders.lines_of(both))
    sent = await reader.read(lambda uow: uow.fulfillments.of_orders(both))
    levels = await reader.read(lambda uow: uow.stock.page(StockLevelFilter(), 10, None))
    places = await reader.read(lambda uow: uow.catalog.locations())
    (order,) = await reader.read(lambda uow: uow.orders.by_ids(both))
    everywhere = [level.id for level in await database.read(lambda uow: uow.stock.page(StockLevelFilter(), 10, None))]
    by_themselves = await database.run(lambda uow: uow.sight.seen(LEEDS, "stock_levels", everywhere))

    assert {line.order for line in lines} == {goods.web}
    assert [one.id for one in sent] == [goods.from_leeds]
    assert [(level.item, level.on_hand) for level in levels] == [(lines[0].item, 1)]
    assert by_themselves == {level.id for level in levels}, "also where no place is asked about"
    assert [place.code for place in places] == ["LEEDS"]
    assert (order.id, order.currency_code) == (goods.web, None)


async def test_i17_what_nobody_sends_from_a_location_is_nothing_to_it(database, caller, goods):
    waiting = await placed(database, caller, {"CHAIR": 1}, channel="WEB")

    assert await orders_seen(database, LEEDS) == [goods.web]
    assert await orders_seen(database, WEB) == [waiting, goods.web]


async def test_i17_orders_are_counted_as_far_as_they_are_seen(database, goods):
    for visibility in (WEB, LEEDS, replace(WEB, locations=LEEDS.locations)):
        told = await database.seen_by(visibility).read(lambda uow: uow.orders.counts(ANY))

        assert (told.total, told.by_status) == (1, {OrderStatus.FINALIZED: 1})
    nothing = await database.seen_by(Visibility(channels=frozenset())).read(lambda uow: uow.orders.counts(ANY))
    assert nothing.total == 0


async def test_i17_an_order_that_is_out_of_sight_cannot_be_voided(database, caller, goods):
    partner = replace(caller, visibility=WEB)

    with pytest.raises(NotFound) as refusal:
        await void_order(Desk(database), partner, by_id(goods.till), "a reason", a_key())

    assert refusal.value.references == (str(by_id(goods.till)),)
    assert (await order_now(database, goods.till)).status is OrderStatus.FINALIZED
    await void_order(Desk(database), partner, by_id(goods.web), "a reason", a_key())


async def test_i17_what_another_location_sends_cannot_be_canceled(database, caller, goods):
    theirs = replace(caller, visibility=LEEDS)

    with pytest.raises(NotFound):
        await canceled_one(database, theirs, goods.from_york)

    assert [one.state for one in await fulfillments_now(database, goods.till)] == [FulfillmentState.RELEASED]
    await canceled_one(database, theirs, goods.from_leeds)
