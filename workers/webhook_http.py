"""One signed request to an address that was looked up once, judged, and is then the only one connected to.

A name may resolve to another address a moment later, so the request goes to the address itself; the name stands in the
Host header and in TLS, where the certificate is checked against it.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

import httpx
from standardwebhooks import Webhook

from domain.webhooks import Claimed, IPAddress, Sent, address_of, may_connect, url_problem

TIMEOUT_SECONDS = 5.0
"""For everything: looking the name up, connecting, sending, and the answer."""
ANSWER_BYTES_MAX = 65_536
LOOKUPS_MAX = 32
"""Names that are being looked up at the same time; one name is looked up once at a time."""
ADDRESSES_MAX = 3
ERROR_LENGTH_MAX = 300
AGENT = "Dibs-Webhooks/1"


class Undeliverable(Exception):
    """The request was not made."""


class Names:
    """Looks names up in threads of its own: a name server that hangs holds one thread a name, and nobody else."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(LOOKUPS_MAX, "webhook-names")
        self._running: dict[tuple[str, int], asyncio.Future[list[IPAddress]]] = {}

    async def __call__(self, host: str, port: int) -> list[IPAddress]:
        """Every address of the host. Raises OSError."""
        key = host, port
        if key not in self._running:
            loop = asyncio.get_running_loop()
            self._running[key] = loop.run_in_executor(self._threads, _look_up, host, port)
            self._running[key].add_done_callback(lambda done: self._forget(key, done))
        return await asyncio.shield(self._running[key])

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _forget(self, key: tuple[str, int], done: "asyncio.Future[list[IPAddress]]") -> None:
        del self._running[key]
        if not done.cancelled():
            done.exception()  # whoever waited may have given up


def _look_up(host: str, port: int) -> list[IPAddress]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = (address_of(str(sockaddr[0]).partition("%")[0]) for *_, sockaddr in found)
    return list(dict.fromkeys(address for address in addresses if address is not None))


class WebhookSender:
    """Sends what was claimed, and says what came of it; see `workers.deliveries`."""

    def __init__(
        self,
        message: Callable[[Claimed], tuple[str, str]],
        *,
        allow_loopback: bool = False,
        look_up: Callable[[str, int], Awaitable[Sequence[IPAddress]]] | None = None,
        trust: ssl.SSLContext | None = None,
    ) -> None:
        """`message`: the id and the body of the webhook, the same at every attempt.

        `allow_loopback`: this machine may be sent to, without TLS as well: for development.
        """
        self._message = message
        self._allow_loopback = allow_loopback
        self._names = Names()
        self._look_up = look_up or self._names
        # A connection is not kept: the next request to the address may be for another name.
        self._client = httpx.AsyncClient(
            verify=trust or _public_trust(),
            trust_env=False,
            follow_redirects=False,
            timeout=None,  # noqa: S113  (ours is for everything together)
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        )

    async def __call__(self, claimed: Claimed) -> Sent:
        started = time.monotonic()
        status = error = None
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                status = await self._post(claimed)
            error = _why_failed(status)
        except TimeoutError:
            error = f"It took longer than {TIMEOUT_SECONDS:g} s."
        except (Undeliverable, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as mistake:
            error = f"{type(mistake).__name__}: {mistake}"
        took = int((time.monotonic() - started) * 1000)
        return Sent(claimed=claimed, duration_ms=took, status=status, error=_storable(error))

    async def aclose(self) -> None:
        self._names.close()
        await self._client.aclose()

    async def _post(self, claimed: Claimed) -> int:
        """The status of the answer."""
        if claimed.expired:
            raise Undeliverable("the log no longer has this event")
        problem = url_problem(claimed.url, allow_loopback=self._allow_loopback)
        if problem:
            raise Undeliverable(problem)
        url = httpx.URL(claimed.url)
        name, body = self._message(claimed)
        headers = signed(name, body, claimed.secrets, datetime.now(UTC))
        headers["host"] = url.netloc.decode("ascii")
        addresses = await self._addresses(url)
        for address in addresses[:-1]:
            with suppress(httpx.ConnectError):
                return await self._ask(url, address, headers, body)
        return await self._ask(url, addresses[-1], headers, body)

    async def _addresses(self, url: httpx.URL) -> list[IPAddress]:
        """Where the host is; every one of its addresses must be allowed."""
        host = url.raw_host.decode("ascii")
        literal = address_of(host)
        found = [literal] if literal else list(await self._look_up(host, url.port or 443))
        if not found:
            raise Undeliverable(f"{host} has no address")
        for address in found:
            if not may_connect(url.scheme, address, allow_loopback=self._allow_loopback):
                raise Undeliverable(f"{host} is at {address}, which is not on the public internet")
        return found[:ADDRESSES_MAX]

    async def _ask(self, url: httpx.URL, address: IPAddress, headers: dict[str, str], body: str) -> int:
        pinned = url.copy_with(host=str(address))
        named = {"sni_hostname": url.raw_host.decode("ascii")}
        stream = self._client.stream("POST", pinned, content=body.encode(), headers=headers, extensions=named)
        async with stream as response:
            read = 0
            async for part in response.aiter_raw():
                read += len(part)
                if read >= ANSWER_BYTES_MAX:
                    break
            return response.status_code


@cache
def _public_trust() -> ssl.SSLContext:
    """The authorities that browsers trust, or those in SSL_CERT_FILE; reading them takes a while."""
    return httpx.create_ssl_context()


def signed(name: str, body: str, secrets: Sequence[bytes], now: datetime) -> dict[str, str]:
    """The headers of Standard Webhooks; one signature for each secret that is in force."""
    signatures = [Webhook(secret).sign(name, now, body) for secret in secrets]
    return {
        "content-type": "application/json",
        "accept-encoding": "identity",
        "user-agent": AGENT,
        "webhook-id": name,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": " ".join(signatures),
    }


def _why_failed(status: int) -> str | None:
    if 200 <= status < 300:
        return None
    if 300 <= status < 400:
        return f"It answered {status}; a redirect is not followed."
    return f"It answered {status}."


def _storable(text: str | None) -> str | None:
    if text is None:
        return None
    return text.encode("utf-8", "replace").decode().replace("\x00", "\ufffd")[:ERROR_LENGTH_MAX]
