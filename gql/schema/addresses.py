"""Addresses."""

import strawberry

from domain import orders


@strawberry.type(description="Where goods go or come from, or a bill.")
class Address:
    """Where goods go or come from, or a bill."""

    name: str | None = strawberry.field(description="Who receives them.")
    line1: str | None = strawberry.field(description="Street and number.")
    line2: str | None = strawberry.field(description="Anything else a courier needs.")
    city: str | None = strawberry.field(description="Town or city.")
    region: str | None = strawberry.field(description="State, province or county.")
    postal_code: str | None = strawberry.field(description="Postal code.")
    country_code: str | None = strawberry.field(description="Two letters of ISO 3166.")
    latitude: float | None = strawberry.field(description="Degrees north.")
    longitude: float | None = strawberry.field(description="Degrees east.")
    phone: str | None = strawberry.field(description="Where a courier can call, in E.164.")

    @classmethod
    def of(cls, address: orders.Address) -> "Address":
        return cls(**{name: getattr(address, name) for name in cls.__annotations__})
