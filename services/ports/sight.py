"""What limited callers see."""

from collections.abc import Sequence
from typing import Protocol

from domain.access import Visibility


class Sight(Protocol):
    """What a limited caller sees of what there is."""

    async def seen(self, visibility: Visibility, table: str, ids: Sequence[int]) -> set[int]:
        """Those of the rows that somebody who is limited like this may know of. Only within a transaction."""
