"""What people may do: their issuer says which roles they have, and whoever sets Dibs up says what a role is."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from domain.access import EVERYTHING, Scope, Visibility, granted


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What whoever has it may do, and may know of."""

    scopes: frozenset[Scope]
    visibility: Visibility = EVERYTHING


def powers(roles: Mapping[str, Role], held: Collection[str]) -> tuple[frozenset[Scope], Visibility]:
    """What somebody who holds these roles may do, and may know of. Roles that nobody has described give nothing.

    Scopes add up, and so do the channels and locations of roles that are limited; but a limit of one role holds for
    what the others give too, since a caller has one view of everything. An administrator has no limits.
    """
    known = [roles[name] for name in sorted(set(held) & roles.keys())]
    scopes = granted(scope for role in known for scope in role.scopes)
    if Scope.ADMIN in scopes:
        return scopes, EVERYTHING
    return scopes, Visibility(
        channels=_together([role.visibility.channels for role in known]),
        locations=_together([role.visibility.locations for role in known]),
    )


def _together(limits: Collection[frozenset[str] | None]) -> frozenset[str] | None:
    given = [one for one in limits if one is not None]
    return frozenset[str]().union(*given) if given else None
