"""The process as those see it who keep it running: its log, its figures, its health, its roles, its files."""

from collections.abc import AsyncIterator

import pytest

from tests.gql.conftest import no_settings_from_outside, pytest_asyncio_loop_factories
from tests.gql.serving import Served, serving

__all__ = ["no_settings_from_outside", "pytest_asyncio_loop_factories"]


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    """An API and an empty database of its own for one test."""
    async with serving(database_url) as served:
        yield served
