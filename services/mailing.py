"""What the workers ask for on behalf of mails: lease what is due, and write down what came of it."""

import random
import secrets
from collections.abc import Sequence

from domain.mails import ClaimedMail, MailPatience, MailTried
from services.ports.database import Database


async def claim_mails(database: Database, most: int, lease_seconds: float) -> list[ClaimedMail]:
    """Lease what is due, the oldest first."""
    return await database.run(lambda uow: uow.mails.claim(most, secrets.token_hex(8), lease_seconds), repeatable=True)


async def release_mails(database: Database, claimed: Sequence[ClaimedMail]) -> None:
    """Give back what will not be sent."""
    await database.run(lambda uow: uow.mails.release(claimed), repeatable=True)


async def record_mails(database: Database, results: Sequence[MailTried], patience: MailPatience) -> None:
    """Write down what came of attempts. What is no longer leased by the one who tried it is left alone."""
    ended = [(one, *patience.after(one, random.random())) for one in results]  # noqa: S311  (jitter)
    await database.run(lambda uow: uow.mails.end(ended), repeatable=True)
