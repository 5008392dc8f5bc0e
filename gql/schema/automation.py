"""Rules that allocate new orders without anyone asking."""

import strawberry

from domain import automation, kinds
from gql.schema.money import Money


@strawberry.type(description="Which new orders are allocated without anyone asking, and when. Null is no criterion.")
class AllocationRule:
    """A rule."""

    name: str = strawberry.field(description="What people call it, unique.")
    when: kinds.AllocateWhen = strawberry.field(description="When the orders that match are allocated.")
    every_minutes: int | None = strawberry.field(description="Minutes between the turns of ON_SCHEDULE.")
    channels: list[str] | None = strawberry.field(description="From one of these channels, by code.")
    country_codes: list[str] | None = strawberry.field(description="Shipping to one of these countries.")
    regions: list[str] | None = strawberry.field(description="Shipping to one of these regions, in any case.")
    tags: list[str] | None = strawberry.field(description="With at least one of these tags.")
    value_from: Money | None = strawberry.field(description="Worth this or more.")
    value_below: Money | None = strawberry.field(description="Worth less than this.")

    @classmethod
    def of(cls, rule: automation.AllocationRule) -> "AllocationRule":
        return cls(
            name=rule.name,
            when=rule.when,
            every_minutes=rule.every_minutes,
            channels=_list(rule.channels),
            country_codes=_list(rule.country_codes),
            regions=_list(rule.regions),
            tags=_list(rule.tags),
            value_from=Money.of(rule.value_from) if rule.value_from else None,
            value_below=Money.of(rule.value_below) if rule.value_below else None,
        )


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)
