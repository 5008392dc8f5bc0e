"""Mails over SMTP, to a real server: with TLS, refused, failing for a while, hanging up, and gone."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime
from email import message_from_string
from email.policy import SMTP
from typing import Any

import pytest

from domain.ids import MailId
from domain.mails import ClaimedMail, MailTried, Written
from tests.gql.serving import SECONDS_MAX
from tests.mail_server import HANG_UP, MailBox, a_mail_server
from tests.receiver import Authority
from tests.workers.test_webhook_http import authority  # noqa: F401  (a fixture)
from workers.smtp import MailServer, SmtpSender, mail_server, message_of, sender_address

FROM = sender_address("The Shop <orders@shop.example>")
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def a_mail(number: int = 1, recipient: str = "ada@example.com", **more: str) -> ClaimedMail:
    written = {"subject": "Grüße, 你好", "text": "Hello\nAda", "html": "<p>Hello<br>Ada</p>"} | more
    return ClaimedMail(
        id=MailId(number),
        recipient=recipient,
        written=Written(**written),
        created_at=NOON,
        attempts=0,
        lease="x",
    )


def plain(box: MailBox) -> MailServer:
    return mail_server(box.url, allow_loopback=True)


async def sent(server: MailServer, *mails: ClaimedMail, **more: Any) -> list[MailTried]:
    return await SmtpSender(server, FROM, **({"timeout_seconds": 2} | more))(mails or [a_mail()])


async def test_a9_a_mail_arrives_as_text_and_html_with_all_that_a_mail_needs():
    async with a_mail_server() as box:
        (tried,) = await sent(plain(box))

    assert (tried.error, tried.is_final) == (None, False)
    (mail,) = box.received
    assert (mail.sender, mail.recipient) == ("orders@shop.example", "ada@example.com")
    assert (mail.message["From"], mail.message["To"]) == ("The Shop <orders@shop.example>", "ada@example.com")
    assert mail.message["Subject"] == "Grüße, 你好"
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["Date"].datetime == NOON
    assert mail.text.splitlines() == ["Hello", "Ada"]
    assert mail.html.strip() == "<p>Hello<br>Ada</p>"


async def test_a_mail_that_is_sent_again_is_known_by_its_message_id_and_another_has_another():
    async with a_mail_server() as box:
        await sent(plain(box), a_mail(1), a_mail(1), a_mail(2))

    first, again, other = (mail.id for mail in box.received)
    assert first == again == f"<dibs-1-{int(NOON.timestamp())}000000@shop.example>"
    assert other != first


async def test_a_mail_to_an_address_of_another_script_arrives():
    async with a_mail_server() as box:
        (tried,) = await sent(plain(box), a_mail(recipient="用户@bücher.example"))

    assert tried.error is None
    (mail,) = box.received
    assert mail.recipient == "用户@xn--bcher-kva.example"


async def test_a_server_that_cannot_take_such_an_address_makes_the_mail_final():
    async with a_mail_server(utf8=False) as box:
        tried = await sent(plain(box), a_mail(1, recipient="用户@shop.example"), a_mail(2))

    assert [(one.error is None, one.is_final) for one in tried] == [(False, True), (True, False)]


@pytest.mark.parametrize("field", ["subject", "recipient"])
async def test_no_mail_can_bring_a_header_along(field: str):
    """The database refuses to hold it; here nobody has."""
    nasty = "x\r\nBcc: everybody@evil.example"
    mail = a_mail(recipient=f"{nasty}@example.com") if field == "recipient" else a_mail(subject=nasty)
    async with a_mail_server() as box:
        (tried,) = await sent(plain(box), mail)

    assert box.received == []
    assert tried.error
    assert tried.is_final


@pytest.mark.parametrize(
    ("says", "is_final"),
    [
        ({"on_recipient": "550 No such user"}, True),
        ({"on_recipient": "450 Mailbox busy"}, False),
        ({"on_recipient": "452 Full"}, False),
        ({"on_content": "554 Looks like spam"}, True),
        ({"on_content": "451 Try later"}, False),
        ({"on_sender": "550 Who are you?"}, False),
        ({"on_sender": HANG_UP}, False),
        ({"on_recipient": HANG_UP}, False),
        ({"on_content": HANG_UP}, False),
        ({"after_content": HANG_UP}, False),
    ],
    ids=lambda one: "-".join(map(str, next(iter(one.items())))) if isinstance(one, dict) else "",
)
async def test_what_is_refused_for_good_is_final_and_everything_else_is_tried_again(
    says: dict[str, str], is_final: bool
):
    """And the mail after it goes out all the same."""
    box = MailBox()
    ((when, answer),) = says.items()
    said = iter([answer])
    setattr(box, when, lambda _: next(said, "250 OK"))
    async with a_mail_server(box):
        first, second = await sent(plain(box), a_mail(1), a_mail(2, recipient="bob@example.com"))

    assert first.error
    assert first.is_final is is_final
    assert second.error is None
    assert [mail.recipient for mail in box.received][-1] == "bob@example.com"
    if answer is not HANG_UP:
        assert answer.partition(" ")[2] in first.error


async def test_a_server_that_is_not_there_fails_them_all_once_and_not_for_good():
    async with a_mail_server() as box:
        server = plain(box)

    tried = await sent(server, a_mail(1), a_mail(2))

    assert [(one.claimed.id, bool(one.error), one.is_final) for one in tried] == [(1, True, False), (2, True, False)]


async def test_a_server_that_says_nothing_is_not_waited_for_for_long():
    async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.sleep(600)
        finally:
            writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with asyncio.timeout(SECONDS_MAX):
        (tried,) = await sent(mail_server(url, allow_loopback=True), timeout_seconds=0.2)
    server.close()

    assert "imeout" in str(tried.error)
    assert not tried.is_final


# ---------------------------------------------------------------- TLS and passwords


def named(box: MailBox, scheme: str, user: str = "", host: str = "partner.example") -> MailServer:
    return mail_server(f"{scheme}://{user}{host}:{box.port}", allow_loopback=True)


@pytest.fixture
def resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the certificate leads to this machine."""
    real: Callable[..., Any] = asyncio.BaseEventLoop.create_connection

    async def here(loop: Any, protocol: Any, host: str | None = None, port: int | None = None, **more: Any) -> Any:
        if more.get("ssl"):
            more["server_hostname"] = more.get("server_hostname") or host
        return await real(loop, protocol, "127.0.0.1" if host else host, port, **more)

    monkeypatch.setattr(asyncio.BaseEventLoop, "create_connection", here)


