"""What callers send about alerts and mails."""

import strawberry
from strawberry import UNSET

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from domain.kinds import AlertKind, MailAudience, MailTopic
from gql.schema.inputs import _


@strawberry.input(description="A rule that watches for a situation; every criterion that is given must hold.")
class AlertRuleInput:
    name: str = _("What people call it; each name once.")
    kind: AlertKind = _("What is watched for.")
    channels: list[str] | None = _(
        "Orders from one of these channels, by code. An unknown one is not refused, as orders make channels.",
        default=UNSET,
    )
    skus: list[str] | None = _("For STOCK_RUNNING_OUT: one of these SKUs; all when absent.", default=UNSET)
    locations: list[str] | None = _(
        "For STOCK_RUNNING_OUT: at each of these locations, by code; when absent, over all locations together.",
        default=UNSET,
    )
    units: int | None = _("For STOCK_RUNNING_OUT, and only there: at so many or fewer available.", default=UNSET)
    hours: int | None = _(
        "For ORDER_NOT_ALLOCATED and ORDER_NOT_SHIPPED, and only there: after so many hours, 1 to 2,160.", default=UNSET
    )
    emails: list[str] = _("Mail addresses that are told, 20 at most.", default_factory=list)
    endpoints: list[str] = _(
        "Webhook endpoints that are told, by name; those that do not want AlertRaised or AlertResolved are not. Empty: "
        "all that do.",
        default_factory=list,
    )


@strawberry.input(description="All the rules of alerts.")
class SaveAlertRulesInput:
    rules: list[AlertRuleInput] = _("0 to 100 rules; they replace all that there were.")


@strawberry.input(description="A template to change.")
class MailTemplateInput:
    topic: MailTopic = _("What the mails tell of.")
    audience: MailAudience = _("Who reads them: CUSTOMER for orders, TEAM for alerts.")
    subject: str | None = _(
        "One line, with placeholders such as {{ order.number }}; as Dibs has it when absent.", default=UNSET
    )
    body: str | None = _("Plain text with placeholders, up to 10,000; as Dibs has it when absent.", default=UNSET)
    channels: list[str] | None = _(
        "For CUSTOMER, and required there: the channels whose customers get these mails, by code. An empty list "
        "switches them off.",
        default=UNSET,
    )


@strawberry.input(description="Templates to change; the others stay as they are.")
class SaveMailTemplatesInput:
    templates: list[MailTemplateInput] = _("1 or more, each topic once.")
