"""What roles give."""

from domain.access import EVERYTHING, Scope, Visibility, granted
from domain.people import Role, powers

ROLES = {
    "desk": Role(scopes=frozenset({Scope.ORDERS_WRITE})),
    "leeds": Role(scopes=frozenset({Scope.FULFILLMENT_PICK}), visibility=Visibility(locations=frozenset({"LEEDS"}))),
    "york": Role(scopes=frozenset({Scope.FULFILLMENT_PICK}), visibility=Visibility(locations=frozenset({"YORK"}))),
    "boss": Role(scopes=frozenset({Scope.ADMIN})),
}


def test_without_a_role_that_is_known_there_is_no_power():
    assert powers(ROLES, []) == (frozenset(), EVERYTHING)
    assert powers(ROLES, ["admin", "orders:write", ""]) == (frozenset(), EVERYTHING)


def test_roles_add_up():
    scopes, visibility = powers(ROLES, ["leeds", "york"])

    assert scopes == granted([Scope.FULFILLMENT_PICK])
    assert visibility == Visibility(locations=frozenset({"LEEDS", "YORK"}))


def test_the_limit_of_one_role_holds_for_what_another_gives():
    scopes, visibility = powers(ROLES, ["desk", "leeds"])

    assert scopes == granted([Scope.ORDERS_WRITE, Scope.FULFILLMENT_PICK])
    assert visibility == Visibility(locations=frozenset({"LEEDS"}))


def test_an_administrator_has_no_limits():
    assert powers(ROLES, ["boss", "leeds"]) == (granted([Scope.ADMIN]), EVERYTHING)
