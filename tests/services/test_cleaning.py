"""What is not kept for ever goes; what is kept stays."""

from sqlalchemy import text

from services.cleaning import forget_expired_keys
from services.desk import Desk
from services.orders import place_order
from tests.builders import a_catalog
from tests.services.test_idempotency import order_of_one

OLDER = text(
    "UPDATE idempotency_keys SET created_at = created_at - make_interval(mins => :minutes) WHERE key = ANY(:keys)"
)
KEYS = text("SELECT array_agg(key ORDER BY key) FROM idempotency_keys")


async def test_keys_are_forgotten_after_thirty_days_and_not_before(engine, database, caller, monkeypatch):
    monkeypatch.setattr("services.cleaning.KEYS_AT_ONCE_MAX", 2)
    await a_catalog(database, caller, {("CHAIR", "LEEDS"): 1})
    for key in "abcde":
        await place_order(Desk(database), caller, order_of_one(key), key)
    async with engine.begin() as connection:
        await connection.execute(text("DELETE FROM idempotency_keys WHERE length(key) > 1"))
        await connection.execute(OLDER, {"minutes": 30 * 1440 + 1, "keys": ["a", "b", "c"]})
        await connection.execute(OLDER, {"minutes": 30 * 1440 - 60, "keys": ["d"]})

    assert await forget_expired_keys(database), "there is more"
    assert not await forget_expired_keys(database)

    async with engine.connect() as connection:
        assert (await connection.execute(KEYS)).scalar() == ["d", "e"]
