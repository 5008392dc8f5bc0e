"""Templates of mails, and the outbox."""

from collections.abc import Sequence
from typing import Protocol

from domain.ids import AlertId, MailId, OrderId
from domain.kinds import MailState
from domain.mails import ClaimedMail, Mail, MailTemplate, MailTried, NewMail, OrderToTell


class Mails(Protocol):
    """Templates, and the outbox."""

    async def templates(self) -> list[MailTemplate]:
        """Those that somebody has saved."""

    async def save_templates(self, templates: Sequence[MailTemplate]) -> None: ...
    async def orders_to_tell(self, orders: Sequence[OrderId]) -> dict[OrderId, OrderToTell]: ...
    async def recipients(self, alerts: Sequence[AlertId]) -> dict[AlertId, tuple[str, ...]]:
        """Who is told of each alert."""

    async def add(self, mails: Sequence[NewMail]) -> None:
        """Those that say what no mail says yet."""

    async def claim(self, most: int, lease: str, seconds: float) -> list[ClaimedMail]:
        """Lease what is due, the oldest first; of what is about the same thing, the first that has not ended."""

    async def release(self, claimed: Sequence[ClaimedMail]) -> None:
        """Give back what was not sent."""

    async def end(self, results: Sequence[tuple[MailTried, MailState, float]]) -> None:
        """Write down what came of attempts, with the wait until the next, where the lease still holds."""

    async def forget_ended(self, most: int) -> int:
        """Remove mails that are kept no longer, at most so many; how many."""

    async def mail(self, mail: MailId) -> Mail | None: ...
    async def page(self, first: int, before: int | None, state: MailState | None) -> list[Mail]:
        """The newest first; `before`: an id."""
