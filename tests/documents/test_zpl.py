"""Labels in the language of label printers: what they say, and that no text can give the printer a command."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from documents.rendering import Documents
from documents.writing import clean
from documents.zpl import data
from domain.documents import DocumentForm
from domain.orders import Address
from tests.documents.facts import HOSTILE, label, slip
from tests.documents.printer import printed

COMMANDS = ("XA", "CI", "PW", "LL", "LH", "FO", "A0", "FH", "FD", "FS", "GB", "GF", "BY", "BC", "PQ", "XZ")
ALLOWED = {f"^{name}" for name in COMMANDS}
printable = st.text(st.characters(min_codepoint=32, max_codepoint=126), min_size=1, max_size=30)
pieces = st.sampled_from([*HOSTILE[:7], "^", "~", "_", ">", "\\", "A", "1", "é"]) | st.text(max_size=9)
nasty = st.lists(pieces).map("".join)


def zpl(document):
    return Documents().render(document, DocumentForm.ZPL).content


def hostile(text):
    address = Address(name=text, line1=text, line2=text, city=text, region=text, postal_code=text, country_code="GB")
    return label(
        reference=text, ship_from=address, ship_to=address, carrier=text, service=text, tracking_number=text, sscc=text
    )


def test_c8_a_label_for_a_printer_says_what_the_pdf_says():
    out = printed(zpl(label()))
    texts = [text for *_, text in out.texts]

    for words in (
        "Nordlicht Möbel GmbH",
        "Speicherstraße 14",
        "June Okafor",
        "YO1 6GD",
        "UNITED KINGDOM",
        "DHL",
        "Parcel Connect",
        "SHOP-100234/1",
        "12.35 kg",
        "1 of 2",
        "(00) 1 0614141 234567890 8",
    ):
        assert words in texts
    assert out.commands[:3] == ["^XA", "^CI", "^PW"]


def test_l8_the_printers_bars_are_scanned_back_to_tracking_number_and_sscc():
    assert printed(zpl(label())).barcodes == ["1Z999AA10123456784", "(00)106141412345678908"]
    assert printed(zpl(label(tracking_number="00340434161094042557", sscc=None))).barcodes == ["00340434161094042557"]


@settings(deadline=None)
@given(printable)
@example("^XZ")
@example(">;>8>9>0")
@example("_5E~^>")
def test_whatever_ascii_a_tracking_number_has_it_is_scanned_back(number):
    out = printed(zpl(label(tracking_number=number, sscc=None)))

    assert out.barcodes == [number]
    assert set(out.commands) <= ALLOWED


@settings(deadline=None)
@given(nasty)
def test_no_text_can_give_the_printer_a_command(text):
    content = zpl(hostile(text))
    out = printed(content)

    assert set(out.commands) <= ALLOWED
    assert (out.commands.count("^XA"), out.commands.count("^XZ")) == (1, 1)
    assert content.count(b"~") == 0
    assert content.isascii()


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_text_stays_on_the_label(text):
    out = printed(zpl(hostile(text)))

    assert set(out.commands) <= ALLOWED
    assert all(x >= 0 and y + height <= 1218 for x, y, height, _ in out.texts)
    assert all(x >= 0 and x + wide <= 812 and y + high <= 1218 for x, y, wide, high in out.pictures)


@given(st.text())
def test_text_that_is_data_is_read_back_as_it_is(text):
    text = clean(text)
    found = printed(f"^XA\n^FO1,1^A0N,9,9^FH^FD{data(text)}^FS\n^XZ".encode())

    assert [each for *_, each in found.texts] == [text]


def test_text_that_printers_have_no_letters_for_is_sent_as_a_picture():
    out = printed(zpl(label(ship_to=Address(name="王小明", line1="شارع الملك", country_code="AE"))))

    assert len(out.pictures) == 2
    assert "UNITED ARAB EMIRATES" in [text for *_, text in out.texts]


def test_the_same_label_gives_the_same_bytes():
    assert zpl(hostile("北京 é")) == zpl(hostile("北京 é"))


def test_only_labels_are_written_for_label_printers():
    with pytest.raises(AssertionError):
        Documents().render(slip(), DocumentForm.ZPL)


def test_the_file_says_what_it_is():
    made = Documents().render(label(), DocumentForm.ZPL)

    assert (made.file_name, made.content_type) == ("label-SHOP-100234-1-1.zpl", "application/vnd.zebra.zpl")
