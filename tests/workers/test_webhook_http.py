"""The request of a webhook: to the address that was judged and to no other, and never for long."""

import asyncio
import ipaddress
import shutil
import ssl
import subprocess
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.ids import DeliveryId, EndpointId
from domain.webhooks import Claimed, Sent, may_connect, url_problem
from gql.webhook_payload import webhook_message
from tests.receiver import Authority, Received, answering, receiving
from workers import webhook_http
from workers.webhook_http import ANSWER_BYTES_MAX, WebhookSender

NAME = "partner.example"


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    if shutil.which("openssl") is None:
        pytest.skip("openssl makes the certificates")
    folder = tmp_path_factory.mktemp("authority")

    def openssl(*arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    openssl("req", "-x509", *key, "-keyout", "root.key", "-out", "root.pem", "-days", "2", "-subj", "/CN=Test root")
    openssl("req", *key, "-keyout", "leaf.key", "-out", "leaf.csr", "-subj", f"/CN={NAME}")
    (folder / "leaf.cnf").write_text(f"subjectAltName=DNS:{NAME}\nbasicConstraints=CA:FALSE\n")
    signing = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-extfile", "leaf.cnf", "-days", "2")
    openssl("x509", "-req", "-in", "leaf.csr", "-out", "leaf.pem", *signing)
    return Authority(folder / "root.pem", folder / "leaf.pem", folder / "leaf.key")


def claimed(url: str) -> Claimed:
    return Claimed(
        id=DeliveryId(1),
        endpoint=EndpointId(1),
        name="partner",
        url=url,
        secrets=(b"a secret",),
        lease="x",
        attempts=0,
        event=None,
        expired=False,
        created_at=datetime(2026, 11, 23, tzinfo=UTC),
    )


async def sent(url: str, *, addresses: tuple[str, ...] = (), allow_loopback: bool = True, **more: Any) -> Sent:
    """What comes of one request; `addresses`: what every name resolves to."""

    async def look_up(_host: str, _port: int) -> list[webhook_http.IPAddress]:
        return [ipaddress.ip_address(one) for one in addresses]

    names = {"look_up": look_up} if addresses else {}
    sender = WebhookSender(webhook_message, allow_loopback=allow_loopback, **names, **more)
    async with aclosing(sender):
        return await sender(claimed(url))


async def test_tls_goes_to_the_pinned_address_under_the_name_of_the_endpoint(authority: Authority):
    async with receiving(authority.server()) as receiver:
        url = f"https://{NAME}:{receiver.port}/in"
        done = await sent(url, addresses=("127.0.0.1",), trust=authority.client())

    assert (done.status, done.error) == (204, None)
    (request,) = receiver.received
    assert request.server_name == NAME
    assert request.headers["host"] == f"{NAME}:{receiver.port}"
    assert request.request_line == "POST /in HTTP/1.1"


async def test_a_certificate_of_another_name_or_authority_is_not_taken(authority: Authority):
    async with receiving(authority.server()) as receiver:
        url = f"https://another.example:{receiver.port}/"
        other_name = await sent(url, addresses=("127.0.0.1",), trust=authority.client())
        url = f"https://{NAME}:{receiver.port}/"
        unknown = await sent(url, addresses=("127.0.0.1",), trust=ssl.create_default_context())

    assert "CERTIFICATE_VERIFY_FAILED" in str(other_name.error)
    assert "CERTIFICATE_VERIFY_FAILED" in str(unknown.error)
    assert receiver.received == []


@pytest.mark.parametrize(
    "addresses",
    [
        ("10.0.0.1",),
        ("169.254.169.254",),
        ("127.0.0.1",),
        ("::1",),
        ("0.0.0.0",),  # noqa: S104
        ("8.8.8.8", "192.168.0.1"),
        ("::ffff:10.0.0.1",),
    ],
)
async def test_a_name_with_any_address_that_is_not_public_is_not_connected_to(addresses: tuple[str, ...]):
    done = await sent("https://partner.example/", addresses=addresses, allow_loopback=False)

    assert done.status is None
    assert "not on the public internet" in str(done.error)


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2606:4700::1111", True),
        ("224.0.0.1", False),
        ("100.64.0.1", False),
        ("255.255.255.255", False),
        ("fd00::1", False),
        ("fe80::1", False),
        ("fec0::1", False),
        ("ff0e::1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::1", False),
        ("::ffff:8.8.8.8", True),
        ("::127.0.0.1", False),
    ],
)
def test_what_is_public_is_what_anybody_on_the_internet_could_reach(address: str, public: bool):
    assert may_connect("https", ipaddress.ip_address(address), allow_loopback=True) is public
    assert not may_connect("http", ipaddress.ip_address(address), allow_loopback=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://partner.example/",
        "https://10.0.0.1/",
        "https://[::1]/",
        "https://localhost/",
        "https://localhost./",
        "https://api.LOCALHOST/",
        "https://api.localhost./",
        "https://127.0.0.1./",
        "https://2130706433/",
        "https://0x7f.1/",
        "https://0X7F000001/",
        "https://0177.0.0.1/",
        "https://127.1/",
        "https://8.8/",
        "https://0/",
        "https://0./",
        "https://./",
        "https://user:password@partner.example/",
        "https://partner.example/#top",
        "https://partner.example:99999/",
        "https://pärtner.example/",
        "https://partner.example/a b",
        "ftp://partner.example/",
        "https:///nowhere",
        "partner.example",
        "https://[::1",
    ],
)
def test_a_url_that_could_never_be_delivered_to_is_refused(url: str):
    assert url_problem(url, allow_loopback=False) is not None


