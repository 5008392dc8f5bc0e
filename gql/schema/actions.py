"""What can be done with an order, a fulfillment or a return now."""

import strawberry

from domain.actions import FulfillmentAction, OrderAction, ReturnAction, Supported


@strawberry.type(description="Something that a person may want to do with an order.")
class SupportedOrderAction:
    """A button."""

    action: OrderAction = strawberry.field(description="What.")
    available: bool = strawberry.field(description="Whether it can be done now; the mutation decides again.")
    reasons: list[str] = strawberry.field(description="Why it cannot, for people; none where it can.")

    @classmethod
    def of(cls, supported: Supported) -> "SupportedOrderAction":
        assert isinstance(supported.action, OrderAction)
        return cls(action=supported.action, available=not supported.reasons, reasons=list(supported.reasons))


@strawberry.type(description="Something that a person may want to do with a fulfillment.")
class SupportedFulfillmentAction:
    """A button."""

    action: FulfillmentAction = strawberry.field(description="What.")
    available: bool = strawberry.field(description="Whether it can be done now; the mutation decides again.")
    reasons: list[str] = strawberry.field(description="Why it cannot, for people; none where it can.")

    @classmethod
    def of(cls, supported: Supported) -> "SupportedFulfillmentAction":
        assert isinstance(supported.action, FulfillmentAction)
        return cls(action=supported.action, available=not supported.reasons, reasons=list(supported.reasons))


@strawberry.type(description="Something that a person may want to do with a return.")
class SupportedReturnAction:
    """A button."""

    action: ReturnAction = strawberry.field(description="What.")
    available: bool = strawberry.field(description="Whether it can be done now; the mutation decides again.")
    reasons: list[str] = strawberry.field(description="Why it cannot, for people; none where it can.")

    @classmethod
    def of(cls, supported: Supported) -> "SupportedReturnAction":
        assert isinstance(supported.action, ReturnAction)
        return cls(action=supported.action, available=not supported.reasons, reasons=list(supported.reasons))
