"""Mail addresses, of any script: whether one is well formed, and its domain as it is asked for."""

import re

ADDRESS_LENGTH_MAX = 254
LOCAL_PART_BYTES_MAX = 64
FORBIDDEN = set('"(),:;<>[\\]@')
LABEL = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)", re.IGNORECASE)


def address_problem(address: str) -> str | None:
    """What is wrong with a mail address; of any script, without a name around it."""
    local, at, domain = address.rpartition("@")
    if (
        not at
        or len(address) > ADDRESS_LENGTH_MAX
        or not 0 < len(local.encode("utf-8", "replace")) <= LOCAL_PART_BYTES_MAX
    ):
        return "This is not a mail address, such as somebody@shop.example."
    if any(one in FORBIDDEN or one.isspace() or not one.isprintable() for one in local):
        return "The part before the @ of a mail address has no spaces, quotes or brackets."
    if local.startswith(".") or local.endswith(".") or ".." in local:
        return "The part before the @ of a mail address has no dot at its ends, and none after another."
    labels = (ascii_domain(domain) or "").split(".")
    if len(labels) < 2 or not all(LABEL.fullmatch(label) for label in labels):
        return "The part behind the @ of a mail address is the name of a host, such as shop.example."
    return None


def ascii_domain(domain: str) -> str | None:
    """The domain as it is asked for; None where there is no such."""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None


def deliverable(address: str) -> str:
    """The address with its domain in ASCII; only where `address_problem` finds none."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{ascii_domain(domain)}"
