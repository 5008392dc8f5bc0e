"""Writes deploy/grafana-dashboard.json: what `/metrics` tells, in the sequence in which one looks for trouble."""

import json
from pathlib import Path
from typing import Any

TARGET = Path(__file__).parent.parent / "deploy" / "grafana-dashboard.json"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
CHOSEN = 'job=~"$job",instance=~"$instance"'
WIDTH, HEIGHT = 8, 8


def rate(counter: str, by: str = "", more: str = "") -> str:
    grouped = f" by ({by})" if by else ""
    return f"sum{grouped} (rate({counter}{{{CHOSEN}{more}}}[$__rate_interval]))"


def quantiles(histogram: str, more: str = "") -> list[tuple[str, str]]:
    return [
        (
            f"histogram_quantile({share}, sum by (le) (rate({histogram}_bucket{{{CHOSEN}{more}}}[$__rate_interval])))",
            name,
        )
        for share, name in ((0.5, "median"), (0.99, "99 %"))
    ]


def most(gauge: str) -> str:
    """Every process tells the same of the database."""
    return f"max({gauge}{{{CHOSEN}}})"


def total(gauge: str) -> str:
    return f"sum by (instance) ({gauge}{{{CHOSEN}}})"


MEAN = (
    f"{rate('dibs_resolver_duration_seconds_sum', 'field')} / {rate('dibs_resolver_duration_seconds_count', 'field')}"
)
SLOWEST = f"topk(10, {MEAN})"

ROWS: list[tuple[str, list[tuple[str, str, list[tuple[str, str]]]]]] = [
    (
        "Requests",
        [
            ("Requests a second", "reqps", [(rate("dibs_requests_total", "kind"), "{{kind}}")]),
            (
                "Errors a second",
                "reqps",
                [(rate("dibs_requests_total", "code", ',code!~"OK|RATE_LIMITED"'), "{{code}}")],
            ),
            ("Duration of requests over HTTP", "s", quantiles("dibs_request_duration_seconds", ',way="http"')),
            (
                "Slowest fields, on average",
                "s",
                [(SLOWEST, "{{field}}")],
            ),
            ("Lines of trouble a second", "ops", [(rate("dibs_log_lines_total", "level"), "{{level}}")]),
            ("Lateness of the event loop", "s", [(total("dibs_event_loop_delay_seconds"), "{{instance}}")]),
        ],
    ),
    (
        "Engine",
        [
            (
                "Requests in one transaction",
                "short",
                [(f"{rate('dibs_batch_requests_sum')} / {rate('dibs_batch_requests_count')}", "coalescing")],
            ),
            ("Duration of a transaction", "s", quantiles("dibs_batch_duration_seconds")),
            ("Waiting for the desk", "short", [(total("dibs_desk_waiting_requests"), "{{instance}}")]),
            ("Waiting for SKUs", "s", quantiles("dibs_lock_wait_seconds")),
            ("Connections are held for", "s", quantiles("dibs_connection_hold_seconds")),
            (
                "Connections in use",
                "short",
                [
                    (total("dibs_pool_connections_in_use"), "{{instance}}"),
                    (f"max(dibs_pool_connections{{{CHOSEN}}})", "at most"),
                ],
            ),
        ],
    ),
    (
        "Events",
        [
            ("From a change to its being told", "s", quantiles("dibs_event_delay_seconds")),
            ("Age of the oldest event without a position", "s", [(most("dibs_unnumbered_age_seconds"), "age")]),
            ("Events without a position", "short", [(most("dibs_unnumbered_events"), "events")]),
            (
                "Subscriptions",
                "short",
                [(total("dibs_subscribers"), "{{instance}}"), (total("dibs_streams"), "streams of {{instance}}")],
            ),
            (
                "Messages and executions a second",
                "ops",
                [(rate("dibs_messages_total"), "messages"), (rate("dibs_event_executions_total"), "executions")],
            ),
            (
                "Events a second",
                "ops",
                [
                    (rate("dibs_events_numbered_total"), "numbered"),
                    (f"max(rate(dibs_feed_position{{{CHOSEN}}}[$__rate_interval]))", "heard"),
                ],
            ),
        ],
    ),
    (
        "Webhooks and mails",
        [
            ("Attempts a second", "ops", [(rate("dibs_webhook_attempts_total", "outcome"), "{{outcome}}")]),
            ("Duration of an attempt", "s", quantiles("dibs_webhook_duration_seconds")),
            (
                "Waiting to be sent",
                "short",
                [(most("dibs_webhooks_pending"), "webhooks"), (most("dibs_mails_pending"), "mails")],
            ),
            (
                "Overdue",
                "s",
                [(most("dibs_webhooks_late_seconds"), "webhooks"), (most("dibs_mails_late_seconds"), "mails")],
            ),
            (
                "Given up",
                "short",
                [(most("dibs_webhooks_dead"), "webhooks"), (most("dibs_mails_dead"), "mails")],
            ),
            ("Database", "short", [(total("dibs_database_up"), "{{instance}}")]),
        ],
    ),
    (
        "Processes",
        [
            ("Processor", "percentunit", [(rate("process_cpu_seconds_total", "instance"), "{{instance}}")]),
            ("Memory", "bytes", [(total("process_resident_memory_bytes"), "{{instance}}")]),
            ("Open files", "short", [(total("process_open_fds"), "{{instance}}")]),
        ],
    ),
]


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    top = 0
    for title, shown in ROWS:
        found.append(_row(len(found) + 1, title, top))
        top += 1
        for at, (name, unit, queries) in enumerate(shown):
            place = {"x": at % 3 * WIDTH, "y": top + at // 3 * HEIGHT, "w": WIDTH, "h": HEIGHT}
            found.append(_panel(len(found) + 1, name, unit, queries, place))
        top += -(-len(shown) // 3) * HEIGHT
    return found


def _row(number: int, title: str, top: int) -> dict[str, Any]:
    place = {"x": 0, "y": top, "w": 24, "h": 1}
    return {"id": number, "type": "row", "title": title, "collapsed": False, "gridPos": place, "panels": []}


def _panel(number: int, title: str, unit: str, queries: list[tuple[str, str]], place: dict[str, int]) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + at), "datasource": SOURCE, "expr": query, "legendFormat": name}
        for at, (query, name) in enumerate(queries)
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": title,
        "datasource": SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
        "targets": targets,
    }


def _chosen_from(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": SOURCE,
        "query": query,
        "refresh": 2,
        "includeAll": True,
        "multi": True,
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def dashboard() -> dict[str, Any]:
    return {
        "title": "Dibs",
        "uid": "dibs",
        "tags": ["dibs"],
        "schemaVersion": 39,
        "editable": True,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"},
                _chosen_from("job", "Job", "label_values(dibs_info, job)"),
                _chosen_from("instance", "Process", 'label_values(dibs_info{job=~"$job"}, instance)'),
            ]
        },
        "panels": panels(),
    }


def text() -> str:
    return json.dumps(dashboard(), indent=2) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text())
