"""ZPL II, the language of label printers, for a label of 4 by 6 inches at 203 dots an inch.

Whatever text is given, it is data: every character that means something to a printer is written as its number
(`^FH`), or, inside of a barcode, as the printer's own escape for it. Text that printers have no letters for is sent as
a picture.
"""

from collections.abc import Iterable, Sequence

from PIL import Image, ImageDraw, ImageFont

from documents.addresses import address_lines, is_name
from documents.bars import QUIET_MODULES, can_be_coded, sscc_in_words
from documents.shipping_label import figures
from documents.typefaces import advance
from documents.writing import MM_PER_POINT, PARTS_MOST, clean, clipped, clipped_lines, runs
from domain.barcodes import is_sscc
from domain.documents import ShippingLabel

WIDTH, HEIGHT = 812, 1218
LEFT, RIGHT = 40, 772
MM_PER_DOT = 25.4 / 203
PLAIN_LETTERS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 .,")
IN_BARS = {">": ">0", "^": "><", "~": ">="}
"""Code 128 in ZPL: what stands for the characters that would be commands."""
PRINTERS_LETTERS = range(0x20, 0x180)
"""Latin: what every printer's own font has."""

Line = tuple[str, int, bool]
"""A text, its height in dots, and whether it is bold."""


def shipping_label_zpl(label: ShippingLabel) -> bytes:
    """ASCII throughout."""
    commands = ["^XA", "^CI28", f"^PW{WIDTH}", f"^LL{HEIGHT}", "^LH0,0", *_label(label), "^PQ1", "^XZ"]
    return ("\n".join(commands) + "\n").encode("ascii")


def _label(label: ShippingLabel) -> Iterable[str]:
    yield from _text(LEFT, 36, "FROM", 20)
    yield from _boxed(LEFT, 62, [(line, 26, False) for line in address_lines(label.ship_from)], 380, 196)
    yield _box(436, 36, 3, 222)
    yield from _text(460, 36, "CARRIER", 20)
    yield from _boxed(460, 66, [(label.carrier or "-", 58, True), (label.service or "", 36, False)], RIGHT - 460, 192)
    yield _rule(266)
    yield from _text(LEFT, 280, "SHIP TO", 20)
    to = label.ship_to
    lines = [(line, 50 if is_name(line, to) else 44, is_name(line, to)) for line in address_lines(to)]
    yield from _boxed(LEFT + 24, 308, lines, RIGHT - LEFT - 24, 338)
    yield _rule(650)
    yield from _figures(label)
    yield _rule(732)
    yield from _tracking(label)
    yield from _sscc(label)


def _figures(label: ShippingLabel) -> Iterable[str]:
    x = LEFT
    for figure, room in zip(figures(label), (264, 192, 152, 124), strict=True):
        yield from _text(x, 660, figure.caption, 20)
        yield from _fitted(x, 688, figure.words, room - 12, 34)
        x += room


def _tracking(label: ShippingLabel) -> Iterable[str]:
    number = label.tracking_number or ""
    high = 172 if label.sscc else 372
    yield from _text(LEFT, 744, "TRACKING", 20)
    if can_be_coded(number):
        yield from _bars(768, high, *_code_128(number))
    yield from _centred(768 + high + 8, clean(number) or "-", 34)


def _sscc(label: ShippingLabel) -> Iterable[str]:
    if label.sscc is None or not is_sscc(label.sscc):
        return
    yield _rule(990)
    yield from _text(LEFT, 1000, "SSCC", 20)
    yield from _bars(1024, 142, f">;>800{label.sscc}", _modules(12), most=4)
    yield from _centred(1174, sscc_in_words(label.sscc), 34)


