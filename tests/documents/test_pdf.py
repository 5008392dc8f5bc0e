"""What stands on labels, slips, lists and invoices, read back from the PDFs themselves."""

import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.rendering import Documents
from domain.documents import DocumentForm
from domain.money import Money
from domain.orders import Address
from tests.documents.facts import (
    BEFORE,
    HOSTILE,
    JUNE,
    TEXAS,
    eur,
    invoice,
    label,
    packed,
    picked,
    picks,
    slip,
    sold,
)
from tests.documents.reading import page_count, pages, text_of

LONG = 1114


def pdf(document):
    return Documents().render(document, DocumentForm.PDF).content


def test_c8_a_shipping_label_of_four_by_six_inches_says_who_where_and_what():
    (page,) = pages(pdf(label()))

    assert (round(page.width, 1), round(page.height, 1)) == (101.6, 152.4)
    for words in (
        "Nordlicht Möbel GmbH Speicherstraße 14 20457 Hamburg GERMANY",
        "June Okafor 12 Station Rise Flat 3 York YO1 6GD UNITED KINGDOM",
        "DHL Parcel Connect",
        "SHOP-100234/1",
        "1 Mar 2026",
        "12.35 kg",
        "1 of 2",
        "1Z999AA10123456784",
        "(00) 1 0614141 234567890 8",
    ):
        assert words in page.text


def test_l8_the_bars_on_a_label_are_scanned_back_to_tracking_number_and_sscc():
    (page,) = pages(pdf(label()))

    assert sorted(page.barcodes) == ["(00)106141412345678908", "1Z999AA10123456784"]


@pytest.mark.parametrize("number", ["00340434161094042557", "RR473124829DE", "^XZ~>_{}", "9" * 33, "A" * 34])
def test_any_tracking_number_of_ascii_is_scanned_back(number):
    (page,) = pages(pdf(label(tracking_number=number, sscc=None)))

    assert page.barcodes == (number,)
    assert number in page.text


@pytest.mark.parametrize("number", ["Ünïcode-1", "", None, "7X" * 200])
def test_what_has_no_bars_or_does_not_fit_is_left_to_the_text(number):
    (page,) = pages(pdf(label(tracking_number=number, sscc="12345")))

    assert page.barcodes == ()
    assert (number or "TRACKING")[:20] in page.text


def test_c10_a_packing_slip_tells_what_is_in_the_parcel_and_what_is_still_to_come():
    lines = [packed(index) for index in range(3)]
    document = slip(
        replace(lines[0], reference="POS-7", note="Engrave: JO"),
        *lines[1:],
        gift_message="Happy birthday!\nWith love",
        note="Side door",
        parcel=2,
        parcels=3,
    )

    (page,) = pages(pdf(document))

    for line in lines:
        assert f"{line.sku} {line.name}" in page.text
        assert f"{line.ordered} {line.in_parcel} {line.to_come}" in page.text
    for words in ("POS-7", "Engrave: JO", "Happy birthday! With love", "Side door", "2 of 3", "SHOP-100234", "WEBSHOP"):
        assert words in page.text
    assert "6003 units in this parcel, 3003 still to come" in page.text
    assert page.barcodes == ("SHOP-100234",)


def test_l5_l6_a_pick_list_walks_from_bin_to_bin_and_says_where_each_unit_goes():
    document = picks(picked(10), picked(2), picked(1, bin=None))

    (page,) = pages(pdf(document))

    places = [page.text.index(words) for words in ("A-2 CHAIR-0002", "A-10 CHAIR-0010", "no bin CHAIR-0001")]
    assert places == sorted(places)
    for index in (1, 2, 10):
        assert f"{3000 + index} {1000 + index} \u00d7 SHOP-{index}/1" in page.text
    assert "4006381333931" in page.text
    assert "2 bins 3 lines 9013 units 3 orders" in page.text
    assert page.barcodes == ("PL-2026-00017",)


def test_c9_an_invoice_has_its_number_parties_lines_and_exact_total():
    document = invoice(sold(0), sold(2), seller_contact="bills@nordlicht.example", note="Thank you")

    (page,) = pages(pdf(document))

    for words in (
        "Invoice INV-2026-000042",
        "DE 123 456 789",
        "bills@nordlicht.example",
        "June Okafor",
        "CHAIR-0000",
        "CHAIR-0002",
        "1 1,234.50 -5.00 19.99 1,229.50",
        "3 1,234.50 -5.00 19.99 3,698.50",
        "Goods 4,938.00",
        "Discount -10.00",
        "Tax 39.98",
        "Total EUR 4,967.98",
        "Thank you",
    ):
        assert words in page.text
    assert "SHIPPED TO" not in page.text


def test_c11_a_partial_invoice_says_so_and_names_those_before_it():
    text = text_of(pdf(invoice(sold(0), partial=True, earlier=(BEFORE,), ship_to=TEXAS)))

    assert "Partial invoice INV-2026-000042" in text
    assert "Before: INV-2026-000031 of 3 Feb 2026" in text
    assert "SHIPPED TO" in text
    assert "Ada Lovell" in text


def test_tax_that_the_prices_include_is_shown_and_not_added():
    text = text_of(pdf(invoice(sold(0), tax_included=True)))

    assert "Total EUR 1,229.50" in text
    assert "Tax that is included 19.99" in text


