"""Mails: templates say what they may, nobody's text becomes markup or a header, and addresses are addresses."""

from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import MailId, OrderId
from domain.kinds import MailAudience, MailState, MailTopic, OrderStatus
from domain.mail_addresses import address_problem, deliverable
from domain.mails import (
    DEFAULTS,
    TOPICS,
    ClaimedMail,
    MailPatience,
    MailTemplate,
    MailTried,
    OrderToTell,
    Written,
    concerns,
    html_of,
    order_values,
    template_problem,
    write,
)

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def an_order(**more: object) -> OrderToTell:
    fields = {
        "id": OrderId(7),
        "number": "1001",
        "channel": "SHOP",
        "status": OrderStatus.FINALIZED,
        "placed_at": NOON,
        "customer_name": "Ada",
        "customer_email": "ada@example.com",
        "lines": ((2, "Chair"), (1, "Table")),
        "was_known": False,
    }
    return OrderToTell(**(fields | more))  # type: ignore[arg-type]


def a_template(subject: str, body: str) -> MailTemplate:
    return MailTemplate(topic=MailTopic.ORDER_PLACED, audience=MailAudience.CUSTOMER, subject=subject, body=body)


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("topic", MailTopic)
def test_a9_every_topic_has_a_default_that_uses_only_what_it_may(topic: MailTopic):
    default = DEFAULTS[topic]

    assert default.audience is TOPICS[topic].audience
    assert default.channels == ()
    assert template_problem(default.subject, topic) is None
    assert template_problem(default.body, topic) is None


@pytest.mark.parametrize(
    "text", ["{{ order.nummer }}", "{{}}", "{{ order.number", "order.number }}", "{{ alert.rule }}", "{{ a {{ b }} }}"]
)
def test_a_placeholder_that_is_unknown_or_unclosed_is_a_problem_that_names_those_there_are(text: str):
    assert "{{ order.number }}" in str(template_problem(text, MailTopic.ORDER_PLACED))


def test_a9_a_mail_says_what_the_template_says_of_the_order():
    written = write(a_template("Hi {{customer.name}}", "No. {{ order.number }}:\n{{ order.lines }}"), values())

    assert written.subject == "Hi Ada"
    assert written.text == "No. 1001:\n2 x Chair\n1 x Table"


def values(*, link: str | None = None, **more: object) -> dict[str, str]:
    return order_values(an_order(**more), link)


def test_what_was_put_in_is_neither_a_placeholder_nor_markup_nor_a_header():
    nasty = "</p><script>alert(1)</script>\r\nBcc: x@evil.example {{ order.number }}\u202e\x00"

    written = write(a_template("Hi {{ customer.name }}", "Hi {{ customer.name }}"), values(customer_name=nasty))

    assert "\n" not in written.subject
    assert "\r" not in written.subject + written.text
    assert "{{ order.number }}" in written.text
    assert written.text.count("\n") == 0
    assert "script" not in [tag for tag, _ in Tags(written.html).tags]
    assert "<script" not in written.html


@given(st.text())
def test_html_made_of_any_text_has_our_tags_only(text: str):
    found = Tags(html_of(text))

    assert {tag for tag, _ in found.tags} <= {"html", "head", "meta", "body", "p", "br"}
    assert all(attrs in ([], [("dir", "auto")], [("charset", "utf-8")]) for _, attrs in found.tags)


@given(st.text(), st.text())
def test_no_subject_ever_has_a_line_break(name: str, number: str):
    written = write(
        a_template("{{ customer.name }} {{ order.number }}", "x"), values(customer_name=name, number=number)
    )

    assert written.subject.splitlines() in ([], [written.subject])
    assert len(written.subject) <= 200


LINK = "https://orders.shop.example/track/x?a=1&b=2"


def test_a9_a_customer_s_mail_leads_to_the_order():
    written = write(a_template("Hi", "Hello.\n\nFollow it: {{ order.trackingUrl }}"), values(link=LINK), LINK)

    assert written.text == f"Hello.\n\nFollow it: {LINK}"
    assert ("a", [("href", LINK)]) in Tags(written.html).tags


