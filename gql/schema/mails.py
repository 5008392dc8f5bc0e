"""Mails: what they say, and what became of each."""

from datetime import datetime

import strawberry

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain import kinds, mails
from gql.schema.ids import global_id
from gql.schema.nodes import Node, PageInfo


@strawberry.type(description="What the mails of a topic say.")
class MailTemplate:
    """A template."""

    topic: kinds.MailTopic = strawberry.field(description="What the mails tell of.")
    audience: kinds.MailAudience = strawberry.field(description="Who reads them.")
    subject: str = strawberry.field(description="One line, with placeholders such as {{ order.number }}.")
    body: str = strawberry.field(description="Plain text with placeholders; the HTML is made of it.")
    channels: list[str] | None = strawberry.field(
        description="The channels whose customers get these mails, by code; empty: nobody. Null for the team's mails: "
        "the rules of alerts say who gets those."
    )
    placeholders: list[str] = strawberry.field(description="Everything that may stand between {{ and }} here.")
    is_default: bool = strawberry.field(description="Whether it says what it says unless somebody changes it.")

    @classmethod
    def of(cls, template: mails.MailTemplate) -> "MailTemplate":
        default = mails.DEFAULTS[template.topic]
        is_customers = template.audience is kinds.MailAudience.CUSTOMER
        return cls(
            topic=template.topic,
            audience=template.audience,
            subject=template.subject,
            body=template.body,
            channels=list(template.channels) if is_customers else None,
            placeholders=list(mails.TOPICS[template.topic].placeholders),
            is_default=(template.subject, template.body) == (default.subject, default.body),
        )


@strawberry.type(description="A mail to one person. Kept for 30 days once it has ended.")
class Mail(Node):
    """A mail."""

    topic: kinds.MailTopic = strawberry.field(description="What it tells of.")
    audience: kinds.MailAudience = strawberry.field(description="Who reads it.")
    recipient: str = strawberry.field(description="The address that it goes to.")
    subject: str = strawberry.field(description="Its subject.")
    text: str = strawberry.field(description="What it says; the HTML beside it says the same.")
    state: kinds.MailState = strawberry.field(description="What has become of it.")
    attempts: int = strawberry.field(description="How often it was tried.")
    error: str | None = strawberry.field(description="What was wrong the last time, for people; null where nothing.")
    created_at: datetime = strawberry.field(description="When it was written.")
    due_at: datetime | None = strawberry.field(description="When it may be tried next; null where it has ended.")
    ended_at: datetime | None = strawberry.field(description="When it was taken by the mail server or given up.")

    @classmethod
    def of(cls, mail: mails.Mail) -> "Mail":
        return cls(
            id=global_id("Mail", mail.id),
            topic=mail.topic,
            audience=mail.audience,
            recipient=mail.recipient,
            subject=mail.subject,
            text=mail.text,
            state=mail.state,
            attempts=mail.attempts,
            error=mail.error,
            created_at=mail.created_at,
            due_at=mail.due_at if mail.ended_at is None else None,
            ended_at=mail.ended_at,
        )


@strawberry.type(description="A mail and its place in the list.")
class MailEdge:
    """An edge."""

    cursor: str = strawberry.field(description="Give it as `after` to continue behind this mail.")
    node: Mail = strawberry.field(description="The mail.")


@strawberry.type(description="A page of mails, the newest first.")
class MailConnection:
    """A page."""

    edges: list[MailEdge] = strawberry.field(description="The mails with their cursors.")
    nodes: list[Mail] = strawberry.field(description="The mails alone.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in the list.")
