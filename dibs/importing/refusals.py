"""What an import says about a file, a row and a cell that it cannot use."""

from dataclasses import dataclass

SHOWN_CHARS_MAX = 40


class ImportRefused(Exception):
    """The file as a whole cannot be imported; the message says why and what to do about it."""


class BadCell(ValueError):
    """One cell cannot be used; the message says which and why, and never quotes more than a few characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowIssue:
    """One row that was left out. `order` is None where the row cannot say to which order it belongs."""

    line_number: int
    order: str | None
    message: str


def shown(text: str) -> str:
    """The text in quotes, cut short, with everything that a terminal might obey or choke on escaped."""
    return repr(text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 1] + "…")
