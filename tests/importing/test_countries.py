import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dibs.importing import countries
from dibs.importing.countries import country_code
from tests.importing.files import DAY


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("United Kingdom", "GB"),
        ("EIRE", "IE"),
        ("USA", "US"),
        ("U.S.A.", "US"),
        ("RSA", "ZA"),
        ("UK", "GB"),
        ("United Arab Emirates", "AE"),
        ("Czech Republic", "CZ"),
        ("Hong Kong", "HK"),
        ("Côte d'Ivoire", "CI"),
        ("Cote d\u2019Ivoire", "CI"),
        ("Turkiye", "TR"),
        ("Curacao", "CW"),
        ("The Netherlands", "NL"),
        ("St. Lucia", "LC"),
        ("Trinidad & Tobago", "TT"),
        ("Bolivia, Plurinational State of", "BO"),
        ("Korea, Republic of", "KR"),
        ("Korea, Democratic People's Republic of", "KP"),
        ("Guernsey", "GG"),
        ("Jersey", "JE"),
    ],
)
def test_a_country_has_the_code_of_its_name_or_of_what_people_call_it(name, code):
    assert country_code(name) == country_code(f"  {name.upper()} ") == country_code(name.casefold()) == code


@pytest.mark.parametrize(
    "name", ["Channel Islands", "European Community", "Unspecified", "", "  ", "Atlantis", "XX", "ß"]
)
def test_what_is_no_single_country_has_no_code(name):
    assert country_code(name) is None


def test_a_code_that_exists_is_its_own_code_in_any_case():
    codes = countries._CODES

    assert len(codes) == 249
    assert all(country_code(code) == country_code(f" {code.lower()} ") == code for code in codes)


def test_no_name_belongs_to_two_countries():
    names = [countries._plain(name) for names in countries._NAMES_BY_CODE.values() for name in names]

    assert len(names) == len(set(names))
    assert all(names)


def test_every_country_of_the_real_day_is_known_but_the_channel_islands():
    with DAY.open(encoding="utf-8", newline="") as file:
        unknown = {row["Country"] for row in csv.DictReader(file) if not country_code(row["Country"])}

    assert unknown == {"Channel Islands"}


@given(st.text())
def test_any_text_is_a_known_code_or_none(text):
    assert country_code(text) in countries._CODES | {None}
