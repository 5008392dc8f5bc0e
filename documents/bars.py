"""Code 128 and GS1-128, as the bars and spaces that are drawn."""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import NamedTuple

from barcode.charsets.code128 import CODES, STOP

from domain.barcodes import is_sscc

DOT = 25.4 / 203.2
"""A dot of a label printer in mm: modules that are whole numbers of it print sharply there."""
START = {"B": 104, "C": 105}
SWITCH = {"B": 100, "C": 99}
FNC1 = 102
QUIET_MODULES = 10
"""Of white that a scanner needs on each side."""


class Bar(NamedTuple):
    """From the left end of the symbol, in modules."""

    start: int
    width: int


class Symbol(NamedTuple):
    """`width` in modules, without the quiet zones."""

    bars: tuple[Bar, ...]
    width: int


def code_128(text: str) -> Symbol | None:
    """None if the text is empty or has characters that Code 128 has not."""
    if not can_be_coded(text):
        return None
    return _symbol(_values(text))


def sscc_symbol(sscc: str | None) -> Symbol | None:
    """GS1-128 with the application identifier 00. None if there is no such number."""
    if sscc is None or not is_sscc(sscc):
        return None
    return _symbol([START["C"], FNC1, *_pairs(f"00{sscc}")])


def can_be_coded(text: str | None) -> bool:
    return bool(text) and all(" " <= character <= "~" for character in text or "")


def sscc_in_words(sscc: str) -> str:
    """As it stands below its bars."""
    return f"(00) {sscc[0]} {sscc[1:8]} {sscc[8:17]} {sscc[17]}"


def module(modules: int, room: float, most_dots: int, least_dots: float = 1.5) -> float | None:
    """The widest module in mm with which a symbol fits into so many mm, its quiet zones with it; None if none does."""
    most = room / (modules + 2 * QUIET_MODULES) / DOT
    dots = min(most_dots, int(most)) if most >= 2 else most
    return dots * DOT if dots >= least_dots else None


def _values(text: str) -> list[int]:
    """The symbols without check and stop: long runs of digits in subset C, two to a symbol, and all else in B.

    The tables are python-barcode's. Its encoder is not used: it drops the first pair of a number that starts with 99.
    """
    values: list[int] = []
    subset = ""
    for wanted, part in _parts(text):
        if wanted != subset:
            values.append((SWITCH if values else START)[wanted])
            subset = wanted
        values += _pairs(part) if wanted == "C" else [ord(character) - 32 for character in part]
    return values


def _parts(text: str) -> Iterator[tuple[str, str]]:
    """The text in parts, each with the subset that it is written in."""
    if len(text) == 2 and text.isdigit():
        yield "C", text
        return
    at = 0
    for found in re.finditer(r"(?:[0-9]{2}){2,}", text):
        if found.start() > at:
            yield "B", text[at : found.start()]
        yield "C", found[0]
        at = found.end()
    if at < len(text):
        yield "B", text[at:]


def _pairs(digits: str) -> list[int]:
    return [int(digits[index : index + 2]) for index in range(0, len(digits), 2)]


def _symbol(values: list[int]) -> Symbol:
    check = (values[0] + sum(place * value for place, value in enumerate(values[1:], 1))) % 103
    modules = "".join(CODES[value] for value in (*values, check)) + STOP + "11"
    bars, at = [], 0
    for black, group in groupby(modules):
        wide = len(list(group))
        if black == "1":
            bars.append(Bar(at, wide))
        at += wide
    return Symbol(tuple(bars), at)
