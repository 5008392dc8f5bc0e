"""Text of any script made fit to be printed: cleaned, measured, broken into lines, put in the sequence it is seen in.

Nothing here ever fails on a text; what no typeface has is printed as REPLACEMENT.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from fpdf.bidi import BidiParagraph

from documents.joining import joined
from documents.typefaces import Typeface, advance, typeface_of

REPLACEMENT = "\ufffd"
ELLIPSIS = "…"
MM_PER_POINT = 25.4 / 72
PARTS_MOST = 2
"""Into so many lines a text in a box is broken at most, so that a long name leaves room for street and city."""

_HAN = r"\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef"
_WORD = re.compile(rf"[{_HAN}]|[^\s{_HAN}]+?[-/_,;](?=\w)|[^\s{_HAN}]+|\s+")
"""Where a line may be broken: after a word, after a hyphen or the like inside of one, around each Han character."""
_MIRRORED = dict(zip("()[]{}<>«»", ")(][}{><»«", strict=True))
_SKIN_TONES = range(0x1F3FB, 0x1F400)


@lru_cache(maxsize=5_000)
def clean(text: str) -> str:
    """On one line, with characters that can be printed only, Arabic joined. Cleaning again changes nothing."""
    shaped = joined(unicodedata.normalize("NFC", text))
    return "".join(_printable(shaped)).strip()


def paragraphs(text: str) -> list[str]:
    """Clean, line by line as it was written; blank lines are left out."""
    return [line for line in map(clean, text.splitlines()) if line]


def _printable(text: str) -> Iterator[str]:
    for character in text:
        category = unicodedata.category(character)
        if category in ("Zs", "Zl", "Zp") or character in "\t\n\r\v\f":
            yield " "
        elif category in ("Cc", "Cf") or "\ufe00" <= character <= "\ufe0f" or ord(character) in _SKIN_TONES:
            continue  # seen by nobody, or a hint to a typeface that is not here
        elif category == "Mn" and "\u0590" <= character <= "\u06ff":
            continue  # vowel signs: nobody writes them in addresses, and they stand wrong without a shaping engine
        elif typeface_of(character, bold=False):
            yield character
        else:
            yield _similar(character)


def _similar(character: str) -> str:
    """What means the same and can be printed, such as a plain letter for a fancy one."""
    plain = unicodedata.normalize("NFKC", character)
    return plain if all(typeface_of(each, bold=False) for each in plain) else REPLACEMENT


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Of clean text in so many points, in mm."""
    return sum(advance(character, bold=bold) for character in text) * size * MM_PER_POINT


def wrapped(text: str, most: float, size: float, *, bold: bool = False) -> list[str]:
    """Clean text in lines of at most so many mm. A word that is wider than a line is broken where the line ends."""
    lines, line, used = [], "", 0.0
    for word in _WORD.findall(text):
        wide = width(word, size, bold=bold)
        if used + wide > most and not word.isspace():
            if line.strip():
                lines.append(line.strip())
            line, used = "", 0.0
            if wide > most:
                *full, word = _broken(word, most, size, bold=bold)
                lines.extend(full)
                wide = width(word, size, bold=bold)
        line, used = line + word, used + wide
    return [*lines, line.strip()] if line.strip() else lines


def _broken(word: str, most: float, size: float, *, bold: bool) -> list[str]:
    """Never between a letter and its marks, and never an empty piece, however narrow the line."""
    pieces, used = [""], 0.0
    for character in word:
        wide = width(character, size, bold=bold)
        if pieces[-1] and used + wide > most and not unicodedata.combining(character):
            pieces.append("")
            used = 0.0
        pieces[-1] += character
        used += wide
    return pieces


def clipped(text: str, most: float, size: float, *, bold: bool = False) -> str:
    """Clean text in one line of at most so many mm, with an ellipsis in the place of what is left out."""
    if width(text, size, bold=bold) <= most:
        return text
    room, kept = most - width(ELLIPSIS, size, bold=bold), ""
    for character in text:
        room -= width(character, size, bold=bold)
        if room < 0:
            break
        kept += character
    return kept.rstrip() + ELLIPSIS


def clipped_lines(text: str, most: float, size: float, lines: int, *, bold: bool = False) -> list[str]:
    """As `wrapped`, but no more than so many lines."""
    found = wrapped(text, most, size, bold=bold)
    if len(found) <= lines:
        return found
    room = most - width(ELLIPSIS, size, bold=bold)
    last = found[lines - 1]
    while last and width(last, size, bold=bold) > room:
        last = last[:-1]
    return [*found[: lines - 1], last.rstrip() + ELLIPSIS]


def as_seen(line: str) -> str:
    """From left to right, whichever way it is read."""
    if not any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in line):
        return line
    characters = BidiParagraph(line).get_reordered_characters()
    return "".join(
        _MIRRORED.get(each.character, each.character) if each.embedding_level % 2 else each.character
        for each in characters
    )


def runs(line: str, *, bold: bool) -> Iterable[tuple[Typeface, str]]:
    """The line as it is seen, cut where the typeface changes."""
    for face, characters in groupby(as_seen(line), key=lambda character: typeface_of(character, bold=bold)):
        assert face, "text is cleaned before it is printed"
        yield face, "".join(characters)