def test_every_currency_has_its_own_total_and_no_digit_is_lost():
    yen = Money(amount=Decimal(98765), currency_code="JPY")
    fine = eur("0.123456")
    free = {"discount": None, "tax": None}

    text = text_of(pdf(invoice(sold(0, unit_price=yen, **free), sold(1, unit_price=fine, **free), sold(2, **free))))

    assert "JPY 98,765" in text
    assert "Total JPY 98,765" in text
    assert "EUR 0.123456" in text
    assert "Total EUR 3,703.746912" in text


@pytest.mark.parametrize(
    ("document", "first"),
    [
        (slip(*map(packed, range(LONG))), "In this parcel"),
        (picks(*map(picked, range(LONG))), "Goes to"),
        (invoice(*map(sold, range(LONG))), "Unit price, EUR"),
    ],
    ids=["slip", "picks", "invoice"],
)
def test_a_long_list_runs_over_pages_with_heads_and_numbers_and_loses_nothing(document, first):
    found = pages(pdf(document))

    assert len(found) > 20
    for number, page in enumerate(found, 1):
        assert f"Page {number} of {len(found)}" in page.text
        assert (first in page.text) == ("CHAIR-" in page.text)
    text = " ".join(page.text for page in found)
    assert [text.count(f"CHAIR-{index:04}") for index in range(LONG)] == [1] * LONG
    for line in document.lines:
        assert f"{line.quantity if hasattr(line, 'quantity') else line.in_parcel} " in text


@pytest.mark.parametrize("document", [slip(), picks(), invoice()], ids=["slip", "picks", "invoice"])
def test_without_lines_a_document_says_so(document):
    (page,) = pages(pdf(document))

    assert any(words in page.text for words in ("Nothing is in this parcel", "Nothing is to be", "No lines are on"))
    assert "Page 1 of 1" in page.text


def everything(text):
    """Every document, with this text wherever a text may stand."""
    address = Address(name=text, line1=text, line2=text, city=text, region=text, postal_code=text, country_code="DE")
    return [
        label(
            reference=text,
            ship_from=address,
            ship_to=address,
            carrier=text,
            service=text,
            tracking_number=text,
            sscc=text,
        ),
        slip(
            replace(packed(1), sku=text, name=text, reference=text, note=text),
            packed(2),
            order_number=text,
            channel=text,
            ship_from=address,
            ship_to=replace(address, country_code=text),
            carrier=text,
            tracking_number=text,
            gift_message=text,
            note=text,
        ),
        picks(
            picked(1, sku=text, name=text, bin=text, barcode=text),
            picked(2),
            reference=text,
            mode=text,
            location_code=text,
            location_name=text,
        ),
        invoice(
            sold(1, sku=text, name=text, reference=text),
            sold(2),
            series=text,
            seller=address,
            bill_to=address,
            ship_to=JUNE,
            order_number=text,
            channel=text,
            seller_tax_id=text,
            seller_contact=text,
            note=text,
            earlier=(replace(BEFORE, number=text),),
            partial=True,
        ),
    ]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_whatever_is_written_stays_on_the_paper(text):
    for document in everything(text):
        for page in pages(pdf(document)):
            for left, top, right, bottom in page.boxes:
                assert left > 2
                assert top > 1
                assert right < page.width - 2
                assert bottom < page.height - 1


@pytest.mark.parametrize("document", [label, slip])
def test_a_long_name_leaves_room_for_street_city_and_country(document):
    (page,) = pages(pdf(document(ship_to=replace(JUNE, name="Very long name " * 300))))

    for words in ("12 Station Rise", "Flat 3", "York", "YO1 6GD", "UNITED KINGDOM"):
        assert words in page.text


@settings(max_examples=15, deadline=None)
@given(st.text(max_size=300))
def test_no_text_makes_a_document_fail(text):
    for document in everything(text):
        assert page_count(pdf(document)) >= 1


def test_text_of_other_scripts_is_read_back_and_what_no_typeface_has_is_replaced():
    note = "北京 Ελλάδα Київ 서울 ไทย 😀 \U0001d4d7\U0001d4ee हि"

    text = text_of(pdf(slip(packed(1, note=note), packed(2, note="שלום"))))

    for words in ("北京", "Ελλάδα", "Київ", "서울", "ไทย", "😀", "He", "\ufffd", "שלום"):
        assert words in text


def test_arabic_is_written_joined():
    text = text_of(pdf(slip(packed(1, note="محمد"))))

    assert "محمد" in text or "دمحم" in text  # readers differ in which way they hand it out


def test_letter_paper_in_north_america_and_a4_elsewhere():
    (american,) = pages(pdf(slip(ship_to=TEXAS)))
    (british,) = pages(pdf(slip(ship_to=JUNE)))

    assert (round(american.width, 1), round(american.height, 1)) == (215.9, 279.4)
    assert (round(british.width), round(british.height)) == (210, 297)


@pytest.mark.parametrize("document", [label(), slip(packed(1)), picks(picked(1)), invoice(sold(1))])
def test_the_same_facts_give_the_same_bytes(document):
    assert pdf(document) == pdf(document)


def test_another_process_gives_the_same_bytes():
    program = (
        "import hashlib; from tests.documents.test_pdf import *; "
        "print(hashlib.sha256(b''.join(map(pdf, everything('北京 😀 محمد')))).hexdigest())"
    )

    def run(seed):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        return subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True).stdout

    assert run("1") == run("2")


def test_a_file_has_a_name_and_type_that_mean_nothing_to_a_file_system():
    made = Documents().render(label(reference="../Ä/../x\r\ny"), DocumentForm.PDF)

    assert (made.file_name, made.content_type) == ("label-x-y-1.pdf", "application/pdf")
