"""Keys are made, turned and revoked; what opens when is judged by the database's clock."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from domain.access import EVERYTHING, Scope, Visibility, granted
from domain.errors import IdempotencyKeyReused, InvalidInput, NotFound
from domain.ids import KeyId
from services.api_keys import CreateKey, RevokeKey, RotateKey, create_api_key, revoke_api_key, rotate_api_key
from services.catalog import save_channels, save_locations
from services.credentials import Doorkeeper, create_key, preset_key
from tests.builders import a_key


async def opens(database, secret):
    return await Doorkeeper(database).authenticate(secret, "r")


async def made(database, caller, *scopes, **fields):
    command = CreateKey(name=fields.pop("name", a_key()), scopes=scopes or ("orders:read",), **fields)
    return await create_api_key(database, caller, command, a_key())


async def set_clock_forward(engine, column, seconds):
    """The column's time comes so much earlier."""
    async with engine.begin() as connection:
        statement = f"UPDATE api_keys SET {column} = {column} - interval '{seconds} seconds'"  # noqa: S608
        await connection.execute(text(statement))


async def test_a_key_opens_with_the_scopes_and_the_limits_it_was_made_with(database, caller):
    await save_channels(database, [{"code": "WEB", "name": "Web"}])
    await save_locations(database, [{"code": "LEEDS", "name": "Leeds"}])

    key = await made(database, caller, "orders:write", channels=("WEB",), locations=("LEEDS",), name="partner")

    found = await opens(database, key.secret)
    assert (found.key, found.actor) == (key.key, "partner")
    assert found.scopes == granted([Scope.ORDERS_WRITE])
    assert found.visibility == Visibility(channels=frozenset({"WEB"}), locations=frozenset({"LEEDS"}))


async def test_a_key_without_limits_sees_everything(database, caller):
    key = await made(database, caller, "inventory:*", "events:read")

    found = await opens(database, key.secret)

    assert found.visibility == EVERYTHING
    assert found.scopes == {Scope.INVENTORY_READ, Scope.INVENTORY_WRITE, Scope.EVENTS_READ}


@pytest.mark.parametrize(
    ("fields", "path", "code"),
    [
        ({"name": " "}, "name", "REQUIRED"),
        ({"scopes": ()}, "scopes", "REQUIRED"),
        ({"scopes": ("orders:read", "orders:eat")}, "scopes.1", "UNKNOWN"),
        ({"channels": ("NO",)}, "channels.0", "UNKNOWN"),
        ({"locations": ("NO",)}, "locations.0", "UNKNOWN"),
        ({"channels": ()}, "channels", "REQUIRED"),
        ({"locations": ("A", "A")}, "locations.1", "DUPLICATE"),
        ({"scopes": ("admin",), "channels": ("A",)}, "channels", "NOT_EXPECTED"),
        ({"expires_at": -5}, "expiresAt", "OUT_OF_RANGE"),
    ],
)
async def test_a_key_that_makes_no_sense_is_refused(database, caller, fields, path, code):
    if "expires_at" in fields:
        now = await database.read(lambda uow: uow.credentials.moment())
        fields = {"expires_at": now + timedelta(seconds=fields["expires_at"])}
    command = CreateKey(**({"name": "partner", "scopes": ("orders:read",)} | fields))

    with pytest.raises(InvalidInput) as refused:
        await create_api_key(database, caller, command, a_key())

    assert (".".join(refused.value.problems[0].path), refused.value.problems[0].code) == (f"input.{path}", code)


async def test_a_name_is_given_once_even_after_the_key_is_gone(database, caller):
    key = await made(database, caller, name="partner")
    await revoke_api_key(database, caller, RevokeKey(key=key.key), a_key())

    with pytest.raises(InvalidInput):
        await made(database, caller, name="partner")


async def test_a_secret_is_shown_once_whoever_asks_again_under_the_same_key(database, caller):
    command, key = CreateKey(name="partner", scopes=("orders:read",)), a_key()

    first = await create_api_key(database, caller, command, key)
    again = await create_api_key(database, caller, command, key)

    assert (again.key, again.secret) == (first.key, None)
    with pytest.raises(IdempotencyKeyReused):
        await create_api_key(database, caller, CreateKey(name="other", scopes=("orders:read",)), key)


async def test_of_twins_that_make_a_key_at_once_one_is_told_its_secret(database, caller):
    command, key = CreateKey(name="partner", scopes=("orders:read",)), a_key()

    answers = await asyncio.gather(*(create_api_key(database, caller, command, key) for _ in range(8)))

    (secret,) = [one.secret for one in answers if one.secret]
    assert {one.key for one in answers} == {(await opens(database, secret)).key}


