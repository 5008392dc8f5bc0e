"""How fast Dibs is, each measure against a floor in the same run.

python -m bench               # everything, about twenty minutes
python -m bench hot flash     # some of it
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial

import uvloop

from bench import batch, direct, fanout, over_http, processes
from bench.report import Report
from bench.results import Result
from bench.servers import ENVIRONMENT, Server, a_server

MEASURES: dict[str, tuple[Callable[..., Awaitable[Result]], int]] = {
    "hot": (direct.hot, 240),
    "different": (direct.different, 240),
    "processes": (processes.processes, 240),
    "hold": (direct.hold, 120),
    "http": (over_http.http, 360),
    "watched": (over_http.watched, 360),
    "place": (over_http.place, 300),
    "flash": (over_http.flash, 360),
    "batch": (batch.batch, 300),
    "growth": (batch.growth, 900),
    "fanout": (fanout.fanout, 600),
    "latency": (fanout.latency, 240),
    "idle": (fanout.idle, 240),
    "storm": (fanout.storm, 300),
}
"""Each with the seconds that it may take."""
DATABASES = (direct.SHOP, direct.DIBS, direct.FLOOR)


async def run(server: Server, names: list[str], repeats: int, report: Report) -> bool:
    """Whether every aim was met."""
    report.machine(await server.describe())
    results: list[Result] = []
    for name in names:
        measure, seconds_max = MEASURES[name]
        try:
            async with asyncio.timeout(seconds_max * max(1, repeats / 2)):
                results.append(await measure(server, report, repeats=repeats))
        except TimeoutError:
            report.say(f"[red]{name} was given up: it took longer than {seconds_max} s.[/red]")
            continue
        finally:
            await server.drop(*DATABASES)
        report.measured(results[-1])
    report.verdicts(results)
    return len(results) == len(names) and all(one.met for result in results for one in result.verdicts)


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"{', '.join(MEASURES)}; all when absent")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="how often each is measured (3)")
    parser.add_argument(
        "--database-url", help=f"a server to use, or {ENVIRONMENT}; otherwise an embedded one is started"
    )
    options = parser.parse_args()
    unknown = [name for name in options.measures if name not in MEASURES]
    if unknown:
        parser.error(f"there is no measure {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    with a_server(options.database_url) as server:
        work = partial(run, server, options.measures or list(MEASURES), options.repeat, Report())
        return 0 if uvloop.run(work()) else 1


if __name__ == "__main__":
    sys.exit(main())
