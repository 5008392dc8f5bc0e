"""`kill -9` at named points: whatever was under way is there or not, and its key tells which (I6, I7, I8)."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from proof.faults import POINTS, VARIABLE
from tests.acceptance.clients import Client
from tests.acceptance.crashing import afterwards, set_up, until_it_is_gone
from tests.acceptance.processes import KEY, ROOT, SECONDS_MAX, Serving, has_traceback, serving
from tests.persistence.verified import assert_verified

FAULTY = (sys.executable, "-m", "proof.faults")


@pytest.mark.parametrize("point", POINTS)
def test_i8_a_server_that_dies_there_loses_and_doubles_nothing(point: str, database_url: str, tmp_path: Path):
    client, seen = Client([]), []
    ours = {"DIBS_DATABASE_URL": database_url, "DIBS_ADMIN_KEY": KEY, "PYTHONPATH": str(ROOT)}
    weak = ours | {VARIABLE: f"{point}:{POINTS[point].times}"}
    with serving(tmp_path, program=FAULTY, **weak) as server:
        client.addresses = [server.address]
        start = set_up(server)
        asyncio.run(until_it_is_gone(server, client, seen, start, arming(server)))
        assert server.process.wait() == -signal.SIGKILL

    assert any(request.answer is None for request in client.requests)
    assert_verified(database_url)
    with serving(tmp_path, **ours) as server:
        asyncio.run(afterwards(server, client, seen, start))
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(SECONDS_MAX)
    assert not has_traceback(server.log.read_text())


def arming(server: Serving):
    """Calls count from the first look on."""
    armed = False

    def arm() -> None:
        nonlocal armed
        if not armed:
            armed = True
            os.kill(server.process.pid, signal.SIGUSR1)

    return arm