@pytest.mark.usefixtures("resolved")
@pytest.mark.parametrize("scheme", ["smtps", "smtp"])
async def test_the_password_goes_over_tls_under_a_certificate_that_is_checked(authority: Authority, scheme: str):  # noqa: F811
    key = "implicit_tls" if scheme == "smtps" else "starttls"
    tls: dict[str, Any] = {key: authority.server()}
    async with a_mail_server(login=("dibs", "p@ss:word"), **tls) as box:
        right = named(box, scheme, "dibs:p%40ss%3Aword@")
        (taken,) = await sent(right, trust=authority.client())
        (wrong_password,) = await sent(named(box, scheme, "dibs:no@"), trust=authority.client())
        (unknown_authority,) = await sent(right, trust=ssl.create_default_context())
        (other_name,) = await sent(
            named(box, scheme, "dibs:p%40ss%3Aword@", host="another.example"), trust=authority.client()
        )

    assert taken.error is None
    assert "535" in str(wrong_password.error)
    assert not wrong_password.is_final
    for one in (unknown_authority, other_name):
        assert "CERTIFICATE_VERIFY_FAILED" in str(one.error)
        assert not one.is_final
    assert len(box.received) == 1
    assert "p@ss" not in repr(right)


@pytest.mark.usefixtures("resolved")
async def test_a_server_without_starttls_gets_nothing():
    async with a_mail_server() as box:
        (tried,) = await sent(named(box, "smtp", "dibs:secret@"))

    assert "STARTTLS" in str(tried.error)
    assert box.sessions == []


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("smtps://mail.example", (465, True, False)),
        ("smtp://mail.example", (587, False, True)),
        ("smtp://mail.example:25", (25, False, True)),
        ("smtp://127.0.0.1:25", (25, False, False)),
        ("smtp://localhost", (587, False, False)),
    ],
)
def test_the_scheme_says_how_tls_begins(url: str, told: tuple[int, bool, bool]):
    server = mail_server(url, allow_loopback=True)

    assert (server.port, server.implicit_tls, server.starttls) == told
    assert mail_server(url, allow_loopback=False).starttls is not server.implicit_tls


@pytest.mark.parametrize(
    "url",
    [
        *("http://u:secret@mail.example", "smtp://", "mail.example", "smtp://secret@mail.example"),
        *("smtp://u:secret@h:99999", "smtp://u:secret@h/x", "smtp://u:secret@[x", "smtps://u:secret@h?x=1"),
    ],
)
def test_what_is_no_mail_server_is_not_quoted(url: str):
    with pytest.raises(ValueError, match=r"must look like|needs both") as problem:
        mail_server(url, allow_loopback=True)

    assert "secret" not in str(problem.value)


@pytest.mark.parametrize("text", ["", "Shop", "a@b", "Shop <a@b.example>\r\nBcc: x@y.example", "ü@b.example"])
def test_mails_come_from_one_address_that_every_server_knows(text: str):
    with pytest.raises(ValueError, match="must"):
        sender_address(text)


def test_a_name_of_the_sender_with_commas_stays_a_name():
    message = message_of(a_mail(), sender_address('"Shop, The" <orders@shop.example>'))

    read = message_from_string(message.as_string(), policy=SMTP)
    assert [one.addr_spec for one in read["From"].addresses] == ["orders@shop.example"]
