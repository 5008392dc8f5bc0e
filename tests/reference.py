"""The reference allocator: slow, unit by unit, and plainly right. The engine has to give the same plan."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count


@dataclass
class Wish:
    """What one order wants: units of an item by line; what it gives back first; whether it wants everything or nothing.

    `left_out`: it has more open units than it asks for. `whole_lines`: each line comes from one place. `bundles`: of
    lines that make a bundle: which one, how many units of the line are in one, and how many the order has already.
    """

    asks: Sequence[tuple[int, str, int]]
    gives_back: Sequence[tuple[str, str, int]] = ()
    everything_or_nothing: bool = False
    left_out: bool = False
    whole_lines: bool = False
    bundles: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)


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
        done: set[int] = set()
        for line, item, units in wish.asks:
            if line in done:
                continue
            asks = [(line, item, units)]
            if line in wish.bundles:
                bundle = wish.bundles[line][0]
                asks = [ask for ask in wish.asks if ask[0] in wish.bundles and wish.bundles[ask[0]][0] == bundle]
            usable = {
                line: [] if item in closed else _one_place(places, item, units, free) if wish.whole_lines else places
                for line, item, units in asks
            }
            if line in wish.bundles:
                _serve_bundle(wish, asks, usable, free, answer)
            else:
                _serve(asks, usable, free, answer)
            done |= {line for line, _, _ in asks}
            for line, _, units in asks:
                missing = units - sum(taken for (of, _), taken in answer.taken.items() if of == line)
                if missing:
                    answer.missing[line] = missing
        if wish.everything_or_nothing and (answer.missing or wish.left_out):
            free.clear()
            free.update(before)
            answer = Answer(missing={line: units for line, _, units in wish.asks})
        if nobody_passes:
            closed |= {item for line, item, _ in wish.asks if line in answer.missing}
        answers.append(answer)
    return answers


def _serve(asks, usable, free, answer) -> bool:
    """Whether all of it was there."""
    complete = True
    for line, item, units in asks:
        for _ in range(units):
            place = next((place for place in usable[line] if free.get((item, place), 0) > 0), None)
            if place is None:
                complete = False
            else:
                free[item, place] -= 1
                answer.taken[line, place] = answer.taken.get((line, place), 0) + 1
    return complete


def _serve_bundle(wish: Wish, asks, usable, free, answer) -> None:
    """One whole bundle at a time, until there is no more of something, or nobody wants any more."""
    has = {line: wish.bundles[line][2] for line, _, _ in asks}
    wants = {line: has[line] + units for line, _, units in asks}
    for bundles in count(1):
        this_time = [
            (line, item, max(0, min(wants[line], bundles * wish.bundles[line][1]) - has[line]))
            for line, item, _ in asks
        ]
        before, taken = dict(free), dict(answer.taken)
        if not _serve(this_time, usable, free, answer):
            free.clear()
            free.update(before)
            answer.taken = taken
            return
        for line, _, units in this_time:
            has[line] += units
        if has == wants:
            return


def _one_place(places: Sequence[str], item: str, units: int, free: dict[tuple[str, str], int]) -> Sequence[str]:
    """The first place that has everything, or else the first of those that have the most."""
    for enough in range(units, 0, -1):
        for place in places:
            if free.get((item, place), 0) >= enough:
                return [place]
    return []


def unbacked(
    claims: Sequence[tuple[int, int, int, int]], units: int, picked: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Claims as (id, id of their age, priority, units): which of them lose how many of the units that are missing.

    `picked`: units of a claim that have been fetched. They are lost only where there are no others.
    """
    lost: dict[int, int] = {}
    held = {number: quantity for number, _, _, quantity in claims}
    kept = dict(picked or {})
    for _ in range(units):
        losers = [(priority, -made, -number) for number, made, priority, _ in claims if held[number]]
        in_bins = [one for one in losers if held[-one[2]] > kept.get(-one[2], 0)]
        if not losers:
            break
        loser = -min(in_bins or losers)[2]
        held[loser] -= 1
        lost[loser] = lost.get(loser, 0) + 1
    return lost
