"""The administrator's API key when a server starts."""

from dibs.opening import opened
from dibs.settings import Settings
from dibs.showing import console, remark
from persistence.migrating import schema_is_current
from services.credentials import ADMIN, create_admin_key, preset_key


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


def _show_once(secret: str | None) -> None:
    if secret:
        console.print(f"The administrator's API key, shown this once: {secret}", markup=False)
