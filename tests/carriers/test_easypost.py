"""The carrier in the shape of EasyPost's API, against a recorded request and answer on a server on loopback."""

import asyncio
import logging
from collections.abc import Callable
from decimal import Decimal

import pytest

from carriers.easypost import ANSWER_BYTES_MAX, EasyPost
from domain.carriers import Parcel, words
from domain.money import Money
from services.ports.carriers import Carrier, CarrierRefused, CarrierUnavailable
from tests.carriers.shipments import KEY, RECORDED, Answer, a_shipment, an_api, refusing, saying
from tests.receiver import Received, answering


async def test_l8_r5_what_is_sent_is_what_was_recorded_but_for_our_reference():
    async with an_api() as (api, carrier):
        await carrier.buy(a_shipment())

    (sent,) = api.made
    assert sent["order"].pop("reference") == "fulfillment-7"
    assert sent == RECORDED["request"]
    assert api.bought == [{"carrier": "USPS", "service": "Priority"}]


async def test_c8_l8_what_was_bought_has_a_tracking_number_and_a_label_for_each_parcel_and_what_it_cost():
    async with an_api() as (_, carrier):
        bought = await carrier.buy(a_shipment())

    assert (bought.carrier, bought.service) == ("USPS", "Priority")
    assert bought.cost == Money(amount=Decimal("15.64"), currency_code="USD")  # as the recorded order's own rate says
    assert bought.ids["order"] == RECORDED["response"]["id"]
    first, second = bought.parcels
    assert (first.tracking_number, second.tracking_number) == ("9400100109361115908911", "9400100109361115908912")
    assert first.tracking_url == "https://track.example/1"
    assert first.label is not None
    assert (first.label.url, first.label.content_type) == ("https://files.example/label-1.png", "image/png")
    assert first.id == RECORDED["response"]["shipments"][0]["id"]


async def test_without_a_wish_the_cheapest_rate_is_bought():
    async with an_api() as (api, carrier):
        await carrier.buy(a_shipment(carrier=None, service=None))

    assert api.bought == [{"carrier": "USPS", "service": "GroundAdvantage"}]


async def test_a_service_that_nobody_offers_is_refused_with_what_there_is_and_nothing_is_bought():
    async with an_api() as (api, carrier):
        with pytest.raises(CarrierRefused) as refusal:
            await carrier.buy(a_shipment(service="Teleport"))

    assert refusal.value.words == (
        "Nobody offers USPS Teleport; there is USPS GroundAdvantage, USPS Priority, USPS Express."
    )
    assert api.bought == []


async def test_sizes_are_sent_in_inches_and_weights_in_ounces_never_less_than_they_are():
    async with an_api() as (api, carrier):
        parcels = (Parcel(weight_grams=1, size_mm=(254, 200, 1)), Parcel(weight_grams=1000))
        await carrier.buy(a_shipment(parcels=parcels, reference="box of 1001"))

    (sent,) = api.made
    first, second = sent["order"]["shipments"]
    assert first["parcel"] == {"weight": 0.1, "length": 10.0, "width": 7.9, "height": 0.1}
    assert (second["parcel"], second["reference"]) == ({"weight": 35.3}, "box of 1001")


async def test_what_was_bought_though_the_answer_was_lost_is_found_and_not_bought_twice():
    async with an_api() as (api, carrier):
        api.after_buying = saying(b"")
        with pytest.raises(CarrierUnavailable) as lost:
            await carrier.buy(a_shipment())
        api.after_buying = None
        bought = await carrier.buy(a_shipment())
        assert await carrier.buy(a_shipment()) == bought

    assert lost.value.may_have_happened
    assert bought.parcels[0].tracking_number == "9400100109361115908911"
    assert (len(api.made), len(api.bought)) == (1, 1)


async def test_an_order_that_was_made_and_not_bought_is_bought_and_not_made_again():
    failed = False

    async def fail_once(request: Received) -> bytes | None:
        nonlocal failed
        if not request.request_line.endswith("/buy HTTP/1.1") or failed:
            return None
        failed = True
        return answering(500)

    async with an_api() as (api, carrier):
        api.before = fail_once
        with pytest.raises(CarrierUnavailable):
            await carrier.buy(a_shipment())
        await carrier.buy(a_shipment())

    assert (len(api.made), len(api.bought)) == (1, 1)


async def test_an_answer_about_another_order_is_not_taken_for_ours():
    async with an_api() as (api, carrier):
        await carrier.buy(a_shipment(idempotency_reference="another"))
        api.orders["fulfillment-7"] = api.orders["another"]
        await carrier.buy(a_shipment())

    assert len(api.made) == 2


# ---------------------------------------------------------------- when it goes wrong


def only_when_making(answer: Answer) -> Answer:
    async def given(request: Received) -> bytes | None:
        return await answer(request) if request.request_line.startswith("POST /v2/orders ") else None

    return given


def only_when_buying(answer: Answer) -> Answer:
    async def given(request: Received) -> bytes | None:
        return await answer(request) if request.request_line.endswith("/buy HTTP/1.1") else None

    return given


