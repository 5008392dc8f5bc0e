"""What callers send of webhooks. An absent field leaves the value, and null clears it."""

import strawberry
from strawberry import UNSET

import gql.schema.kinds  # noqa: F401  (makes the enums known, before a type names them)
from gql.schema.inputs import KEY, _


@strawberry.input(description="An endpoint to create or update, by name. An absent field keeps its value.")
class WebhookEndpointInput:
    name: str = _("Which endpoint; yours to choose.")
    url: str | None = _("Where events are posted, https only; required for a new endpoint.", default=UNSET)
    types: list[str] | None = _("Only events of these types, such as OrderChanged; null: all.", default=UNSET)
    channels: list[str] | None = _(
        "Only events about orders from these channels, by code; null: all, also those about no order. An unknown one "
        "is not refused, as orders make channels; nothing matches it until an order comes from it.",
        default=UNSET,
    )
    enabled: bool | None = _("Whether events are sent; true when new. What happens meanwhile waits.", default=UNSET)


@strawberry.input(description="Endpoints to create or update. Saving one also ends its rest after failures.")
class SaveWebhookEndpointsInput:
    endpoints: list[WebhookEndpointInput] = _("1 to 100 endpoints, each name once.")


@strawberry.input(description="An endpoint that gets a new secret.")
class RotateWebhookSecretInput:
    endpoint: str = _("Which endpoint, by name.")
    keep_previous_seconds: int = _(
        "How long the secrets before go on signing beside the new one, 0 to 604,800; a day when absent.", default=86_400
    )
    idempotency_key: str = _(KEY)


@strawberry.input(description="An endpoint that goes on elsewhere in the log.")
class ReplayWebhookEventsInput:
    endpoint: str = _("Which endpoint, by name.")
    after: str = _("Every event behind this cursor of the log is delivered, again or for the first time.")
    idempotency_key: str = _(KEY)


@strawberry.input(description="An endpoint to test.")
class SendTestWebhookInput:
    endpoint: str = _("Which endpoint, by name; it may be disabled.")
    idempotency_key: str = _(KEY)
