"""Orders of channels that release by themselves go to the warehouse without anybody asking."""

import pytest

import persistence.batches
from domain.kinds import FulfillmentStatus, HoldReason
from services import runs
from services.catalog import save_channels
from services.desk import Desk
from services.fulfillments import release_what_is_ready
from services.holds import HoldOrders, ReleaseHolds, hold_orders, release_holds
from tests.builders import a_catalog, a_key, by_id
from tests.warehousing import bought, fulfillment_status_now

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
