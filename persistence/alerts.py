"""Alert rules, and the alerts that they have raised."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from domain.alerts import Alert, AlertChanges, AlertRule, Found, OpenKey, Subject, WatchingRule
from domain.ids import AlertId, OrderId
from domain.kinds import AlertKind
from persistence.events import append
from persistence.locks import NOTICES_KEY
from persistence.situations import RUNNING_OUT, crossed, of_orders
from persistence.sql import BIGINT, BIGINTS, INT, TEXTS, TIME, sql
from persistence.tables import alert_rules, alerts

READER = "notices"
LOCK = sql("SELECT pg_advisory_xact_lock(:key)", key=BIGINT)
TRY_LOCK = sql("SELECT pg_try_advisory_xact_lock(:key)", key=BIGINT)
BEGIN = sql(
    f"""
    INSERT INTO log_readers (name, position) SELECT '{READER}', position FROM log_end ON CONFLICT (name) DO NOTHING
    """  # noqa: S608
)
REACHED = sql(f"SELECT position FROM log_readers WHERE name = '{READER}'")  # noqa: S608
REACH = sql(f"UPDATE log_readers SET position = :position WHERE name = '{READER}'", position=BIGINT)  # noqa: S608
MOMENT = sql("SELECT now()")
READDRESS = sql(
    """
    UPDATE alerts a SET emails = r.emails, endpoints = r.endpoints
    FROM alert_rules r WHERE r.name = a.rule AND a.resolved_at IS NULL
    """
)

ALERT = """
    SELECT a.id, a.rule, a.kind, a.order_id, o.number AS order_number, c.code AS channel_code, a.sku, a.location_code,
        a.available, a.emails, a.endpoints, a.raised_at, a.resolved_at
    FROM alerts a LEFT JOIN orders o ON o.id = a.order_id LEFT JOIN channels c ON c.id = o.channel_id
    """
BY_IDS = sql(f"{ALERT} WHERE a.id = ANY (:ids)", ids=BIGINTS)
OPEN_OF_RULES = sql(f"{ALERT} WHERE a.resolved_at IS NULL AND a.rule = ANY (:rules) ORDER BY a.id", rules=TEXTS)
OPEN_OF_ORDERS = sql(f"{ALERT} WHERE a.resolved_at IS NULL AND a.order_id = ANY (:orders)", orders=BIGINTS)
OPEN = {
    None: "",
    True: "AND a.resolved_at IS NULL",
    False: "AND a.resolved_at IS NOT NULL",
}
PAGES = {
    state: sql(
        f"{ALERT} WHERE (:before IS NULL OR a.id < :before) {condition} ORDER BY a.id DESC LIMIT :first",
        before=BIGINT,
        first=INT,
    )
    for state, condition in OPEN.items()
}
RESERVE = sql(
    "SELECT nextval(pg_get_serial_sequence('alerts', 'id')) FROM generate_series(1, CAST(:count AS int))", count=INT
)
CHECKED = sql("UPDATE alert_rules SET checked_at = :until WHERE name = ANY (:rules)", until=TIME, rules=TEXTS)
FORGET = sql(
    """
    DELETE FROM alerts WHERE id = ANY (ARRAY(
        SELECT id FROM alerts WHERE resolved_at < now() - interval '90 days' ORDER BY resolved_at LIMIT :most
        FOR UPDATE SKIP LOCKED))
    """,
    most=INT,
)


class PostgresAlerts:
    """Keeps the rules and the alerts, and how far the log has been read for them."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.has_new_events = False

    # ------------------------------------------------------------ who reads the log, and how far

    async def lock(self) -> None:
        """Nobody else raises alerts or says what is watched for until the transaction ends."""
        await self._connection.execute(LOCK, {"key": NOTICES_KEY})

    async def try_lock(self) -> bool:
        """The same; False: somebody else is at it just now."""
        return bool((await self._connection.execute(TRY_LOCK, {"key": NOTICES_KEY})).scalar_one())

    async def begin(self) -> None:
        """From now on the log is read; what was before is not."""
        await self._connection.execute(BEGIN)

    async def reached(self) -> int:
        await self.begin()
        return int((await self._connection.execute(REACHED)).scalar_one())

    async def reach(self, position: int) -> None:
        await self._connection.execute(REACH, {"position": position})

    async def moment(self) -> datetime:
        """When this transaction began, by the database's clock."""
        moment: datetime = (await self._connection.execute(MOMENT)).scalar_one()
        return moment

    # ------------------------------------------------------------ rules

    async def rules(self) -> list[WatchingRule]:
        """In the sequence in which they were given."""
        rows = await self._connection.execute(select(alert_rules).order_by(alert_rules.c.position))
        return [_rule(row) for row in rows]

    async def replace_rules(self, rules: Sequence[WatchingRule]) -> None:
        """These rules instead of all that there were; open alerts are told to whom the rules say now."""
        await self._connection.execute(delete(alert_rules))
        if rules:
            rows = [_row(position, rule) for position, rule in enumerate(rules)]
            await self._connection.execute(insert(alert_rules).values(rows))
            await self._connection.execute(READDRESS)

    async def checked(self, rules: Sequence[str], until: datetime) -> None:
        """The rules have looked for everything until then."""
        await self._connection.execute(CHECKED, {"rules": list(rules), "until": until})

    # ------------------------------------------------------------ situations

    async def running_out(self, most: int, *, skus: Sequence[str] = (), rule: str | None = None) -> list[Found]:
        """Of these SKUs, or of all by one rule: what runs out and is not told, or is told and does not."""
        return await self._found(RUNNING_OUT, skus=list(skus), rule=rule, most=most)

    async def waiting(self, kind: AlertKind, orders: Sequence[OrderId]) -> list[Found]:
        """Of these orders: which have waited too long and are not told, or are told and do not wait."""
        return await self._found(of_orders(kind), orders=list(orders))

    async def crossed(self, kind: AlertKind, rule: str, most: int) -> list[Found]:
        """Orders that have waited too long since the rule looked the last time."""
        return await self._found(crossed(kind), rule=rule, most=most)

    async def _found(self, statement: Any, **given: Any) -> list[Found]:
        return [
            Found(
                rule=row.rule,
                subject=_subject(row),
                holds=row.holds,
                alert=row.alert,
                available=row.available,
                since=row.since,
            )
            for row in await self._connection.execute(statement, given)
        ]

    # ------------------------------------------------------------ alerts

    async def open_of_orders(self, orders: Sequence[OrderId]) -> dict[OpenKey, AlertId]:
        found = await self._alerts(OPEN_OF_ORDERS, orders=list(orders))
        return {(one.rule, one.subject.key): one.id for one in found}

    async def open_of_rules(self, rules: Sequence[str]) -> list[Alert]:
        return await self._alerts(OPEN_OF_RULES, rules=list(rules))

    async def by_ids(self, ids: Sequence[AlertId]) -> list[Alert]:
        return await self._alerts(BY_IDS, ids=list(ids))

    async def page(self, first: int, before: int | None, is_open: bool | None) -> list[Alert]:
        """The newest first; `before`: an id."""
        return await self._alerts(PAGES[is_open], first=first, before=before)

    async def reserve_ids(self, count: int) -> list[AlertId]:
        if not count:
            return []
        return [AlertId(one) for one in (await self._connection.execute(RESERVE, {"count": count})).scalars()]

    async def record(self, changes: AlertChanges) -> None:
        """Write the alerts, with their events."""
        if changes.closed:
            over = update(alerts).where(alerts.c.id.in_(changes.closed))
            await self._connection.execute(over.values(resolved_at=sql("clock_timestamp()")))
        if changes.opened:
            rows = [
                {
                    "id": one.id,
                    "rule": one.judged.rule.name,
                    "kind": one.judged.rule.kind,
                    "order_id": one.judged.subject.order,
                    "sku": one.judged.subject.sku,
                    "location_code": one.judged.subject.location,
                    "available": one.judged.available,
                    "emails": list(one.judged.rule.emails),
                    "endpoints": list(one.judged.rule.endpoints),
                }
                for one in changes.opened
            ]
            over_at_once = [one.id for one in changes.opened if one.over]
            # A situation that came and went first, so that the next one of the same may be open beside it.
            gone = set(over_at_once)
            await self._insert([row for row in rows if row["id"] in gone], over=True)
            await self._insert([row for row in rows if row["id"] not in gone], over=False)
        self.has_new_events = self.has_new_events or bool(changes.events)
        await append(self._connection, changes.events)

    async def _insert(self, rows: list[dict[str, Any]], *, over: bool) -> None:
        if rows:
            end = sql("clock_timestamp()") if over else None
            await self._connection.execute(insert(alerts).values([row | {"resolved_at": end} for row in rows]))

    async def forget(self, most: int) -> int:
        """Remove alerts that have been over for long, at most so many; how many."""
        return (await self._connection.execute(FORGET, {"most": most})).rowcount

    async def _alerts(self, statement: Any, **given: Any) -> list[Alert]:
        return [_alert(row) for row in await self._connection.execute(statement, given)]


