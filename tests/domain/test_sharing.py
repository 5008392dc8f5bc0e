"""Several commands on one working copy answer and leave behind what they would one after the other."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from domain import ordering, stocking
from domain.allocating import OrderToAllocate, allocate, deallocate
from domain.errors import DomainError
from domain.events import OrderChanged
from domain.ids import LineId, OrderId
from domain.kinds import AllocationCause, MovementCause, OrderStatus, ShippingPolicy
from domain.ordering import Edit
from domain.orders import NewLine, NewOrder, OrderTerms
from domain.stocking import StockChange
from tests.builders import CHAIR, LEEDS, LOCATIONS, SKUS, TABLE, YORK
from tests.fakes import Memory

ITEMS = {sku: item for item, sku in SKUS.items()}
ORDERS = 4
AN_ORDER, UNITS = st.integers(1, ORDERS), st.integers(1, 4)
AN_ITEM = st.sampled_from((CHAIR, TABLE))
SOME = st.lists(AN_ORDER, min_size=1, max_size=3, unique=True)
PLACE = st.tuples(
    st.just("place"), st.lists(st.tuples(AN_ITEM, UNITS), min_size=1, max_size=2), st.sampled_from(ShippingPolicy)
)
EDIT = st.tuples(
    st.just("edit"),
    AN_ORDER,
    st.lists(st.integers(0, 5), max_size=2),
    st.lists(st.tuples(AN_ITEM, UNITS), max_size=1),
    st.none() | st.builds(OrderTerms, priority=st.integers(-1, 1)),
)
COMMAND = st.one_of(
    st.tuples(st.just("allocate"), SOME),
    st.tuples(st.just("allocate"), SOME),
    st.tuples(st.just("deallocate"), SOME),
    st.tuples(st.just("void"), AN_ORDER),
    st.tuples(st.just("finalize"), AN_ORDER),
    EDIT,
    PLACE,
)


def a_shop(chairs, tables, quantities, drafts):
    """Four orders of chairs and tables, the first ones drafts; nothing is allocated yet."""
    memory = Memory(SKUS, LOCATIONS)
    for place, units in ((LEEDS, {CHAIR: chairs, TABLE: tables}), (YORK, {CHAIR: 2})):
        batch = memory.load(items=units)
        stocking.receive(batch, place, units, None)
        memory.record(batch)
    for number in range(ORDERS):
        (order,), lines = memory.reserve_ids(1, 2)
        wanted = ((CHAIR, quantities[number]), (TABLE, 1))
        batch = memory.load()
        ordering.place(batch, order, lines, ITEMS, new_order(order, wanted, draft=number < drafts))
        memory.record(batch)
    return memory


def new_order(order, wanted, policy=ShippingPolicy.SHIP_AVAILABLE, *, draft=False):
    return NewOrder(
        channel="SHOP",
        number=str(order),
        lines=tuple(NewLine(sku=SKUS[item], quantity=units) for item, units in wanted),
        status=OrderStatus.DRAFT if draft else OrderStatus.FINALIZED,
        terms=OrderTerms(shipping_policy=policy),
    )


def perform(batch, command, ids):
    """The command's answer; a refusal by its name and what it carries."""
    try:
        match command:
            case "allocate", some:
                return told(allocate(batch, [OrderToAllocate(reference="", order=OrderId(one)) for one in some]))
            case "deallocate", some:
                return told(deallocate(batch, [("", OrderId(one)) for one in some]))
            case "void", one:
                return ordering.void(batch, OrderId(one), "a reason")
            case "finalize", one:
                return ordering.finalize(batch, OrderId(one))
            case "edit", one, quantities, added, terms:
                mine = [line.id for line in batch.lines_of(OrderId(one))]
                new = tuple(NewLine(sku=SKUS[item], quantity=units) for item, units in added)
                wanted = Edit(quantities=tuple(zip(mine, quantities, strict=False)), added=new, terms=terms)
                return ordering.edit(batch, OrderId(one), wanted, ids[1][: len(added)], ITEMS)
            case "place", wanted, policy:
                new = new_order(ids[0], wanted, policy)
                return ordering.place(batch, ids[0], ids[1][: len(wanted)], ITEMS, new)
    except DomainError as refusal:
        return type(refusal).__name__, vars(refusal)


def told(outcomes):
    """Refusals are compared by their names."""
    return [(one.before, one.after, one.lines, type(one.refusal).__name__) for one in outcomes]


def ids_for(commands):
    return [(OrderId(100 + at), [LineId(1000 + at * 10 + line) for line in range(4)]) for at in range(len(commands))]


def one_by_one(memory, commands):
    answers = []
    for command, ids in zip(commands, ids_for(commands), strict=True):
        batch = memory.load(orders=list(memory.orders), items=SKUS)
        answers.append(perform(batch, command, ids))
        memory.record(batch)
    return answers


def together(memory, commands):
    batch = memory.load(orders=list(memory.orders), items=SKUS)
    answers = []
    for command, ids in zip(commands, ids_for(commands), strict=True):
        answers.append(perform(batch, command, ids))
        memory.settle(batch)
    memory.record(batch)
    return answers


def left_behind(memory):
    """What is there, whatever the ids of the claims and the versions."""
    claims = Counter()
    for claim in memory.claims.values():
        claims[claim.line, claim.location, claim.overallocated, claim.priority] += claim.quantity
    return (
        {key: (level.on_hand, level.committed, level.flagged) for key, level in memory.levels.items()},
        memory.lines,
        {key: (order.status, order.allocation_status, order.priority) for key, order in memory.orders.items()},
        claims,
    )


def lose_stock(memory, left):
    """All orders are allocated, the weakest one first; then somebody counts the chairs in Leeds."""
    batch = memory.load(orders=list(memory.orders))
    perform(batch, ("allocate", [2, 1, 3, 4]), ())
    memory.record(batch)
    batch = memory.load(items=[CHAIR])
    count = StockChange(item=CHAIR, location=LEEDS, counted=left)
    stocking.apply(batch, [count], MovementCause.COUNT, AllocationCause.STOCK_ADJUSTED, None)
    memory.record(batch)


@given(
    chairs=st.integers(0, 9),
    tables=st.integers(0, 3),
    quantities=st.lists(UNITS, min_size=ORDERS, max_size=ORDERS),
    drafts=st.integers(0, 1),
    left=st.none() | st.integers(0, 4),
    commands=st.lists(COMMAND, min_size=1, max_size=8),
)
def test_commands_together_answer_as_one_after_the_other(chairs, tables, quantities, drafts, left, commands):
    alone, shared = (a_shop(chairs, tables, quantities, drafts) for _ in range(2))
    if left is not None:
        lose_stock(alone, left)
        lose_stock(shared, left)
    before = len(shared.events)

    assert together(shared, commands) == one_by_one(alone, commands)

    assert left_behind(shared) == left_behind(alone)
    versions = [event.order_id for event in shared.events[before:] if isinstance(event, OrderChanged)]
    assert len(versions) == len(set(versions)), "one commit is one version"
