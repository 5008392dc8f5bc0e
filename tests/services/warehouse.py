"""The rules of the state machine that are about goods: from release to the door, through the services."""

from collections import Counter

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from domain.fulfilling import FailedUnits
from domain.fulfillments import Shipping
from domain.ids import KeyId
from domain.kinds import CheckFailure, LocationKind, ShortReason
from domain.orders import Address
from domain.packing import NewParcel
from domain.picking import Pick, Short
from services.bins import MovedLine, MoveStock, move_stock
from services.callers import Caller
from services.catalog import save_locations
from services.fulfillments import (
    CancelFulfillment,
    CheckFulfillment,
    DeliverFulfillment,
    DropshipOrder,
    DropshippedLine,
    PackFulfillment,
    ReleaseOrders,
    ShipFulfillment,
    ShippedParcel,
    cancel_fulfillment,
    check_fulfillment,
    deliver_fulfillment,
    dropship_order,
    pack_fulfillment,
    release_orders,
    ship_fulfillment,
)
from services.picking import RecordPick
from tests.builders import by_id
from tests.services.floor_model import UNDER_WAY, Seen

CALLER = Caller(key=KeyId(1), actor="tester", request="a test")
SKUS, PLACES, SUPPLIER = ("CHAIR", "TABLE", "LAMP"), ("LEEDS", "YORK"), "DEPOT"
CHECKING = ("YORK",)
HOME = Address(name="Ada King", line1="12 St James's Square", city="London", postal_code="SW1Y 4JH", country_code="GB")

SOME = st.lists(st.integers(0, 50), min_size=1, max_size=4)
WHICH, PART = st.integers(0, 50), st.integers(0, 3)
A_BIN = st.none() | st.sampled_from(("A-1", "B-2"))
SHORT = st.none() | st.tuples(st.booleans(), st.none() | st.integers(0, 3))
"""Whether units were damaged, and how many are left."""
PARCELS = st.none() | st.lists(st.lists(PART, min_size=1, max_size=3), min_size=1, max_size=3)
FAR = ("pick", "check", "pack", "ship", "deliver", "bring back")

FULFILLMENTS = """
    SELECT f.id, o.number, p.code, f.kind, f.state FROM fulfillments f
    JOIN orders o ON o.id = f.order_id JOIN locations p ON p.id = f.location_id ORDER BY f.id
    """
SENT_LINES = """
    SELECT f.fulfillment_id, l.position, f.quantity, f.picked FROM fulfillment_lines f
    JOIN order_lines l ON l.id = f.line_id WHERE f.quantity > 0
    """
PARCELS_NOW = "SELECT fulfillment_id, id FROM parcels ORDER BY id"
GOODS = (FULFILLMENTS, SENT_LINES, PARCELS_NOW)
LOOSE = """
    s.on_hand - s.damaged - s.quality_control - s.picked
    - coalesce((SELECT sum(n.on_hand) FROM bin_levels n
                WHERE n.item_id = s.item_id AND n.location_id = s.location_id), 0)
    """
OPEN_TASKS = f"""
    SELECT t.id, t.fulfillment_id, l.position, t.quantity - t.picked - t.short, t.bin IS NOT NULL,
           CASE WHEN t.bin IS NULL THEN {LOOSE} ELSE coalesce(b.on_hand, 0) END
    FROM pick_tasks t JOIN fulfillment_lines f ON f.id = t.fulfillment_line_id JOIN order_lines l ON l.id = f.line_id
    JOIN stock_levels s ON s.item_id = t.item_id AND s.location_id = t.location_id
    LEFT JOIN bin_levels b ON b.item_id = t.item_id AND b.location_id = t.location_id AND b.bin = t.bin
    WHERE t.state = 'OPEN' ORDER BY t.id
    """  # noqa: S608
