"""The shipment of the recording, and a server on loopback that answers as the recorded API did."""

import base64
import copy
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from carriers.easypost import EasyPost
from domain.carriers import Parcel, Party, Shipment
from domain.orders import Address
from tests.receiver import Received, Receiver, answering, receiving

RECORDED = json.loads(Path(__file__).with_name("easypost_order_create.json").read_text(encoding="utf-8"))
KEY = "EZTK-a-very-secret-key"
US: dict[str, Any] = {"country_code": "US", "region": "CA"}
SENDER = Address(
    name="Jack Sparrow",
    line1="388 Townsend St",
    line2="Apt 20",
    city="San Francisco",
    postal_code="94107",
    **US,
)
RECEIVER = Address(name="Elizabeth Swan", line1="179 N Harbor Dr", city="Redondo Beach", postal_code="90277", **US)


def party(address: Address) -> Party:
    return Party(address=address, phone="5555555555", email="test@example.com")


def a_shipment(**more: Any) -> Shipment:
    """That of the recording: parcels of 10.2 and 17.5 ounces."""
    fields: dict[str, Any] = {
        "sender": party(SENDER),
        "receiver": party(RECEIVER),
        "parcels": (Parcel(weight_grams=289), Parcel(weight_grams=496)),
        "idempotency_reference": "fulfillment-7",
        "carrier": "USPS",
        "service": "Priority",
    }
    return Shipment(**(fields | more))


Answer = Callable[[Received], Awaitable[bytes | None]]


@dataclass
class Api:
    """Orders by reference, and by id; `before` may answer instead."""

    receiver: Receiver
    orders: dict[str, dict[str, Any]] = field(default_factory=dict)
    bought: list[dict[str, Any]] = field(default_factory=list)
    before: Answer | None = None
    after_buying: Answer | None = None

    @property
    def made(self) -> list[dict[str, Any]]:
        """The bodies that made orders."""
        asked = [one for one in self.receiver.received if one.request_line.startswith("POST /v2/orders ")]
        return [one.json for one in asked]

    async def answer(self, request: Received) -> bytes:
        given = await self.before(request) if self.before else None
        if given is not None:
            return given
        assert request.headers["authorization"] == "Basic " + base64.b64encode(f"{KEY}:".encode()).decode()
        method, path, _ = request.request_line.split(" ")
        *_, name = path.split("/")
        if method == "GET":
            found = self.orders.get(name)
            return _json(200, found) if found else _json(404, {"error": {"code": "NOT_FOUND", "message": "…"}})
        if name == "orders":
            return _json(201, self._make(request.json["order"]))
        order = self.orders[path.split("/")[-2]]
        self.bought.append(request.json)
        _buy(order, request.json)
        given = await self.after_buying(request) if self.after_buying else None
        return _json(200, order) if given is None else given

    def _make(self, asked: dict[str, Any]) -> dict[str, Any]:
        order = copy.deepcopy(RECORDED["response"]) | {"reference": asked["reference"]}
        self.orders[asked["reference"]] = self.orders[order["id"]] = order
        return order


def _buy(order: dict[str, Any], wanted: dict[str, Any]) -> None:
    """What buying adds to each shipment of the recorded order."""
    for number, one in enumerate(order["shipments"], start=1):
        (one["selected_rate"],) = [
            rate
            for rate in one["rates"]
            if (rate["carrier"], rate["service"]) == (wanted["carrier"], wanted["service"])
        ]
        one["tracking_code"] = f"940010010936111590891{number}"
        one["postage_label"] = {
            "object": "PostageLabel",
            "label_file_type": "image/png",
            "label_url": f"https://files.example/label-{number}.png",
        }
        one["tracker"] = {"object": "Tracker", "public_url": f"https://track.example/{number}"}


def _json(status: int, body: Any) -> bytes:
    return answering(status, "content-type: application/json\r\n", json.dumps(body).encode())


def refusing(status: int, headers: str = "", **error: Any) -> Answer:
    async def answer(_: Received) -> bytes:
        return answering(status, headers, json.dumps({"error": error}).encode())

    return answer


def saying(raw: bytes) -> Answer:
    async def answer(_: Received) -> bytes:
        return raw

    return answer


@asynccontextmanager
async def an_api(**more: Any) -> AsyncIterator[tuple[Api, EasyPost]]:
    async with receiving() as receiver:
        api = Api(receiver)
        receiver.answer = api.answer
        url = f"http://127.0.0.1:{receiver.port}/v2"
        async with aclosing(EasyPost(url, KEY, allow_loopback=True, **more)) as carrier:
            yield api, carrier
