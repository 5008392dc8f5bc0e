"""What the roles of people give, as it is written in the settings."""

from collections.abc import Mapping
from typing import Any

import orjson

from domain.access import Scope, Visibility, named
from domain.people import Role

LIMITS = ("channels", "locations")


def roles_of(text: str) -> Mapping[str, Role]:
    """Roles by name, from JSON; see the README. Raises ValueError."""
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError as mistake:
        raise ValueError(f"is no JSON: {mistake}") from None
    if not isinstance(given, dict):
        raise ValueError('must be an object such as {"picker": {"scopes": ["fulfillment:pick"]}}')
    return {name: _role(name, one) for name, one in given.items()}


def _role(name: str, given: Any) -> Role:
    if not isinstance(given, dict) or not given.keys() <= {"scopes", *LIMITS}:
        raise ValueError(f"the role {name} may say scopes, channels and locations, and nothing else")
    scopes = frozenset[Scope]()
    for one in _texts(name, "scopes", given.get("scopes")):
        if not named(one):
            raise ValueError(f"the role {name} has a scope that does not exist: {one}")
        scopes |= named(one)
    limits = {
        limit: None if given.get(limit) is None else frozenset(_texts(name, limit, given[limit])) for limit in LIMITS
    }
    if Scope.ADMIN in scopes and any(one is not None for one in limits.values()):
        raise ValueError(f"the role {name} is an administrator's, who has no limits")
    return Role(scopes=scopes, visibility=Visibility(**limits))


def _texts(name: str, field: str, given: Any) -> list[str]:
    if not isinstance(given, list) or not given or not all(isinstance(one, str) for one in given):
        raise ValueError(f"the role {name} needs a list of texts as {field}")
    return given