async def test_a_rotated_key_has_two_live_secrets_and_never_three(database, caller):
    key = await made(database, caller)
    rotate = RotateKey(key=key.key, keep_previous_seconds=3_600)

    second = await rotate_api_key(database, caller, rotate, a_key())
    assert (await opens(database, key.secret)).key == (await opens(database, second.secret)).key == key.key

    third = await rotate_api_key(database, caller, rotate, a_key())
    assert await opens(database, key.secret) is None
    assert await opens(database, second.secret)
    assert await opens(database, third.secret)
    assert key.secret[:16] == second.secret[:16] == third.secret[:16], "the mark stays the key's"


async def test_the_secret_before_opens_as_long_as_was_said(database, caller, engine):
    key = await made(database, caller)
    new = await rotate_api_key(database, caller, RotateKey(key=key.key, keep_previous_seconds=60), a_key())
    before = await opens(database, key.secret)
    assert 50 < before.ends_at - asyncio.get_running_loop().time() <= 60
    assert (await opens(database, new.secret)).ends_at is None

    await set_clock_forward(engine, "previous_until", 60)

    assert await opens(database, key.secret) is None
    assert await opens(database, new.secret)


async def test_a_rotation_without_a_while_is_at_once(database, caller):
    key = await made(database, caller)

    await rotate_api_key(database, caller, RotateKey(key=key.key, keep_previous_seconds=0), a_key())

    assert await opens(database, key.secret) is None


async def test_an_expired_key_opens_nothing_and_is_not_rotated(database, caller, engine):
    now = await database.read(lambda uow: uow.credentials.moment())
    key = await made(database, caller, expires_at=now + timedelta(hours=1))
    assert (await opens(database, key.secret)).ends_at is not None

    await set_clock_forward(engine, "expires_at", 3_600)

    assert await opens(database, key.secret) is None
    with pytest.raises(NotFound):
        await rotate_api_key(database, caller, RotateKey(key=key.key, keep_previous_seconds=60), a_key())


async def test_a_revoked_key_opens_nothing_with_any_of_its_secrets(database, caller):
    key = await made(database, caller)
    new = await rotate_api_key(database, caller, RotateKey(key=key.key, keep_previous_seconds=3_600), a_key())

    await revoke_api_key(database, caller, RevokeKey(key=key.key), a_key())
    await revoke_api_key(database, caller, RevokeKey(key=key.key), a_key())

    assert await opens(database, key.secret) is None
    assert await opens(database, new.secret) is None
    with pytest.raises(NotFound):
        await rotate_api_key(database, caller, RotateKey(key=key.key, keep_previous_seconds=60), a_key())


async def test_keys_that_are_unknown_are_not_found(database, caller):
    with pytest.raises(NotFound):
        await revoke_api_key(database, caller, RevokeKey(key=KeyId(999)), a_key())
    with pytest.raises(NotFound):
        await rotate_api_key(database, caller, RotateKey(key=KeyId(999), keep_previous_seconds=60), a_key())


async def test_a_secret_that_was_mistyped_is_not_even_looked_for(database, caller, monkeypatch):
    key = await made(database, caller)
    doorkeeper, reads = Doorkeeper(database), []
    monkeypatch.setattr(database, "read", lambda work: reads.append(work))

    assert await doorkeeper.authenticate(key.secret[:-1] + ("a" if key.secret[-1] != "a" else "b"), "r") is None

    assert reads == []


async def test_a_key_of_the_first_release_still_opens_everything(database):
    await preset_key(database, "admin", "dibs_" + "x" * 43)

    assert (await opens(database, "dibs_" + "x" * 43)).scopes == frozenset(Scope)


async def test_the_last_use_is_written_down_later_and_once_for_all(database, caller):
    key = await made(database, caller)
    doorkeeper = Doorkeeper(database)

    async def last_used():
        (view,) = await database.read(lambda uow: uow.credentials.by_ids([key.key]))
        return view.last_used_at

    await doorkeeper.authenticate(key.secret, "r")
    assert await last_used() is None

    await doorkeeper.write_down_use()
    first = await last_used()
    assert first is not None

    await doorkeeper.authenticate(key.secret, "r")
    await doorkeeper.close()
    assert await last_used() == first, "once a minute at most"


async def test_a_scope_that_this_release_does_not_know_gives_nothing(database, engine):
    _, secret = await create_key(database, "later", [Scope.ORDERS_READ])
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE api_keys SET scopes = '{orders:read,orders:teleport}'"))

    assert (await opens(database, secret)).scopes == {Scope.ORDERS_READ}
