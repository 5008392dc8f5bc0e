"""What it takes to ask: of every operation, and of every type whose objects are reached from others.

A document is judged as a whole before any of it is executed, by its selections alone, so a refused request costs
nothing and leaves nothing half done. What stands in no table is for administrators: whoever adds an operation or a
type says who else may have it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
)

from domain.access import ADMIN_ONLY, Denied, Need, Scope, Visibility, denied

ADMIN = Scope.ADMIN
ORDERS, ORDERING, VOIDING = Scope.ORDERS_READ, Scope.ORDERS_WRITE, Scope.ORDERS_VOID
ALLOCATION, ALLOCATING = Scope.ALLOCATION_READ, Scope.ALLOCATION_WRITE
INVENTORY, STOCKING = Scope.INVENTORY_READ, Scope.INVENTORY_WRITE
FULFILLMENT, PICKING, FULFILLING = Scope.FULFILLMENT_READ, Scope.FULFILLMENT_PICK, Scope.FULFILLMENT_WRITE
EVENTS = Scope.EVENTS_READ


def anywhere(scope: Scope | None) -> Need:
    """For whoever is limited to channels, to locations or to both, too: it keeps to both."""
    return Need(scope=scope, channels=True, locations=True)


def of_channels(scope: Scope) -> Need:
    """For whoever is limited to channels, too."""
    return Need(scope=scope, channels=True)


def at_locations(scope: Scope) -> Need:
    """For whoever is limited to locations, too."""
    return Need(scope=scope, locations=True)


def unlimited(scope: Scope | None) -> Need:
    """For nobody who is limited: it is about the whole business."""
    return Need(scope=scope)


OPERATIONS: Mapping[str, Mapping[str, Need]] = {
    "Query": {
        "node": anywhere(None),  # the scopes of what it finds are looked at when it is found
        "locations": anywhere(None),
        "location": anywhere(None),
        "channels": anywhere(None),
        "order": anywhere(ORDERS),
        "orders": anywhere(ORDERS),
        "orderCounts": anywhere(ORDERS),
        "item": anywhere(INVENTORY),
        "items": anywhere(INVENTORY),
        "stockLevels": anywhere(INVENTORY),
        "stockMovements": anywhere(INVENTORY),
        "supply": anywhere(INVENTORY),
        "supplies": anywhere(INVENTORY),
        "allocationRun": of_channels(ALLOCATION),
        "compareAllocationPolicies": unlimited(ALLOCATION),
        "stockReservation": of_channels(ORDERS),
        "fulfillment": anywhere(FULFILLMENT),
        "fulfillments": anywhere(FULFILLMENT),
        "pickTasks": anywhere(FULFILLMENT),
        "pickList": at_locations(FULFILLMENT),
        "invoice": anywhere(ORDERS),
        "return": anywhere(FULFILLMENT),
        "returns": anywhere(FULFILLMENT),
        "events": anywhere(EVENTS),
        "eventCursor": anywhere(EVENTS),
        "alerts": unlimited(EVENTS),
        "allocationRules": ADMIN_ONLY,
        "holdRules": ADMIN_ONLY,
        "merchant": ADMIN_ONLY,
        "webhookEndpoints": ADMIN_ONLY,
        "webhookDeliveries": ADMIN_ONLY,
        "alertRules": ADMIN_ONLY,
        "mailTemplates": ADMIN_ONLY,
        "mails": ADMIN_ONLY,
        "apiKeys": ADMIN_ONLY,
    },
    "Mutation": {
        "saveItems": unlimited(STOCKING),
        "receiveStock": at_locations(STOCKING),
        "adjustStock": at_locations(STOCKING),
        "countStock": at_locations(STOCKING),
        "expectSupply": unlimited(STOCKING),
        "startTransfer": unlimited(STOCKING),
        "rescheduleSupply": unlimited(STOCKING),
        "cancelSupply": unlimited(STOCKING),
        "closeSupply": unlimited(STOCKING),
        "placeOrder": of_channels(ORDERING),
        "editOrder": of_channels(ORDERING),
        "splitOrder": of_channels(ORDERING),
        "finalizeOrder": of_channels(ORDERING),
        "voidOrder": of_channels(VOIDING),
        "recordPayment": of_channels(ORDERING),
        "recordRefund": of_channels(ORDERING),
        "holdOrders": of_channels(ORDERING),
        "releaseHolds": of_channels(ORDERING),
        "createInvoice": of_channels(ORDERING),
        "requestReturn": of_channels(ORDERING),
        "cancelReturn": of_channels(ORDERING),
        "recordFollowUp": of_channels(ORDERING),
        "receiveReturn": at_locations(FULFILLING),
        "inspectReturn": at_locations(FULFILLING),
        "reserveStock": of_channels(ORDERING),
        "releaseReservation": of_channels(ORDERING),
        "allocateOrders": of_channels(ALLOCATING),
        "deallocateOrders": of_channels(ALLOCATING),
        "startAllocationRun": of_channels(ALLOCATING),
        "cancelAllocationRun": of_channels(ALLOCATING),
        "releaseOrders": of_channels(FULFILLING),
        "cancelFulfillment": anywhere(FULFILLING),
        "checkFulfillment": at_locations(FULFILLING),
        "packFulfillment": anywhere(FULFILLING),
        "buyShippingLabel": anywhere(FULFILLING),
        "shipFulfillment": anywhere(FULFILLING),
        "deliverFulfillment": anywhere(FULFILLING),
        "recordTrackingEvents": anywhere(FULFILLING),
        "dropshipOrder": of_channels(FULFILLING),
        "moveStock": at_locations(FULFILLING),
        "createPickList": at_locations(PICKING),
        "claimPickList": at_locations(PICKING),
        "releasePickList": at_locations(PICKING),
        "recordPicks": at_locations(PICKING),
        "saveLocations": ADMIN_ONLY,
        "saveChannels": ADMIN_ONLY,
        "saveHoldRules": ADMIN_ONLY,
        "saveAllocationRules": ADMIN_ONLY,
        "saveMerchant": ADMIN_ONLY,
        "saveWebhookEndpoints": ADMIN_ONLY,
        "rotateWebhookSecret": ADMIN_ONLY,
        "replayWebhookEvents": ADMIN_ONLY,
        "sendTestWebhook": ADMIN_ONLY,
        "saveAlertRules": ADMIN_ONLY,
        "saveMailTemplates": ADMIN_ONLY,
        "createApiKey": ADMIN_ONLY,
        "rotateApiKey": ADMIN_ONLY,
        "revokeApiKey": ADMIN_ONLY,
    },
    "Subscription": {
        "events": anywhere(EVENTS),
        "allocationStatusChanged": of_channels(ALLOCATION),
        "orderChanged": of_channels(ORDERS),
        "supplyChanged": at_locations(INVENTORY),
        "expectedAtChanged": unlimited(ALLOCATION),
        "allocationRunProgressed": unlimited(ALLOCATION),
        "fulfillmentChanged": anywhere(FULFILLMENT),
        "pickTasksChanged": at_locations(FULFILLMENT),
        "stockLevelChanged": at_locations(INVENTORY),
        "returnChanged": anywhere(FULFILLMENT),
    },
}

TYPES: Mapping[str, tuple[Scope, ...]] = {
    "Order": (ORDERS,),
    "Invoice": (ORDERS,),
    "StockReservation": (ORDERS,),
    "StockLevel": (INVENTORY,),
    "Supply": (INVENTORY,),
    "AllocationRun": (ALLOCATION,),
    "Fulfillment": (FULFILLMENT, ORDERS),
    "Return": (ORDERS, FULFILLMENT),
    "PickTask": (FULFILLMENT,),
    "PickList": (FULFILLMENT,),
    "Alert": (EVENTS,),
    "Mail": (ADMIN,),
    "WebhookEndpoint": (ADMIN,),
    "WebhookDelivery": (ADMIN,),
    "ApiKey": (ADMIN,),
    "Item": tuple(Scope),
    "Location": tuple(Scope),
    "Channel": tuple(Scope),
}
"""Which scopes open the fields of an object: any one of these does, wherever the object is found."""

_WORKED_ON = (ORDERS, ALLOCATION, FULFILLMENT)
FIELDS: Mapping[str, tuple[Scope, ...]] = {
    **{
        f"Order.{name}": _WORKED_ON
        for name in (
            *("number", "channel", "status", "allocationStatus", "fulfillmentStatus", "shippingPolicy", "priority"),
            *("tags", "placedAt", "updatedAt", "promisedDeliveryAt", "version", "lines", "fulfillments"),
            *("need", "late", "deliveredAt", "deliveredOnTime"),
        )
    },
    "Order.allocationExplanation": (ORDERS, ALLOCATION),
    "Order.shipTo": (ORDERS, FULFILLING),
    **{f"OrderLine.{name}": (ORDERS,) for name in ("unitPrice", "discount", "tax")},
    "OrderBundle.unitPrice": (ORDERS,),
}
"""Fields that want something else than their type does. A picker sees what to pick, and not who pays what."""


DOCUMENTS: Mapping[str, tuple[Scope, ...]] = {
    "label": (ORDERS, FULFILLING),
    "packing-slip": (ORDERS, FULFILLING),
    "pick-list": (FULFILLMENT,),
    "invoice": (ORDERS,),
}
"""The same for documents, by their kinds: an address is on a label as it is in `Order.shipTo`."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What one operation takes: of each of its parts, by how the part is called."""

    operations: tuple[tuple[str, Need], ...]
    parts: tuple[tuple[str, tuple[Scope, ...]], ...]

    def denied(self, scopes: frozenset[Scope], visibility: Visibility) -> tuple[str, Denied] | None:
        """The first part that somebody with these scopes and limits may not have, and why."""
        for name, need in self.operations:
            why = denied(need, scopes, visibility)
            if why:
                return name, why
        for name, any_of in self.parts:
            if not scopes.intersection(any_of):
                return name, Denied(scope=any_of[0])
        return None


