"""Releases without anybody asking, and what comes together with others in one transaction."""

import asyncio
from dataclasses import asdict

import pytest

import persistence.batches
from domain.ids import Sku
from domain.kinds import AllocationStatus, FulfillmentState, FulfillmentStatus, HoldReason, LocationKind
from domain.orders import NewLine
from domain.packing import NewParcel
from domain.picking import Pick
from services import runs
from services.catalog import save_channels, save_locations
from services.desk import Desk
from services.fulfillments import (
    DeliverFulfillment,
    DropshipOrder,
    PackFulfillment,
    ReleaseOrders,
    ShipFulfillment,
    deliver_fulfillment,
    dropship_order,
    pack_fulfillment,
    release_orders,
    release_what_is_ready,
    ship_fulfillment,
)
from services.holds import HoldOrders, ReleaseHolds, hold_orders, release_holds
from services.orders import EditOrder, edit_order
from services.picking import RecordPick
from services.runs import run_waiting_orders
from tests.builders import a_catalog, a_key, allocated, by_id, placed, status_now
from tests.warehousing import (
    HOME,
    bought,
    fulfillment_status_now,
    fulfillments_now,
    open_tasks,
    to_warehouse,
)

NOT_RELEASED, RELEASED = FulfillmentStatus.NOT_RELEASED, FulfillmentStatus.RELEASED
SKUS = [f"S{number}" for number in range(6)]


@pytest.fixture(autouse=True)
async def shop(database, caller):
    await a_catalog(database, caller, {(sku, "LEEDS"): 9 for sku in SKUS})
    await save_channels(database, [{"code": "SHOP", "name": "Shop", "releases_by_itself": True}])


async def statuses(database, *orders):
    return [await fulfillment_status_now(database, order) for order in orders]


async def test_r1_what_is_ready_is_released_and_what_is_held_when_it_is_held_no_more(database, caller):
    ready, held, short = (
        await bought(database, caller, {"S0": 1}),
        await bought(database, caller, {"S0": 1}),
        await bought(database, caller, {"S1": 99}),
    )
    hold = HoldOrders(orders=(by_id(held),), reason=HoldReason.MANUAL_REVIEW)
    await hold_orders(Desk(database), caller, hold, a_key())

    assert await release_what_is_ready(database)
    assert await statuses(database, ready, held, short) == [RELEASED, NOT_RELEASED, NOT_RELEASED]
    assert not await release_what_is_ready(database), "what was refused is not tried again as it is"

    await release_holds(Desk(database), caller, ReleaseHolds(orders=(by_id(held),)), a_key())
    assert await release_what_is_ready(database)
    assert await statuses(database, held, short) == [RELEASED, NOT_RELEASED]


async def test_orders_of_more_skus_than_a_transaction_takes_are_released_one_transaction_after_the_other(
    database, caller, monkeypatch
):
    orders = [await bought(database, caller, dict.fromkeys(SKUS[at : at + 2], 1)) for at in (0, 2, 4)]
    monkeypatch.setattr(runs, "SKUS_MAX", 4)
    monkeypatch.setattr(persistence.batches, "SKUS_MAX", 4)

    assert await release_what_is_ready(database)
    assert await statuses(database, *orders) == [RELEASED, RELEASED, NOT_RELEASED]
    assert await release_what_is_ready(database)
    assert await statuses(database, *orders) == [RELEASED] * 3


async def test_a_release_looks_at_the_address_that_an_edit_before_it_has_corrected(database, caller):
    """They share a transaction."""
    order = await placed(database, caller, {"S0": 1}, channel="WEB")
    await allocated(database, caller, order)
    desk, release = Desk(database), ReleaseOrders(orders=(by_id(order),))

    _, done = await asyncio.gather(
        edit_order(desk, caller, EditOrder(order=by_id(order), terms={"ship_to": asdict(HOME)}), a_key()),
        release_orders(desk, caller, release, a_key()),
    )

    assert desk.batches == 1
    assert [one.refusal for one in done.results] == [None]


async def test_i9_what_comes_behind_a_release_has_a_transaction_of_its_own(database, caller):
    """Or else an order might be short in the very commit that released it."""
    first, second = await bought(database, caller, {"S0": 1}), await bought(database, caller, {"S0": 1})
    desk = Desk(database)
    grown = EditOrder(order=by_id(first), lines=(NewLine(sku=Sku("S0"), quantity=99),))

    *released, _ = await asyncio.gather(
        release_orders(desk, caller, ReleaseOrders(orders=(by_id(first),)), a_key()),
        release_orders(desk, caller, ReleaseOrders(orders=(by_id(second),)), a_key()),
        edit_order(desk, caller, grown, a_key()),
    )

    assert [one.refusal for done in released for one in done.results] == [None, None]
    assert (desk.batches, desk.requests) == (2, 3)
    assert await status_now(database, first) is AllocationStatus.PARTIALLY_ALLOCATED


async def test_steps_that_share_a_transaction_have_their_times(database, caller):
    order = await bought(database, caller, {"S0": 1})
    (one,) = (await to_warehouse(database, caller, order)).fulfillments
    (task,) = await open_tasks(database, order)
    desk = Desk(database)

    await asyncio.gather(
        desk.perform(caller, RecordPick(pick=Pick(task=task.id, quantity=1)), a_key()),
        pack_fulfillment(desk, caller, PackFulfillment(fulfillment=one, parcels=(NewParcel(),)), a_key()),
        ship_fulfillment(desk, caller, ShipFulfillment(fulfillment=one), a_key()),
        deliver_fulfillment(desk, caller, DeliverFulfillment(fulfillment=one), a_key()),
    )

    assert desk.batches == 1
    (now,) = await fulfillments_now(database, order)
    assert now.state is FulfillmentState.DELIVERED
    times = [now.picked_at, now.packed_at, now.shipped_at, now.delivered_at]
    assert None not in times
    assert times == sorted(times)


async def test_o5_what_a_dropshipment_gives_back_is_given_to_who_waits_for_it(database, caller):
    await save_locations(database, [{"code": "DEPOT", "name": "Depot", "kind": LocationKind.DROPSHIP}])
    first, waiting = await bought(database, caller, {"S0": 9}), await bought(database, caller, {"S0": 2})
    await run_waiting_orders(database, caller)
    assert await status_now(database, waiting) is AllocationStatus.COULD_NOT_ALLOCATE

    await dropship_order(Desk(database), caller, DropshipOrder(order=by_id(first), supplier="DEPOT"), a_key())
    await run_waiting_orders(database, caller)

    assert await status_now(database, waiting) is AllocationStatus.ALLOCATED