def test_this_machine_is_taken_where_the_setting_says_so_and_nothing_else_without_tls():
    assert url_problem("http://127.0.0.1:9000/", allow_loopback=True) is None
    assert url_problem("http://localhost/", allow_loopback=True) is None
    assert url_problem("http://partner.example/", allow_loopback=True) is not None
    assert url_problem("http://api.localhost:9000/", allow_loopback=True) is None
    for url in (
        "https://partner.example/hooks?a=b",
        "https://partner.example./",
        "https://8.8.8.8/",
        "https://4.example/",
    ):
        assert url_problem(url, allow_loopback=False) is None


async def test_a_redirect_is_not_followed():
    async with receiving() as target, receiving() as receiver:

        async def redirect(_: Received) -> bytes:
            return answering(307, f"location: {target.url}\r\n")

        receiver.answer = redirect
        done = await sent(receiver.url)

    assert (done.status, done.error) == (307, "It answered 307; a redirect is not followed.")
    assert target.received == []


async def test_of_a_huge_answer_no_more_than_64_kb_are_read():
    written = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal written
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
                written += 65_536
        except ConnectionError:
            writer.close()

    server = await asyncio.start_server(pour, "127.0.0.1", 0)
    async with server:
        done = await sent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    assert (done.status, done.error) == (200, None)
    assert written < 200 * ANSWER_BYTES_MAX


async def test_an_answer_that_does_not_come_or_never_ends_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(webhook_http, "TIMEOUT_SECONDS", 0.3)

    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        try:
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            writer.close()

    async def hang(_: Received) -> bytes:
        await asyncio.sleep(600)
        return b""

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    async with server, receiving() as receiver:
        receiver.answer = hang
        slow = await sent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
        silent = await sent(receiver.url)

    assert webhook_http.TIMEOUT_SECONDS == 0.3
    assert slow.error == silent.error == "It took longer than 0.3 s."


async def test_nobody_listens_or_there_is_no_such_name_is_an_error_and_no_exception():
    async with receiving() as receiver:
        url = receiver.url
    nobody = await sent(url)

    async def unknown(_host: str, _port: int) -> list[webhook_http.IPAddress]:
        raise OSError("Name or service not known")

    async with aclosing(WebhookSender(webhook_message, look_up=unknown)) as sender:
        unnamed = await sender(claimed("https://partner.example/"))

    assert str(nobody.error).startswith("ConnectError")
    assert unnamed.error == "OSError: Name or service not known"
