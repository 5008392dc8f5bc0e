import importlib.util
from collections import Counter

from dibs.importing.orders import ImportedOrder, read_orders
from dibs.importing.stock import ImportedStock, read_stock
from tests.importing.files import DAY, DEMO_STOCK, EXAMPLES, UCI

LOCATIONS = ("LEEDS", "YORK", "HULL")


def demo_stock() -> list[ImportedStock]:
    rows = list(read_stock(DEMO_STOCK))
    stock = [row for row in rows if isinstance(row, ImportedStock)]
    assert stock == rows
    return stock


def allocate(order: ImportedOrder, left: Counter[tuple[str, str]]) -> str:
    """Take what is there, location by location, and say how it went."""
    taken = 0
    for line in order.lines:
        wanted = line.quantity
        for location in LOCATIONS:
            units = min(wanted, left[line.sku, location])
            left[line.sku, location] -= units
            wanted -= units
        taken += line.quantity - wanted
    if taken == sum(line.quantity for line in order.lines):
        return "ALLOCATED"
    return "PARTIALLY_ALLOCATED" if taken else "COULD_NOT_ALLOCATE"


def test_allocating_the_day_oldest_first_ends_in_a_lively_mixture():
    left = Counter({(stock.sku, stock.location): stock.on_hand for stock in demo_stock()})
    orders = read_orders(DAY, columns=UCI, default_channel="DEMO").orders

    outcomes = Counter(allocate(order, left) for order in sorted(orders, key=lambda order: order.placed_at))

    assert outcomes == {"ALLOCATED": 69, "PARTIALLY_ALLOCATED": 56, "COULD_NOT_ALLOCATE": 6}


def test_the_demo_stock_has_every_item_of_the_day_and_no_other():
    orders = read_orders(DAY, columns=UCI, default_channel="DEMO").orders
    stock = demo_stock()

    assert {row.sku for row in stock} == {line.sku for order in orders for line in order.lines}
    assert {row.location for row in stock} == set(LOCATIONS)


def test_the_demo_stock_is_what_its_script_writes(tmp_path):
    spec = importlib.util.spec_from_file_location("make_demo_stock", EXAMPLES / "make_demo_stock.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.STOCK = tmp_path / "demo_stock.csv"

    script.main()

    assert script.STOCK.read_bytes() == DEMO_STOCK.read_bytes()
