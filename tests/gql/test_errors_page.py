"""The page about errors: every refusal and every code stands there, and nothing that does not exist."""

import re
from pathlib import Path

from domain.errors import REFUSALS
from gql.errors import CODES

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def first_cells(heading: str) -> dict[str, str]:
    """The rows of the first table under a heading, by the code in their first cell."""
    (section,) = re.findall(
        rf"^## {heading}\n(.*?)(?=^##|\Z)", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    return {code: row for row, code in re.findall(r"^(\| `(\w+)` \|.*)$", section, re.MULTILINE)}


def test_the_page_lists_every_refusal_in_the_order_in_which_it_is_looked_for():
    assert list(first_cells("Refusals")) == [refusal.__name__ for refusal in REFUSALS]


def test_the_page_says_which_refusals_an_idempotency_key_remembers():
    rows = first_cells("Refusals")

    for refusal in REFUSALS:
        assert f"| {'kept' if refusal.kept else 'no'} |" in rows[refusal.__name__], refusal.__name__


def test_the_page_lists_every_code_of_a_top_level_error():
    assert set(first_cells("Top-level errors")) == set(CODES)
