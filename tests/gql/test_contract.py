"""The schema keeps the contract: whatever is valid against the contract is valid against the schema."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from graphql import (
    GraphQLArgument,
    GraphQLEnumType,
    GraphQLError,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    build_schema,
    find_breaking_changes,
    find_dangerous_changes,
    is_required_input_field,
    is_specified_scalar_type,
    parse,
    print_ast,
    validate,
)
from graphql.utilities import DangerousChangeType, ast_from_value

from domain import errors as refusals
from gql.api import create_schema
from gql.errors import CODES, CONVERTERS, formatted
from services import (
    alerts,
    allocation,
    api_keys,
    automation,
    bins,
    catalog,
    fulfillments,
    holds,
    invoices,
    labels,
    mail_templates,
    merchant,
    orders,
    payments,
    picking,
    reservations,
    returns,
    runs,
    splitting,
    stock,
    supplies,
    tracking,
    webhooks,
)

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CONTRACT = HERE / "contract.graphql"
SHARED = ROOT.parent / "shared" / "design" / "contract.graphql"

MOVES = ("InvalidInput", "IdempotencyKeyReused", "NotFound", "FulfillmentNotInState")
RETURNS = ("InvalidInput", "IdempotencyKeyReused", "NotFound", "ReturnNotInState", "QuantityNotReturnable")
REFUSALS_OF = {
    "saveItems": ("InvalidInput",),
    "saveLocations": ("InvalidInput",),
    "saveChannels": ("InvalidInput",),
    "receiveStock": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "SupplyNotInState"),
    "countStock": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "InsufficientStock"),
    "expectSupply": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "SupplyAlreadyExpected"),
    "startTransfer": (
        "InvalidInput",
        "IdempotencyKeyReused",
        "NotFound",
        "SupplyAlreadyExpected",
        "InsufficientStock",
    ),
    "rescheduleSupply": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "SupplyNotInState"),
    "cancelSupply": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "SupplyNotInState"),
    "closeSupply": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "SupplyNotInState"),
    "adjustStock": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "StockLevelConflict", "InsufficientStock"),
    "placeOrder": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "OrderAlreadyPlaced", "ReservationEnded"),
    "reserveStock": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "InsufficientStock"),
    "releaseReservation": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "ReservationEnded"),
    "recordPayment": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "CurrencyMismatch"),
    "recordRefund": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "CurrencyMismatch", "RefundExceedsPayments"),
    "holdOrders": ("InvalidInput", "IdempotencyKeyReused"),
    "releaseHolds": ("InvalidInput", "IdempotencyKeyReused"),
    "saveHoldRules": ("InvalidInput",),
    "editOrder": (
        "InvalidInput",
        "IdempotencyKeyReused",
        "NotFound",
        "OrderAlreadyReleased",
        "CurrencyMismatch",
        "OrderNotInState",
        "OrderVersionConflict",
        "QuantityAlreadyShipped",
    ),
    "splitOrder": (
        "InvalidInput",
        "IdempotencyKeyReused",
        "NotFound",
        "OrderAlreadyPlaced",
        "OrderAlreadyReleased",
        "OrderNotInState",
        "OrderVersionConflict",
    ),
    "finalizeOrder": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "OrderNotInState"),
    "voidOrder": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "OrderNotInState", "QuantityAlreadyShipped"),
    "releaseOrders": ("InvalidInput", "IdempotencyKeyReused"),
    "cancelFulfillment": MOVES,
    "checkFulfillment": MOVES,
    "packFulfillment": MOVES,
    "shipFulfillment": MOVES,
    "deliverFulfillment": MOVES,
    "requestReturn": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "QuantityNotReturnable"),
    "receiveReturn": RETURNS,
    "inspectReturn": RETURNS,
    "cancelReturn": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "ReturnNotInState"),
    "recordFollowUp": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "NothingDelivered"),
    "dropshipOrder": (
        "InvalidInput",
        "IdempotencyKeyReused",
        "NotFound",
        "OrderAlreadyReleased",
        "OrderNotInState",
        "OrderNotReleasable",
    ),
    "createPickList": ("InvalidInput", "IdempotencyKeyReused", "NotFound"),
    "claimPickList": ("InvalidInput", "NotFound", "PickListTaken"),
    "releasePickList": ("NotFound", "PickListTaken"),
    "recordPicks": ("InvalidInput",),
    "recordTrackingEvents": ("InvalidInput",),
    "buyShippingLabel": (*MOVES, "ShippingRefused"),
    "saveMerchant": ("InvalidInput",),
    "createInvoice": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "NothingToInvoice"),
    "moveStock": ("InvalidInput", "IdempotencyKeyReused", "NotFound", "InsufficientStock"),
    "allocateOrders": ("InvalidInput", "IdempotencyKeyReused", "PlanChanged"),
    "saveAllocationRules": ("InvalidInput",),
    "startAllocationRun": ("InvalidInput", "IdempotencyKeyReused", "PlanChanged"),
    "cancelAllocationRun": ("NotFound",),
    "deallocateOrders": ("InvalidInput", "IdempotencyKeyReused"),
    "saveWebhookEndpoints": ("InvalidInput",),
    "rotateWebhookSecret": ("InvalidInput", "IdempotencyKeyReused", "NotFound"),
    "replayWebhookEvents": ("InvalidInput", "IdempotencyKeyReused", "NotFound"),
    "sendTestWebhook": ("InvalidInput", "IdempotencyKeyReused", "NotFound"),
    "saveAlertRules": ("InvalidInput",),
    "saveMailTemplates": ("InvalidInput",),
    "createApiKey": ("InvalidInput", "IdempotencyKeyReused"),
    "rotateApiKey": ("InvalidInput", "IdempotencyKeyReused", "NotFound"),
    "revokeApiKey": ("InvalidInput", "IdempotencyKeyReused", "NotFound"),
}
"""What the service behind each mutation raises."""


@pytest.fixture(scope="module")
def contract() -> GraphQLSchema:
    return build_schema(CONTRACT.read_text())


@pytest.fixture(scope="module")
def schema() -> GraphQLSchema:
    return create_schema()._schema


def published(schema: GraphQLSchema) -> Iterator[GraphQLNamedType]:
    """The types that the schema itself defines."""
    for kind in schema.type_map.values():
        if not kind.name.startswith("__") and not is_specified_scalar_type(kind):
            yield kind


def coordinates(schema: GraphQLSchema) -> Iterator[tuple[str, object]]:
    """Every type, field, argument, input field and enum value by its schema coordinate."""
    for kind in published(schema):
        yield kind.name, kind
        if isinstance(kind, GraphQLObjectType | GraphQLInterfaceType):
            for name, field in kind.fields.items():
                yield f"{kind.name}.{name}", field
                yield from ((f"{kind.name}.{name}({argument}:)", one) for argument, one in field.args.items())
        elif isinstance(kind, GraphQLInputObjectType):
            yield from ((f"{kind.name}.{name}", field) for name, field in kind.fields.items())
        elif isinstance(kind, GraphQLEnumType):
            yield from ((f"{kind.name}.{name}", value) for name, value in kind.values.items())


# ---------------------------------------------------------------- against the contract


def test_the_contract_is_the_one_that_was_agreed():
    if not SHARED.exists():
        pytest.skip("the shared contract is not here")

    assert CONTRACT.read_text() == SHARED.read_text()


def test_the_schema_breaks_nothing_that_the_contract_promises(contract: GraphQLSchema, schema: GraphQLSchema):
    assert [change.description for change in find_breaking_changes(contract, schema)] == []


def test_nothing_of_the_contract_is_missing(contract: GraphQLSchema, schema: GraphQLSchema):
    here = {coordinate for coordinate, _ in coordinates(schema)}

    missing = {coordinate for coordinate, _ in coordinates(contract) if coordinate not in here}

    assert missing == set()


def test_no_default_is_changed_or_removed(contract: GraphQLSchema, schema: GraphQLSchema):
    dangerous = find_dangerous_changes(contract, schema)

    changed = [one.description for one in dangerous if one.type is DangerousChangeType.ARG_DEFAULT_VALUE_CHANGE]

    assert changed == []


def test_every_default_of_an_input_is_that_of_the_contract(contract: GraphQLSchema, schema: GraphQLSchema):
    assert list(changed_input_defaults(contract, schema)) == []


def changed_input_defaults(contract: GraphQLSchema, schema: GraphQLSchema) -> Iterator[str]:
    """`find_dangerous_changes` looks at the defaults of arguments only."""
    for kind in published(contract):
        ours = schema.type_map.get(kind.name)
        if isinstance(kind, GraphQLInputObjectType) and isinstance(ours, GraphQLInputObjectType):
            for name, field in kind.fields.items():
                if printed_default(field) != printed_default(ours.fields[name]):
                    yield f"{kind.name}.{name}"


def printed_default(value: object) -> str:
    node = getattr(value, "ast_node", None)
    if node is not None:
        return print_ast(node.default_value) if node.default_value else ""
    assert isinstance(value, GraphQLArgument) or hasattr(value, "default_value")
    default = value.default_value
    found = ast_from_value(default, value.type) if default is not None else None
    return print_ast(found) if found else ""


def test_what_is_one_of_in_the_contract_is_one_of_in_the_schema(contract: GraphQLSchema, schema: GraphQLSchema):
    """`find_breaking_changes` does not see it."""

    def one_of(schema: GraphQLSchema) -> set[str]:
        kinds = (kind for kind in published(schema) if isinstance(kind, GraphQLInputObjectType))
        return {kind.name for kind in kinds if kind.is_one_of}

    assert one_of(contract) == {name for name in one_of(schema) if name in contract.type_map}
    assert "OrderBy" in one_of(contract)


def test_inputs_that_the_contract_lets_out_may_be_left_out(contract: GraphQLSchema, schema: GraphQLSchema):
    for kind in published(contract):
        ours = schema.type_map.get(kind.name)
        if isinstance(kind, GraphQLInputObjectType) and isinstance(ours, GraphQLInputObjectType):
            required = {name for name, field in kind.fields.items() if is_required_input_field(field)}
            assert {name for name, field in ours.fields.items() if is_required_input_field(field)} == required


OPERATIONS = {
    "every field of an order": """
        query Order($by: OrderBy!) {
          order(by: $by) {
            id number channel { id code name } status allocationStatus shippingPolicy priority tags placedAt updatedAt
            customer { name email reference }
            shipTo { name line1 line2 city region postalCode countryCode latitude longitude }
            version
            lines {
              id reference sku item { id sku name barcode levels { id onHand } } unitPrice { amount currencyCode }
              quantity open allocated shipped canceled dropshipped allocationStatus
              allocations { id location { code } quantity overallocated allocatedAt }
            }
          }
        }""",
    "the lists": """
        query Lists($orders: OrderFilter, $items: ItemFilter, $levels: StockLevelFilter, $events: EventFilter) {
          orders(filter: $orders, sort: PRIORITY_DESC, first: 10, after: null) {
            edges { cursor node { id } } nodes { id }
            pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
          }
          orderCounts(filter: $orders) {
            total byStatus { status count } byAllocationStatus { status count }
          }
          items(filter: $items) { edges { cursor node { sku } } nodes { sku } pageInfo { endCursor } }
          stockLevels(filter: $levels) { edges { cursor node { sku } } nodes { sku version } pageInfo { endCursor } }
          events(filter: $events, after: "x") {
            edges { cursor node { id } } nodes { id cursor occurredAt ... on OrderChanged { changes } }
            pageInfo { hasNextPage }
          }
          locations { id code name kind countryCode latitude longitude rank }
          channels { id code name }
          eventCursor
          node(id: "x") { __typename id ... on StockLevel { available } }
          item(by: {barcode: "x"}) { id }
          location(by: {code: "x"}) { id }
        }""",
    "every mutation": """
        mutation All($order: PlaceOrderInput!, $edit: EditOrderInput!, $allocate: AllocateOrdersInput!) {
          saveItems(input: {items: [{sku: "A", name: "A", barcode: null}]}) { ... on SaveItemsSuccess { items { id } } }
          saveLocations(input: {locations: [{code: "A", rank: 1, kind: STORE}]}) { ... on UserError { message } }
          receiveStock(input: {location: "A", lines: [{sku: "A", quantity: 1}], idempotencyKey: "1"}) {
            ... on StockSuccess { levels { onHand } overallocated { total orders { id } } }
            ... on InsufficientStock { shortages { sku location { code } requested onHand available } }
            ... on UserError { __typename message }
          }
          adjustStock(input: {
            location: "A", reason: COUNT, idempotencyKey: "1", reference: "x",
            lines: [{sku: "A", change: {counted: 3}, expectedOnHand: 2}, {sku: "B", change: {delta: -1}}]
          }) { ... on StockLevelConflict { levels { sku } } }
          placeOrder(input: $order) {
            ... on PlaceOrderSuccess { order { id } } ... on OrderAlreadyPlaced { order { id } }
          }
          editOrder(input: $edit) {
            ... on QuantityAlreadyShipped { lines { id } } ... on OrderNotInState { allowed order { id } }
            ... on OrderVersionConflict { order { version } }
          }
          finalizeOrder(input: {order: {id: "x"}, idempotencyKey: "1"}) { ... on NotFound { references } }
          voidOrder(input: {order: {number: {channel: "A", number: "1"}}, reason: "x", idempotencyKey: "1"}) {
            ... on InvalidInput { problems { path code message } }
          }
          allocateOrders(input: $allocate) {
            ... on AllocateOrdersSuccess {
              results {
                index order { id } before after refusal { __typename message }
                lines { line { id } sku quantity allocated short from { location { code } quantity } }
              }
            }
          }
          deallocateOrders(input: {orders: [{id: "x"}], idempotencyKey: "1"}) {
            ... on DeallocateOrdersSuccess { results { index } } ... on IdempotencyKeyReused { message }
          }
        }""",
    "changes of allocation status": """
        subscription Statuses($filter: AllocationStatusChangedFilter, $after: String) {
          allocationStatusChanged(filter: $filter, after: $after) {
            id cursor occurredAt orderId orderNumber channelCode orderVersion before after cause order { id }
          }
        }""",
    "changes of orders": """
        subscription Orders {
          orderChanged(filter: {orders: ["x"], types: ["OrderChanged"]}) { changes orderVersion order { status } }
        }""",
    "changes of stock": """
        subscription Stock {
          stockLevelChanged(filter: {skus: ["A"], locations: [], overallocated: true}) {
            id cursor occurredAt sku locationCode version onHand committed unavailable available overallocated
          }
        }""",
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operations_that_fit_the_contract_fit_the_schema(
    operation: str, contract: GraphQLSchema, schema: GraphQLSchema
):
    document = parse(OPERATIONS[operation])

    assert validate(contract, document) == []
    assert validate(schema, document) == []


# ---------------------------------------------------------------- the schema itself


def test_the_printed_schema_is_the_one_in_the_repository():
    printed = create_schema().as_str() + "\n"

    assert (ROOT / "gql" / "schema" / "schema.graphql").read_text() == printed, "run: dibs schema > gql/schema/…"


def test_everything_has_a_description_that_is_a_sentence(schema: GraphQLSchema):
    without = [name for name, one in coordinates(schema) if not (one.description or "").strip().endswith((".", "…"))]

    assert without == []


def test_every_refusal_has_a_type_and_a_converter(schema: GraphQLSchema):
    assert set(CONVERTERS) == set(refusals.REFUSALS)
    for refusal, (kind, _) in CONVERTERS.items():
        told = schema.type_map[kind.__name__]
        assert told.name == refusal.__name__
        assert schema.is_sub_type(schema.type_map["UserError"], told)


def test_every_error_has_a_code_that_is_explained():
    assert formatted(GraphQLError("x"))["extensions"]["code"] in CODES
    assert all(meaning.endswith(".") for meaning in CODES.values())


def test_every_mutation_is_in_the_table_of_refusals(schema: GraphQLSchema):
    assert schema.mutation_type is not None
    assert set(REFUSALS_OF) == set(schema.mutation_type.fields)


@pytest.mark.parametrize("mutation", REFUSALS_OF)
def test_what_a_service_refuses_is_in_the_union_of_its_mutation(mutation: str, schema: GraphQLSchema):
    """A refusal that is missing from the union would be masked as a mistake of ours."""
    assert schema.mutation_type is not None
    union = schema.mutation_type.fields[mutation].type.of_type
    assert isinstance(union, GraphQLUnionType)
    refused = {kind.name for kind in union.types if not kind.name.endswith("Success")}

    assert set(REFUSALS_OF[mutation]) <= refused
    assert [kind.name for kind in union.types if kind.name.endswith("Success")] != []


@pytest.mark.parametrize("mutation", REFUSALS_OF)
def test_the_table_of_refusals_names_what_the_docstring_of_the_service_names(mutation: str):
    """The services say what they raise; the names of the table may add what is raised further in."""
    name = re.sub(r"[A-Z]", lambda letter: "_" + letter[0].lower(), mutation)
    (service,) = [
        getattr(module, name)
        for module in (
            alerts,
            allocation,
            api_keys,
            automation,
            bins,
            catalog,
            fulfillments,
            holds,
            invoices,
            labels,
            merchant,
            mail_templates,
            orders,
            payments,
            picking,
            reservations,
            returns,
            runs,
            splitting,
            stock,
            supplies,
            tracking,
            webhooks,
        )
        if hasattr(module, name)
    ]
    sentence = service.__doc__.partition("Raises")[2]
    raised = {word for word in re.findall(r"\w+", sentence) if hasattr(refusals, word)}

    assert raised
    assert raised <= set(REFUSALS_OF[mutation])


@pytest.mark.parametrize(
    "example", sorted((ROOT / "explorer" / "examples").glob("*.graphql")), ids=lambda one: one.stem
)
def test_the_examples_of_the_explorer_fit_the_schema_and_the_contract(
    example: Path, contract: GraphQLSchema, schema: GraphQLSchema
):
    document = parse(example.read_text())

    assert validate(schema, document) == []
    assert validate(contract, document) == []
