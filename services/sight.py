"""What a limited caller names, and may not know of, is as if it did not exist."""

from collections.abc import Mapping, Sequence
from typing import TypeVar

from domain.access import Visibility
from services.ports.unit_of_work import UnitOfWork

Id = TypeVar("Id", bound=int)
V = TypeVar("V")


async def in_sight(uow: UnitOfWork, visibility: Visibility, table: str, ids: Sequence[Id]) -> set[Id]:
    """Those of the rows of which the caller may know. Only within a transaction."""
    if not visibility.is_limited or not ids:
        return set(ids)
    seen = await uow.sight.seen(visibility, table, ids)
    return {one for one in ids if one in seen}


async def cut(uow: UnitOfWork, visibility: Visibility, table: str, found: Mapping[Id, V]) -> Mapping[Id, V]:
    """The same for what was found by id."""
    if not visibility.is_limited:
        return found
    seen = await in_sight(uow, visibility, table, list(found))
    return {key: value for key, value in found.items() if key in seen}