def _row(position: int, watching: WatchingRule) -> dict[str, Any]:
    rule = watching.rule
    return {
        "position": position,
        "name": rule.name,
        "kind": rule.kind,
        "channels": _list(rule.channels),
        "skus": _list(rule.skus),
        "locations": _list(rule.locations),
        "units": rule.units,
        "hours": rule.hours,
        "emails": list(rule.emails),
        "endpoints": list(rule.endpoints),
        "since": watching.since,
        "checked_at": watching.checked_at,
    }


def _rule(row: Any) -> WatchingRule:
    rule = AlertRule(
        name=row.name,
        kind=AlertKind(row.kind),
        channels=_tuple(row.channels),
        skus=_tuple(row.skus),
        locations=_tuple(row.locations),
        units=row.units,
        hours=row.hours,
        emails=tuple(row.emails),
        endpoints=tuple(row.endpoints),
    )
    return WatchingRule(rule=rule, since=row.since, checked_at=row.checked_at)


def _alert(row: Any) -> Alert:
    return Alert(
        id=row.id,
        rule=row.rule,
        kind=AlertKind(row.kind),
        subject=_subject(row),
        available=row.available,
        emails=tuple(row.emails),
        endpoints=tuple(row.endpoints),
        raised_at=row.raised_at,
        resolved_at=row.resolved_at,
    )


def _subject(row: Any) -> Subject:
    return Subject(
        order=row.order_id,
        order_number=row.order_number,
        channel=row.channel_code,
        sku=row.sku,
        location=row.location_code,
    )


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _tuple(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return None if values is None else tuple(values)