BINS = f"""
    SELECT i.sku, p.code, NULL, {LOOSE} FROM stock_levels s
    JOIN items i ON i.id = s.item_id JOIN locations p ON p.id = s.location_id
    UNION ALL SELECT i.sku, p.code, b.bin, b.on_hand FROM bin_levels b
    JOIN items i ON i.id = b.item_id JOIN locations p ON p.id = b.location_id
    """  # noqa: S608
PLACED = "SELECT number, placed_at FROM orders"


async def a_warehouse(database) -> None:
    """Nothing leaves YORK unchecked; DEPOT is a supplier's."""
    await save_locations(
        database,
        [
            *({"code": code, "requires_quality_check": True} for code in CHECKING),
            {"code": SUPPLIER, "name": "Depot", "kind": LocationKind.DROPSHIP, "rank": 900},
        ],
    )


class Warehouse:
    """A part of `Shop`. Orders and fulfillments are picked by position from the latest one back."""

    @precondition(lambda self: self.ids)
    @rule(some=SOME, partial=st.booleans(), together=st.booleans())
    def release_orders(self, some, partial=True, *, together):
        """The most urgent come first, so of several it must be known which those are."""
        numbers = self.pick(some)
        if len(numbers) > 1:
            self.flush()
        placed = dict(self.rows(PLACED)) if len(numbers) > 1 else {}
        command = ReleaseOrders(orders=tuple(by_id(self.ids[number]) for number in numbers), partial=partial)
        self.always.in_part |= set(numbers if partial else ())

        def expected(model):
            urgent = sorted(numbers, key=lambda one: (-model.orders[one].priority, placed.get(one)))
            told = dict(zip(urgent, model.release_orders(urgent, partial=partial), strict=True))
            return [told[number] for number in numbers]

        self.ask(lambda desk, key: release_orders(desk, CALLER, command, key), expected, together=together)

    @precondition(lambda self: self.open_fulfillments())
    @rule(some=SOME, units=st.lists(st.integers(0, 9), min_size=1, max_size=3), short=SHORT, together=st.booleans())
    def record_picks(self, some, units, short, together):
        """Of the first task perhaps less than there is; 6 and more units are all that it asks for, 5 are too many."""
        self.flush()
        tasks = self.rows(OPEN_TASKS)
        chosen = list(dict.fromkeys(tasks[one % len(tasks)] for one in some)) if tasks else []
        for at, ((task, fulfillment, line, missing, in_bin, recorded), n) in enumerate(
            zip(chosen, units, strict=False)
        ):
            seen = Seen(self.sent.index(fulfillment), line, missing, in_bin, recorded)
            wanted = missing if n > 5 else missing + 1 if n == 5 else min(n, missing)
            how = None if at else short
            if wanted or how:
                self.record_pick(task, seen, wanted, how)
        if not together:
            self.flush()

    def record_pick(self, task, seen, units, short):
        """Without `record_picks`, which asks for several at once, and a moment later."""
        command = RecordPick(pick=Pick(task=task, quantity=units, short=_short(short)))
        self.ask(
            lambda desk, key: desk.perform(CALLER, command, key), lambda model: model.record_pick(seen, units, short)
        )

    @precondition(lambda self: self.model.fulfillments)
    @rule(which=WHICH, units=st.lists(PART, max_size=3), more=st.booleans(), together=st.booleans())
    def check(self, which, units, more, together):
        """`more`: one unit more than there are."""
        one = self.choose(which, "PICKED")
        failed = {at: min(n, one.units[at]) + more for at, n in zip(sorted(one.units), units, strict=False) if n}
        failed = {at: n for at, n in failed.items() if n}
        lines = tuple(
            FailedUnits(line=self.line_id(one, at), quantity=n, reason=CheckFailure.DEFECTIVE)
            for at, n in failed.items()
        )
        command = CheckFulfillment(fulfillment=self.sent[one.number], failed=lines)
        self.ask(
            lambda desk, key: check_fulfillment(desk, CALLER, command, key),
            lambda model: model.check(one.number, list(failed.items())),
            together=together,
        )

    @precondition(lambda self: self.model.fulfillments)
    @rule(which=WHICH, parcels=PARCELS, more=st.sampled_from((0, 0, 0, 1)), together=st.booleans())
    def pack(self, which, parcels, together, more=0):
        """Part of it is packed alone: the rest has claims of its own, which are numbered by age."""
        if parcels:
            self.flush()
        one = self.choose(which, "PICKED", "CHECKED")
        inside = _contents(one.units, parcels, more) if parcels else None
        made = (
            [NewParcel(contents=tuple((self.line_id(one, at), n) for at, n in parcel.items())) for parcel in inside]
            if inside
            else [NewParcel()]
        )
        command = PackFulfillment(fulfillment=self.sent[one.number], parcels=tuple(made))
        self.ask(
            lambda desk, key: pack_fulfillment(desk, CALLER, command, key),
            lambda model: model.pack(one.number, inside or None),
            together=together and not parcels,
        )

    @precondition(lambda self: self.model.fulfillments)
    @rule(which=WHICH, some=st.none() | st.sets(PART, min_size=1), together=st.booleans())
    def ship(self, which, some, together):
        if some:
            self.flush()
        one = self.choose(which, "PACKED", kinds=("STOCK",)) if which % 3 else self.choose(which, "RELEASED", "PACKED")
        there = self.parcels.get(self.sent[one.number], [])
        leaving = sorted({at % len(there) for at in some}) if some and there and one.state == "PACKED" else None
        parcels = tuple(ShippedParcel(parcel=there[at], tracking_number=f"T{at}") for at in leaving or ())
        command = ShipFulfillment(fulfillment=self.sent[one.number], shipping=Shipping(carrier="Ann"), parcels=parcels)
        self.ask(
            lambda desk, key: ship_fulfillment(desk, CALLER, command, key),
            lambda model: model.ship(one.number, leaving),
            together=together and not some,
        )

    @precondition(lambda self: self.model.fulfillments)
    @rule(which=WHICH, together=st.booleans())
    def deliver(self, which, together):
        one = self.choose(which, "SHIPPED")
        command = DeliverFulfillment(fulfillment=self.sent[one.number])
        self.ask(
            lambda desk, key: deliver_fulfillment(desk, CALLER, command, key),
            lambda model: model.deliver(one.number),
            together=together,
        )

    @precondition(lambda self: self.model.fulfillments)
    @rule(which=WHICH, together=st.booleans())
    def cancel_fulfillment(self, which, together):
        one = self.choose(which, *UNDER_WAY)
        command = CancelFulfillment(fulfillment=self.sent[one.number])
        self.ask(
            lambda desk, key: cancel_fulfillment(desk, CALLER, command, key),
            lambda model: model.cancel_fulfillment(one.number),
            together=together,
        )

    @precondition(lambda self: self.ids)
    @rule(some=SOME, units=st.none() | st.lists(PART, min_size=1, max_size=3), together=st.booleans())
    def dropship(self, some, units, together):
        (number, *_) = self.pick(some)
        wanted = units and dict(zip(range(len(self.line_ids[number])), units, strict=False))
        lines = tuple(DropshippedLine(line=self.line_ids[number][at], quantity=n) for at, n in (wanted or {}).items())
        command = DropshipOrder(order=by_id(self.ids[number]), supplier=SUPPLIER, lines=lines)
        self.ask(
            lambda desk, key: dropship_order(desk, CALLER, command, key),
            lambda model: model.dropship(number, SUPPLIER, wanted),
            together=together,
        )

    @rule(
        place=st.sampled_from(PLACES),
        moves=st.lists(st.tuples(st.sampled_from(SKUS), st.integers(1, 3), A_BIN, A_BIN), min_size=1, max_size=3),
    )
    def put_away(self, place, moves):
        """Units lie elsewhere now: nothing that the model knows of, but whether there are so many."""
        self.flush()
        moves = [move for move in moves if move[2] != move[3]]
        lies = Counter({(sku, code): n for sku, at, code, n in self.rows(BINS) if at == place})
        enough = True
        for sku, units, origin, to in moves:
            enough = enough and lies[sku, origin] >= units
            lies[sku, origin] -= units
            lies[sku, to] += units
        lines = tuple(MovedLine(sku=sku, quantity=n, origin=origin, to=to) for sku, n, origin, to in moves)
        command = MoveStock(location=place, lines=lines)
        told = ("done" if enough else "InsufficientStock") if moves else "InvalidInput"
        self.ask(lambda desk, key: move_stock(desk, CALLER, command, key), lambda _: told, together=False)

    @precondition(lambda self: self.open_fulfillments())
    @rule(which=WHICH, far=st.sampled_from(FAR))
    def go_on(self, which, far):
        """One step after the other, so that goods get far."""
        for deed in FAR[: FAR.index(far) + 1]:
            match deed:
                case "pick":
                    self.record_picks(list(range(which % 4, which % 4 + 3)), [9, 9, 9], None, together=False)
                case "check":
                    self.check(0, [], more=False, together=True)
                case "pack":
                    self.pack(0, None, together=bool(which % 2))
                case "ship":
                    self.ship(1, None, together=bool(which % 2))
                case "deliver":
                    self.deliver(0, together=False)
                case "bring back":
                    self.bring_home(which)

    # ------------------------------------------------------------ asking and comparing

    def rows(self, statement):
        (found,) = self.runner.run(self._read(statement))
        return found

    def open_fulfillments(self):
        return [one for one in self.model.fulfillments if one.is_under_way]

    def choose(self, which, *states, kinds=("STOCK", "DROPSHIP")):
        """One that is in such a state, mostly; of each kind the latest is 0."""
        fit = [one for one in self.model.fulfillments if one.state in states and one.kind in kinds]
        found = fit if fit and which % 8 != 7 else self.model.fulfillments
        return found[-1 - which % len(found)]

    def line_id(self, one, at):
        return self.line_ids[one.order][at]

    def learn_goods(self, fulfillments, parcels):
        self.sent = [fulfillment for fulfillment, *_ in fulfillments]
        self.parcels = {}
        for fulfillment, parcel in parcels:
            self.parcels.setdefault(fulfillment, []).append(parcel)

    def compare_goods(self, fulfillments, lines, parcels):
        model = self.model
        assert [tuple(rest) for _, *rest in fulfillments] == [
            (one.order, one.place, one.kind, one.state) for one in model.fulfillments
        ]
        alive = {number for number, one in zip(self.sent, model.fulfillments, strict=True) if one.state != "CANCELED"}
        assert {(number, at): units for number, at, *units in lines if number in alive} == {
            (number, at): [units, one.picked[at]]
            for number, one in zip(self.sent, model.fulfillments, strict=True)
            for at, units in one.units.items()
            if units and number in alive
        }
        packed = Counter(number for number, _ in parcels)
        assert {number: packed[number] for number in alive} == {
            number: len(one.parcels)
            for number, one in zip(self.sent, model.fulfillments, strict=True)
            if number in alive
        }


def _short(how):
    if how is None:
        return None
    damaged, left = how
    return Short(reason=ShortReason.DAMAGED if damaged else ShortReason.NOT_FOUND, left=left)


def _contents(units, parcels, more):
    """So many units of each line in each parcel, as far as there are any, and in the first one some more."""
    left, made = Counter(units), []
    for wanted in parcels:
        inside = {at: min(n, left[at]) for at, n in zip(sorted(units), wanted, strict=False) if min(n, left[at]) > 0}
        left.subtract(inside)
        if inside:
            made.append(inside)
    if made and more:
        at = next(iter(made[0]))
        made[0][at] += left[at] + more
    return made
