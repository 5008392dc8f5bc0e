"""A mail server: a real one on loopback, that refuses, fails and hangs up as a test wants it to."""

import asyncio
import ssl
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTPUTF8
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

OK = "250 OK"
HANG_UP = "hang up"
"""Not an answer: the server closes the connection instead."""


@dataclass(frozen=True, slots=True)
class Received:
    """One mail that was taken."""

    sender: str
    recipient: str
    message: EmailMessage

    @property
    def id(self) -> str:
        return str(self.message["Message-ID"])

    @property
    def text(self) -> str:
        return self.part("plain")

    @property
    def html(self) -> str:
        return self.part("html")

    def part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        assert part is not None
        return str(part.get_content())


Answer = Callable[[str], str]
"""What is said to a recipient, or to the content of a mail to them."""


@dataclass
class MailBox:
    """What came in. `on_recipient` and `on_content` decide; `after_content`: what is said once a mail was taken."""

    port: int = 0
    received: list[Received] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    on_recipient: Answer = lambda _: OK
    on_content: Answer = lambda _: OK
    after_content: Answer = lambda _: OK
    on_sender: Answer = lambda _: OK

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, recipient: str) -> list[Received]:
        return [one for one in self.received if one.recipient == recipient]

    # What aiosmtpd calls.

    async def handle_MAIL(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        self.sessions.append(session)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return _said(server, self.on_sender(address))

    async def handle_RCPT(  # noqa: N802
        self, server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        said = _said(server, self.on_recipient(address))
        if said.startswith("2"):
            envelope.rcpt_tos.append(address)
        return said

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        (recipient,) = envelope.rcpt_tos
        said = _said(server, self.on_content(recipient))
        if not said.startswith("2"):
            return said
        assert isinstance(envelope.content, bytes)
        message = message_from_bytes(envelope.content, _class=EmailMessage, policy=SMTPUTF8)  # type: ignore[arg-type]
        self.received.append(Received(str(envelope.mail_from), recipient, message))
        return _said(server, self.after_content(recipient))


def _said(server: SMTP, answer: str) -> str:
    if answer is HANG_UP or answer == HANG_UP:
        assert server.transport is not None
        server.transport.close()
        return "421 Bye"
    return answer


@asynccontextmanager
async def a_mail_server(
    box: MailBox | None = None,
    *,
    port: int = 0,
    implicit_tls: ssl.SSLContext | None = None,
    starttls: ssl.SSLContext | None = None,
    login: tuple[str, str] | None = None,
    utf8: bool = True,
) -> AsyncIterator[MailBox]:
    """A server until the block ends; `login`: whoever sends must be this user."""
    box = box or MailBox()

    def authenticate(_s: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        given = (data.login.decode(), data.password.decode()) if isinstance(data, LoginPassword) else None
        return AuthResult(success=given == login, handled=False)

    def protocol() -> SMTP:
        more: dict[str, Any] = {}
        if login:
            more = {"authenticator": authenticate, "auth_required": True, "auth_require_tls": implicit_tls is None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it does not see that the connection is TLS from the first byte
            return SMTP(
                box,
                hostname="mail.test",
                enable_SMTPUTF8=utf8,
                tls_context=starttls,
                require_starttls=starttls is not None,
                loop=loop,
                **more,
            )

    loop = asyncio.get_running_loop()
    server = await loop.create_server(protocol, "127.0.0.1", port, ssl=implicit_tls)
    box.port = server.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        server.close()
