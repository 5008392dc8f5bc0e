"""Mails over the API: templates, who gets which mail, and what became of it on a real mail server."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from domain.mails import MailPatience
from services.notices import forget_old_notices
from tests.gql.serving import Served, serving
from tests.gql.test_alerts import DONE, OVER, a_shop, all_read, allocate, count, named, place, rules
from tests.gql.test_fulfillments import HOME, RELEASED, Shop
from tests.mail_server import HANG_UP, MailBox, a_mail_server
from tests.workers.webhooks import eventually
from workers.mailing import Mailer

TEMPLATE = "topic audience subject body channels placeholders isDefault"
SAVED = f"... on SaveMailTemplatesSuccess {{ templates {{ {TEMPLATE} }} }}"
MAILS = """query ($state: MailState, $first: Int! = 50, $after: String) {
  mails(state: $state, first: $first, after: $after) {
    nodes { id topic audience recipient subject text state attempts error createdAt dueAt endedAt }
    pageInfo { hasNextPage endCursor } } }"""
ADA = {"customer": {"name": "Ada", "email": "ada@example.com"}}
PLACED: dict[str, Any] = {"topic": "ORDER_PLACED", "audience": "CUSTOMER", "channels": ["SHOP"]}
ALLOCATED: dict[str, Any] = PLACED | {"topic": "ORDER_ALLOCATED"}
CANCELED: dict[str, Any] = PLACED | {"topic": "ORDER_CANCELED"}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.foreman.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("dibs.working.WATCHING_SECONDS", 0.05)
    monkeypatch.setitem(Mailer.__init__.__kwdefaults__, "patience", MailPatience(retry_seconds=(0.02,) * 300))


def mailing(database_url: str, box: MailBox) -> Any:
    return serving(
        database_url,
        smtp_url=SecretStr(box.url),
        smtp_allow_loopback=True,
        mail_from="The Shop <orders@shop.example>",
        public_url="https://orders.shop.example",
    )


@pytest.fixture
async def box() -> AsyncIterator[MailBox]:
    async with a_mail_server() as box:
        yield box


@pytest.fixture
async def served(database_url: str, box: MailBox) -> AsyncIterator[Served]:
    async with mailing(database_url, box) as served:
        yield served


async def templates(served: Served, *wanted: dict[str, Any]) -> list[Any]:
    saved = await served.mutate("saveMailTemplates", SAVED, templates=list(wanted))
    assert saved["__typename"] == "SaveMailTemplatesSuccess", saved
    found: list[Any] = saved["templates"]
    return found


async def mails(served: Served, **conditions: Any) -> list[Any]:
    found: list[Any] = (await served(MAILS, **conditions))["mails"]["nodes"]
    return found


async def all_sent(served: Served) -> None:
    """Wait until everything has been read, and no mail waits."""
    await all_read(served)

    async def nothing_waits() -> bool:
        return await mails(served, state="PENDING") == []

    await eventually(nothing_waits)


# ---------------------------------------------------------------- templates


async def test_a9_templates_are_there_from_the_beginning_and_off(served: Served):
    found = (await served(f"{{ mailTemplates {{ {TEMPLATE} }} }}"))["mailTemplates"]

    assert [(one["topic"], one["audience"], one["channels"], one["isDefault"]) for one in found] == [
        ("ORDER_PLACED", "CUSTOMER", [], True),
        ("ORDER_ALLOCATED", "CUSTOMER", [], True),
        ("ORDER_CANCELED", "CUSTOMER", [], True),
        ("ORDER_RELEASED", "CUSTOMER", [], True),
        ("ORDER_SHIPPED", "CUSTOMER", [], True),
        ("ORDER_DELIVERED", "CUSTOMER", [], True),
        ("ALERT_RAISED", "TEAM", None, True),
        ("ALERT_RESOLVED", "TEAM", None, True),
    ]
    assert "order.number" in found[0]["placeholders"]


async def test_a9_nobodys_customers_get_mail_by_surprise(served: Served, box: MailBox):
    await a_shop(served)
    await templates(served, PLACED | {"channels": ["EBAY"]}, ALLOCATED | {"channels": []})
    await place(served, "1", **ADA)
    await allocate(served, "1")
    await all_sent(served)

    assert await mails(served) == []
    assert box.received == []


async def test_a9_a_template_is_changed_and_changed_back(served: Served):
    (changed,) = await templates(
        served, PLACED | {"subject": "Hi {{order.number}}", "body": "Yours,\r\n{{order.lines}}"}
    )
    found = (await served(f"{{ mailTemplates {{ {TEMPLATE} }} }}"))["mailTemplates"]

    assert found[0] == changed
    assert (changed["subject"], changed["body"]) == ("Hi {{order.number}}", "Yours,\n{{order.lines}}")
    assert (changed["channels"], changed["isDefault"]) == (["SHOP"], False)
    (back,) = await templates(served, PLACED)
    assert back["isDefault"]


@pytest.mark.parametrize(
    ("row", "path", "code"),
    [
        (PLACED | {"body": "{{ customer.creditCard }}"}, "body", "UNKNOWN_PLACEHOLDER"),
        (PLACED | {"subject": "{{ order.number"}, "subject", "UNKNOWN_PLACEHOLDER"),
        (PLACED | {"subject": "a\nb"}, "subject", "INVALID_CHARACTER"),
        (PLACED | {"subject": "x" * 201}, "subject", "TOO_LONG"),
        (PLACED | {"body": " "}, "body", "REQUIRED"),
        (PLACED | {"body": "a\x07"}, "body", "INVALID_CHARACTER"),
        (PLACED | {"channels": None}, "channels", "REQUIRED"),
        (PLACED | {"audience": "TEAM"}, "audience", "NOT_ALLOWED"),
        ({"topic": "ALERT_RAISED", "audience": "TEAM", "channels": ["SHOP"]}, "channels", "NOT_ALLOWED"),
    ],
)
async def test_a_template_that_makes_no_sense_is_refused(served: Served, row: dict[str, Any], path: str, code: str):
    refused = await served.mutate("saveMailTemplates", templates=[row])

    assert refused["__typename"] == "InvalidInput"
    assert [(one["path"], one["code"]) for one in refused["problems"]] == [(["input", "templates", "0", path], code)]


# ---------------------------------------------------------------- what customers get


async def test_a4_a9_a_customer_is_told_of_placed_allocated_and_canceled_in_that_order(served: Served, box: MailBox):
    await a_shop(served)
    await templates(served, PLACED, ALLOCATED, CANCELED)
    await place(served, "1001", 2, **ADA)
    await all_sent(served)
    await allocate(served, "1001")
    await all_sent(served)
    await served.mutate("voidOrder", order=named("1001"), reason="a test")
    await all_sent(served)

    assert [(mail.recipient, mail.message["Subject"]) for mail in box.received] == [
        ("ada@example.com", "We have your order 1001"),
        ("ada@example.com", "Your order 1001 is reserved for you"),
        ("ada@example.com", "Your order 1001 has been canceled"),
    ]
    for mail in await mails(served):
        assert (mail["state"], mail["attempts"], mail["error"], mail["dueAt"]) == ("SENT", 1, None, None)


async def test_r9_r12_a_customer_is_told_of_released_with_dates_shipped_with_tracking_and_delivered(
    served: Served, box: MailBox
):
    await a_shop(served)
    topics = ("ORDER_RELEASED", "ORDER_SHIPPED", "ORDER_DELIVERED")
    await templates(served, *(PLACED | {"topic": topic} for topic in topics))
    await place(served, "1001", 2, shipTo=HOME, **ADA)
    await allocate(served, "1001")
    shop = Shop(served)
    answer = await served.mutate("releaseOrders", RELEASED, orders=[named("1001")])
    (fulfillment,) = answer["results"][0]["fulfillments"]
    await shop.pick(fulfillment)
    await shop.move("packFulfillment", fulfillment, parcels=[{}])
    await shop.move("shipFulfillment", fulfillment, carrier="Royal Mail", trackingNumber="RM42")
    await all_sent(served)
    await shop.move("deliverFulfillment", fulfillment)
    await all_sent(served)

    assert [mail.message["Subject"] for mail in box.received] == [
        "Your order 1001 is being prepared",
        "Your order 1001 is on its way",
        "Your order 1001 has arrived",
    ]
    released, shipped, _ = (mail.message.get_body(("plain",)).get_content() for mail in box.received)
    assert fulfillment["estimatedDeliveryAt"][:10] in released
    assert "Royal Mail" in shipped
    assert "RM42" in shipped


async def test_a4_a9_r12_a_mail_leads_to_the_page_on_which_the_customer_follows_the_order(served: Served, box: MailBox):
    await a_shop(served)
    await templates(served, PLACED, ALLOCATED)
    await place(served, "1001", 2, **ADA)
    await allocate(served, "1001")
    await all_sent(served)

    found = await served("query ($by: OrderBy!) { order(by: $by) { trackingUrl } }", by=named("1001"))
    link = found["order"]["trackingUrl"]
    page = await served.client.get(link.removeprefix("https://orders.shop.example"))

    assert len(box.received) == 2
    for mail in box.received:
        assert link in mail.text
        assert f'<a href="{link}">' in mail.html
    assert "Everything you ordered is reserved for you." in page.text


async def test_a9_a_mail_says_what_the_template_and_the_order_say(served: Served, box: MailBox):
    await a_shop(served)
    await templates(
        served, PLACED | {"subject": "{{ customer.name }}: {{ order.number }}", "body": "{{ order.lines }}\n<3"}
    )
    await place(served, "1001", 2, customer={"name": "Bobby\nTables <b>", "email": "bob@example.com"})
    await all_sent(served)

    (mail,) = box.received
    assert mail.message["Subject"] == "Bobby Tables <b>: 1001"
    assert mail.text.split() == ["2", "x", "Chair", "<3"]
    assert "2 x Chair<br>" in mail.html
    assert "&lt;3" in mail.html
    assert mail.message["Auto-Submitted"] == "auto-generated"


async def test_a9_an_order_is_told_of_once_however_often_it_is_allocated_and_drafts_when_they_are_confirmed(
    served: Served, box: MailBox
):
    await a_shop(served)
    await templates(served, PLACED, ALLOCATED, CANCELED)
    await place(served, "draft", draft=True, **ADA)
    await place(served, "never", draft=True, **ADA)
    await served.mutate("voidOrder", order=named("never"), reason="a mistake")
    await all_sent(served)
    assert await mails(served) == []

    await served.mutate("finalizeOrder", order=named("draft"))
    for _ in range(2):
        await allocate(served, "draft")
        await all_sent(served)
        await served.mutate("deallocateOrders", orders=[named("draft")])
    await all_sent(served)

    assert [mail.message["Subject"] for mail in box.received] == [
        "We have your order draft",
        "Your order draft is reserved for you",
    ]


async def test_a9_a_customer_without_an_address_gets_nothing_and_one_that_is_no_address_is_seen(
    served: Served, box: MailBox
):
    await a_shop(served)
    await templates(served, PLACED)
    await place(served, "1")
    await place(served, "2", customer={"name": "Eve", "email": "eve@example.com\r\nBcc: everybody@evil.example"})
    await place(served, "3", customer={"name": "Ada", "email": "用户@bücher.example"})
    await all_sent(served)

    assert [mail.recipient for mail in box.received] == ["用户@xn--bcher-kva.example"]
    (dead,) = await mails(served, state="DEAD")
    assert dead["recipient"] == "eve@example.com Bcc: everybody@evil.example"
    assert "mail address" in dead["error"]


# ---------------------------------------------------------------- what the team gets


async def test_a7_the_team_gets_alerts_by_mail(served: Served, box: MailBox):
    await rules(served, OVER | {"emails": ["team@shop.example", "boss@shop.example"]}, DONE)
    await a_shop(served, 2)
    await place(served, "1001", 2)
    await allocate(served, "1001")
    await count(served, 1)
    await all_sent(served)
    await count(served, 2)
    await all_sent(served)

    for address in ("team@shop.example", "boss@shop.example"):
        assert [mail.message["Subject"] for mail in box.to(address)] == [
            "over: order 1001 of SHOP",
            "Over: over: order 1001 of SHOP",
        ]
    assert "Order overallocated: order 1001 of SHOP" in box.received[0].text
    assert len(box.received) == 4
    assert {one["audience"] for one in await mails(served)} == {"TEAM"}


# ---------------------------------------------------------------- the outbox


async def test_mails_are_tried_again_until_the_server_takes_them_and_are_dead_where_it_never_will(
    served: Served, box: MailBox
):
    await a_shop(served)
    await templates(served, PLACED)
    said = iter(["451 Later", HANG_UP])
    box.on_content = lambda _: next(said, "250 OK")
    box.on_recipient = lambda address: "550 Nobody" if address.startswith("nobody") else "250 OK"
    await place(served, "1", **ADA)
    await place(served, "2", customer={"name": "Nobody", "email": "nobody@example.com"})

    await all_sent(served)

    dead, sent = await mails(served)
    assert (dead["state"], dead["attempts"], sent["state"], sent["attempts"]) == ("DEAD", 1, "SENT", 3)
    assert "550 Nobody" in dead["error"]
    assert sent["error"] is None
    assert len(box.received) == 1


async def test_mails_wait_while_the_server_is_down(database_url: str):
    async with a_mail_server() as box:
        port = box.port
    async with mailing(database_url, box) as served:
        await a_shop(served)
        await templates(served, PLACED)
        for number in "123":
            await place(served, number, **ADA)

        async def were_tried() -> bool:
            found = await mails(served, state="PENDING")
            return len(found) == 3 and all(one["attempts"] for one in found)

        await eventually(were_tried)
        async with a_mail_server(box, port=port):
            await all_sent(served)

    assert len(box.received) == 3


async def test_without_a_mail_server_no_mail_is_written_and_alerts_are_raised_all_the_same(database_url: str):
    async with serving(database_url) as served:
        await a_shop(served)
        await templates(served, PLACED)
        await rules(served, DONE | {"emails": ["team@shop.example"]})
        await place(served, "1", **ADA)
        await allocate(served, "1")
        await all_read(served)

        assert await mails(served) == []
        assert len((await served("{ alerts { nodes { id } } }"))["alerts"]["nodes"]) == 1


async def test_mails_are_paged_are_nodes_and_are_forgotten_after_their_time(served: Served):
    await a_shop(served)
    await templates(served, PLACED)
    for number in "123":
        await place(served, number, **ADA)
    await all_sent(served)

    first = (await served(MAILS, first=2))["mails"]
    second = (await served(MAILS, first=2, after=first["pageInfo"]["endCursor"]))["mails"]
    node = await served("query ($id: ID!) { node(id: $id) { ... on Mail { subject } } }", id=first["nodes"][0]["id"])

    assert [len(page["nodes"]) for page in (first, second)] == [2, 1]
    assert node["node"] == {"subject": first["nodes"][0]["subject"]}
    async with served.database.engine.begin() as connection:
        await connection.execute(text("UPDATE mails SET ended_at = now() - interval '31 days' WHERE id = 1"))
    assert await forget_old_notices(served.database) is False
    assert len(await mails(served)) == 2
