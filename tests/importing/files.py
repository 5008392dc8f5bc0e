"""Small files to import."""

from collections.abc import Iterator
from pathlib import Path

from dibs.importing.orders import OrdersRead, read_orders
from dibs.importing.reading import BrokenRow, read_rows

EXAMPLES = Path(__file__).parents[2] / "examples"
DAY = EXAMPLES / "online_retail_2011-12-05.csv"
DEMO_STOCK = EXAMPLES / "demo_stock.csv"
UCI = {
    "order": "InvoiceNo",
    "sku": "StockCode",
    "quantity": "Quantity",
    "placed_at": "InvoiceDate",
    "unit_price": "UnitPrice",
    "customer": "CustomerID",
    "country": "Country",
}


def written(folder: Path, content: str | bytes, name: str = "file.csv") -> Path:
    """A file with this content; text is written as UTF-8."""
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def orders_of(folder: Path, *rows: str, headings: str = "order,sku,quantity", **options: str) -> OrdersRead:
    """What is read of these rows."""
    options.setdefault("default_channel", "SHOP")
    return read_orders(written(folder, "\n".join([headings, *rows, ""])), **options)


def rows_of(path: Path, *names: str, **headings: str) -> Iterator[tuple[int, dict[str, str] | BrokenRow]]:
    """The rows of a file that must have these columns."""
    return read_rows(path, columns=headings, required=names or ("order", "sku", "quantity"))


def numbers(read: OrdersRead) -> list[str]:
    """The orders that are in."""
    return [order.number for order in read.orders]
