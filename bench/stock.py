"""Made-up stock for real orders, the same at every run. Nobody knows what the shop had in stock."""

from collections import Counter
from collections.abc import Iterator, Sequence
from zlib import crc32

from dibs.importing.orders import ImportedOrder
from dibs.importing.stock import ImportedStock

LOCATIONS = ("LEEDS", "YORK", "HULL")
# Of ten SKUs, so many have more than is asked for, a little less, and far less: in percent of the demand.
PERCENT_OF_DEMAND = (110, 110, 110, 110, 110, 110, 110, 85, 85, 50)
# Of the units of an item, so many percent lie in York and in Hull, and the rest in Leeds.
SHARES = ((0, 0), (0, 0), (20, 0), (40, 0), (30, 20), (0, 100))


def made_up_stock(orders: Sequence[ImportedOrder]) -> Iterator[ImportedStock]:
    """Stock that serves roughly nine of ten lines of these orders. The checksum of the SKU decides, not chance."""
    demand: Counter[str] = Counter()
    for order in orders:
        for line in order.lines:
            demand[line.sku] += line.quantity
    for at, (sku, wanted) in enumerate(sorted(demand.items()), start=2):
        luck = crc32(sku.encode())
        units = wanted * PERCENT_OF_DEMAND[luck % 10] // 100
        york, hull = (units * percent // 100 for percent in SHARES[luck // 10 % len(SHARES)])
        levels = [level for level in zip(LOCATIONS, (units - york - hull, york, hull), strict=True) if level[1]]
        for code, on_hand in levels or [(LOCATIONS[0], 0)]:
            yield ImportedStock(
                line_number=at, sku=sku, name=None, barcode=None, location=code, location_name=None, on_hand=on_hand
            )