async def test_a_refusal_has_the_carriers_own_words_cut_and_in_one_line():
    errors = [{"field": "to_address", "message": "is\r\nun\u202eknown\x00"}]
    answer = refusing(422, code="ADDRESS.INVALID", message="Cannot\nbe  found." + "x" * 5_000, errors=errors)
    async with an_api() as (api, carrier):
        api.before = only_when_making(answer)
        with pytest.raises(CarrierRefused) as refusal:
            await carrier.buy(a_shipment())
        api.before = only_when_making(refusing(422, code="X", message="No.", errors=errors))
        with pytest.raises(CarrierRefused) as short:
            await carrier.buy(a_shipment())

    assert refusal.value.code == "ADDRESS.INVALID"
    assert refusal.value.words.startswith("Cannot be found.xxx")
    assert len(refusal.value.words) <= 300
    assert short.value.words == "No. (to_address: is un known )"


async def test_a_key_that_is_not_taken_is_refused_and_stands_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    async with an_api() as (api, carrier):
        for status in (401, 403, 422):
            api.before = refusing(status, code="APIKEY.INACTIVE", message=f"The key {KEY} is not active.")
            with pytest.raises(CarrierRefused) as refusal:
                await carrier.buy(a_shipment())
            assert KEY not in refusal.value.words
            assert refusal.value.__cause__ is None
        assert KEY not in repr(carrier)

    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("answer", "making", "buying"),
    [
        (refusing(429, "retry-after: 7\r\n"), False, False),
        (refusing(500, message="oops"), False, True),
        (refusing(503), False, True),
        (saying(answering(302, "location: https://elsewhere.example/\r\n")), False, False),
        (saying(answering(200, body=b"<html>")), False, True),
        (saying(answering(200, body=b"[]")), False, True),
        (saying(answering(200, body=b'{"id": "order_1"}')), False, True),
        (saying(b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{"), False, True),
        (saying(b"rubbish\r\n\r\n"), False, True),
        (saying(answering(200, body=b" " * (ANSWER_BYTES_MAX + 1))), False, True),
    ],
    ids=["429", "500", "503", "redirect", "html", "list", "less", "truncated", "no-http", "long"],
)
async def test_what_may_be_tried_again_says_whether_it_may_have_happened(answer: Answer, making: bool, buying: bool):
    async with an_api() as (api, carrier):
        for where, happened in ((only_when_making, making), (only_when_buying, buying)):
            api.before = where(answer)
            with pytest.raises(CarrierUnavailable) as trouble:
                await carrier.buy(a_shipment())
            assert trouble.value.may_have_happened is happened, str(trouble.value)
            assert trouble.value.__cause__ is None
        assert len(api.bought) == 0
        assert all("elsewhere" not in one.headers["host"] for one in api.receiver.received)


@pytest.mark.parametrize(
    ("where", "before_it", "happened"),
    [(only_when_making, "GET /v2/orders/", False), (only_when_buying, "POST /v2/orders ", True)],
)
async def test_a_carrier_that_does_not_answer_in_time_may_have_bought_it_if_it_was_asked_to(
    where: Callable[[Answer], Answer], before_it: str, happened: bool
):
    async with an_api() as (api, carrier):

        async def never(_: Received) -> bytes:
            await asyncio.sleep(600)
            return b""

        async def hang(request: Received) -> bytes | None:
            if request.request_line.startswith(before_it):
                carrier._timeout_seconds = 0.1  # for what comes next; what is answered has all the time it needs
            return await where(never)(request)

        api.before = hang
        with pytest.raises(CarrierUnavailable, match="took longer") as trouble:
            await carrier.buy(a_shipment())

    assert trouble.value.may_have_happened is happened
    assert trouble.value.__cause__ is None
    assert len(api.bought) == 0


async def test_a_carrier_that_asks_to_wait_says_for_how_long():
    async with an_api() as (api, carrier):
        api.before = refusing(429, "retry-after: 7\r\n")
        with pytest.raises(CarrierUnavailable) as trouble:
            await carrier.buy(a_shipment())

    assert trouble.value.retry_after_seconds == 7


async def test_a_carrier_that_is_not_there_has_bought_nothing():
    async with an_api() as (api, _):
        port = api.receiver.port
    carrier: Carrier = EasyPost(f"http://127.0.0.1:{port}/v2", KEY, allow_loopback=True)

    with pytest.raises(CarrierUnavailable) as trouble:
        await carrier.buy(a_shipment())
    await carrier.aclose()  # type: ignore[attr-defined]

    assert not trouble.value.may_have_happened


@pytest.mark.parametrize(
    "url", ["http://api.easypost.com/v2", "http://127.0.0.1/v2", "ftp://x", "https://user:secret@api.easypost.com/v2"]
)
def test_the_key_goes_to_https_only_and_not_to_this_machine_unless_told_so(url: str):
    with pytest.raises(ValueError, match=r"URL|internet"):
        EasyPost(url, KEY)


def test_words_of_others_are_one_short_line():
    assert words(" a\r\nb\x00c\u2028d  e ") == "a b c d e"
    assert words("x" * 400, 10) == "x" * 9 + "…"
