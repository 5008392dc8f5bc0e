"""Pack: what was picked goes into parcels, and what is in none of them becomes a fulfillment of its own."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.barcodes import serials, sscc
from domain.batch import Batch
from domain.errors import FulfillmentNotInState, InputProblem, InvalidInput
from domain.fulfilling import moved
from domain.fulfillments import Fulfillment, FulfillmentLine, Parcel, Shipping
from domain.ids import FulfillmentId, FulfillmentLineId, LineId, ParcelId
from domain.kinds import FulfillmentKind, FulfillmentState


@dataclass(frozen=True, slots=True, kw_only=True)
class NewParcel:
    """What goes into one parcel, by order line; None: everything. Weight in grams, dimensions in millimetres."""

    contents: tuple[tuple[LineId, int], ...] | None = None
    weight_grams: int | None = None
    length_mm: int | None = None
    width_mm: int | None = None
    height_mm: int | None = None


def pack(
    batch: Batch, fulfillment_id: FulfillmentId, parcels: Sequence[NewParcel], company_prefix: str | None = None
) -> FulfillmentId | None:
    """Put what was picked into parcels. What is in none of them becomes a fulfillment of its own, which is answered."""
    one = moved(batch, fulfillment_id, "packFulfillment")
    before = batch.floor.fulfillments[fulfillment_id]
    if batch.locations[one.location].checks_quality and before.state is not FulfillmentState.CHECKED:
        raise FulfillmentNotInState(fulfillment=one.id, allowed=(FulfillmentState.CHECKED,))
    lines = {line.line: line for line in one.lines}
    everything = tuple((line.line, line.quantity) for line in one.lines if line.quantity)
    contents = [everything if parcel.contents is None else parcel.contents for parcel in parcels]
    packed = _refuse_contents(lines, contents)
    rest = divide(batch, before, {line: known.quantity - packed[line] for line, known in lines.items()})
    batch.floor.change(replace(batch.floor.fulfillments[one.id], state=one.state))
    for number, (parcel, inside) in enumerate(zip(parcels, contents, strict=True), 1):
        fresh = ParcelId(next(batch.floor.ids))
        batch.floor.put_parcel(
            Parcel(
                id=fresh,
                fulfillment=one.id,
                number=number,
                contents=tuple((lines[line].id, units) for line, units in inside),
                weight_grams=parcel.weight_grams,
                length_mm=parcel.length_mm,
                width_mm=parcel.width_mm,
                height_mm=parcel.height_mm,
                sscc=_sscc(company_prefix, fresh),
            )
        )
    return rest


def _sscc(company_prefix: str | None, parcel: ParcelId) -> str | None:
    """Numbered like the parcel, and anew from 0 once all numbers are used: by then, years have gone by."""
    return None if company_prefix is None else sscc(0, company_prefix, parcel % serials(company_prefix))


def _refuse_contents(
    lines: Mapping[LineId, FulfillmentLine], contents: Sequence[Sequence[tuple[LineId, int]]]
) -> Mapping[LineId, int]:
    packed: defaultdict[LineId, int] = defaultdict(int)
    problems = []
    for at, inside in enumerate(contents):
        for index, (line, units) in enumerate(inside):
            packed[line] += units
            there = lines[line].quantity if line in lines else 0
            if packed[line] > there:
                path = ("input", "parcels", str(at), "contents", str(index), "quantity")
                message = f"The fulfillment has {there} units of this line: pack at most so many."
                problems.append(InputProblem(path=path, code="OUT_OF_RANGE", message=message))
    if problems:
        raise InvalidInput(problems=tuple(problems))
    return packed


def divide(batch: Batch, one: Fulfillment, rest: Mapping[LineId, int]) -> FulfillmentId | None:
    """Let so many units of each line become a fulfillment of their own, in the same state; None: there are none."""
    leaving = {line.line: rest.get(line.line, 0) for line in one.lines if rest.get(line.line, 0)}
    if not leaving:
        return None
    floor, by_line = batch.floor, {line.line: line for line in one.lines}
    fresh = {
        line: replace(by_line[line], id=FulfillmentLineId(next(floor.ids)), quantity=units, picked=units)
        if one.kind is FulfillmentKind.STOCK
        else replace(by_line[line], id=FulfillmentLineId(next(floor.ids)), quantity=units)
        for line, units in leaving.items()
    }
    part = replace(
        one,
        id=FulfillmentId(next(floor.ids)),
        lines=tuple(fresh.values()),
        version=0,
        divided_from=one.id,
        shipping=Shipping(),
        tracking_status=None,
        tracked_at=None,
    )
    kept = tuple(_less(line, leaving.get(line.line, 0)) for line in one.lines)
    floor.change(replace(one, lines=kept))
    floor.add(part)
    for line, units in leaving.items():
        _send_with(batch, by_line[line].id, fresh[line].id, units)
    return part.id


def _less(line: FulfillmentLine, units: int) -> FulfillmentLine:
    return replace(line, quantity=line.quantity - units, picked=max(0, line.picked - units))


def _send_with(batch: Batch, old: FulfillmentLineId, new: FulfillmentLineId, units: int) -> None:
    """The youngest claims go with the part."""
    for claim in reversed(batch.claims_at(old)):
        here = min(units, claim.quantity)
        if here:
            batch.divide_sent(claim, here, new)
            units -= here
