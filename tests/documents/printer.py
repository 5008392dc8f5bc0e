"""A label printer for the tests: reads ZPL as Zebra's manual has it, and draws the barcodes that it is told to."""

import re
from dataclasses import dataclass, field

import zxingcpp
from barcode.charsets.code128 import CODES, STOP
from PIL import Image

COMMAND = re.compile(rb"([\^~])(A@|[A-Z][A-Z0-9@])([^\^~]*)", re.DOTALL)
ESCAPES = {"0": 30, "=": 94, "<": 62, "1": 95}
"""What follows `>` in subset B, and the value of the symbol that it stands for."""
STARTS = {":": 104, ";": 105, "9": 103}
FNC1 = 102


@dataclass
class Printed:
    """`texts` with the place and the height; `barcodes` as scanned; `pictures` as they were sent."""

    commands: list = field(default_factory=list)
    texts: list = field(default_factory=list)
    barcodes: list = field(default_factory=list)
    pictures: list = field(default_factory=list)


def printed(content):
    """What one label is. Fails on anything that is not one label."""
    assert content.startswith(b"^XA")
    assert content.rstrip().endswith(b"^XZ")
    out, state = Printed(), {}
    for prefix, name, rest in COMMAND.findall(content):
        command, rest = name.decode(), rest.decode("ascii")
        out.commands.append(prefix.decode() + command)
        _obey(out, state, command, rest)
    return out


def _obey(out, state, command, rest):
    if command == "FO":
        state.clear()
        state["at"] = tuple(map(int, rest.split(",")))
    elif command == "A0":
        state["height"] = int(rest.split(",")[1])
    elif command == "FH":
        state["hex"] = True
    elif command == "BC":
        state["bars"] = True
    elif command == "GF":
        kind, total, _, row, dots = rest.split(",")
        assert kind == "A"
        assert len(bytes.fromhex(dots)) == int(total)
        out.pictures.append((*state["at"], int(row) * 8, int(total) // int(row)))
    elif command == "FD":
        if state.get("bars"):
            out.barcodes.append(scanned(rest))
        else:
            assert state.get("hex")
            out.texts.append((*state["at"], state["height"], _unhexed(rest)))


def _unhexed(text):
    raw = re.sub(rb"_([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), text.encode())
    return raw.decode()


def scanned(data):
    """The bars of what `^BC` is told, scanned."""
    values = list(_values(data))
    check = (values[0] + sum(place * value for place, value in enumerate(values[1:], 1))) % 103
    modules = "".join(CODES[value] for value in (*values, check)) + STOP + "11"
    image = Image.new("L", (len(modules) * 2 + 60, 80), 255)
    for index, module in enumerate(modules):
        if module == "1":
            image.paste(0, (30 + index * 2, 5, 32 + index * 2, 75))
    (found,) = zxingcpp.read_barcodes(image)
    return found.text


def _values(data):
    assert data[0] == ">"
    yield STARTS[data[1]]
    rest, pairs = data[2:], data[1] == ";"
    while rest:
        if rest.startswith(">8"):
            yield FNC1
            rest = rest[2:]
        elif pairs:
            yield int(rest[:2])
            rest = rest[2:]
        elif rest[0] == ">":
            yield ESCAPES[rest[1]]
            rest = rest[2:]
        else:
            yield ord(rest[0]) - 32
            rest = rest[1:]