def need_of(root: str, field: str) -> Need:
    """What it takes to ask for a field of Query, Mutation or Subscription."""
    return OPERATIONS[root].get(field, ADMIN_ONLY)


def opens(scopes: frozenset[Scope], kind: str) -> bool:
    """Whether any of the scopes opens objects of this type."""
    return bool(scopes.intersection(TYPES.get(kind, (ADMIN,))))


def scopes_of(kind: GraphQLNamedType, field: str) -> tuple[Scope, ...]:
    """The scopes of which any one opens the field; empty: whoever got so far may have it."""
    own = FIELDS.get(f"{kind.name}.{field}")
    if own is not None or field == "id":
        return own or ()
    is_node = isinstance(kind, GraphQLObjectType) and any(one.name == "Node" for one in kind.interfaces)
    return TYPES.get(kind.name, (ADMIN,) if is_node else ())


def asked(schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode) -> Asked:
    """What an operation of a document that fits the schema takes."""
    fragments = {one.name.value: one for one in document.definitions if isinstance(one, FragmentDefinitionNode)}
    root = schema.get_root_type(operation.operation)
    assert root is not None
    needs: dict[str, Need] = {}
    parts: dict[str, tuple[Scope, ...]] = {}
    for kind, field in _fields(schema, fragments, root, operation.selection_set, set()):
        if kind is root:
            needs[field] = need_of(root.name, field)
        else:
            any_of = scopes_of(kind, field)
            if any_of:
                parts[f"{kind.name}.{field}"] = any_of
    return Asked(tuple(needs.items()), tuple(parts.items()))


