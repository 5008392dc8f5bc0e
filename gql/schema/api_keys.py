"""API keys: what callers see of them, send about them, and are answered."""

from datetime import datetime
from typing import Annotated, Any

import strawberry
from strawberry import UNSET

from domain.access import Scope, own_scopes
from gql.schema.ids import global_id
from gql.schema.inputs import KEY
from gql.schema.nodes import Node, PageInfo
from gql.schema.refusals import IdempotencyKeyReused, InvalidInput, NotFound
from gql.schema.results import result
from services.ports.credentials import KeyView

GIVEN = [scope for scope in Scope if scope is not Scope.ADMIN]
SHOWN_ONCE = (
    "What the caller sends as `Authorization: Bearer <secret>`. It is shown to the request that made it and nowhere "
    "else; null where the same idempotency key comes again."
)


@strawberry.type(description="What opens this API for a caller. Its secret is not kept, only a hash of it.")
class ApiKey(Node):
    """An API key."""

    name: str = strawberry.field(description="Unique, also among those that are gone; it is what ledgers say of who.")
    mark: str | None = strawberry.field(
        description="What stands in its secret behind `dibs_`, and is no secret; null where the secret was preset."
    )
    scopes: list[str] = strawberry.field(
        description="What it may do. Writing gives reading; docs/access.md says what each gives."
    )
    channels: list[str] | None = strawberry.field(description="The channels that it is limited to, by code; null: all.")
    locations: list[str] | None = strawberry.field(
        description="The locations that it is limited to, by code; null: all."
    )
    created_at: datetime = strawberry.field(description="When it was made.")
    created_by: str | None = strawberry.field(description="Who made it; null where that was the server itself.")
    expires_at: datetime | None = strawberry.field(description="When it opens nothing any more; null: never.")
    previous_secret_until: datetime | None = strawberry.field(
        description="Until when the secret before the last rotation opens, too; null where there is none."
    )
    revoked_at: datetime | None = strawberry.field(description="When it was revoked; null where it was not.")
    last_used_at: datetime | None = strawberry.field(
        description="When it was last presented, to within a minute or two; null: never."
    )

    @classmethod
    def of(cls, key: KeyView) -> "ApiKey":
        channels, locations = key.visibility.channels, key.visibility.locations
        return cls(
            id=global_id("ApiKey", key.id),
            name=key.name,
            mark=key.mark,
            scopes=list(own_scopes(key.scopes)),
            channels=None if channels is None else sorted(channels),
            locations=None if locations is None else sorted(locations),
            created_at=key.created_at,
            created_by=key.created_by,
            expires_at=key.expires_at,
            previous_secret_until=key.previous_until,
            revoked_at=key.revoked_at,
            last_used_at=key.last_used_at,
        )


@strawberry.type(description="A key and its place in the list.")
class ApiKeyEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this key.")
    node: ApiKey = strawberry.field(description="The key.")


@strawberry.type(description="A page of keys, the oldest first.")
class ApiKeyConnection:
    """A page."""

    edges: list[ApiKeyEdge] = strawberry.field(description="The keys with their cursors.")
    nodes: list[ApiKey] = strawberry.field(description="The keys alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")


# ---------------------------------------------------------------- inputs


def _(description: str, **more: Any) -> Any:
    return strawberry.field(description=description, **more)


@strawberry.input(description="A new key. What it may do is settled here: for something else, make another.")
class CreateApiKeyInput:
    name: str = _("Unique, also among those that are gone.")
    scopes: list[str] = _(
        f"What it may do: {', '.join(GIVEN)}, or admin for everything; `inventory:*` and the like mean all of a family."
    )
    channels: list[str] | None = _(
        "Limit it to these channels, by code: it then knows of nothing that is not theirs.", default=UNSET
    )
    locations: list[str] | None = _(
        "Limit it to these locations, by code: it then knows of nothing that is not theirs.", default=UNSET
    )
    expires_at: datetime | None = _("When it opens nothing any more; never, when absent.", default=UNSET)
    idempotency_key: str = _(KEY)


@strawberry.input(description="A key that gets a new secret.")
class RotateApiKeyInput:
    key: strawberry.ID = _("Which key.")
    keep_previous_seconds: int = _(
        "How long the secret before goes on opening beside the new one, 0 to 2,592,000; a day when absent. What was "
        "before that one opens nothing any more.",
        default=86_400,
    )
    idempotency_key: str = _(KEY)


@strawberry.input(description="A key that shall open nothing any more.")
class RevokeApiKeyInput:
    key: strawberry.ID = _("Which key.")
    idempotency_key: str = _(KEY)


# ---------------------------------------------------------------- results


@strawberry.type(description="The key was made.")
class CreateApiKeySuccess:
    api_key: ApiKey = strawberry.field(description="The key as it is now.")
    secret: str | None = strawberry.field(description=SHOWN_ONCE)


@strawberry.type(description="The key has a new secret.")
class RotateApiKeySuccess:
    api_key: ApiKey = strawberry.field(description="The key as it is now.")
    secret: str | None = strawberry.field(description=SHOWN_ONCE)


@strawberry.type(description="The key opens nothing any more; its connections end within two seconds.")
class RevokeApiKeySuccess:
    api_key: ApiKey = strawberry.field(description="The key as it is now.")


CreateApiKeyResult = Annotated[CreateApiKeySuccess | InvalidInput | IdempotencyKeyReused, result("CreateApiKeyResult")]
RotateApiKeyResult = Annotated[
    RotateApiKeySuccess | InvalidInput | IdempotencyKeyReused | NotFound, result("RotateApiKeyResult")
]
RevokeApiKeyResult = Annotated[
    RevokeApiKeySuccess | InvalidInput | IdempotencyKeyReused | NotFound, result("RevokeApiKeyResult")
]
