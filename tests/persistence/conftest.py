"""What races share."""

from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

import pytest

from tests.persistence.racing import processes


@pytest.fixture(scope="module")
def pool() -> Iterator[ProcessPoolExecutor]:
    """Other processes, for those who shall know nothing of each other."""
    with processes() as pool:
        yield pool