def _code_128(text: str) -> tuple[str, int]:
    """As `^BC` reads it, and its modules: pairs of digits are one symbol in subset C, all else is one each in B."""
    if text.isdigit() and len(text) % 2 == 0:
        return f">;{text}", _modules(len(text) // 2 + 1)
    return ">:" + "".join(IN_BARS.get(character, character) for character in text), _modules(len(text) + 1)


def _modules(symbols: int) -> int:
    """With the start, the check symbol and the stop."""
    return 11 * (symbols + 1) + 13


def _bars(y: int, high: int, data: str, modules: int, most: int = 3) -> Iterable[str]:
    """In the middle; nothing where they would not fit with their quiet zones."""
    dots = min(most, WIDTH // (modules + 2 * QUIET_MODULES))
    if dots:
        x = (WIDTH - modules * dots) // 2
        yield f"^FO{x},{y}^BY{dots}^BCN,{high},N,N,N^FD{data}^FS"


def _boxed(x: int, y: int, lines: Sequence[Line], wide: int, high: int) -> Iterable[str]:
    """Lines below each other, smaller or broken as the box asks for; what does not fit even so is left out."""
    for percent in (100, 90, 80, 70, 60, 50, 42):
        found = [
            (part, size * percent // 100, bold)
            for text, size, bold in lines
            for part in _parts(text, wide, size * percent // 100)
        ]
        if sum(_step(size) for _, size, _ in found) <= high:
            break
    for part, size, bold in found:
        if (high := high - _step(size)) < 0:
            return
        yield from _text(x, y, part, size, bold=bold)
        y += _step(size)


def _parts(text: str, wide: int, size: int) -> list[str]:
    return clipped_lines(clean(text), wide * MM_PER_DOT, _points(size), PARTS_MOST, bold=True)


def _fitted(x: int, y: int, text: str, wide: int, size: int) -> Iterable[str]:
    text, size = _fit(clean(text), wide, size)
    yield from _text(x, y, text, size)


def _centred(y: int, text: str, size: int) -> Iterable[str]:
    text, size = _fit(text, RIGHT - LEFT, size)
    yield from _text((WIDTH - _dots(text, size)) // 2, y, text, size, bold=True)


def _fit(text: str, wide: int, size: int) -> tuple[str, int]:
    size = max(16, min(size, size * wide // max(1, _dots(text, size))))
    return clipped(text, wide * MM_PER_DOT, _points(size), bold=True), size


def _text(x: int, y: int, text: str, size: int, *, bold: bool = False) -> Iterable[str]:
    """One line; in the printer's letters if it has them."""
    if not text:
        return
    if all(ord(character) in PRINTERS_LETTERS for character in text):
        yield f"^FO{x},{y}^A0N,{size},{size}^FH^FD{data(text)}^FS"
    else:
        yield f"^FO{x},{y}{_picture(text, size, bold=bold)}^FS"


def data(text: str) -> str:
    """For `^FH^FD`: nothing but plain letters, and `_5E` for `^`."""
    return "".join(
        character if character in PLAIN_LETTERS else "".join(f"_{byte:02X}" for byte in character.encode())
        for character in text
    )


def _picture(text: str, size: int, *, bold: bool) -> str:
    """The line as black dots, drawn in our own typefaces."""
    wide = _dots(text, size, bold=bold) + 2
    image = Image.new("1", (-(-wide // 8) * 8, _step(size)), 1)
    draw, x = ImageDraw.Draw(image), 0.0
    for face, run in runs(text, bold=bold):
        font = ImageFont.truetype(face.file, size, layout_engine=ImageFont.Layout.BASIC)
        draw.text((round(x), size), run, fill=0, font=font, anchor="ls")
        x += sum(face.advances[character] for character in run) * size
    dots = bytes(byte ^ 0xFF for byte in image.tobytes())
    return f"^GFA,{len(dots)},{len(dots)},{image.width // 8},{dots.hex().upper()}"


def _dots(text: str, size: int, *, bold: bool = True) -> int:
    """How wide clean text is, or a little less: printers' letters are narrower than our bold ones."""
    return round(sum(advance(character, bold=bold) for character in text) * size)


def _points(size: int) -> float:
    """Of letters so many dots high."""
    return size * MM_PER_DOT / MM_PER_POINT


def _step(size: int) -> int:
    return size * 128 // 100


def _rule(y: int) -> str:
    return _box(LEFT, y, RIGHT - LEFT, 4)


def _box(x: int, y: int, wide: int, high: int) -> str:
    return f"^FO{x},{y}^GB{wide},{high},{min(wide, high)}^FS"
