"""Who may do what: scopes, what they give, limits, and how secrets are written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.access import (
    EVERYTHING,
    Denied,
    Need,
    Scope,
    Visibility,
    denied,
    granted,
    named,
    own_scopes,
)
from domain.api_keys import is_mistyped, written


def test_writing_gives_reading_of_the_same_and_nothing_else():
    for family in ("orders", "allocation", "inventory", "fulfillment"):
        given_by_writing = granted([Scope(f"{family}:write")])

        assert Scope(f"{family}:read") in given_by_writing
        assert {scope.partition(":")[0] for scope in given_by_writing} == {family}


def test_c6_only_its_own_scope_and_administrators_may_void():
    for scope in Scope:
        assert (Scope.ORDERS_VOID in granted([scope])) is (scope in {Scope.ORDERS_VOID, Scope.ADMIN})


def test_no_scope_gives_no_power():
    assert granted([]) == frozenset()
    for scope in Scope:
        assert denied(Need(scope=scope), frozenset(), EVERYTHING) == Denied(scope=scope)


def test_a_family_is_named_with_a_star():
    assert named("inventory:*") == {Scope.INVENTORY_READ, Scope.INVENTORY_WRITE}
    assert named("orders:void") == {Scope.ORDERS_VOID}
    for garbage in ("", "*", ":*", "orders", "orders:", "orders:all", "ADMIN", "admin:*x", "no:*"):
        assert named(garbage) == frozenset(), garbage


@given(st.frozensets(st.sampled_from(Scope)))
def test_the_scopes_that_are_shown_give_all_that_are_had(scopes: frozenset[Scope]):
    assert granted(own_scopes(granted(scopes))) == granted(scopes)


@pytest.mark.parametrize("limit", ["channels", "locations"])
def test_an_operation_is_closed_to_a_limit_that_it_does_not_say_it_keeps_to(limit: str):
    limited = Visibility(**{limit: frozenset({"A"})})
    careless, careful = Need(scope=Scope.ORDERS_READ), Need(scope=Scope.ORDERS_READ, **{limit: True})

    assert denied(careless, granted(Scope), limited) == Denied(limit=limit)
    assert denied(careful, granted(Scope), limited) is None
    assert denied(careless, granted(Scope), EVERYTHING) is None


def test_being_limited_to_nothing_is_a_limit():
    assert Visibility(channels=frozenset()).is_limited
    assert not Visibility(channels=frozenset()).sees_channel("A")
    assert not EVERYTHING.is_limited


secrets = st.binary(min_size=32, max_size=32)


@given(secrets)
def test_a_secret_is_written_so_that_one_wrong_character_shows(secret: bytes):
    text = written("Mark000001", secret)

    assert text.startswith("dibs_Mark000001_")
    assert not is_mistyped(text)
    for at in range(len("dibs_"), len(text)):
        wrong = text[:at] + ("x" if text[at] != "x" else "y") + text[at + 1 :]
        assert is_mistyped(wrong) or text[at] == "_", wrong


@given(secrets, secrets)
def test_different_secrets_are_written_differently_and_equally_long(one: bytes, other: bytes):
    assert (written("a" * 10, one) == written("a" * 10, other)) is (one == other)
    assert len(written("a" * 10, one)) == len(written("a" * 10, other)) == 65


def test_what_has_another_shape_is_somebodys_own_and_is_looked_up():
    for own in ("", "s" * 32, "dibs_", "dibs_" + "x" * 43, "dibs_Mark000001_short"):
        assert not is_mistyped(own)
