"""A server to measure: `dibs serve` without its command line. It ends when its input does, and tells what it did.

    python -m bench.serve 200 [observed] < address_of_the_database

The number is how many requests share a transaction at most; 1 switches coalescing off. `observed`: it writes a line for
each request and has figures, as a server has that is kept an eye on. On the signal USR1 it begins to look where its CPU
time goes.
"""

import asyncio
import json
import signal
import sys
from typing import Any

import dibs.app
import dibs.serving
from bench.sampling import Sampler
from dibs import log
from dibs.memory import spare_collector
from dibs.settings import Settings
from persistence.database import PostgresDatabase
from services.desk import Desk


def main() -> None:
    batch_max, url = int(sys.argv[1]), sys.stdin.readline().strip()
    desks: list[Desk] = []

    def desk(database: PostgresDatabase) -> Desk:
        desks.append(Desk(database, batch_max=batch_max))
        return desks[-1]

    dibs.app.Desk = desk  # type: ignore[assignment,misc]  # the app has no setting for this, and needs none
    sampler = Sampler()

    def begin(*_: Any) -> None:
        for one in desks:
            one.batches = one.requests = 0
        sampler.start()

    signal.signal(signal.SIGUSR1, begin)
    observed = sys.argv[2:] == ["observed"]
    if observed:
        log.configure(as_json=True)
    with dibs.serving.listen("127.0.0.1", 0) as listener, dibs.serving.listen("127.0.0.1", 0) as side:
        app = dibs.app.create_app(Settings(explorer=False), url, side=side if observed else None)
        config = dibs.serving.configuration(app)
        spare_collector()
        with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
            runner.run(_serve(config, listener))
    sampler.stop()
    batches, requests = sum(one.batches for one in desks), sum(one.requests for one in desks)
    told = {"shares": sampler.shares(), "batches": batches, "requests": requests, "places": sampler.places}
    sys.stdout.write(json.dumps(told) + "\n")


async def _serve(config: Any, listener: Any) -> None:
    server = dibs.serving.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    while not server.started:  # noqa: ASYNC110  (uvicorn tells it in no other way)
        await asyncio.sleep(0.01)
    sys.stdout.write(f"{listener.getsockname()[1]}\n")
    sys.stdout.flush()
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    main()
