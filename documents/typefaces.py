"""The typefaces of the documents: which one has a character, and how wide it is there."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from fontTools.ttLib import TTFont

FOLDER = Path(__file__).parent / "fonts"
REGULAR, BOLD = "NotoSans-Regular", "NotoSans-Bold"
FALLBACKS = ("DejaVuSans", "NotoSansThai-Regular", "DroidSansFallback-Han", "DroidSansFallback-Hangul")
"""Asked in this sequence for what the main typeface does not have; they have no bold."""


@dataclass(frozen=True, slots=True, eq=False)
class Typeface:
    """`advances`: of each character that it has, in ems."""

    name: str
    advances: Mapping[str, float]

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.name}.ttf"


@lru_cache
def typeface(name: str) -> Typeface:
    with TTFont(FOLDER / f"{name}.ttf", lazy=True) as font:
        head: Any = font["head"]
        widths: Any = font["hmtx"]
        characters = font.getBestCmap() or {}
        return Typeface(name, {chr(code): widths[glyph][0] / head.unitsPerEm for code, glyph in characters.items()})


@lru_cache(maxsize=20_000)
def typeface_of(character: str, *, bold: bool) -> Typeface | None:
    """The first that has it; None if none does."""
    for name in (BOLD if bold else REGULAR, *FALLBACKS):
        found = typeface(name)
        if character in found.advances:
            return found
    return None


@lru_cache(maxsize=20_000)
def advance(character: str, *, bold: bool) -> float:
    """In ems; of a character that some typeface has."""
    found = typeface_of(character, bold=bold)
    assert found, f"U+{ord(character):04X} was not replaced"
    return found.advances[character]
