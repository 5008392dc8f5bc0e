"""The demo, from an empty directory to a day that is allocated, and once more."""

import re
from pathlib import Path

from tests.acceptance.processes import dibs, has_traceback

OUTCOMES = ("ALLOCATED", "PARTIALLY_ALLOCATED", "COULD_NOT_ALLOCATE")


def test_the_demo_allocates_a_day_and_shows_it_and_does_so_again(tmp_path: Path):
    data = tmp_path / ".dibs"
    for _ in range(2):
        ended = dibs("demo", "--once", "--data", data, "--port", 0)

        assert ended.code == 0, ended
        assert not has_traceback(ended.err)
        assert "131 orders of 5 December 2011" in ended.told
        assert "Allocating 131 orders, oldest first" in ended.told
        changes = re.findall(r"^  (\d+) +UNALLOCATED → (\w+) \(RUN\)$", ended.out, re.MULTILINE)
        assert len({order for order, _ in changes}) == len(changes) == 131
        told = {status: sum(after == status for _, after in changes) for status in OUTCOMES}
        assert all(told.values())
        for status, count in told.items():
            assert re.search(rf"│ {status} +│ +{count} │", ended.out), status
        assert "Why order" in ended.out
        assert re.search(r"^  http://127\.0\.0\.1:\d+/track/[\w-]{43}$", ended.out, re.MULTILINE)

    verified = dibs("verify", "--data", data)
    assert verified.code == 0, verified
