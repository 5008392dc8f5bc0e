"""Bundles as services meet them: lines that are bought become lines of components, and a bundle has no stock."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from domain import checks
from domain.batch import Batch
from domain.bundles import Bundle, expand
from domain.checks import Path, Problems
from domain.ids import BundleId, ItemId, LineId, OrderId, Sku
from domain.orders import NewLine, OrderLine
from domain.stock import QUANTITY_MAX
from services.commands import Known


@dataclass(frozen=True, slots=True, kw_only=True)
class LineQuantity:
    """The new quantity of a line; 0 cancels it."""

    line: LineId
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleQuantity:
    """The new quantity of a bundle; 0 cancels it. `given`: the bundle as the caller named it."""

    bundle: BundleId
    quantity: int
    given: str = ""


LineChange = LineQuantity | BundleQuantity | NewLine


def expanded(
    known: Known, lines: Mapping[Path, NewLine], path: Path, there: int = 0
) -> tuple[tuple[NewLine, ...], tuple[Bundle, ...]]:
    """The lines of an order, by where they stand in the input, with components in place of bundles.

    `there`: lines that the order has already. Raises InvalidInput where the components are too many, or too much of
    one. Every SKU must be known.
    """
    made, bundles = expand(lines.values(), known.bundles, known.items, known.bundle_ids)
    problems = Problems()
    if there + len(made) > checks.ORDER_LINES_MAX:
        told = f"An order has at most {checks.ORDER_LINES_MAX:,} lines; each component of a bundle is one."
        problems.add(path, "TOO_MANY", told)
    for at, line in lines.items():
        for part in known.bundles.get(line.sku, ()):
            if line.quantity * part.units > checks.ORDER_QUANTITY_MAX:
                told = f"This takes more than {checks.ORDER_QUANTITY_MAX:,} units of {part.sku}."
                problems.add((*at, "quantity"), "OUT_OF_RANGE", told)
    problems.refuse()
    return made, bundles


def units_of_items(known: Known, wanted: Mapping[Sku, int], path: Path) -> dict[ItemId, int]:
    """Units of each item, of bundles those of their components. Raises InvalidInput. Every SKU must be known."""
    units: Counter[ItemId] = Counter()
    for sku, quantity in wanted.items():
        if sku in known.bundles:
            for part in known.bundles[sku]:
                units[part.item] += quantity * part.units
        else:
            units[known.items[sku]] += quantity
    problems = Problems()
    if max(units.values(), default=0) > QUANTITY_MAX:
        problems.add(path, "OUT_OF_RANGE", f"Together this takes more than {QUANTITY_MAX:,} units of one SKU.")
    problems.refuse()
    return dict(units)


def changed_quantities(
    batch: Batch, order: OrderId, changes: Sequence[LineChange], path: Path
) -> tuple[tuple[LineId, int], ...]:
    """The new quantity of each line that changes. Raises InvalidInput where it is a component that changes alone."""
    lines = batch.lines_of(order)
    by_id = {line.id: line for line in lines}
    problems = Problems()
    changed: list[tuple[LineId, int]] = []
    for index, change in enumerate(changes):
        if isinstance(change, BundleQuantity):
            parts = [line for line in lines if line.bundle == change.bundle]
            _check_parts(problems, parts, change.quantity, (*path, str(index), "changeBundle", "quantity"))
            changed += ((line.id, change.quantity * line.bundle_units) for line in parts)
        elif isinstance(change, LineQuantity):
            line = by_id.get(change.line)
            if line is not None and line.bundle is not None:
                told = "This line is a part of a bundle: change the bundle, with changeBundle."
                problems.add((*path, str(index), "change", "line"), "BUNDLE", told)
            changed.append((change.line, change.quantity))
    problems.refuse()
    return tuple(changed)


def _check_parts(problems: Problems, parts: Iterable[OrderLine], bundles: int, path: Path) -> None:
    for line in parts:
        if bundles * line.bundle_units > checks.ORDER_QUANTITY_MAX:
            told = f"This takes more than {checks.ORDER_QUANTITY_MAX:,} units of {line.sku}."
            problems.add(path, "OUT_OF_RANGE", told)


def unknown_bundles(batch: Batch, order: OrderId, changes: Iterable[LineChange]) -> list[str]:
    """Bundles that no line of the order is a part of, as the caller named them."""
    known = {line.bundle for line in batch.lines_of(order)}
    return [one.given for one in changes if isinstance(one, BundleQuantity) and one.bundle not in known]


def refuse_bundles(batch: Batch, known: Known, skus: Sequence[Sku]) -> None:
    """Raise InvalidInput for lines that are bundles, now that their SKUs are locked: a bundle has no stock."""
    problems = Problems()
    for index, sku in enumerate(skus):
        if known.items.get(sku) in batch.bundles:
            told = "A bundle has no stock of its own: receive its components instead."
            problems.add(("input", "lines", str(index), "sku"), "BUNDLE", told)
    problems.refuse()
