"""What the pages for people say of the settings is so."""

import re

import pytest

from dibs.settings import Settings
from tests.acceptance.processes import ROOT

ROW = re.compile(r"^\| `(DIBS_[A-Z_]+)` \|(.*?)\|.*\|$", re.MULTILINE)
README = (ROOT / "README.md").read_text()


def test_the_table_of_settings_in_the_readme_has_every_setting_and_no_other():
    told = [name for name, _ in ROW.findall(README)]

    assert sorted(told) == sorted(f"DIBS_{name.upper()}" for name in Settings.model_fields)


def test_the_defaults_in_the_readme_are_those_of_the_settings():
    told = {name: default.strip(" `") for name, default in ROW.findall(README)}
    for name, field in Settings.model_fields.items():
        if field.default is not None and field.default != ():
            known = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
            assert told[f"DIBS_{name.upper()}"] == known


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://orders.shop.example", "https://orders.shop.example"),
        ("https://orders.shop.example/", "https://orders.shop.example"),
        ("https://shop.example/orders/", "https://shop.example/orders"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"),
    ],
)
def test_the_address_for_customers_is_kept_without_a_slash(given: str, kept: str):
    assert Settings(public_url=given).public_url == kept


@pytest.mark.parametrize(
    "wrong",
    [
        *(
            "shop.example",
            "ftp://shop.example",
            "https://",
            "https://shop.example?a=1",
            "https://shop.example/#a",
            "a b",
        ),
        *(
            "https://user:secret@shop.example",
            "https://shop.example/a b",
            "https://shöp.example",
            "javascript:alert(1)",
        ),
    ],
)
def test_what_is_no_address_for_customers_is_told_at_the_start(wrong: str):
    with pytest.raises(ValueError, match="must look like https://"):
        Settings(public_url=wrong)