def test_a_line_that_would_lead_nowhere_is_left_out():
    written = write(a_template("Hi", "Hello.\n\nFollow it: {{order.trackingUrl}}\nYours"), values())

    assert written.text == "Hello.\n\nYours"


def test_a9_every_mail_to_a_customer_leads_to_the_order_unless_it_is_canceled():
    leading = {topic for topic, one in DEFAULTS.items() if "order.trackingUrl" in one.body}

    assert leading == {one for one in TOPICS if TOPICS[one].audience is MailAudience.CUSTOMER} - {
        MailTopic.ORDER_CANCELED
    }


def test_long_orders_are_named_up_to_a_bound():
    lines = tuple((1, f"Thing {number}") for number in range(80))

    assert values(lines=lines)["order.lines"].splitlines()[-1] == "… and 30 more"


def test_nobody_hears_of_a_draft_nor_that_it_was_canceled():
    draft, void = an_order(status=OrderStatus.DRAFT), an_order(status=OrderStatus.VOID)

    assert not concerns(MailTopic.ORDER_PLACED, draft, is_told=False)
    assert not concerns(MailTopic.ORDER_CANCELED, void, is_told=False)
    assert concerns(MailTopic.ORDER_CANCELED, void, is_told=True)
    assert concerns(MailTopic.ORDER_CANCELED, an_order(status=OrderStatus.VOID, was_known=True), is_told=False)
    assert concerns(MailTopic.ORDER_PLACED, an_order(), is_told=False)


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example",
        "ada.l+x@shop.co.uk",
        "用户@例子.example",
        "o'neil@b.example",
        "a@xn--bcher-kva.example",
        "a@bücher.example",
    ],
)
def test_an_address_of_any_script_is_one(address: str):
    assert address_problem(address) is None


@pytest.mark.parametrize(
    "address",
    [
        *("", "a", "@b.example", "a@", "a@b", "a b@c.example", "a@b c.example", "a@b..example", ".a@b.example"),
        *("a.@b.example", "a..b@c.example", "a@-b.example", "a@b.example\n", "a\r\nBcc:x@b.example", "<a@b.example>"),
        *("a,b@c.example", '"a"@b.example', "a@[127.0.0.1]", "a" * 65 + "@b.example", "a@" + "b" * 64 + ".example"),
        *("a@" + "b." * 130 + "example", "a\x00@b.example", "a\u2028@b.example", "a@b@c.example"),
    ],
)
def test_what_is_no_address_has_a_problem(address: str):
    assert address_problem(address)


def test_a_domain_is_asked_for_in_ascii():
    assert deliverable("ü@bücher.example") == "ü@xn--bcher-kva.example"


@given(st.text())
def test_an_address_that_has_no_problem_can_stand_in_a_header(address: str):
    if address_problem(address) is None:
        assert not set(address) & set("\r\n<>,; ")
        assert deliverable(address).rpartition("@")[2].isascii()


def tried(attempts: int, **more: object) -> MailTried:
    claimed = ClaimedMail(
        id=MailId(1),
        recipient="a@b.example",
        written=Written(subject="", text="", html=""),
        created_at=NOON,
        attempts=attempts,
        lease="x",
    )
    return MailTried(claimed=claimed, **more)  # type: ignore[arg-type]


def test_a_mail_is_tried_for_about_two_days_at_growing_intervals_and_then_is_dead():
    patience = MailPatience()
    waits = [patience.after(tried(number, error="no"), 0.5) for number in range(len(patience.retry_seconds))]

    assert [state for state, _ in waits] == [MailState.PENDING] * len(patience.retry_seconds)
    assert [wait for _, wait in waits] == sorted(wait for _, wait in waits)
    assert 40 * 3600 < sum(wait for _, wait in waits) < 60 * 3600
    assert patience.after(tried(len(patience.retry_seconds), error="no"), 0.5)[0] is MailState.DEAD
    assert patience.after(tried(0, error="no", is_final=True), 0.5)[0] is MailState.DEAD
    assert patience.after(tried(0), 0.5) == (MailState.SENT, 0)
