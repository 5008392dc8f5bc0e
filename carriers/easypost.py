"""A carrier API in the shape of EasyPost's: an order of shipments is made, then bought at one of its rates.

Our idempotency reference is the order's reference there, and the order is looked for under it before another one is
made: what was bought already, though nobody heard the answer, is found and not bought twice.
"""

import asyncio
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import httpx
import orjson

from domain.carriers import Bought, BoughtParcel, Label, Parcel, Party, Shipment, words
from domain.money import Money
from domain.webhooks import url_problem
from services.ports.carriers import CarrierRefused, CarrierUnavailable

TIMEOUT_SECONDS = 20.0
"""For one request: connecting, sending, and the whole answer."""
ANSWER_BYTES_MAX = 2_000_000
GRAMS_IN_OUNCE = Decimal("28.349523125")
MM_IN_INCH = Decimal("25.4")
OFFERS_NAMED_MAX = 10
AGENT = "Dibs-Carriers/1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, whole."""

    status: int
    retry_after: str | None
    content: bytes = field(repr=False)


class EasyPost:
    """Asks one account. The key goes into one header, and nowhere else."""

    def __init__(
        self, url: str, key: str, *, allow_loopback: bool = False, timeout_seconds: float = TIMEOUT_SECONDS
    ) -> None:
        """`url`: of the API's version, such as https://api.easypost.com/v2. Raises ValueError where it may not be used.

        `allow_loopback`: this machine may be asked, without TLS as well: for development.
        """
        problem = url_problem(url, allow_loopback=allow_loopback)
        if problem:
            raise ValueError(problem)
        self._url = url.rstrip("/")
        self._key = key
        self._timeout_seconds = timeout_seconds
        self._client = httpx.AsyncClient(
            auth=httpx.BasicAuth(key, ""),
            headers={"accept": "application/json", "accept-encoding": "identity", "user-agent": AGENT},
            follow_redirects=False,
            trust_env=False,
            timeout=None,  # noqa: S113  (ours is for everything together)
        )

    async def aclose(self) -> None:
        await self._client.aclose()

    async def buy(self, shipment: Shipment) -> Bought:
        """Raises CarrierRefused and CarrierUnavailable."""
        known = await self._known(shipment)
        order = known or await self._ask("POST", "/orders", order_of(shipment))
        with _understood(buys=known is not None):
            is_bought = all(one.get("tracking_code") for one in order["shipments"])
        if not is_bought:
            rate = _chosen(order, shipment)
            choice = {"carrier": rate["carrier"], "service": rate["service"]}
            path = f"/orders/{quote(str(order['id']), safe='')}/buy"
            order = await self._ask("POST", path, choice, buys=True)
        with _understood(buys=True):
            return _bought(order, shipment)

    async def _known(self, shipment: Shipment) -> dict[str, Any] | None:
        """The order that an attempt before has made, bought or not."""
        path = f"/orders/{quote(shipment.idempotency_reference, safe='')}"
        found = await self._ask("GET", path, unknown_is_none=True)
        if found and found.get("reference") == shipment.idempotency_reference:
            return found
        return None

    async def _ask(
        self, method: str, path: str, body: Any = None, *, buys: bool = False, unknown_is_none: bool = False
    ) -> dict[str, Any]:
        """What is answered; {} where nothing is known of what was asked for."""
        with _reached(self._timeout_seconds, buys=buys):
            async with asyncio.timeout(self._timeout_seconds):
                answer = await self._send(method, path, body)
        if answer.status == 404 and unknown_is_none:
            return {}
        if not 200 <= answer.status < 300:
            raise self._failure(answer, buys=buys)
        with _understood(buys=buys):
            found = orjson.loads(answer.content)
            if not isinstance(found, dict) or not isinstance(found["id"], str):
                raise ValueError("no object")
            return found

    async def _send(self, method: str, path: str, body: Any) -> Answer:
        content = None if body is None else orjson.dumps(body)
        headers = {} if body is None else {"content-type": "application/json"}
        async with self._client.stream(method, self._url + path, content=content, headers=headers) as response:
            read = bytearray()
            async for part in response.aiter_raw():
                read += part
                if len(read) > ANSWER_BYTES_MAX:
                    raise httpx.DecodingError("the answer is too long")
            return Answer(response.status_code, response.headers.get("retry-after"), bytes(read))

    def _failure(self, answer: Answer, *, buys: bool) -> CarrierRefused | CarrierUnavailable:
        status, (code, said) = answer.status, _error(answer.content)
        said = words(said.replace(self._key, "…")) if self._key else words(said)
        if status == 429:
            wait = _seconds(answer.retry_after)
            message = "The carrier is asked too often."
            return CarrierUnavailable(message, may_have_happened=False, retry_after_seconds=wait)
        if status in (401, 403):
            return CarrierRefused("The carrier does not accept the API key of this installation.", code=code)
        if 300 <= status < 400:
            message = f"The carrier answered {status}; a redirect is not followed."
            return CarrierUnavailable(message, may_have_happened=False)
        if 400 <= status < 500 and status != 408:
            return CarrierRefused(said or f"The carrier answered {status} without a reason.", code=code)
        return CarrierUnavailable(f"The carrier answered {status}.", may_have_happened=buys)


