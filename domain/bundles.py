"""Bundles: what is bought as one is a line for each of its components, and set aside as one. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

from domain.ids import BundleId, ItemId, Sku
from domain.money import Money
from domain.orders import NewLine, OrderLine
from domain.stock import Component


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """What was bought as one: its components are lines that refer to it. `unit_price`: of one bundle."""

    id: BundleId
    item: ItemId
    reference: str | None = None
    unit_price: Money | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ComponentLine(NewLine):
    """A line that is asked for as part of a bundle, each with `bundle_units` of it.

    The first part of a bundle bears its money: `bundle_price` is what one bundle costs, and discount and tax are those
    of the bundles. So wherever its units go, also in a split, the money goes with them.
    """

    bundle: BundleId
    bundle_units: int
    bundle_price: Money | None = None

    def money(self) -> Iterator[Money]:
        """Every amount."""
        yield from (money for money in (self.bundle_price, self.discount, self.tax) if money)


def expand(
    new: Iterable[NewLine],
    components: Mapping[Sku, Sequence[Component]],
    items: Mapping[Sku, ItemId],
    ids: Iterable[BundleId],
) -> tuple[tuple[NewLine, ...], tuple[Bundle, ...]]:
    """A line of a bundle becomes a line for each component, without a price: it is the bundle that has one.

    What was noted about it stands on each; see `ComponentLine` for the money.
    """
    lines: list[NewLine] = []
    bundles: list[Bundle] = []
    ids = iter(ids)
    for line in new:
        if line.sku not in components:
            lines.append(line)
            continue
        bundle = Bundle(id=next(ids), item=items[line.sku], reference=line.reference, unit_price=line.unit_price)
        bundles.append(bundle)
        lines += (
            ComponentLine(
                sku=one.sku,
                quantity=line.quantity * one.units,
                bundle=bundle.id,
                bundle_units=one.units,
                customization_note=line.customization_note,
                **(_money(line) if part == 0 else {}),
            )
            for part, one in enumerate(components[line.sku])
        )
    return tuple(lines), tuple(bundles)


def _money(line: NewLine) -> dict[str, Any]:
    return {"bundle_price": line.unit_price, "discount": line.discount, "tax": line.tax}


def together(lines: Iterable[OrderLine]) -> Iterator[tuple[BundleId | None, list[OrderLine]]]:
    """Lines of an order, those of one bundle together: they stand next to each other. None: of no bundle."""
    for bundle, group in groupby(lines, key=attrgetter("bundle")):
        yield bundle, list(group)


def still_wanted(lines: Iterable[OrderLine]) -> int:
    """How many bundles are open, of which these are all the lines of an order. A split may have taken some away."""
    return min(line.open // line.bundle_units for line in lines)


def whole(parts: Iterable[tuple[int, int, int]]) -> int | None:
    """How many whole bundles there are, of (units wanted, units had, units in a bundle) for each component.

    None: all that is wanted is there. A component of which everything wanted is there keeps nobody waiting, also where
    a split has left the order with less of it than of the others.
    """
    return min((had // units for wanted, had, units in parts if had < wanted), default=None)
