"""Logging: one line an event, for people on a terminal and as JSON elsewhere.

What comes from outside may be in any line, so every text is bounded, cannot begin a line or move the cursor of a
terminal, and has no secret in it that can be told from other text.
"""

import logging
import re
import sys
import traceback
from collections.abc import Collection, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import orjson

REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that is being answered; every line that is written meanwhile has it."""

TEXT_LENGTH_MAX = 2_000
TRACEBACK_LENGTH_MAX = 20_000
HIDDEN = "[hidden]"
LIKELY_SECRETS = (
    r"(?i:(?P<before>"
    r"\b(?:bearer|basic)\s+(?=\S)"
    r"|://[^\s/@:]*:(?=[^\s@]+@)"
    r"|\b(?:password|passwd|secret|api[_-]?key)[\"']?\s*[=:]\s*[\"']?"
    r")[^\s\"'&,;@)]+)"
    r"|\b(?:dibs_|whsec_)[\w+/=-]{24,}"
)
"""Credentials in headers, addresses and settings, and the secrets that Dibs itself makes."""
HINTS = ("bearer", "basic", "://", "passw", "secret", "api", "dibs_", "whsec_")
"""A text that has none of them has no likely secret; this is seen much sooner."""
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""What ends a line, steers a terminal or turns text around."""


ORDINARY = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "color_message", "taskName"}
"""What every record has; anything else was given with the event. Uvicorn says everything twice, once in color."""
COLORS = {"debug": "2", "info": "32", "warning": "33", "error": "31", "critical": "31;1"}


class _Form:
    """How this process writes its lines."""

    is_json = False


def writes_json() -> bool:
    return _Form.is_json


def configure(
    *, as_json: bool | None = None, level: int = logging.INFO, secrets: Collection[str] = (), access: bool = True
) -> None:
    """Send every logger of the process to standard error, in one format.

    `as_json` None: unless standard error is a terminal. `secrets`: never to be written, wherever they come from.
    `access`: whether there is a line for each request.
    """
    _Form.is_json = not sys.stderr.isatty() if as_json is None else as_json
    cleaner = Cleaner(secrets)
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines(cleaner) if _Form.is_json else PlainLines(cleaner, colors=sys.stderr.isatty()))
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers = []
        logging.getLogger(name).propagate = name != "uvicorn.access"  # dibs/access.py tells more
    for name in ("alembic", "httpx", "httpcore", "fontTools"):  # they tell of everything they do
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.getLogger("dibs.access").setLevel(level if access else logging.WARNING)
    logging.captureWarnings(capture=True)
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False  # nothing says so, and it costs
    if _Form.is_json:
        sys.excepthook = _log_uncaught


class Cleaner:
    """Hides secrets and shortens what is too long."""

    def __init__(self, secrets: Collection[str] = ()) -> None:
        self._known = sorted({one for one in secrets if one}, key=len, reverse=True)
        self._secrets = re.compile("|".join((*map(re.escape, self._known), LIKELY_SECRETS)))

    def clean(self, values: dict[str, Any]) -> dict[str, Any]:
        """The same values, fit to be written; those that are neither numbers nor flags as text."""
        for name, value in values.items():
            if type(value) is not str or len(value) > TEXT_LENGTH_MAX:
                values[name] = _bounded(name, value)
        everything = "\n".join([value for value in values.values() if type(value) is str])
        folded = everything.lower()
        if any(one in folded for one in HINTS) or any(one in everything for one in self._known):
            for name, value in values.items():
                if type(value) is str:
                    values[name] = self._secrets.sub(_without_secret, value)
        return values


def _without_secret(found: re.Match[str]) -> str:
    return (found["before"] or "") + HIDDEN


def _bounded(name: str, value: object) -> Any:
    if isinstance(value, bool | int | float | None):
        return value
    text = value if isinstance(value, str) else str(value)
    most = TRACEBACK_LENGTH_MAX if name == "exception" else TEXT_LENGTH_MAX
    if len(text) <= most:
        return text
    half = most // 2  # a traceback says at its end what went wrong
    return f"{text[:half]} [… {len(text) - 2 * half:,} characters …] {text[-half:]}"


class Lines(logging.Formatter):
    """What is written of an event: when, how bad, who says it, what, and everything that was given with it."""

    def __init__(self, cleaner: Cleaner) -> None:
        super().__init__()
        self._cleaner = cleaner

    def values(self, record: logging.LogRecord) -> dict[str, Any]:
        values = {
            "time": _time(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if request := REQUEST.get():
            values["request"] = request
        values |= {name: value for name, value in vars(record).items() if name not in ORDINARY}
        if record.exc_info and record.exc_info[1]:
            values["exception"] = "".join(traceback.format_exception(record.exc_info[1])).rstrip()
        elif record.stack_info:
            values["exception"] = record.stack_info
        return self._cleaner.clean(values)


class JsonLines(Lines):
    """One JSON object a line, in ASCII where a reader could take a character for the end of it."""

    def format(self, record: logging.LogRecord) -> str:
        values = self.values(record)
        try:
            line = orjson.dumps(values).decode()
        except orjson.JSONEncodeError:  # half of a character, or a number that is too large
            line = orjson.dumps({name: _escaped(str(value)) for name, value in values.items()}).decode()
        return line if line.isascii() else _escaped(line)


class PlainLines(Lines):
    """For people. A traceback has several lines, which begin with a bar: no other line does."""

    def __init__(self, cleaner: Cleaner, *, colors: bool) -> None:
        super().__init__(cleaner)
        self._colors = colors

    def format(self, record: logging.LogRecord) -> str:
        values = self.values(record)
        time, level, logger, event = (values.pop(name) for name in ("time", "level", "logger", "event"))
        trace = values.pop("exception", None)
        line = f"{time[:19]}Z {self._colored(level)} {_escaped(event)} [{_escaped(logger)}]{_plain(values)}"
        if trace is not None:
            line += "".join(f"\n| {_escaped(one)}" for one in trace.split("\n"))
        return line

    def _colored(self, level: str) -> str:
        return f"\x1b[{COLORS.get(level, '0')}m{level:8}\x1b[0m" if self._colors else f"{level:8}"


def _plain(values: Mapping[str, Any]) -> str:
    return "".join(f" {name}={_escaped(str(value))}" for name, value in values.items())


def _escaped(text: str) -> str:
    return UNPRINTABLE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")


def _log_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    logging.getLogger("dibs").critical("the process ends", exc_info=(kind, error, trace))
