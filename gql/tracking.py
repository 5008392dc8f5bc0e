"""What customers see, over HTTP and without a key: `GET /track/{token}` is a page, `GET /track/{token}.json` the facts.

Whoever has the link may look, so everything here is about what a link gives away, and to whom.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from domain.journey_facts import Goods
from domain.journeys import Journey, ParcelTold
from gql.errors import error_body, told
from services.journeys import Tracker
from services.ports.database import Busy

JSON_SUFFIX = ".json"
NOTHING = "This link leads to no order."
SECONDS_MAX = 10


@dataclass(frozen=True, slots=True)
class Pages:
    """How it looks. `draw`: an order, or None for nothing; `trouble`: we cannot say just now.

    `style_sha256`: of the only style that they have.
    """

    draw: Callable[[Journey | None], str]
    trouble: str
    style_sha256: str


class TrackingEndpoint:
    """Answers with a page or with JSON. A link that never was, one that is no more and garbage are told alike."""

    def __init__(self, tracker: Tracker, pages: Pages) -> None:
        self._tracker = tracker
        self._pages = pages
        policy = (
            f"default-src 'none'; style-src 'sha256-{pages.style_sha256}'; base-uri 'none'; form-action 'none'; "
            "frame-ancestors 'none'"
        )
        self._headers = {
            "Cache-Control": "no-store",
            "Content-Security-Policy": policy,
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex, nofollow",
        }

    async def __call__(self, request: Request) -> Response:
        name: str = request.path_params["token"]
        answer = self._as_json if name.endswith(JSON_SUFFIX) else self._as_page
        try:
            async with asyncio.timeout(SECONDS_MAX):
                return answer(await self._tracker.find(name.removesuffix(JSON_SUFFIX)))
        except (Busy, TimeoutError):
            return self._trouble(answer, Busy(), 503)
        except Exception as error:
            return self._trouble(answer, error, 500)

    def _as_page(self, found: Journey | None) -> Response:
        return self._page(self._pages.draw(found), 404 if found is None else 200)

    def _as_json(self, found: Journey | None) -> Response:
        if found is None:
            return self._json(error_body("BAD_USER_INPUT", NOTHING), 404)
        return self._json(shown(found), 200)

    def _trouble(self, answer: Callable[[Journey | None], Response], error: Exception, status: int) -> Response:
        body = told(error)
        response = self._json(body, status) if answer == self._as_json else self._page(self._pages.trouble, status)
        if status == 503:
            response.headers["Retry-After"] = "1"
        return response

    def _page(self, page: str, status: int) -> Response:
        return Response(page, status, self._headers, "text/html; charset=utf-8")

    def _json(self, body: Any, status: int) -> Response:
        return Response(orjson.dumps(body), status, self._headers, "application/json; charset=utf-8")


def shown(journey: Journey) -> dict[str, Any]:
    """The facts of the page."""
    return {
        "number": journey.number,
        "merchant": journey.merchant or None,
        "headline": journey.headline,
        "remarks": journey.remarks,
        "isCanceled": journey.is_canceled,
        "punctuality": journey.punctuality,
        "placedAt": journey.placed_at,
        "promisedDeliveryAt": journey.promised_delivery_at,
        "estimatedShipAt": journey.estimated_ship_at,
        "estimatedDeliveryAt": journey.estimated_delivery_at,
        "deliveredAt": journey.delivered_at,
        "goesTo": {"city": journey.city, "countryCode": journey.country_code},
        "ordered": _goods(journey.ordered),
        "stages": [{"name": one.name, "progress": one.progress, "at": one.at} for one in journey.stages],
        "parcels": [_parcel(one) for one in journey.parcels],
    }


def _parcel(parcel: ParcelTold) -> dict[str, Any]:
    return {
        "stage": parcel.stage,
        "words": parcel.words,
        "contents": _goods(parcel.contents),
        "carrier": parcel.carrier,
        "trackingNumber": parcel.tracking_number,
        "trackingUrl": parcel.tracking_url,
        "shippedAt": parcel.shipped_at,
        "deliveredAt": parcel.delivered_at,
        "estimatedShipAt": parcel.estimated_ship_at,
        "estimatedDeliveryAt": parcel.estimated_delivery_at,
        "scans": [
            {"status": one.status, "at": one.at, "message": one.message, "place": one.place} for one in parcel.scans
        ],
    }


def _goods(goods: tuple[Goods, ...]) -> list[dict[str, Any]]:
    return [{"title": one.title, "quantity": one.quantity} for one in goods]
