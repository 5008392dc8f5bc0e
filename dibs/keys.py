"""API keys: the administrator's when a server starts, and what `dibs keys` does."""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from dibs.opening import command_line, opened
from dibs.settings import Settings
from dibs.showing import console, remark
from domain.access import own_scopes
from domain.errors import NotFound
from persistence.migrating import schema_is_current
from services.api_keys import CreateKey, RevokeKey, create_api_key, revoke_api_key
from services.credentials import ADMIN, create_admin_key, preset_key
from services.ports.credentials import KeyView
from services.ports.unit_of_work import UnitOfWork

PAGE = 100


async def ensure_key(url: str, settings: Settings) -> None:
    """Take the preset key; without one, make the first key of an embedded database, and show it this once."""
    async with opened(url) as database:
        if not await schema_is_current(database.engine):
            remark("The schema of this database is not current: run `dibs migrate`.", style="yellow")
        elif settings.admin_key:
            await preset_key(database, ADMIN, settings.admin_key.get_secret_value())
        elif not settings.database_url:
            _show_once(await create_admin_key(database))
        elif not await database.read(lambda uow: uow.credentials.exists(ADMIN)):
            remark("No API key opens this API yet: set DIBS_ADMIN_KEY, 32 characters or more.", style="yellow")


async def create(
    url: str,
    name: str,
    scopes: Sequence[str],
    channels: Sequence[str] | None,
    locations: Sequence[str] | None,
    days: int | None,
) -> str:
    """The secret of a new key. Raises InvalidInput."""
    async with opened(url) as database:
        expires_at = None
        if days is not None:
            expires_at = await database.read(lambda uow: uow.credentials.moment()) + timedelta(days=days)
        command = CreateKey(
            name=name,
            scopes=tuple(scopes),
            channels=tuple(channels) if channels else None,
            locations=tuple(locations) if locations else None,
            expires_at=expires_at,
        )
        made = await create_api_key(database, command_line("keys create"), command, secrets.token_hex(8))
    assert made.secret, "nobody else has this idempotency key"
    return made.secret


async def found(url: str, *, ended: bool) -> list[tuple[str, ...]]:
    """A row for each key."""

    async def work(uow: UnitOfWork) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = []
        last = None
        while page := await uow.credentials.page(PAGE, last, ended=ended):
            last = page[-1].id
            rows += [_row(key) for key in page]
        return rows

    async with opened(url) as database:
        return await database.read(work)


async def revoke(url: str, name: str) -> None:
    """Raises NotFound."""
    async with opened(url) as database:
        key = await database.read(lambda uow: uow.credentials.by_name(name))
        if key is None:
            raise NotFound(references=(name,))
        caller = command_line("keys revoke")
        await revoke_api_key(database, caller, RevokeKey(key=key.id), secrets.token_hex(8))


def _row(key: KeyView) -> tuple[str, ...]:
    limits = [*(key.visibility.channels or ()), *(key.visibility.locations or ())]
    ends = key.revoked_at or key.expires_at
    return (
        key.name,
        " ".join(own_scopes(key.scopes)),
        ", ".join(sorted(limits)) if key.visibility.is_limited else "",
        _day(key.created_at),
        _day(key.last_used_at),
        _day(ends),
    )


def _day(time: datetime | None) -> str:
    return "" if time is None else time.strftime("%Y-%m-%d %H:%M")


def _show_once(secret: str | None) -> None:
    if secret:
        console.print(f"The administrator's API key, shown this once: {secret}", markup=False)
