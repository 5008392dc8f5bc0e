"""Writes demo_stock.csv: made-up stock for the orders of online_retail_2011-12-05.csv, the same at every run.

Most items have what the day asks for and something over. A few have half of it, a few nothing: the checksum of the SKU
decides, so that nothing here depends on chance or on the version of Python. SALT and SOLD_OUT were tried out until the
day ended in a lively mixture of allocated, partially allocated and not allocated orders.
"""

import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from zlib import crc32

from dibs.importing.orders import OrdersRead, read_orders

HERE = Path(__file__).parent
ORDERS = HERE / "online_retail_2011-12-05.csv"
STOCK = HERE / "demo_stock.csv"
COLUMNS = {
    "order": "InvoiceNo",
    "sku": "StockCode",
    "quantity": "Quantity",
    "placed_at": "InvoiceDate",
    "unit_price": "UnitPrice",
    "customer": "CustomerID",
    "country": "Country",
}
LOCATIONS = {"LEEDS": "Leeds warehouse", "YORK": "York store", "HULL": "Hull store"}
# Of the units of an item, so many percent lie in York and in Hull, and the rest in Leeds.
SHARES = ((0, 0), (0, 0), (0, 0), (20, 0), (40, 0), (30, 20), (25, 25), (0, 100))
SALT = "5:"
SOLD_OUT = {"21733", "22560"}


def units_in_stock(sku: str, demand: int) -> int:
    """All units of one item, at all locations together."""
    luck = crc32(f"{SALT}{sku}".encode()) % 10_000
    if sku in SOLD_OUT or luck < 150:
        return 0
    if luck < 300:
        return demand // 2
    return demand + luck % 13


def levels(sku: str, units: int) -> Iterator[tuple[str, int]]:
    """Where the units lie. An item that is sold out has one row, so that it exists."""
    york, hull = (units * percent // 100 for percent in SHARES[crc32(sku.encode()) % len(SHARES)])
    found = [("LEEDS", units - york - hull), ("YORK", york), ("HULL", hull)]
    yield from [level for level in found if level[1]] or [("LEEDS", 0)]


def names_by_sku() -> dict[str, str]:
    """What each item is called: the first description on a row that was sold, since the others are remarks."""
    names: dict[str, str] = {}
    with ORDERS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["Description"].strip() and float(row["UnitPrice"]) > 0:
                names.setdefault(row["StockCode"].strip(), row["Description"].strip())
    return names


def rows(day: OrdersRead) -> Iterator[tuple[str, str, str, str, int]]:
    """SKU, name, location, location name, units on hand; by SKU."""
    demand: Counter[str] = Counter()
    for order in day.orders:
        for line in order.lines:
            demand[line.sku] += line.quantity
    names = names_by_sku()
    for sku in sorted(demand):
        for location, units in levels(sku, units_in_stock(sku, demand[sku])):
            yield sku, names.get(sku, ""), location, LOCATIONS[location], units


def main() -> None:
    """Write the file anew."""
    day = read_orders(ORDERS, columns=COLUMNS, default_channel="DEMO")
    with STOCK.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("sku", "name", "location", "location_name", "on_hand"))
        writer.writerows(rows(day))


if __name__ == "__main__":
    main()
