"""API keys: input, service, result."""

from typing import Annotated

import strawberry

from domain.errors import NotFound
from domain.ids import KeyId
from gql.context import Info
from gql.pagination import connection, page_size, seek
from gql.resolvers import inputs as parsed
from gql.schema import api_keys as schema
from gql.schema.ids import cursor, row_id
from gql.schema.nodes import Node
from services import api_keys


async def key_node(info: Info, row: int) -> Node | None:
    found = await info.context.read(lambda uow: uow.credentials.by_ids([KeyId(row)]))
    return schema.ApiKey.of(found[0]) if found else None


async def find_api_keys(
    info: Info,
    ended: Annotated[bool, strawberry.argument(description="Also those that have expired or were revoked.")] = False,
    first: Annotated[int, strawberry.argument(description="How many at most, 1 to 100.")] = 50,
    after: Annotated[str | None, strawberry.argument(description="Continue behind this cursor.")] = None,
) -> schema.ApiKeyConnection:
    size, behind = page_size(first), seek("apiKeys", after, (int,))
    start = behind[0] if behind else None
    rows = await info.context.read(lambda uow: uow.credentials.page(size + 1, start, ended=ended))
    edges = [schema.ApiKeyEdge(cursor=cursor("apiKeys", [row.id]), node=schema.ApiKey.of(row)) for row in rows[:size]]
    return connection(schema.ApiKeyConnection, edges, len(rows), size, after)


async def create_api_key(
    info: Info, input: Annotated[schema.CreateApiKeyInput, strawberry.argument(description="What it may do.")]
) -> schema.CreateApiKeyResult:
    command = api_keys.CreateKey(
        name=input.name,
        scopes=tuple(input.scopes),
        channels=parsed.many(input.channels),
        locations=parsed.many(input.locations),
        expires_at=parsed.given(input.expires_at),
    )
    context = info.context
    made = await api_keys.create_api_key(context.database, context.caller, command, input.idempotency_key)
    return schema.CreateApiKeySuccess(api_key=await _now(info, made.key), secret=made.secret)


async def rotate_api_key(
    info: Info, input: Annotated[schema.RotateApiKeyInput, strawberry.argument(description="Which key.")]
) -> schema.RotateApiKeyResult:
    command = api_keys.RotateKey(key=_row(input.key), keep_previous_seconds=input.keep_previous_seconds)
    context = info.context
    made = await api_keys.rotate_api_key(context.database, context.caller, command, input.idempotency_key)
    return schema.RotateApiKeySuccess(api_key=await _now(info, made.key), secret=made.secret)


async def revoke_api_key(
    info: Info, input: Annotated[schema.RevokeApiKeyInput, strawberry.argument(description="Which key.")]
) -> schema.RevokeApiKeyResult:
    context, command = info.context, api_keys.RevokeKey(key=_row(input.key))
    done = await api_keys.revoke_api_key(context.database, context.caller, command, input.idempotency_key)
    return schema.RevokeApiKeySuccess(api_key=await _now(info, done.key))


def _row(value: str) -> KeyId:
    """Raises NotFound for what is the id of no key."""
    row = row_id("ApiKey", value)
    if row is None:
        raise NotFound(references=(parsed.keepable(value or '""'),))
    return KeyId(row)


async def _now(info: Info, key: KeyId) -> schema.ApiKey:
    (found,) = await info.context.read(lambda uow: uow.credentials.by_ids([key]))
    return schema.ApiKey.of(found)