@contextmanager
def _reached(seconds: float, *, buys: bool) -> Iterator[None]:
    """What goes wrong on the way. Errors of the HTTP library may quote requests, so nothing of them is passed on."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout):
        raise CarrierUnavailable("The carrier cannot be reached.", may_have_happened=False) from None
    except TimeoutError:
        message = f"The carrier took longer than {seconds:g} s."
        raise CarrierUnavailable(message, may_have_happened=buys) from None
    except (httpx.HTTPError, OSError):
        message = "The connection to the carrier broke, or its answer was too long."
        raise CarrierUnavailable(message, may_have_happened=buys) from None


@contextmanager
def _understood(*, buys: bool) -> Iterator[None]:
    """What is answered but has not the shape that it should have."""
    try:
        yield
    except (ValueError, KeyError, TypeError, ArithmeticError):
        message = "The carrier's answer makes no sense."
        raise CarrierUnavailable(message, may_have_happened=buys) from None


def _seconds(retry_after: str | None) -> float | None:
    return float(retry_after) if retry_after and retry_after.isdecimal() and len(retry_after) < 6 else None


def _error(content: bytes) -> tuple[str | None, str]:
    """The code of an error, and what it says, with the fields that it names."""
    try:
        error = orjson.loads(content)["error"]
        if isinstance(error, str):
            return None, error
        details = [one for one in error.get("errors") or () if isinstance(one, dict)]
        named = ", ".join(f"{one.get('field', '?')}: {one.get('message', '?')}" for one in details)
        said = " ".join(filter(None, (str(error.get("message") or ""), f"({named})" if named else "")))
        return words(str(error.get("code") or ""), 100) or None, said
    except (ValueError, KeyError, TypeError, AttributeError):
        return None, ""


# ---------------------------------------------------------------- what is sent


def order_of(shipment: Shipment) -> dict[str, Any]:
    """The body that makes an order: ounces and inches, as the API counts, rounded up to a tenth."""
    order = {
        "reference": shipment.idempotency_reference,
        "from_address": _party(shipment.sender),
        "to_address": _party(shipment.receiver),
        "shipments": [_parcel(parcel, shipment.reference) for parcel in shipment.parcels],
    }
    return {"order": order}


def _party(party: Party) -> dict[str, str]:
    address = party.address
    fields = {
        "name": address.name,
        "street1": address.line1,
        "street2": address.line2,
        "city": address.city,
        "state": address.region,
        "zip": address.postal_code,
        "country": address.country_code,
        "email": party.email,
        "phone": party.phone,
    }
    return {name: value for name, value in fields.items() if value}


def _parcel(parcel: Parcel, reference: str | None) -> dict[str, Any]:
    measures = {"weight": _tenths(parcel.weight_grams / GRAMS_IN_OUNCE)}
    if parcel.size_mm:
        sizes = (_tenths(one / MM_IN_INCH) for one in parcel.size_mm)
        measures |= dict(zip(("length", "width", "height"), sizes, strict=True))
    return {"parcel": measures} | ({"reference": reference} if reference else {})


def _tenths(value: Decimal) -> float:
    return math.ceil(value * 10) / 10


# ---------------------------------------------------------------- what is answered


def _chosen(order: dict[str, Any], shipment: Shipment) -> dict[str, Any]:
    """The cheapest rate of the carrier and the service that are wanted. Raises CarrierRefused."""
    with _understood(buys=False):
        rates = sorted(order["rates"], key=lambda one: Decimal(one["rate"]))
        offers = [f"{one['carrier']} {one['service']}" for one in rates]
        wanted = (shipment.carrier, shipment.service)
        for rate in rates:
            if all(want in (None, rate[name]) for want, name in zip(wanted, ("carrier", "service"), strict=True)):
                return dict(rate)
        said = [f"{one['carrier']}: {one['message']}" for one in order.get("messages") or ()]
    asked = " ".join(filter(None, wanted))
    if offers:
        raise CarrierRefused(words(f"Nobody offers {asked}; there is {', '.join(offers[:OFFERS_NAMED_MAX])}."))
    raise CarrierRefused(words(" ".join(["No carrier offers to take this.", *said])))


def _bought(order: dict[str, Any], shipment: Shipment) -> Bought:
    shipments = order["shipments"]
    if len(shipments) != len(shipment.parcels):
        raise ValueError("other parcels")
    rates = [one["selected_rate"] for one in shipments]
    ((carrier, service, currency),) = {(one["carrier"], one["service"], one["currency"]) for one in rates}
    cost = sum((Decimal(one["rate"]) for one in rates), Decimal(0))
    if not cost.is_finite():
        raise ValueError("no amount")
    return Bought(
        carrier=words(str(carrier), 100),
        service=words(str(service), 100),
        parcels=tuple(_bought_parcel(one) for one in shipments),
        cost=Money(amount=cost, currency_code=words(str(currency), 3)),
        ids={"order": order["id"], "reference": shipment.idempotency_reference},
    )


def _bought_parcel(found: dict[str, Any]) -> BoughtParcel:
    label, tracker = found.get("postage_label") or {}, found.get("tracker") or {}
    number = words(str(found["tracking_code"]), 100) if found["tracking_code"] else ""
    if not number:
        raise ValueError("no tracking number")
    url = _url(label.get("label_url"))
    return BoughtParcel(
        tracking_number=number,
        tracking_url=_url(tracker.get("public_url")),
        label=Label(content_type=label.get("label_file_type"), url=url) if url else None,
        id=str(found["id"]),
    )


def _url(value: Any) -> str | None:
    """Where people are sent: an address on the public internet, or none."""
    if not isinstance(value, str) or len(value) > 2_000 or url_problem(value, allow_loopback=False):
        return None
    return value
