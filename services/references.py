"""References to orders: whether they are well formed."""

from dataclasses import replace

from domain.checks import Path, Problems
from services.ports import OrderReference


def checked_reference(problems: Problems, reference: OrderReference, path: Path) -> OrderReference:
    """The reference with its names as Dibs keeps them."""
    if reference.id is not None:
        return reference
    return replace(
        reference,
        channel=problems.code(reference.channel, (*path, "number", "channel")),
        number=problems.code(reference.number, (*path, "number", "number")),
    )
