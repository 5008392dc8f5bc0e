"""Bars are scanned back to what they were made of."""

import zxingcpp
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from documents.bars import DOT, QUIET_MODULES, code_128, module, sscc_symbol
from domain.barcodes import sscc

ascii_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=40)


def scanned(symbol):
    """Drawn two dots to a module, as a printer does, and scanned."""
    image = Image.new("L", ((symbol.width + 2 * QUIET_MODULES) * 2, 60), 255)
    for bar in symbol.bars:
        left = (QUIET_MODULES + bar.start) * 2
        image.paste(0, (left, 4, left + bar.width * 2, 56))
    return [found.text for found in zxingcpp.read_barcodes(image)]


@settings(deadline=None, max_examples=300)
@given(ascii_text | st.text("0123456789", min_size=1, max_size=40) | st.text("019A", min_size=1, max_size=20))
@example("99")
@example("9912345")
@example("99AB")
@example("1")
@example("AB12345CD")
def test_any_text_of_ascii_is_scanned_back(text):
    assert scanned(code_128(text)) == [text]


@settings(deadline=None)
@given(st.integers(0, 9), st.integers(0, 10**9 - 1))
def test_an_sscc_is_scanned_back_with_its_application_identifier(extension, serial):
    number = sscc(extension, "0614141", serial)

    assert scanned(sscc_symbol(number)) == [f"(00){number}"]


def test_what_code_128_has_not_has_no_bars():
    assert [code_128(text) for text in ("", "é", "\n", "٣")] == [None] * 4
    assert [sscc_symbol(text) for text in (None, "", "106141412345678909")] == [None] * 3


@given(st.integers(35, 2_000), st.floats(10, 200), st.integers(1, 4))
def test_a_symbol_fits_with_its_quiet_zones_in_whole_dots_or_is_left_out(modules, room, most):
    wide = module(modules, room, most)

    if wide is not None:
        assert wide * (modules + 2 * QUIET_MODULES) <= room + 0.001
        assert wide / DOT >= 1.5
