"""The door's own socket: what is written to it without asking the application."""

from dibs.door import SharedWebSocket
from tests.gql.serving import Served, until


async def test_a_peer_that_is_gone_is_written_nothing_and_nobody_fails(served: Served):
    """Between the loss of a connection and the application's hearing of it, events may come."""
    async with served.socket() as client:
        (door,) = (one for one in served.server.server_state.connections if isinstance(one, SharedWebSocket))
        assert door.write_text(b'{"type": "pong"}')
        client.connection.transport.abort()
        await until(lambda: door not in served.server.server_state.connections)

        assert not door.write_text(b'{"type": "pong"}')
