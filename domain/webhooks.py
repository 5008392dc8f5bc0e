"""Webhooks: where events may be sent to, how long a receiver is waited for, and when it is given up."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

from domain.events import LoggedEvent
from domain.ids import DeliveryId, EndpointId, EventId
from domain.kinds import WebhookDeliveryState

ENDPOINTS_MAX = 100
"""Each may keep a few requests on their way in each process."""
URL_LENGTH_MAX = 2_000
SECRET_BYTES = 32
SECRETS_MAX = 4
"""Secrets that sign at the same time; the oldest goes when one more is made."""
JITTER = 0.2
"""How far a wait strays from its length, either way, so that receivers that failed together are not asked together."""
GONE = 410

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
UNICAST_V6 = ipaddress.IPv6Network("2000::/3")
"""What is given out to the public; elsewhere are local addresses, and ways to write an IPv4 address once more."""


# ---------------------------------------------------------------- facts


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where events go. `types` and `channels`: None for all. `position`: how far the log has been taken up for it.

    `failures`: attempts since anything last got through. `pending`: deliveries that have not ended.
    """

    id: EndpointId
    name: str
    url: str
    types: tuple[str, ...] | None
    channels: tuple[str, ...] | None
    enabled: bool
    disabled_reason: str | None
    position: int
    failures: int
    failing_since: datetime | None
    pending: int
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One request. `status`: what was answered; `error`: why it counts as failed."""

    number: int
    at: datetime
    duration_ms: int
    status: int | None
    error: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for one endpoint; without an event, a test."""

    id: DeliveryId
    endpoint: Endpoint
    type: str
    event: EventId | None
    position: int | None
    state: WebhookDeliveryState
    attempts: tuple[Attempt, ...]
    created_at: datetime
    due_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A delivery that one worker holds for a while. `attempts`: those before. `secrets`: the newest first.

    `event` is None for a test, and where the log no longer has it (`expired`).
    """

    id: DeliveryId
    endpoint: EndpointId
    name: str
    url: str
    secrets: tuple[bytes, ...] = field(repr=False)
    lease: str
    attempts: int
    event: LoggedEvent | None
    expired: bool
    created_at: datetime

    @property
    def is_test(self) -> bool:
        return self.event is None and not self.expired


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of one request. It got through where there is no error."""

    claimed: Claimed
    duration_ms: int
    status: int | None = None
    error: str | None = None


# ---------------------------------------------------------------- how long


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """`retry_seconds`: how long after each failure but the last; then the delivery is dead.

    An endpoint that failed `failures_before_pause` times in a row rests, for half as long as it has been failing, and
    is then asked with one request; one to which nothing got through for `failing_seconds_max` is disabled.
    """

    retry_seconds: tuple[float, ...] = (5, 15, 60, 300, 900, 1800, 3600, 3600, 3600, 7200, 14_400, 28_800)
    failures_before_pause: int = 5
    pause_seconds_min: float = 1
    pause_seconds_max: float = 300
    failing_seconds_max: float = 86_400

    @property
    def attempts_max(self) -> int:
        return len(self.retry_seconds) + 1

    def retry_after(self, sent: Sent, chance: float) -> float | None:
        """Seconds until a delivery that failed is tried again; None: never. `chance`: 0 to 1, for the jitter."""
        if sent.claimed.is_test or sent.claimed.expired or sent.claimed.attempts >= len(self.retry_seconds):
            return None
        return spread(self.retry_seconds[sent.claimed.attempts], chance)


PATIENCE = Patience()


def spread(seconds: float, chance: float) -> float:
    return seconds * (1 - JITTER + 2 * JITTER * chance)


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How an endpoint does after some requests. `disabled`: why it is given up."""

    failures: int = 0
    pause_seconds: float | None = None
    disabled: str | None = None
    recovered: bool = False


def judge(before: int, failing_seconds: float, sent: Sequence[Sent], patience: Patience, chance: float) -> Health:
    """`before`: failures in a row so far, and for how long. `sent`: at least one request that was no test."""
    if any(one.error is None for one in sent):
        return Health(recovered=before > 0)
    failures = before + len(sent)
    if any(one.status == GONE for one in sent):
        return Health(failures=failures, disabled="It answered 410 Gone.")
    if failures < patience.failures_before_pause:
        return Health(failures=failures)
    if failing_seconds >= patience.failing_seconds_max:
        hours = patience.failing_seconds_max / 3600
        return Health(failures=failures, disabled=f"Nothing has got through for {hours:g} hours.")
    pause = min(max(failing_seconds / 2, patience.pause_seconds_min), patience.pause_seconds_max)
    return Health(failures=failures, pause_seconds=spread(pause, chance))


# ---------------------------------------------------------------- where to


def url_problem(url: str, *, allow_loopback: bool) -> str | None:
    """What is wrong with the address of an endpoint, as far as it can be seen without looking its host up."""
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "A URL has plain ASCII characters only; write other letters of a host in punycode."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return "This is not a URL."
    if parts.scheme not in ("https", "http") or not (parts.hostname or "").strip(".") or port == 0:
        return "A URL begins with https:// and a host."
    if "@" in parts.netloc or "#" in url:
        return "A URL may have neither a user nor a fragment: webhooks are signed."
    return _unreachable(parts, allow_loopback=allow_loopback)


def _unreachable(parts: SplitResult, *, allow_loopback: bool) -> str | None:
    host = (parts.hostname or "").removesuffix(".")
    address = address_of(host)
    if address is None and _is_numeric(host):
        return "Write an IPv4 address as four decimal numbers, such as 203.0.113.7."
    is_loopback = f".{host}".endswith(".localhost") if address is None else address.is_loopback
    if parts.scheme == "http" and not (is_loopback and allow_loopback):
        return "A URL begins with https://."
    if is_loopback and not allow_loopback:
        return "This host is not on the public internet."
    if address is not None and not may_connect(parts.scheme, address, allow_loopback=allow_loopback):
        return "This address is not on the public internet."
    return None


def _is_numeric(host: str) -> bool:
    """Whether resolvers may read it as an IPv4 address in one of the old ways, such as 2130706433 and 0x7f.1."""
    last = host.rpartition(".")[2]
    return last.isdecimal() or last.startswith("0x")


def address_of(host: str) -> IPAddress | None:
    """The address that a host is written as, if it is; a dot may end it, as it may end a name."""
    try:
        return ipaddress.ip_address(host.removesuffix("."))
    except ValueError:
        return None


def may_connect(scheme: str, address: IPAddress, *, allow_loopback: bool) -> bool:
    """Whether a webhook may be sent to this address: none of our own network, whatever its name resolves to."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    if address.is_loopback:
        return allow_loopback
    return scheme == "https" and _is_public(address)


def _is_public(address: IPAddress) -> bool:
    if not address.is_global or address.is_multicast:
        return False
    return isinstance(address, ipaddress.IPv4Address) or (address in UNICAST_V6 and address.sixtofour is None)
