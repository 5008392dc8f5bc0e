"""The mailer: sends what is in the outbox, each mail once or more, under a Message-ID that stays the same.

Any number of processes may do this: a mail is leased for as long as it is being sent.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from domain.mails import MAIL_PATIENCE, ClaimedMail, MailPatience, MailTried
from services.mailing import claim_mails, record_mails, release_mails
from services.ports.database import Database
from workers.foreman import REST_SECONDS_MAX
from workers.loop import repeated

log = logging.getLogger("dibs.mails")

MAILS_AT_ONCE_MAX = 20
LEASE_SECONDS = 180.0
"""Longer than a batch may take by far; what a dead process was sending is sent again after this."""


class Mailer:
    """Sends mails until cancelled. `send` tries some; it does not fail, and does not take for ever."""

    def __init__(
        self,
        database: Database,
        send: Callable[[Sequence[ClaimedMail]], Awaitable[list[MailTried]]],
        *,
        patience: MailPatience = MAIL_PATIENCE,
        lease_seconds: float = LEASE_SECONDS,
        called: asyncio.Event,
    ) -> None:
        """`called`: there may be mails to send."""
        self._database = database
        self._send = send
        self._patience = patience
        self._lease_seconds = lease_seconds
        self._called = called

    async def run(self) -> None:
        await repeated("the mailer", self._turn, REST_SECONDS_MAX, self._called)

    async def _turn(self) -> bool:
        """Whether there may be more to do at once."""
        claimed = await claim_mails(self._database, MAILS_AT_ONCE_MAX, self._lease_seconds)
        if not claimed:
            return False
        tried = await self._send(claimed)
        await record_mails(self._database, tried, self._patience)
        for one in tried:
            if one.error:
                log.warning("mail %s could not be sent: %s", one.claimed.id, one.error)
        unsent = claimed[len(tried) :]
        if unsent:
            await release_mails(self._database, unsent)
        return any(one.error is None for one in tried)
