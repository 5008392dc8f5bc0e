"""What waits in the database, in figures: one statement that costs little however much it is."""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

COUNTED_MAX = 100_000
"""Nothing is counted further: so many are too many."""


@dataclass(frozen=True, slots=True)
class Figures:
    """Counts, and ages in seconds by the database's clock; 0 where nothing waits.

    `unnumbered`: events that are committed and have no position yet. `late`: whose time to be sent has come.
    """

    unnumbered: int
    unnumbered_seconds: float
    webhooks_pending: int
    webhooks_late_seconds: float
    webhooks_dead: int
    mails_pending: int
    mails_late_seconds: float
    mails_dead: int


def _counted(table: str, condition: str) -> str:
    return f"(SELECT count(*) FROM (SELECT FROM {table} WHERE {condition} LIMIT {COUNTED_MAX}) AS these)"  # noqa: S608


def _age(table: str, column: str, condition: str) -> str:
    oldest = f"SELECT min({column}) FROM (SELECT {column} FROM {table} WHERE {condition} LIMIT {COUNTED_MAX}) AS these"  # noqa: S608
    return f"greatest(0, coalesce(extract(epoch FROM clock_timestamp() - ({oldest})), 0))::float8"


FIGURES = text(
    f"""
    SELECT {_counted("events", "position IS NULL")},
           {_age("events", "occurred_at", "position IS NULL ORDER BY id")},
           {_counted("webhook_deliveries", "state = 'PENDING'")},
           {_age("webhook_deliveries", "due_at", "state = 'PENDING'")},
           {_counted("webhook_deliveries", "state = 'DEAD'")},
           {_counted("mails", "state = 'PENDING'")},
           {_age("mails", "due_at", "state = 'PENDING'")},
           {_counted("mails", "state = 'DEAD'")}
    """
)


async def figures(engine: AsyncEngine) -> Figures:
    async with engine.connect() as connection:
        return Figures(*(await connection.execute(FIGURES)).one())
