"""Templates of mails: say what they say, and to whose customers they go."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.checks import Path, Problems
from domain.kinds import MailAudience, MailTopic
from domain.mails import BODY_LENGTH_MAX, DEFAULTS, SUBJECT_LENGTH_MAX, TOPICS, MailTemplate, template_problem
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork

CHANNELS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class SaveMailTemplate:
    """A template as it is to be from now on. Subject and body None: as Dibs has them when nobody says otherwise."""

    topic: MailTopic
    audience: MailAudience
    subject: str | None = None
    body: str | None = None
    channels: tuple[str, ...] | None = None


async def save_mail_templates(database: Database, templates: Sequence[SaveMailTemplate]) -> list[MailTemplate]:
    """Say what mails say and to whose customers they go; the templates of the input. Raises InvalidInput."""
    problems, path = Problems(), ("input", "templates")
    problems.size(len(templates), path, len(TOPICS))
    checked = [_template(problems, one, (*path, str(at))) for at, one in enumerate(templates)]
    problems.distinct((one.topic for one in checked), path, "Each may stand here once.")
    problems.refuse()

    async def work(uow: UnitOfWork) -> list[MailTemplate]:
        await uow.mails.save_templates(checked)
        await uow.alerts.begin()
        return checked

    return await database.run(work, repeatable=True)


async def mail_templates(uow: UnitOfWork) -> list[MailTemplate]:
    """Every template as it is now, saved or not."""
    saved = {one.topic: one for one in await uow.mails.templates()}
    return [saved.get(topic, default) for topic, default in DEFAULTS.items()]


def _template(problems: Problems, given: SaveMailTemplate, path: Path) -> MailTemplate:
    default, audience = DEFAULTS[given.topic], TOPICS[given.topic].audience
    if given.audience is not audience:
        problems.add((*path, "audience"), "NOT_ALLOWED", f"Mails of {given.topic} go to {audience}.")
    return MailTemplate(
        topic=given.topic,
        audience=audience,
        subject=_text(problems, given.subject, default.subject, given.topic, (*path, "subject"), SUBJECT_LENGTH_MAX),
        body=_text(problems, given.body, default.body, given.topic, (*path, "body"), BODY_LENGTH_MAX),
        channels=_channels(problems, given.channels, audience, (*path, "channels")),
    )


def _text(problems: Problems, given: str | None, default: str, topic: MailTopic, path: Path, longest: int) -> str:
    if given is None:
        return default
    text = problems.text(given, path, longest).replace("\r\n", "\n").replace("\r", "\n")
    if "\n" in text and path[-1] == "subject":
        problems.add(path, "INVALID_CHARACTER", "A subject is one line.")
    if any(ord(one) < 32 and one not in "\n\t" for one in text):
        problems.add(path, "INVALID_CHARACTER", "Text may not contain control characters.")
    wrong = template_problem(text, topic)
    if wrong:
        problems.add(path, "UNKNOWN_PLACEHOLDER", wrong)
    return text


def _channels(problems: Problems, given: tuple[str, ...] | None, audience: MailAudience, path: Path) -> tuple[str, ...]:
    if audience is MailAudience.TEAM:
        if given is not None:
            problems.add(path, "NOT_ALLOWED", "The rules of alerts say which channels: leave them out.")
        return ()
    if given is None:
        problems.add(path, "REQUIRED", "Say for which channels these mails are on; an empty list switches them off.")
        return ()
    problems.size(len(given), path, CHANNELS_MAX, least=0)
    found = tuple(problems.code(value, (*path, str(at))) for at, value in enumerate(given[:CHANNELS_MAX]))
    problems.distinct(found, path, "Each may stand here once.")
    return found
