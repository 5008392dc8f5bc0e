"""Text of others, to be shown to people."""

import unicodedata

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
"""Turn the direction of what follows, so that it reads as something else than it is."""


def one_line(text: str, longest: int) -> str:
    """The text in one line that is not too long, without what cannot be shown, stored or put into a header."""
    shown = "".join(" " if _is_hidden(one) else one for one in text[: 8 * longest])
    line = " ".join(shown.split())
    return line if len(line) <= longest else line[: longest - 1] + "…"


def _is_hidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in BIDI
