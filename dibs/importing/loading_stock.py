"""What was read of a stock file goes into the database, batch by batch.

Each batch is one transaction, and what is as the file says is not written again. So an import that was killed is
completed by importing the same file once more, and one that was completed changes nothing.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, TypeVar

from dibs.importing.barcodes import refused_barcodes
from dibs.importing.refusals import RowIssue, shown
from dibs.importing.stock import ImportedStock
from domain.checks import PRIORITY_MAX, TEXT_LENGTH_MAX, normal
from domain.errors import InsufficientStock
from domain.ids import OrderId, Sku
from domain.kinds import AdjustmentReason
from domain.stock import Item
from domain.stocking import StockOutcome
from services.callers import Caller
from services.catalog import save_items, save_locations
from services.performing import execute_one
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork
from services.stock import AdjustedLine, AdjustStock

T = TypeVar("T")

ROWS_MAX = 1_000
"""What one transaction takes."""
RANKS_APART = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class StockLoaded:
    """What became of the `rows` of a stock file. `issues` are the rows that were left out, those of the reading too.

    `levels_changed`: rows whose count was not what was on hand. `orders_overallocated`: those that lost stock by it.
    """

    rows: int
    items_created: int
    items_changed: int
    locations_created: int
    levels_changed: int
    orders_overallocated: tuple[OrderId, ...]
    issues: tuple[RowIssue, ...]


async def load_stock(
    database: Database,
    caller: Caller,
    rows: Iterable[ImportedStock | RowIssue],
    *,
    reference: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> StockLoaded:
    """Count the stock of a file: items and locations that are new are created, on hand becomes what each row says.

    `reference` stands in the stock ledger. All rows are read before anything is written. Where rows name an item or a
    location differently, the first name counts. Raises Busy and OutcomeUnknown: import the file again then.
    """
    read = [row if isinstance(row, RowIssue) else _normal(row) for row in rows]
    issues = [row for row in read if isinstance(row, RowIssue)]
    stock = [row for row in read if isinstance(row, ImportedStock)]
    items = await _items(database, stock)
    clashes = await _barcode_clashes(database, stock, items)
    issues.extend(_clash(row, clashes[row.sku]) for row in stock if row.barcode and row.sku in clashes)
    stock = [row for row in stock if not (row.barcode and row.sku in clashes)]

    changed = await _save_items(database, stock, items)
    locations_created = await _save_locations(database, stock)
    overallocated: dict[OrderId, None] = {}
    levels_changed = done = 0
    for code, batch in _levels(stock):
        outcome, left_out = await _count_levels(database, caller, code, batch, reference)
        levels_changed += len(outcome.levels)
        overallocated |= dict.fromkeys(outcome.overallocated)
        issues.extend(left_out)
        done += len(batch)
        if progress:
            progress(done, len(stock))
    return StockLoaded(
        rows=len(read),
        items_created=sum(sku not in items for sku in changed),
        items_changed=sum(sku in items for sku in changed),
        locations_created=locations_created,
        levels_changed=levels_changed,
        orders_overallocated=tuple(overallocated),
        issues=tuple(issues),
    )


def _normal(row: ImportedStock) -> ImportedStock | RowIssue:
    """The row with its texts as Dibs keeps them."""
    names = {name: normal(text) for name in ("name", "location_name") if (text := getattr(row, name))}
    for name, text in names.items():
        if len(text) > TEXT_LENGTH_MAX:
            message = f"{name} {shown(text)} has more than {TEXT_LENGTH_MAX} characters"
            return RowIssue(line_number=row.line_number, order=None, message=message)
    changed: dict[str, Any] = dict(names)
    return replace(row, **changed)


async def _items(database: Database, stock: Sequence[ImportedStock]) -> dict[str, Item]:
    """The items of the file that are known already."""
    found: dict[str, Item] = {}
    for skus in _chunks(list(dict.fromkeys(row.sku for row in stock))):

        async def work(uow: UnitOfWork, skus: Sequence[str] = skus) -> list[Item]:
            return await uow.catalog.items(list((await uow.catalog.items_by_sku(skus)).values()))

        found.update((item.sku, item) for item in await database.read(work))
    return found


async def _barcode_clashes(
    database: Database, stock: Sequence[ImportedStock], items: Mapping[str, Item]
) -> dict[str, str]:
    """The SKUs that may not have their barcode, and whose it is. Barcodes that change hands are free afterwards."""
    wanted = _first((row.sku, row.barcode) for row in stock)
    present = {sku: item.barcode for sku, item in items.items()}
    owners: dict[str, str] = {}
    for barcodes in _chunks(list(wanted.values())):

        async def work(uow: UnitOfWork, barcodes: Sequence[str] = barcodes) -> dict[str, Sku]:
            return await uow.catalog.skus_with_barcodes(barcodes)

        owners |= await database.read(work)
    clashes = refused_barcodes(wanted, present, owners)
    taken = {wanted[sku] for sku in wanted if sku not in clashes and wanted[sku] != present.get(sku)}
    await _save(database, [{"sku": owners[barcode], "barcode": None} for barcode in taken if barcode in owners])
    return clashes


def _clash(row: ImportedStock, owner: str) -> RowIssue:
    message = f"barcode {shown(row.barcode or '')} belongs to the item {shown(owner)}"
    return RowIssue(line_number=row.line_number, order=None, message=message)


async def _save_items(database: Database, stock: Sequence[ImportedStock], items: Mapping[str, Item]) -> list[str]:
    """The SKUs of the items that are new, or that the file names or marks differently."""
    names = _first((row.sku, row.name) for row in stock)
    barcodes = _first((row.sku, row.barcode) for row in stock)
    changed: list[dict[str, str | None]] = []
    for sku in dict.fromkeys(row.sku for row in stock):
        item = items.get(sku)
        row: dict[str, str | None] = {} if item else {"name": names.get(sku, sku)}
        if item and names.get(sku, item.name) != item.name:
            row["name"] = names[sku]
        if sku in barcodes and (item is None or barcodes[sku] != item.barcode):
            row["barcode"] = barcodes[sku]
        if row:
            changed.append({"sku": sku, **row})
    await _save(database, changed)
    return [str(row["sku"]) for row in changed]


async def _save(database: Database, rows: Sequence[dict[str, str | None]]) -> None:
    for chunk in _chunks(rows):
        await save_items(database, chunk)


async def _save_locations(database: Database, stock: Sequence[ImportedStock]) -> int:
    """Create the locations that are not known, tried after all that are, in the sequence of the file."""

    async def ranks(uow: UnitOfWork) -> dict[str, int]:
        return {location.code: location.rank for location in await uow.catalog.locations()}

    known = await database.read(ranks)
    names = _first((row.location, row.location_name) for row in stock)
    new = [code for code in dict.fromkeys(row.location for row in stock) if code not in known]
    first = max(known.values(), default=0) + RANKS_APART
    rows = [
        {"code": code, "name": names.get(code, code), "rank": min(first + at * RANKS_APART, PRIORITY_MAX)}
        for at, code in enumerate(new)
    ]
    for chunk in _chunks(rows):
        await save_locations(database, chunk)
    return len(new)


def _levels(stock: Sequence[ImportedStock]) -> Iterator[tuple[str, Sequence[ImportedStock]]]:
    by_location: defaultdict[str, list[ImportedStock]] = defaultdict(list)
    for row in stock:
        by_location[row.location].append(row)
    for code, rows in by_location.items():
        for chunk in _chunks(rows):
            yield code, chunk


async def _count_levels(
    database: Database, caller: Caller, location: str, rows: Sequence[ImportedStock], reference: str | None
) -> tuple[StockOutcome, list[RowIssue]]:
    """The levels that changed; rows of bundles, and those whose count is less than what is set apart, are left out."""
    _, bundles = await database.read(lambda uow: uow.catalog.items_and_components([row.sku for row in rows]))
    issues = [_no_stock(row) for row in rows if row.sku in bundles]
    rows = [row for row in rows if row.sku not in bundles]
    while True:
        work = partial(_adjust, caller=caller, location=location, rows=rows, reference=reference)
        try:
            return await database.run(work, repeatable=True), issues
        except InsufficientStock as refusal:
            refused = {shortage.sku for shortage in refusal.shortages}
            issues.extend(_too_few(row) for row in rows if row.sku in refused)
            rows = [row for row in rows if row.sku not in refused]


async def _adjust(
    uow: UnitOfWork, *, caller: Caller, location: str, rows: Sequence[ImportedStock], reference: str | None
) -> StockOutcome:
    """A level that says what its row says is not locked: at this moment it is as if it had just been counted."""
    ids = await uow.catalog.items_by_sku([row.sku for row in rows])
    (place,) = [one.id for one in await uow.catalog.locations() if one.code == location]
    levels = await uow.stock.levels_of(list(ids.values()))
    on_hand = {level.sku: level.on_hand for level in levels if level.location == place}
    lines = tuple(
        AdjustedLine(sku=row.sku, counted=row.on_hand) for row in rows if on_hand.get(Sku(row.sku)) != row.on_hand
    )
    if not lines:
        return StockOutcome(levels=())
    command = AdjustStock(location=location, lines=lines, reason=AdjustmentReason.COUNT)
    return await execute_one(uow, caller, replace(command, reference=reference))


def _no_stock(row: ImportedStock) -> RowIssue:
    message = f"SKU {shown(row.sku)} is a bundle, which has no stock of its own: import that of its components"
    return RowIssue(line_number=row.line_number, order=None, message=message)


def _too_few(row: ImportedStock) -> RowIssue:
    message = f"on_hand {row.on_hand:,} is less than what is damaged or in quality control there"
    return RowIssue(line_number=row.line_number, order=None, message=message)


def _first(pairs: Iterable[tuple[str, str | None]]) -> dict[str, str]:
    """What is said first about each."""
    found: dict[str, str] = {}
    for key, value in pairs:
        if value:
            found.setdefault(key, value)
    return found


def _chunks(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), ROWS_MAX):
        yield values[start : start + ROWS_MAX]
