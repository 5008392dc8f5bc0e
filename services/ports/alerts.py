"""Alert rules and alerts, and how far the log has been read for them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from domain.alerts import Alert, AlertChanges, Found, OpenKey, WatchingRule
from domain.ids import AlertId, OrderId
from domain.kinds import AlertKind


class Alerts(Protocol):
    """Alert rules, alerts, and how far the log has been read for alerts and mails."""

    async def lock(self) -> None:
        """Nobody else raises alerts or says what is watched for until the transaction ends."""

    async def try_lock(self) -> bool:
        """The same; False: somebody else is at it just now. Nobody may conclude that it will finish."""

    async def begin(self) -> None:
        """From now on the log is read; what was before is not."""

    async def reached(self) -> int:
        """The position up to which alerts and mails have been made of the log."""

    async def reach(self, position: int) -> None: ...
    async def moment(self) -> datetime:
        """When this transaction began, by the database's clock."""

    async def rules(self) -> list[WatchingRule]:
        """In the sequence in which they were given."""

    async def replace_rules(self, rules: Sequence[WatchingRule]) -> None:
        """These rules instead of all that there were; open alerts are told to whom the rules say now."""

    async def checked(self, rules: Sequence[str], until: datetime) -> None:
        """The rules have looked for everything until then."""

    async def running_out(self, most: int, *, skus: Sequence[str] = (), rule: str | None = None) -> list[Found]:
        """Of these SKUs, or of all by one rule: what runs out and is not told, or is told and does not."""

    async def waiting(self, kind: AlertKind, orders: Sequence[OrderId]) -> list[Found]:
        """Of these orders: which have waited too long and are not told, or are told and do not wait."""

    async def crossed(self, kind: AlertKind, rule: str, most: int) -> list[Found]:
        """Orders that have waited too long since the rule looked the last time, the longest waiting first."""

    async def open_of_orders(self, orders: Sequence[OrderId]) -> dict[OpenKey, AlertId]: ...
    async def open_of_rules(self, rules: Sequence[str]) -> list[Alert]: ...
    async def by_ids(self, ids: Sequence[AlertId]) -> list[Alert]: ...
    async def page(self, first: int, before: int | None, is_open: bool | None) -> list[Alert]:
        """The newest first; `before`: an id."""

    async def reserve_ids(self, count: int) -> list[AlertId]: ...
    async def record(self, changes: AlertChanges) -> None:
        """Write the alerts, with their events."""

    async def forget(self, most: int) -> int:
        """Remove alerts that have been over for long, at most so many; how many."""
