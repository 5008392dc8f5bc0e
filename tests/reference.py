"""The reference allocator: slow, unit by unit, and plainly right. The engine has to give the same plan."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Wish:
    """What one order wants: units of an item by line; what it gives back first; whether it wants everything or nothing.

    `left_out`: it has more open units than it asks for. `whole_lines`: each line comes from one place.
    """

    asks: Sequence[tuple[int, str, int]]
    gives_back: Sequence[tuple[str, str, int]] = ()
    everything_or_nothing: bool = False
    left_out: bool = False
    whole_lines: bool = False


@dataclass
class Answer:
    """Units of each line by place, and units of each line that are missing."""

    taken: dict[tuple[int, str], int] = field(default_factory=dict)
    missing: dict[int, int] = field(default_factory=dict)


def allocate(
    wishes: Sequence[Wish], places: Sequence[str], free: dict[tuple[str, str], int], *, nobody_passes: bool = False
) -> list[Answer]:
    """`places`: in the sequence in which they are tried. `free`: units by (item, place); below zero, some are owed.

    `nobody_passes`: of an item that somebody is short of, nobody after them has any.
    """
    answers = []
    closed: set[str] = set()
    for wish in wishes:
        for item, place, units in wish.gives_back:
            if (item, place) in free:
                free[item, place] += units
        before = dict(free)
        answer = Answer()
        for line, item, units in wish.asks:
            usable = [] if item in closed else _one_place(places, item, units, free) if wish.whole_lines else places
            for _ in range(units):
                place = next((place for place in usable if free.get((item, place), 0) > 0), None)
                if place is None:
                    answer.missing[line] = answer.missing.get(line, 0) + 1
                else:
                    free[item, place] -= 1
                    answer.taken[line, place] = answer.taken.get((line, place), 0) + 1
        if wish.everything_or_nothing and (answer.missing or wish.left_out):
            free.clear()
            free.update(before)
            answer = Answer(missing={line: units for line, _, units in wish.asks})
        if nobody_passes:
            closed |= {item for line, item, _ in wish.asks if line in answer.missing}
        answers.append(answer)
    return answers


def _one_place(places: Sequence[str], item: str, units: int, free: dict[tuple[str, str], int]) -> Sequence[str]:
    """The first place that has everything, or else the first of those that have the most."""
    for enough in range(units, 0, -1):
        for place in places:
            if free.get((item, place), 0) >= enough:
                return [place]
    return []


def unbacked(claims: Sequence[tuple[int, int, int, int]], units: int) -> dict[int, int]:
    """Claims as (id, id of their age, priority, units): which of them lose how many of the units that are missing."""
    lost: dict[int, int] = {}
    held = {number: quantity for number, _, _, quantity in claims}
    for _ in range(units):
        losers = [(priority, -made, -number) for number, made, priority, _ in claims if held[number]]
        if not losers:
            break
        loser = -min(losers)[2]
        held[loser] -= 1
        lost[loser] = lost.get(loser, 0) + 1
    return lost
