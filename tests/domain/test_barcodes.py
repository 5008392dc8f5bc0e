"""GTINs, SSCCs and scans. The numbers that are checked against are GS1's own examples and goods that are sold."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.barcodes import check_digit, is_gtin, is_sscc, same_barcode, sscc

PUBLISHED = ["96385074", "614141123452", "6291041500213", "10614141123459", "4006381333931", "036000291452"]

bodies = st.sampled_from([7, 11, 12, 13]).flatmap(
    lambda length: st.text("0123456789", min_size=length, max_size=length)
)
gtins = bodies.map(lambda body: f"{body}{check_digit(body)}")
prefixes = st.text("0123456789", min_size=7, max_size=10)


@pytest.mark.parametrize("gtin", PUBLISHED)
def test_the_check_digit_is_the_published_one(gtin):
    assert check_digit(gtin[:-1]) == int(gtin[-1])
    assert is_gtin(gtin)


@given(gtins, st.data())
def test_a_single_wrong_digit_is_always_found(gtin, data):
    place = data.draw(st.integers(0, len(gtin) - 1))
    wrong = data.draw(st.sampled_from([digit for digit in "0123456789" if digit != gtin[place]]))

    assert is_gtin(gtin)
    assert not is_gtin(gtin[:place] + wrong + gtin[place + 1 :])


@given(gtins, st.data())
def test_two_neighbours_that_change_places_are_found_unless_they_differ_by_five(gtin, data):
    place = data.draw(st.integers(0, len(gtin) - 2))
    first, second = gtin[place], gtin[place + 1]
    swapped = gtin[:place] + second + first + gtin[place + 2 :]

    assert is_gtin(swapped) == (abs(int(first) - int(second)) in (0, 5))


@pytest.mark.parametrize(
    "text", ["", "4", "4006381333932", "400638133393", "40063813339311", "4006381 33931", "-96385074"]
)
def test_what_has_another_length_sign_or_check_digit_is_no_gtin(text):
    assert not is_gtin(text)


@pytest.mark.parametrize("text", ["\uff14006381333931", "٤٠٠٦٣٨١٣٣٣٩٣١", "9638507²", "4006381333931\n"])
def test_digits_of_other_scripts_are_no_digits(text):
    assert not is_gtin(text)
    assert not same_barcode(text, "4006381333931")


@given(st.text())
def test_any_text_can_be_asked_about(text):
    is_gtin(text)
    is_sscc(text)
    assert same_barcode(text, text)


def test_an_sscc_is_made_as_gs1_shows_it():
    assert sscc(1, "0614141", 234567890) == "106141412345678908"
    assert sscc(1, "0614141", 192837465) == "106141411928374657"


@given(st.integers(0, 9), prefixes, st.data())
def test_an_sscc_has_its_parts_and_the_right_check_digit(extension, prefix, data):
    serial = data.draw(st.integers(0, 10 ** (16 - len(prefix)) - 1))

    made = sscc(extension, prefix, serial)

    assert is_sscc(made)
    assert (int(made[0]), made[1 : 1 + len(prefix)], int(made[1 + len(prefix) : -1])) == (extension, prefix, serial)


@pytest.mark.parametrize(
    ("extension", "prefix", "serial"),
    [
        (10, "0614141", 1),
        (-1, "0614141", 1),
        (0, "061414", 1),
        (0, "06141411111", 1),
        (0, "061414A", 1),
        (0, "٠٦١٤١٤١", 1),
        (0, "0614141", -1),
        (0, "0614141", 10**9),
        (0, "0614141123", 10**6),
    ],
)
def test_parts_that_make_no_sscc_are_our_own_mistake(extension, prefix, serial):
    with pytest.raises(ValueError, match=r".+"):
        sscc(extension, prefix, serial)


@given(gtins, st.integers(0, 6))
def test_a_gtin_is_the_same_number_however_many_zeros_lead_it(gtin, zeros):
    padded = "0" * zeros + gtin
    if is_gtin(padded):
        assert same_barcode(padded, gtin)
        assert same_barcode(gtin, padded)


def test_a_upc_is_found_by_its_ean_and_its_case_number_by_neither():
    assert same_barcode("0036000291452", "036000291452")
    assert same_barcode("00036000291452", "036000291452")
    assert not same_barcode("10036000291459", "036000291452")


def test_what_is_no_gtin_matches_character_by_character():
    assert same_barcode("BOX-7", "BOX-7")
    assert not same_barcode("box-7", "BOX-7")
    assert not same_barcode("007", "7")
    assert not same_barcode("0036000291453", "036000291453")


@given(gtins, gtins)
def test_two_gtins_are_the_same_only_as_the_same_number(one, other):
    assert same_barcode(one, other) == (int(one) == int(other))
