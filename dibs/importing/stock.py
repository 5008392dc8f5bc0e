"""The rows of a stock file: what lies where, and by the way which items and locations there are."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike

from dibs.importing import cells
from dibs.importing.reading import BrokenRow, Row, read_rows
from dibs.importing.refusals import BadCell, RowIssue

REQUIRED_COLUMNS = ("sku", "location", "on_hand")
OPTIONAL_COLUMNS = ("name", "barcode", "location_name")
STOCK_COLUMNS = REQUIRED_COLUMNS + OPTIONAL_COLUMNS
ON_HAND_MAX = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedStock:
    """One item at one location: `on_hand` is 0 to 1,000,000,000; `name` is the item's."""

    line_number: int
    sku: str
    name: str | None
    barcode: str | None
    location: str
    location_name: str | None
    on_hand: int


def read_stock(
    path: str | PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[ImportedStock | RowIssue]:
    """Every row of a CSV file, one by one, as stock or as an issue; an item comes at most once for each location.

    Raises ImportRefused where the file as a whole cannot be used: at the first row, or later if it is damaged.
    """
    first_lines: dict[tuple[str, str], int] = {}
    rows = read_rows(
        path, columns=columns or {}, required=REQUIRED_COLUMNS, optional=OPTIONAL_COLUMNS, progress=progress
    )
    for line_number, row in rows:
        try:
            stock = _stock(line_number, row)
            first_line = first_lines.setdefault((stock.sku, stock.location), line_number)
            if first_line != line_number:
                raise BadCell(f"sku and location are those of line {first_line}: an item has one row for each location")
        except BadCell as bad:
            yield RowIssue(line_number=line_number, order=None, message=str(bad))
        else:
            yield stock


def _stock(line_number: int, row: Row) -> ImportedStock:
    if isinstance(row, BrokenRow):
        raise BadCell(row.message)
    return ImportedStock(
        line_number=line_number,
        sku=cells.key(row["sku"], "sku"),
        name=cells.words(row.get("name", ""), "name"),
        barcode=cells.key(row["barcode"], "barcode") if row.get("barcode", "").strip() else None,
        location=cells.key(row["location"], "location"),
        location_name=cells.words(row.get("location_name", ""), "location_name"),
        on_hand=cells.whole_number(row["on_hand"], "on_hand", ON_HAND_MAX),
    )
