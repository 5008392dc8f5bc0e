"""A real browser without a window, driven over its debugging socket."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

SECONDS_MAX = 60
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0"),
)
UNTIL = """new Promise((resolve) => {
  const look = () => (%s) ? resolve() : setTimeout(look, 20);
  look();
})"""


class Tab:
    """A page of the browser."""

    def __init__(self, socket: ClientConnection, session: str | None = None) -> None:
        self._socket, self._session, self._numbers = socket, session, count(1)
        self.problems: list[str] = []

    def do(self, method: str, **parameters: Any) -> Any:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        self._socket.send(json.dumps(message | ({"sessionId": self._session} if self._session else {})))
        while True:
            answer = json.loads(self._socket.recv(timeout=SECONDS_MAX))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            if answer.get("method") == "Runtime.exceptionThrown":
                self.problems.append(json.dumps(answer["params"]))

    def run(self, script: str) -> Any:
        """The value of an expression; promises are waited for."""
        ran = self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in ran, ran
        return ran["result"].get("value")

    def until(self, condition: str) -> None:
        self.run(UNTIL % condition)


@contextmanager
def browsing(page: Path | str, profile: Path, ready: str = "document.forms.length") -> Iterator[Tab]:
    """The page, opened from the disk as by a double click, or from an address. `ready`: true once it is there."""
    program = next(filter(None, map(shutil.which, NAMES)), None)
    if program is None:
        pytest.skip("no Chromium is installed")
    command = [program, *OPTIONS, f"--user-data-dir={profile}", "about:blank"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            found = (re.search(r"ws://\S+", line) for line in process.stderr)
            address = next(filter(None, found))[0]
            with connect(address, max_size=None) as socket:
                target = Tab(socket).do("Target.createTarget", url="about:blank")["targetId"]
                session = Tab(socket).do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
                tab = Tab(socket, session)
                tab.do("Runtime.enable")
                tab.do("Page.navigate", url=page if isinstance(page, str) else page.as_uri())
                tab.until(f"document.readyState === 'complete' && {ready}")
                yield tab
        finally:
            process.kill()
