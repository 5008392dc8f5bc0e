"""Returns through the services, where they are large."""

from domain.kinds import ReturnReason, ReturnState
from domain.packing import NewParcel
from domain.picking import Pick
from domain.returning import WantedBack
from services.desk import Desk
from services.fulfillments import PackFulfillment, pack_fulfillment
from services.picking import RecordPick, record_picks
from services.returns import ReceiveReturn, RequestReturn, receive_return, request_return
from tests.builders import a_catalog, a_key, by_id, lines_now
from tests.warehousing import bought, open_tasks, return_now, shipped, to_warehouse


async def test_l11_a_large_order_comes_back_line_by_line_for_every_reason_there_is(database, caller):
    """More lines than any step of a fulfillment makes rows."""
    skus = [f"S{number:03}" for number in range(160)]
    reasons = list(ReturnReason)
    await a_catalog(database, caller, {(sku, "LEEDS"): len(reasons) for sku in skus})
    order = await bought(database, caller, dict.fromkeys(skus, len(reasons)))
    (one,) = (await to_warehouse(database, caller, order)).fulfillments
    desk = Desk(database)
    picks = [RecordPick(pick=Pick(task=task.id, quantity=task.quantity)) for task in await open_tasks(database, order)]
    await record_picks(desk, caller, [(a_key(), pick) for pick in picks])
    await pack_fulfillment(desk, caller, PackFulfillment(fulfillment=one, parcels=(NewParcel(),)), a_key())
    await shipped(database, caller, one)
    wanted = tuple(
        WantedBack(line=line.id, quantity=1, reason=reason)
        for line in await lines_now(database, order)
        for reason in reasons
    )

    asked = RequestReturn(order=by_id(order), location="LEEDS", lines=wanted)
    made = (await request_return(desk, caller, asked, a_key())).returned
    await receive_return(desk, caller, ReceiveReturn(returned=made), a_key())

    now = await return_now(database, made)
    assert (now.state, len(now.lines)) == (ReturnState.RECEIVED, 160 * len(reasons))
    assert {line.received for line in now.lines} == {1}
