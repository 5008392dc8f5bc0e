"""References to orders and locations: whether they are well formed, and what they name."""

from collections.abc import Sequence
from dataclasses import replace

from domain.batch import Batch
from domain.checks import Path, Problems
from domain.ids import LocationId
from services.ports.orders import OrderReference


def checked_reference(problems: Problems, reference: OrderReference, path: Path) -> OrderReference:
    """The reference with its names as Dibs keeps them."""
    if reference.id is not None:
        return reference
    return replace(
        reference,
        channel=problems.code(reference.channel, (*path, "number", "channel")),
        number=problems.code(reference.number, (*path, "number", "number")),
    )


def location_ranks(batch: Batch, codes: Sequence[str] | None) -> dict[LocationId, int]:
    """The locations of these codes with their ranks; None: all. Raises InvalidInput where a code is unknown."""
    if codes is None:
        return batch.ranks
    known = {location.code: location for location in batch.locations.values()}
    problems = Problems()
    for index, code in enumerate(codes):
        if code not in known:
            problems.add(("input", "locations", str(index)), "UNKNOWN", "There is no location of this code.")
    problems.refuse()
    return {known[code].id: known[code].rank for code in codes}
