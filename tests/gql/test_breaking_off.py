"""A connection that breaks off while events are told takes nobody with it."""

from tests.builders import a_catalog, placed
from tests.gql.serving import KNOWN, Served, until

ORDERS = "subscription { orderChanged { orderNumber } }"


async def test_a_connection_that_has_broken_off_takes_nothing_and_disturbs_nobody(served: Served):
    """Between the end of the connection and that of its application's task, the hub still writes to it."""
    await a_catalog(served.database, KNOWN, {("CHAIR", "LEEDS"): 0})
    async with served.socket() as stays, served.socket() as goes:
        for client in (stays, goes):
            await client.subscribe("1", ORDERS)
        await until(lambda: served.hub.subscribers == 2)
        connections = [one for one in served.server.server_state.connections if hasattr(one, "write_text")]
        goes.connection.transport.abort()
        await until(lambda: served.hub.subscribers == 1)
        (broken,) = (one for one in connections if one.transport.is_closing())

        assert broken.write_text(b"as if its subscription was there still") is False

        await placed(served.database, KNOWN, {"CHAIR": 1}, number="A1")
        assert (await stays.next("1"))["orderChanged"]["orderNumber"] == "A1"
