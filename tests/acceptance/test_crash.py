"""`kill -9` anywhere leaves before or after, and nothing between (I6, I7, I8)."""

import asyncio
import os
import signal
from contextlib import suppress
from pathlib import Path

from tests.acceptance.clients import Client
from tests.acceptance.crashing import afterwards, set_up, until_it_is_gone
from tests.acceptance.processes import KEY, SECONDS_MAX, Serving, dibs, has_traceback, serving

ANSWERS_BEFORE_THE_KILL = 60


def kill(server: Serving, client: Client) -> None:
    """While requests are on their way."""
    if sum(request.answer is not None for request in client.requests) >= ANSWERS_BEFORE_THE_KILL:
        os.kill(server.process.pid, signal.SIGKILL)


def test_a_server_that_is_killed_in_the_middle_of_its_work_loses_and_doubles_nothing(tmp_path: Path):
    data = tmp_path / ".dibs"
    client, seen = Client([]), []
    with serving(tmp_path, "--data", data, DIBS_ADMIN_KEY=KEY) as server:
        client.addresses = [server.address]
        start = set_up(server)
        asyncio.run(until_it_is_gone(server, client, seen, start, lambda: kill(server, client)))

    assert any(request.answer is None for request in client.requests)
    assert seen
    verified = dibs("verify", "--data", data)
    assert verified.code == 0, verified
    with serving(tmp_path, "--data", data, DIBS_ADMIN_KEY=KEY) as server:
        asyncio.run(afterwards(server, client, seen, start))
        verified = dibs("verify", "--data", data)
        server.process.send_signal(signal.SIGTERM)
        with suppress(Exception):
            server.process.wait(SECONDS_MAX)
    assert verified.code == 0, verified
    assert not has_traceback(server.log.read_text())
