"""After a restore to an earlier moment: nothing new may be taken for something that was lost.

What was committed after that moment is gone here, and known elsewhere: subscribers have its cursors, receivers of
webhooks the ids of its events, partners the ids of its orders. So the log goes on at positions, and tables at ids, that
the lost history has surely not reached, and the positions between are remembered as a gap.
"""

from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from persistence.sql import BIGINT, sql

AHEAD = 1_000_000_000
"""How many events, and rows of a table, a lost history surely does not have."""
AHEAD_SMALL = 1_000_000
"""The same for tables with small ids, such as items and locations."""

MARK = sql(
    """
    WITH gap AS (
        INSERT INTO log_gaps (behind, until) SELECT position, position + :ahead FROM log_end RETURNING behind, until
    ), moved AS (
        UPDATE log_end SET position = gap.until FROM gap
    )
    SELECT behind FROM gap
    """,
    ahead=BIGINT,
)
MOVE_SEQUENCES = sql(
    """
    SELECT count(setval(CAST(format('%I.%I', schemaname, sequencename) AS regclass),
        coalesce(last_value, start_value)
            + CAST(CASE WHEN data_type = CAST('bigint' AS regtype) THEN :ahead ELSE :ahead_small END AS bigint)))
    FROM pg_sequences WHERE schemaname = current_schema()
    """,
    ahead=BIGINT,
    ahead_small=BIGINT,
)
WAITING = text(
    """
    SELECT (SELECT count(*) FROM webhook_deliveries WHERE state = 'PENDING'),
           (SELECT count(*) FROM mails WHERE state = 'PENDING')
    """
)


@dataclass(frozen=True, slots=True)
class Restored:
    """The last position that was kept, and what is sent again though it may have been sent before."""

    position: int
    webhooks: int
    mails: int


async def mark_restored(engine: AsyncEngine) -> Restored:
    """All of it or nothing. Doing it twice makes two gaps, which harms nobody."""
    async with engine.begin() as connection:
        position = (await connection.execute(MARK, {"ahead": AHEAD})).scalar_one()
        await connection.execute(MOVE_SEQUENCES, {"ahead": AHEAD, "ahead_small": AHEAD_SMALL})
        webhooks, mails = (await connection.execute(WAITING)).one()
    return Restored(position, webhooks, mails)