def _fields(
    schema: GraphQLSchema,
    fragments: Mapping[str, FragmentDefinitionNode],
    parent: GraphQLNamedType,
    selections: SelectionSetNode,
    seen: set[str],
) -> Iterator[tuple[GraphQLNamedType, str]]:
    """Every field that is selected, with the type that it is selected on. A fragment is looked at once."""
    for one in selections.selections:
        if isinstance(one, FieldNode):
            fields = parent.fields if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else {}
            field = fields.get(one.name.value)
            if field is None:  # __typename and the like
                continue
            yield parent, one.name.value
            if one.selection_set:
                yield from _fields(schema, fragments, get_named_type(field.type), one.selection_set, seen)
            continue
        if isinstance(one, FragmentSpreadNode):
            if one.name.value in seen:
                continue
            seen.add(one.name.value)
        fragment = fragments[one.name.value] if isinstance(one, FragmentSpreadNode) else one
        assert isinstance(fragment, FragmentDefinitionNode | InlineFragmentNode)
        on = schema.get_type(fragment.type_condition.name.value) if fragment.type_condition else parent
        assert on is not None
        yield from _fields(schema, fragments, on, fragment.selection_set, seen)


def describe(schema: GraphQLSchema) -> None:
    """Let the description of every operation say what it takes."""
    for root in (schema.query_type, schema.mutation_type, schema.subscription_type):
        for name, field in root.fields.items() if root else ():
            scope = need_of(root.name, name).scope if root else None
            if scope:
                field.description = f"{field.description} Needs `{scope}`."
