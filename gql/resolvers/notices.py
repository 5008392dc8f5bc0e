"""Alerts and mails: their rules and templates, and what became of them."""

from collections.abc import Sequence
from typing import Annotated, TypeVar

import strawberry

from domain import alerts as facts
from domain.ids import AlertId, MailId
from domain.kinds import MailState
from gql.context import Info
from gql.pagination import connection, page_size, seek
from gql.resolvers.inputs import given
from gql.schema import notice_inputs as inputs
from gql.schema import results
from gql.schema.alerts import Alert, AlertConnection, AlertEdge, AlertRule
from gql.schema.ids import cursor
from gql.schema.mails import Mail, MailConnection, MailEdge, MailTemplate
from services import alerts, mail_templates

T = TypeVar("T")

First = Annotated[int, strawberry.argument(description="How many at most, 1 to 100.")]
After = Annotated[str | None, strawberry.argument(description="Continue behind this cursor.")]


async def alert_node(info: Info, row: int) -> Alert | None:
    found = await info.context.read(lambda uow: uow.alerts.by_ids([AlertId(row)]))
    return Alert.of(found[0]) if found else None


async def mail_node(info: Info, row: int) -> Mail | None:
    found = await info.context.read(lambda uow: uow.mails.mail(MailId(row)))
    return None if found is None else Mail.of(found)


async def alert_rules(info: Info) -> list[AlertRule]:
    return [AlertRule.of(one.rule) for one in await info.context.read(lambda uow: uow.alerts.rules())]


async def find_alerts(
    info: Info,
    first: First = 50,
    after: After = None,
    open: Annotated[
        bool | None, strawberry.argument(description="Only those that are open, or only those that are over.")
    ] = None,
) -> AlertConnection:
    size, before = page_size(first), _before("alert", after)
    rows = await info.context.read(lambda uow: uow.alerts.page(size + 1, before, open))
    edges = [AlertEdge(cursor=cursor("alert", [row.id]), node=Alert.of(row)) for row in rows[:size]]
    return connection(AlertConnection, edges, len(rows), size, after)


async def all_mail_templates(info: Info) -> list[MailTemplate]:
    return [MailTemplate.of(one) for one in await info.context.read(mail_templates.mail_templates)]


async def find_mails(
    info: Info,
    first: First = 50,
    after: After = None,
    state: Annotated[MailState | None, strawberry.argument(description="Only those in this state.")] = None,
) -> MailConnection:
    size, before = page_size(first), _before("mail", after)
    rows = await info.context.read(lambda uow: uow.mails.page(size + 1, before, state))
    edges = [MailEdge(cursor=cursor("mail", [row.id]), node=Mail.of(row)) for row in rows[:size]]
    return connection(MailConnection, edges, len(rows), size, after)


async def save_alert_rules(
    info: Info, input: Annotated[inputs.SaveAlertRulesInput, strawberry.argument(description="All the rules.")]
) -> results.SaveAlertRulesResult:
    rules = await alerts.save_alert_rules(info.context.database, [_rule(rule) for rule in input.rules])
    return results.SaveAlertRulesSuccess(rules=[AlertRule.of(rule) for rule in rules])


async def save_mail_templates(
    info: Info, input: Annotated[inputs.SaveMailTemplatesInput, strawberry.argument(description="What to change.")]
) -> results.SaveMailTemplatesResult:
    wanted = [
        mail_templates.SaveMailTemplate(
            topic=one.topic,
            audience=one.audience,
            subject=given(one.subject),
            body=given(one.body),
            channels=_tuple(given(one.channels)),
        )
        for one in input.templates
    ]
    saved = await mail_templates.save_mail_templates(info.context.database, wanted)
    return results.SaveMailTemplatesSuccess(templates=[MailTemplate.of(one) for one in saved])


def _rule(value: inputs.AlertRuleInput) -> facts.AlertRule:
    return facts.AlertRule(
        name=value.name,
        kind=value.kind,
        channels=_tuple(given(value.channels)),
        skus=_tuple(given(value.skus)),
        locations=_tuple(given(value.locations)),
        units=given(value.units),
        hours=given(value.hours),
        emails=tuple(value.emails),
        endpoints=tuple(value.endpoints),
    )


def _before(kind: str, after: str | None) -> int | None:
    behind = seek(kind, after, (int,))
    return behind[0] if behind else None


def _tuple(values: Sequence[T] | None) -> tuple[T, ...] | None:
    return None if values is None else tuple(values)
