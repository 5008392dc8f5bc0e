"""Schemathesis against a running server: whatever the schema allows is asked, and nothing may be a mistake of ours.

    python -m proof.fuzz [--examples 40] [--database-url URL]

`schemathesis` must be on the PATH; it is none of our dependencies (`pipx install schemathesis`). Exit status 1 where an
answer is a server's error, or the log has a traceback or an error that was masked.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from proof import ground
from tests.acceptance.enduring import BUYERS, buyers_of
from tests.acceptance.processes import KEY, ROOT, serving
from tests.persistence.verified import verified

HOOKS = """
import schemathesis
from hypothesis import strategies as st
from schemathesis.graphql import nodes

numbers = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.integers().map(str),
    st.sampled_from(["1.00", "0", "-1", "12.345", "1e9", ""]),
    st.text(max_size=20),
)
schemathesis.graphql.scalar("Decimal", numbers.map(nodes.String))
"""
SECONDS_MAX = 1_800


def main() -> int:
    """Exit status: 0 where there is no finding that is ours."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--examples", type=int, default=40, help="for each operation")
    parser.add_argument("--database-url", default=os.environ.get("DIBS_TEST_DATABASE_URL"), help="a server to use")
    arguments = parser.parse_args()
    command = shutil.which("schemathesis")
    if command is None:
        print("There is no `schemathesis` on the PATH.")
        return 1
    with (
        tempfile.TemporaryDirectory(prefix="dibs-fuzz-") as folder,
        ground.server(arguments.database_url) as server,
        ground.database(server) as url,
    ):
        findings = list(fuzz(command, Path(folder), url, arguments.examples))
    print(*findings, sep="\n")
    print("No finding that is ours." if not findings else f"{len(findings)} findings.")
    return 1 if findings else 0


def fuzz(command: str, folder: Path, url: str, examples: int) -> Iterator[str]:
    """What is found."""
    (folder / "dibs_hooks.py").write_text(HOOKS)
    settings = {"DIBS_DATABASE_URL": url, "DIBS_ADMIN_KEY": KEY, "DIBS_COST_BUDGET": "0", "PYTHONPATH": str(ROOT)}
    with serving(folder, **settings) as node:
        asyncio.run(some_orders(node.address))
        asked = [command, "run", ROOT / "gql/schema/schema.graphql", "--url", node.address, "--no-color"]
        asked += ["-H", f"Authorization: Bearer {KEY}", "--phases", "fuzzing", "-n", examples]
        asked += ["-c", "not_a_server_error", "--request-timeout", 60, "--continue-on-failure"]
        environment = os.environ | {"SCHEMATHESIS_HOOKS": "dibs_hooks", "PYTHONPATH": str(folder)}
        done = subprocess.run(list(map(str, asked)), cwd=folder, env=environment, check=False, timeout=SECONDS_MAX)
        if done.returncode:
            yield "schemathesis has found something: see above"
        yield from (line for line in node.log.read_text().splitlines() if '"error"' in line or "Traceback" in line)
    yield from map(str, asyncio.run(verified(url)))


async def some_orders(address: str) -> None:
    """So that there is something to be found."""
    async with buyers_of(address) as buyers:
        await buyers.set_up()
        buyers.start()
        await buyers.get(3 * BUYERS)
        await buyers.stop()


if __name__ == "__main__":
    sys.exit(main())
