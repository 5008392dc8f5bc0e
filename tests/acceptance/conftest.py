"""Commands run within the test's own process, where starting Python anew would tell nothing more."""

from collections.abc import Callable

import pytest

from dibs import cli
from tests.acceptance.processes import Ended

NAMES = ("DATABASE_URL", "DATA", "ADMIN_KEY", "BELL_URL", "HOST", "PORT", "EXPLORER", "SUGGESTIONS", "LOG_JSON")


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
            code = _exit_code(cli.main)
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return run


def _exit_code(main: Callable[[], None]) -> int:
    try:
        main()
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    return 0
