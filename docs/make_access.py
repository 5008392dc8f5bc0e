"""Write the tables of docs/access.md from the code: `.venv/bin/python docs/make_access.py`."""

from collections.abc import Iterator
from pathlib import Path

from graphql import GraphQLObjectType

from domain.access import IMPLIES, MEANING, Need, Scope
from gql.api import create_schema
from gql.scopes import FIELDS, TYPES, need_of

PAGE = Path(__file__).with_name("access.md")
SCHEMA = create_schema()._schema  # noqa: SLF001  (Strawberry shows it nowhere else)


def page(written: str) -> str:
    """The page with its tables as they should be; what people have written around them stays."""
    for name, rows in (("scopes", _scopes()), ("operations", _operations()), ("objects", _objects())):
        before, begin, rest = written.partition(f"<!-- {name} -->\n")
        _, end, after = rest.partition("<!-- end -->\n")
        assert begin, f"the page has no place for the table of {name}"
        assert end, f"the table of {name} has no end"
        written = before + begin + "".join(f"{row}\n" for row in rows) + end + after
    return written


def _scopes() -> Iterator[str]:
    yield "| Scope | What it gives | And with it |"
    yield "| --- | --- | --- |"
    for scope in Scope:
        implied = sorted(IMPLIES.get(scope, ())) if scope is not Scope.ADMIN else []
        also = ", ".join(f"`{one}`" for one in implied) or ("all others" if scope is Scope.ADMIN else "")
        yield f"| `{scope}` | {MEANING[scope]} | {also} |"


def _operations() -> Iterator[str]:
    yield "| Operation | Needs | Limited to channels | Limited to locations |"
    yield "| --- | --- | --- | --- |"
    for root in (SCHEMA.query_type, SCHEMA.mutation_type, SCHEMA.subscription_type):
        assert isinstance(root, GraphQLObjectType)
        for name in sorted(root.fields):
            need = need_of(root.name, name)
            limits = " | ".join("yes" if _keeps_to(need, limit) else "no" for limit in ("channels", "locations"))
            yield f"| {root.name.lower()} `{name}` | {f'`{need.scope}`' if need.scope else 'any key'} | {limits} |"


def _keeps_to(need: Need, limit: str) -> bool:
    return bool(getattr(need, limit))


def _objects() -> Iterator[str]:
    yield "| Object or field | Opened by any of |"
    yield "| --- | --- |"
    for name, scopes in sorted({**TYPES, **FIELDS}.items()):
        told = "any key" if set(scopes) == set(Scope) else ", ".join(f"`{scope}`" for scope in scopes)
        yield f"| `{name}` | {told} |"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
