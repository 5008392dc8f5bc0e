"""Arabic letters take the form that their neighbours ask for; Unicode has a character for each form.

The tables are made from the standard library's Unicode data: FE8D is `<isolated> 0627`, FEFB is `<isolated> 0644 0627`.
"""

import unicodedata
from functools import cache

ALONE, LAST, FIRST, BETWEEN = "<isolated>", "<final>", "<initial>", "<medial>"
TATWEEL = "\u0640"

Forms = dict[str, dict[str, str]]


@cache
def _forms() -> Forms:
    """Of each letter, and of lam with alef, the character for each of its forms."""
    forms: Forms = {}
    for code in (*range(0xFB50, 0xFE00), *range(0xFE70, 0xFEFD)):
        kind, *letters = unicodedata.decomposition(chr(code)).split() or [""]
        text = "".join(chr(int(letter, 16)) for letter in letters)
        if kind in (ALONE, LAST, FIRST, BETWEEN) and (len(text) == 1 or _is_lam_alef(text)):
            forms.setdefault(text, {}).setdefault(kind, chr(code))
    return forms


def _is_lam_alef(text: str) -> bool:
    return len(text) == 2 and text[0] == "\u0644" and text[1] in "\u0622\u0623\u0625\u0627"


def joined(text: str) -> str:
    """The text with its Arabic letters in their forms; still in the sequence in which it is read."""
    if not any("\u0600" <= character <= "\u06ff" for character in text):
        return text
    units = _units(text)
    return "".join(_form(units, index) for index in range(len(units)))


def _units(text: str) -> list[str]:
    """Single characters, but for lam with alef, which are written as one."""
    units: list[str] = []
    for character in text:
        if units and _is_lam_alef(units[-1] + character):
            units[-1] += character
        else:
            units.append(character)
    return units


def _form(units: list[str], index: int) -> str:
    unit = units[index]
    forms = _forms().get(unit)
    if not forms:
        return unit
    before = LAST in forms and _reaches_on(_neighbour(units, index, -1))
    after = FIRST in forms and _reaches_back(_neighbour(units, index, 1))
    kind = {(True, True): BETWEEN, (True, False): LAST, (False, True): FIRST, (False, False): ALONE}[before, after]
    return forms.get(kind, unit)


def _neighbour(units: list[str], index: int, step: int) -> str:
    """The next unit that is no mark on a letter."""
    index += step
    while 0 <= index < len(units) and unicodedata.combining(units[index][0]):
        index += step
    return units[index] if 0 <= index < len(units) else ""


def _reaches_on(unit: str) -> bool:
    return unit == TATWEEL or FIRST in _forms().get(unit, {})


def _reaches_back(unit: str) -> bool:
    return unit == TATWEEL or LAST in _forms().get(unit, {})
