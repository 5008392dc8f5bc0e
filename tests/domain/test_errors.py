"""The refusals: which come first, what they say, which a key remembers."""

import re
from dataclasses import fields, is_dataclass

import pytest

from domain import errors
from domain.errors import REFUSALS, DomainError, InputProblem, InvalidInput


def leaves(kind: type[DomainError]) -> set[type[DomainError]]:
    below = kind.__subclasses__()
    return set().union(*map(leaves, below)) if below else {kind}


def test_the_tree_at_the_top_of_the_page_shows_every_refusal_with_its_precedence():
    drawn = re.findall(r"[├└]── (\w+) +(\d)", errors.__doc__ or "")

    assert drawn == [(refusal.__name__, str(refusal.precedence)) for refusal in REFUSALS]


def test_refusals_are_listed_in_the_order_in_which_they_are_looked_for():
    precedences = [refusal.precedence for refusal in REFUSALS]

    assert precedences == sorted(precedences)
    assert set(precedences) == {1, 2, 3, 4, 5}
    assert set(REFUSALS) == leaves(DomainError)


@pytest.mark.parametrize("refusal", REFUSALS)
def test_a_refusals_docstring_is_its_message(refusal):
    made = refusal(**dict.fromkeys((one.name for one in fields(refusal)), ())) if is_dataclass(refusal) else refusal()

    assert made.message == " ".join(refusal.__doc__.split())
    assert made.message.endswith(".")


def test_a_key_remembers_what_the_state_of_things_refused_and_not_what_the_caller_has_to_correct():
    assert {refusal.__name__ for refusal in REFUSALS if not refusal.kept} == {
        "InvalidInput",
        "IdempotencyKeyReused",
        "NotFound",
        "ShippingRefused",
    }


def test_invalid_input_says_where_each_problem_is():
    refusal = InvalidInput(
        problems=(
            InputProblem(path=("input", "lines", "0", "sku"), code="REQUIRED", message="This may not be empty."),
            InputProblem(path=("input", "number"), code="TOO_LONG", message="Too long."),
        )
    )

    assert str(refusal) == "input.lines.0.sku: This may not be empty.; input.number: Too long."
