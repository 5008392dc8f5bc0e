"""One transaction, with a part for each noun."""

from typing import Protocol

from services.ports.alerts import Alerts
from services.ports.automation import Automation
from services.ports.batches import Batches
from services.ports.catalog import Catalog
from services.ports.chores import Chores
from services.ports.credentials import Credentials
from services.ports.deliveries import Deliveries
from services.ports.documents import Documents
from services.ports.events import EventLog
from services.ports.explanations import Explanations
from services.ports.fulfillments import Fulfillments
from services.ports.journeys import Journeys
from services.ports.keys import IdempotencyKeys
from services.ports.mails import Mails
from services.ports.orders import Orders
from services.ports.payments import Payments
from services.ports.reservations import Reservations
from services.ports.returns import Returns
from services.ports.runs import Runs
from services.ports.sight import Sight
from services.ports.stock import Stock
from services.ports.supplies import Supplies
from services.ports.webhooks import Webhooks


class UnitOfWork(Protocol):
    """One transaction, or one connection for reading."""

    @property
    def keys(self) -> IdempotencyKeys: ...
    @property
    def batches(self) -> Batches: ...
    @property
    def orders(self) -> Orders: ...
    @property
    def catalog(self) -> Catalog: ...
    @property
    def stock(self) -> Stock: ...
    @property
    def explanations(self) -> Explanations: ...
    @property
    def supplies(self) -> Supplies: ...
    @property
    def fulfillments(self) -> Fulfillments: ...
    @property
    def returns(self) -> Returns: ...
    @property
    def documents(self) -> Documents: ...
    @property
    def events(self) -> EventLog: ...
    @property
    def chores(self) -> Chores: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def reservations(self) -> Reservations: ...
    @property
    def automation(self) -> Automation: ...
    @property
    def payments(self) -> Payments: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def deliveries(self) -> Deliveries: ...
    @property
    def alerts(self) -> Alerts: ...
    @property
    def mails(self) -> Mails: ...
    @property
    def journeys(self) -> Journeys: ...
    @property
    def credentials(self) -> Credentials: ...
    @property
    def sight(self) -> Sight: ...
