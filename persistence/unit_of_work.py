"""One connection, seen as what the services work with."""

from functools import cached_property

from sqlalchemy.ext.asyncio import AsyncConnection

from persistence.alerts import PostgresAlerts
from persistence.automation import PostgresAutomation
from persistence.batches import PostgresBatches
from persistence.catalog import PostgresCatalog
from persistence.chores import PostgresChores
from persistence.credentials import PostgresCredentials
from persistence.deliveries import PostgresDeliveries
from persistence.documents import PostgresDocuments
from persistence.events import PostgresEventLog
from persistence.explanations import PostgresExplanations
from persistence.fulfillments import PostgresFulfillments
from persistence.journeys import PostgresJourneys
from persistence.keys import PostgresIdempotencyKeys
from persistence.mails import PostgresMails
from persistence.orders import PostgresOrders
from persistence.payments import PostgresPayments
from persistence.reservations import PostgresReservations
from persistence.returns import PostgresReturns
from persistence.runs import PostgresRuns
from persistence.sight import PostgresSight
from persistence.stock import PostgresStock
from persistence.supplies import PostgresSupplies
from persistence.webhooks import PostgresWebhooks


class PostgresUnitOfWork:
    """Implements `services.ports.unit_of_work.UnitOfWork`; each part is made when it is first used."""

    def __init__(self, connection: AsyncConnection, *, locks: bool = True) -> None:
        """`locks`: whether what is loaded for a batch is locked; a snapshot needs no locks."""
        self._connection = connection
        self._locks = locks

    @cached_property
    def keys(self) -> PostgresIdempotencyKeys:
        return PostgresIdempotencyKeys(self._connection)

    @cached_property
    def batches(self) -> PostgresBatches:
        return PostgresBatches(self._connection, locks=self._locks)

    @property
    def has_new_events(self) -> bool:
        writers = ("batches", "runs", "deliveries", "alerts")
        return any(name in vars(self) and getattr(self, name).has_new_events for name in writers)

    @property
    def lock_seconds(self) -> float | None:
        """How long the SKUs' locks were waited for; None: none were taken."""
        return self.batches.lock_seconds if "batches" in vars(self) else None

    @cached_property
    def chores(self) -> PostgresChores:
        return PostgresChores(self._connection)

    @cached_property
    def runs(self) -> PostgresRuns:
        return PostgresRuns(self._connection)

    @cached_property
    def reservations(self) -> PostgresReservations:
        return PostgresReservations(self._connection)

    @cached_property
    def automation(self) -> PostgresAutomation:
        return PostgresAutomation(self._connection)

    @cached_property
    def payments(self) -> PostgresPayments:
        return PostgresPayments(self._connection)

    @cached_property
    def orders(self) -> PostgresOrders:
        return PostgresOrders(self._connection)

    @cached_property
    def catalog(self) -> PostgresCatalog:
        return PostgresCatalog(self._connection)

    @cached_property
    def stock(self) -> PostgresStock:
        return PostgresStock(self._connection)

    @cached_property
    def explanations(self) -> PostgresExplanations:
        return PostgresExplanations(self._connection)

    @cached_property
    def supplies(self) -> PostgresSupplies:
        return PostgresSupplies(self._connection)

    @cached_property
    def fulfillments(self) -> PostgresFulfillments:
        return PostgresFulfillments(self._connection)

    @cached_property
    def returns(self) -> PostgresReturns:
        return PostgresReturns(self._connection)

    @cached_property
    def documents(self) -> PostgresDocuments:
        return PostgresDocuments(self._connection)

    @cached_property
    def events(self) -> PostgresEventLog:
        return PostgresEventLog(self._connection)

    @cached_property
    def webhooks(self) -> PostgresWebhooks:
        return PostgresWebhooks(self._connection)

    @cached_property
    def deliveries(self) -> PostgresDeliveries:
        return PostgresDeliveries(self._connection)

    @cached_property
    def alerts(self) -> PostgresAlerts:
        return PostgresAlerts(self._connection)

    @cached_property
    def mails(self) -> PostgresMails:
        return PostgresMails(self._connection)

    @cached_property
    def journeys(self) -> PostgresJourneys:
        return PostgresJourneys(self._connection)

    @cached_property
    def credentials(self) -> PostgresCredentials:
        return PostgresCredentials(self._connection)

    @cached_property
    def sight(self) -> PostgresSight:
        return PostgresSight(self._connection)
