"""Mails go to one SMTP server: over TLS, with its certificate checked, and never for long."""

import asyncio
import ssl
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime, parseaddr
from urllib.parse import unquote, urlsplit

import aiosmtplib

from domain.mail_addresses import address_problem, ascii_domain, deliverable
from domain.mails import ClaimedMail, MailTried
from domain.texts import one_line
from domain.webhooks import address_of

TIMEOUT_SECONDS = 30.0
"""For one mail, and for connecting."""
BATCH_SECONDS_MAX = 60.0
"""After so long no further mail of a batch is begun."""
ERROR_LENGTH_MAX = 300
PORTS = {"smtp": 587, "smtps": 465}
NOT_AN_URL = "must look like smtps://user:password@mail.example:465, or smtp://… for STARTTLS"


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mails go. `implicit_tls`: from the first byte; else STARTTLS, which must be there if `starttls`."""

    host: str
    port: int
    implicit_tls: bool
    starttls: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)


def mail_server(url: str, *, allow_loopback: bool) -> MailServer:
    """The server that a URL names. Raises ValueError, which does not quote the URL."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise ValueError(NOT_AN_URL) from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise ValueError(NOT_AN_URL)
    if (parts.username is None) != (parts.password is None):
        raise ValueError("needs both a user and a password, or neither")
    address = address_of(parts.hostname)
    is_loopback = parts.hostname == "localhost" if address is None else address.is_loopback
    return MailServer(
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        implicit_tls=parts.scheme == "smtps",
        starttls=parts.scheme == "smtp" and not (is_loopback and allow_loopback),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def sender_address(text: str) -> Address:
    """Who mails come from: `Shop <orders@shop.example>`, or the address alone. Raises ValueError."""
    if text != one_line(text, 500):
        raise ValueError("must be one line")
    name, address = parseaddr(text)
    if not address or not address.isascii() or address_problem(address):
        raise ValueError("must look like Shop <orders@shop.example>")
    local, _, domain = address.rpartition("@")
    return Address(display_name=name, username=local, domain=domain)


class SmtpSender:
    """Sends mails over one connection after the other. It does not fail, and does not take for ever."""

    def __init__(
        self,
        server: MailServer,
        sender: Address,
        *,
        trust: ssl.SSLContext | None = None,
        timeout_seconds: float = TIMEOUT_SECONDS,
    ) -> None:
        self._server = server
        self._sender = sender
        self._trust = trust
        self._timeout_seconds = timeout_seconds

    async def __call__(self, claimed: Sequence[ClaimedMail]) -> list[MailTried]:
        """What came of each; those at the end that were not begun are left out."""
        tried: list[MailTried] = []
        started, client = time.monotonic(), None
        try:
            for mail in claimed:
                if time.monotonic() - started > BATCH_SECONDS_MAX:
                    break
                try:
                    if client is None or not client.is_connected:
                        client = await self._connect()
                except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
                    tried += [MailTried(claimed=one, error=_said(error)) for one in claimed[len(tried) :]]
                    break
                tried.append(await self._send(client, mail))
        finally:
            if client is not None:
                await _goodbye(client)
        return tried

    async def _connect(self) -> aiosmtplib.SMTP:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.user,
            password=server.password,
            use_tls=server.implicit_tls,
            start_tls=server.starttls,
            local_hostname=self._sender.domain,
            tls_context=self._trust if server.implicit_tls or server.starttls else None,
            timeout=self._timeout_seconds,
        )
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await client.connect()
        except BaseException:
            client.close()
            raise
        return client

    async def _send(self, client: aiosmtplib.SMTP, mail: ClaimedMail) -> MailTried:
        try:
            message = message_of(mail, self._sender)
        except (ValueError, HeaderParseError) as error:
            return MailTried(claimed=mail, error=_said(error), is_final=True)
        try:
            async with asyncio.timeout(self._timeout_seconds):
                await client.send_message(
                    message, sender=self._sender.addr_spec, recipients=[deliverable(mail.recipient)]
                )
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            if isinstance(error, TimeoutError | OSError):
                client.close()  # what it says next would be an answer to this one
            return MailTried(claimed=mail, error=_said(error), is_final=_is_final(error))
        return MailTried(claimed=mail)


async def _goodbye(client: aiosmtplib.SMTP) -> None:
    with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
        async with asyncio.timeout(2):
            if client.is_connected:
                await client.quit()
    client.close()


def message_of(mail: ClaimedMail, sender: Address) -> EmailMessage:
    """The mail as it is sent, the same at every attempt but for what separates its parts."""
    local, _, domain = deliverable(mail.recipient).rpartition("@")
    moment = int(mail.created_at.timestamp() * 1_000_000)
    message = EmailMessage(policy=SMTP_POLICY)
    message["From"] = sender
    message["To"] = Address(username=local, domain=domain)
    message["Subject"] = mail.written.subject
    message["Date"] = format_datetime(mail.created_at)
    message["Message-ID"] = f"<dibs-{mail.id}-{moment}@{ascii_domain(sender.domain)}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(mail.written.text)
    message.add_alternative(mail.written.html, subtype="html")
    return message


def _is_final(error: Exception) -> bool:
    """Whether this mail would never be taken: its recipient or its content is refused for good.

    A server that does not want us at all is no fault of the mail.
    """
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return True
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(one.code >= 500 for one in error.recipients)
    return isinstance(error, aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError) and error.code >= 500


def _said(error: BaseException) -> str:
    """What went wrong, for people; what a server says is theirs."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        said = "; ".join(f"{one.code} {one.message}" for one in error.recipients)
    elif isinstance(error, aiosmtplib.SMTPResponseException):
        said = f"{error.code} {error.message}"
    else:
        said = str(error)
    return one_line(f"{type(error).__name__}: {said}", ERROR_LENGTH_MAX)
