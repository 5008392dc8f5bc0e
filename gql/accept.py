"""Which kind of answer a client prefers: the Accept header, with its weights."""

from collections.abc import Iterator, Sequence

JSON = "application/json"
RESPONSE_JSON = "application/graphql-response+json"
EVENT_STREAM = "text/event-stream"
WILDCARDS = {"*/*": JSON, "application/*": JSON}
"""Who takes anything is given JSON: an event stream has to be asked for by its name."""


def preferred(header: str, kinds: Sequence[str]) -> str | None:
    """The one of these kinds that the client likes best; of two that it likes the same, the one it names first."""
    weights: dict[str, float] = {}
    for name, weight in _ranges(header):
        weights.setdefault(name, weight)
    for name in sorted(weights, key=lambda one: -weights[one]):  # a stable sort
        kind = WILDCARDS.get(name, name)
        if weights[name] > 0 and kind in kinds and weights.get(kind, 1) > 0:
            return kind
    return None


def _ranges(header: str) -> Iterator[tuple[str, float]]:
    for part in header.lower().split(","):
        name, *parameters = (one.strip() for one in part.split(";"))
        if name:
            yield name, _weight(parameters)


def _weight(parameters: Sequence[str]) -> float:
    """1 where none is given, and where it is not a weight."""
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(1.0, max(0.0, float(value)))
            except ValueError:
                return 1.0
    return 1.0
