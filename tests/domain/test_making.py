"""Objects that are made quickly are what dataclasses makes them, and as frozen."""

import inspect
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from domain.making import quickly_made


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """As Python makes it."""

    number: int
    text: str = "none"
    found: dict[str, int] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Quick:
    """The same, made quickly."""

    number: int
    text: str = "none"
    found: dict[str, int] = field(default_factory=dict)


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Child(Quick):
    """With fields of its own."""

    more: int = 7


def test_an_object_that_is_made_quickly_is_as_frozen_as_any_other():
    quick = Quick(number=1)

    with pytest.raises(FrozenInstanceError):
        quick.number = 2  # type: ignore[misc]
    assert quick.number == 1


def test_it_takes_the_same_arguments_and_has_the_same_defaults():
    assert repr(Quick(number=1)) == repr(Plain(number=1)).replace("Plain", "Quick")
    assert replace(Quick(number=1), text="some") == Quick(number=1, text="some")
    assert Quick(number=1).found is not Quick(number=1).found
    assert Child(number=1, more=3) == replace(Child(number=1), more=3)
    assert list(inspect.signature(Quick).parameters) == list(inspect.signature(Plain).parameters)
    for wrong in ({}, {"number": 1, "other": 2}):
        with pytest.raises(TypeError, match="argument"):
            Quick(**wrong)
