"""Commands run within the test's own process, where starting Python anew would tell nothing more."""

import gc
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from dibs import cli, log
from tests.acceptance.processes import Ended

Command = Callable[..., Ended]
NAMES = (
    "DATABASE_URL",
    "DATA",
    "ADMIN_KEY",
    "BELL_URL",
    "LISTEN_URL",
    "BEHIND_POOLER",
    "HOST",
    "PORT",
    "EXPLORER",
    "SUGGESTIONS",
    "LOG_JSON",
    "LOG_ACCESS",
)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ended]:
    """Run a command line with these environment variables; how it ended, and what it said."""

    def run(*arguments: object, **settings: str) -> Ended:
        with monkeypatch.context() as patch:
            for name in NAMES:
                patch.delenv(f"DIBS_{name}", raising=False)
            for name, value in settings.items():
                patch.setenv(name, value)
            patch.setattr("sys.argv", ["dibs", *map(str, arguments)])
            with _as_it_was():
                code = _exit_code(cli.main)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


@contextmanager
def _as_it_was() -> Iterator[None]:
    """A command sets its process up for itself: logging and the collector are given back."""
    root, thresholds = logging.getLogger(), gc.get_threshold()
    handlers, level, hook, form = root.handlers[:], root.level, sys.excepthook, log._Form.is_json
    try:
        yield
    finally:
        sys.excepthook, log._Form.is_json = hook, form
        logging.captureWarnings(capture=False)
        root.handlers[:] = handlers
        root.setLevel(level)
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def _exit_code(main: Callable[[], None]) -> int:
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0
