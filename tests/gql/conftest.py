"""The API served for real: uvicorn on a loopback port, with the settings of `dibs serve`, on a database of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping

import pytest
import pytest_asyncio
import uvloop

from tests.conftest import PREFIX, Server
from tests.gql.serving import Served, serving
from tests.persistence.verified import verified


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The event loop that production runs on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True, scope="session")
def no_settings_from_outside() -> Iterator[None]:
    """What is set in the developer's shell changes no test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("DIBS_DATABASE_URL", "DIBS_ADMIN_KEY", "DIBS_BELL_URL", "DIBS_EXPLORER", "DIBS_SUGGESTIONS"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    """An API and an empty database of its own for one test."""
    async with serving(database_url) as served:
        yield served


@pytest.fixture(scope="module")
def shared_database_url(server: Server, template: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """One database for a module; after its last test it must be quiet and keep every invariant."""
    name = f"{PREFIX}_{request.module.__name__.rpartition('.')[2]}"
    yield server.create(name, template)
    left_behind = server.left_behind(name)
    broken = asyncio.run(verified(server.url_for(name)))
    server.drop(name)
    assert left_behind == []
    assert broken == []


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(shared_database_url: str) -> AsyncIterator[Served]:
    """One API for a module whose tests stay out of each other's way."""
    async with serving(shared_database_url) as served:
        yield served
