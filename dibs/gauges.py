"""What is looked at when figures are asked for: how much there is of something just now."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.pool import QueuePool

from gql.feed import Feed
from gql.hub import Hub
from persistence.figures import Figures
from services.desk import Desk
from workers.relay import Relay


class Gauges(Collector):
    """Looked at in the event loop, where the parts live; told from wherever Prometheus is answered."""

    def __init__(self) -> None:
        self.engine: AsyncEngine | None = None
        self.desk: Desk | None = None
        self.feed: Feed | None = None
        self.hub: Hub | None = None
        self.relay: Relay | None = None
        self.figures: Figures | None = None
        self.found: list[Metric] = []
        self._late = 0.0

    def was_late(self, seconds: float) -> None:
        """The event loop; the worst since it was last looked at is told."""
        self._late = max(self._late, seconds)

    def collect(self) -> Iterator[Metric]:
        return iter(self.found)

    def look(self) -> list[Metric]:
        late, self._late = self._late, 0.0
        return [
            gauge("dibs_event_loop_delay_seconds", "How late the event loop was, at worst since the last look.", late),
            *self._of_the_pool(),
            *self._of_the_desk(),
            *self._of_the_log(),
            *self._of_the_hub(),
            *self._of_the_database(),
        ]

    def _of_the_pool(self) -> Iterator[Metric]:
        if self.engine and isinstance(pool := self.engine.pool, QueuePool):
            yield gauge("dibs_pool_connections", "Connections that this process may have.", pool.size())
            yield gauge("dibs_pool_connections_in_use", "Connections that are held just now.", pool.checkedout())

    def _of_the_desk(self) -> Iterator[Metric]:
        if self.desk:
            yield gauge("dibs_desk_waiting_requests", "Requests that wait for their batch.", self.desk.waiting)

    def _of_the_log(self) -> Iterator[Metric]:
        if self.relay:
            yield counter("dibs_events_numbered", "Events that this process has numbered.", self.relay.numbered)
        if self.feed:
            yield gauge("dibs_feed_position", "How far this process has read the log.", self.feed.position)

    def _of_the_hub(self) -> Iterator[Metric]:
        if self.hub:
            tally = self.hub.tally
            yield gauge("dibs_subscribers", "Subscriptions that are followed just now.", self.hub.subscribers)
            yield gauge("dibs_streams", "Different ones among them.", self.hub.streams)
            yield counter("dibs_event_executions", "Events that were executed for a stream.", tally.executions)
            yield counter("dibs_messages", "Messages that subscribers were told.", tally.messages)

    def _of_the_database(self) -> Iterator[Metric]:
        if self.engine:
            yield gauge("dibs_database_up", "Whether the database says what waits in it.", self.figures is not None)
        if found := self.figures:
            yield gauge("dibs_unnumbered_events", "Events that wait for their position.", found.unnumbered)
            yield gauge("dibs_unnumbered_age_seconds", "How long the oldest of them has.", found.unnumbered_seconds)
            yield gauge("dibs_webhooks_pending", "Deliveries that are to be sent.", found.webhooks_pending)
            yield gauge("dibs_webhooks_late_seconds", "How overdue the oldest is.", found.webhooks_late_seconds)
            yield gauge("dibs_webhooks_dead", "Deliveries that were given up.", found.webhooks_dead)
            yield gauge("dibs_mails_pending", "Mails that are to be sent.", found.mails_pending)
            yield gauge("dibs_mails_late_seconds", "How overdue the oldest is.", found.mails_late_seconds)
            yield gauge("dibs_mails_dead", "Mails that were given up.", found.mails_dead)


def gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(name, meaning, value)


def counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(name, meaning, value)
