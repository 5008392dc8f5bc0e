"""Alerts and mails for `persistence.verify`: each is told once, and nobody has read what is not there."""

from domain.kinds import AlertKind, MailAudience, MailState, MailTopic
from persistence.verify_log import CUT, LOG


def _one_of(values: type[AlertKind] | type[MailAudience] | type[MailState] | type[MailTopic]) -> str:
    return "(" + ", ".join(f"'{one.value}'" for one in values) + ")"


ALERTS_ARE_TOLD = f"""
    SELECT a.id AS alert_id, a.rule, a.resolved_at, e.raised, e.resolved
    FROM alerts a
    LEFT JOIN (
        SELECT CAST(payload ->> 'alert_id' AS bigint) AS alert_id,
               count(*) FILTER (WHERE type = 'AlertRaised') AS raised,
               count(*) FILTER (WHERE type = 'AlertResolved') AS resolved
        FROM {LOG} WHERE type IN ('AlertRaised', 'AlertResolved') GROUP BY 1
    ) AS e ON e.alert_id = a.id
    WHERE coalesce(e.raised, 0) > 1 OR (coalesce(e.raised, 0) = 0 AND NOT {CUT})
        OR coalesce(e.resolved, 0) > CAST(a.resolved_at IS NOT NULL AS int)
        OR (coalesce(e.resolved, 0) = 0 AND a.resolved_at IS NOT NULL AND NOT {CUT})
        OR a.kind NOT IN {_one_of(AlertKind)}
    """  # noqa: S608

LOG_IS_READ = """
    SELECT r.name, r.position AS reached, s.position AS log_start, l.position AS log_end
    FROM log_readers r CROSS JOIN log_end l CROSS JOIN log_start s
    WHERE r.position > l.position OR r.position < s.position
    """

MAILS = f"""
    SELECT m.id AS mail_id, m.state, m.attempts, m.topic, m.event_id FROM mails m
    WHERE m.state NOT IN {_one_of(MailState)} OR m.topic NOT IN {_one_of(MailTopic)}
        OR m.audience NOT IN {_one_of(MailAudience)} OR (m.state = 'SENT' AND (m.attempts = 0 OR m.error IS NOT NULL))
        OR (m.state = 'DEAD' AND m.error IS NULL) OR (m.audience = 'CUSTOMER') <> (m.alert_id IS NULL)
    """  # noqa: S608
