"""Code 128 and GS1-128, as the bars and spaces that are drawn."""

from itertools import groupby
from typing import NamedTuple

from barcode.codex import Code128, Gs1_128

from domain.barcodes import is_sscc

DOT = 25.4 / 203.2
"""A dot of a label printer in mm: modules that are whole numbers of it print sharply there."""
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
    return _symbol(Code128(text).build()[0])


def sscc_symbol(sscc: str | None) -> Symbol | None:
    """GS1-128 with the application identifier 00. None if there is no such number."""
    if sscc is None or not is_sscc(sscc):
        return None
    return _symbol(Gs1_128(f"00{sscc}").build()[0])


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


def _symbol(modules: str) -> Symbol:
    bars, at = [], 0
    for black, group in groupby(modules):
        wide = len(list(group))
        if black == "1":
            bars.append(Bar(at, wide))
        at += wide
    return Symbol(tuple(bars), at)
