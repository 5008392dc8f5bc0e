"""Every operation on one page."""

import strawberry
from graphql import GraphQLInputObjectType
from strawberry.schema.config import StrawberryConfig
from strawberry.types.base import StrawberryObjectDefinition

import gql.schema.kinds  # noqa: F401  (makes the enums known)
from gql.errors import CONVERTERS, RefusalHandler
from gql.resolvers import api_keys as keeping
from gql.resolvers import documents as documenting
from gql.resolvers import fulfillments as fulfilling
from gql.resolvers import mutations as write
from gql.resolvers import notices, webhooks
from gql.resolvers import payments as paying
from gql.resolvers import queries as read
from gql.resolvers import returns as returning
from gql.resolvers import subscriptions as watch
from gql.resolvers import supplies as supplying
from gql.schema import events, refusals
from gql.schema.scalars import SCALARS
from gql.scopes import describe


@strawberry.type(description="Reading.")
class Query:
    """Reading."""

    node = strawberry.field(read.node, description="Any object by its id; null for the unknown and for garbage.")
    order = strawberry.field(read.order, description="One order.")
    orders = strawberry.field(read.orders, description="Orders that match, page by page.")
    order_counts = strawberry.field(read.order_counts, description="How many orders are in each state.")
    item = strawberry.field(read.item, description="One item.")
    items = strawberry.field(read.items, description="Items that match, page by page.")
    location = strawberry.field(read.location, description="One location.")
    locations = strawberry.field(read.locations, description="All, in the order they are tried.")
    channels = strawberry.field(read.channels, description="All channels, by code.")
    stock_levels = strawberry.field(read.stock_levels, description="Stock levels that match, page by page.")
    stock_movements = strawberry.field(
        supplying.stock_movements, description="The ledger of one stock level, the newest first, page by page."
    )
    supply = strawberry.field(supplying.supply, description="One supply.")
    supplies = strawberry.field(
        supplying.find_supplies, description="Supplies that match, by when they are expected, page by page."
    )
    allocation_run = strawberry.field(read.allocation_run, description="One background run.")
    stock_reservation = strawberry.field(read.stock_reservation, description="One cart's stock reservation.")
    allocation_rules = strawberry.field(
        read.allocation_rules, description="What happens to new orders: the first rule that matches decides."
    )
    hold_rules = strawberry.field(
        paying.hold_rules, description="Which new orders are held, and why: by every rule that matches."
    )
    compare_allocation_policies = strawberry.field(
        read.compare_allocation_policies,
        description="What a run over these orders, 10,000 at most, would come to under each policy; nothing is "
        "written.",
    )
    fulfillment = strawberry.field(fulfilling.fulfillment, description="One fulfillment.")
    fulfillments = strawberry.field(
        fulfilling.find_fulfillments, description="Fulfillments that match, the oldest first, page by page."
    )
    find_return = strawberry.field(returning.find_return, description="One return.", name="return")
    returns = strawberry.field(
        returning.find_returns, description="Returns that match, the oldest first, page by page."
    )
    pick_tasks = strawberry.field(
        fulfilling.pick_tasks, description="What is to be picked at a location, in the sequence of the bins."
    )
    invoice = strawberry.field(documenting.invoice, description="One invoice.")
    merchant = strawberry.field(documenting.merchant, description="Who sends parcels and invoices.")
    pick_list = strawberry.field(fulfilling.pick_list, description="One pick list.")
    webhook_endpoints = strawberry.field(webhooks.webhook_endpoints, description="All endpoints of webhooks, by name.")
    webhook_deliveries = strawberry.field(
        webhooks.webhook_deliveries, description="What became of each event for each endpoint, the newest first."
    )
    alert_rules = strawberry.field(notices.alert_rules, description="What is watched for, and who is told.")
    alerts = strawberry.field(notices.find_alerts, description="What rules have seen, the newest first.")
    mail_templates = strawberry.field(notices.all_mail_templates, description="What mails say, one of each topic.")
    mails = strawberry.field(notices.find_mails, description="What became of each mail, the newest first.")
    api_keys = strawberry.field(keeping.find_api_keys, description="API keys, the oldest first, page by page.")
    events = strawberry.field(
        read.events,
        description="The event log from its beginning or after a cursor: the same events, in the same order, as "
        "subscriptions and webhooks.",
    )
    event_cursor = strawberry.field(
        read.event_cursor,
        description="Where the log ends now. Read it, then the data, then subscribe after it: nothing is missed.",
    )


@strawberry.type(description="Writing. Every mutation that changes facts takes an idempotency key.")
class Mutation:
    """Writing."""

    save_items = strawberry.mutation(write.save_items, description="Create or update items by SKU.")
    save_locations = strawberry.mutation(write.save_locations, description="Create or update locations by code.")
    save_channels = strawberry.mutation(
        write.save_channels, description="Create or update channels by code: also how their orders are served."
    )
    receive_stock = strawberry.mutation(write.receive_stock, description="Add received goods to on hand.")
    adjust_stock = strawberry.mutation(
        write.adjust_stock,
        description="Correct a quantity, by a difference or to a count, with a reason. What is then committed beyond "
        "stock becomes overallocated.",
    )
    count_stock = strawberry.mutation(
        supplying.count_stock,
        description="Say what was on hand at a moment, now or up to 30 days ago: what has moved since then stays "
        "moved. The count of the latest moment decides, in whatever sequence counts are told.",
    )
    expect_supply = strawberry.mutation(
        supplying.expect_supply, description="Announce goods of a purchase order; `receiveStock` counts what arrives."
    )
    start_transfer = strawberry.mutation(
        supplying.start_transfer,
        description="Send goods to another location: they are no longer on hand here, and in transit until "
        "`receiveStock`. What is then committed beyond stock becomes overallocated.",
    )
    reschedule_supply = strawberry.mutation(supplying.reschedule_supply, description="Expect a supply at another time.")
    cancel_supply = strawberry.mutation(
        supplying.cancel_supply,
        description="Say that what has not come will not come; what is in transit is on hand again where it was sent "
        "from.",
    )
    close_supply = strawberry.mutation(
        supplying.close_supply,
        description="Wait for nothing more of a supply; what is in transit is written off as lost.",
    )
    place_order = strawberry.mutation(
        write.place_order,
        description="Place an order. A channel that is not known yet is created, unless the caller's key is limited "
        "to channels. A cart's stock reservation becomes the order's in the same moment.",
    )
    edit_order = strawberry.mutation(write.edit_order, description="Change an order's lines and terms.")
    split_order = strawberry.mutation(
        write.split_order,
        description="Let some of an order's open units become an order of their own, with what is set aside for them: "
        "nothing is given back in between. What holds the order holds the new one, too. A line that goes as a whole "
        "stays in the old order too, with its quantity counted as canceled there; it is open in the new one.",
    )
    finalize_order = strawberry.mutation(
        write.finalize_order, description="Confirm a draft: from now on it can be allocated."
    )
    void_order = strawberry.mutation(
        write.void_order, description="Cancel an order, and give back everything that was set aside for it."
    )
    record_payment = strawberry.mutation(
        paying.record_payment,
        description="Write down that an order was paid, in whole or in part, as verified by whoever says so. Paid in "
        "full, it is no longer held for AWAITING_PAYMENT.",
    )
    record_refund = strawberry.mutation(paying.record_refund, description="Write down that money went back.")
    hold_orders = strawberry.mutation(
        paying.hold_orders, description="Say that up to 1,000 orders may not be released, and why."
    )
    release_holds = strawberry.mutation(paying.release_holds, description="End holds of up to 1,000 orders.")
    save_hold_rules = strawberry.mutation(
        paying.save_hold_rules,
        description="Say which new orders are held without anyone asking, and why. The list replaces the one before; "
        "holds that were placed already stay.",
    )
    reserve_stock = strawberry.mutation(
        write.reserve_stock,
        description="Set units aside for a cart, all of them or none, until it is released, becomes an order or its "
        "time is over by the database's clock.",
    )
    release_reservation = strawberry.mutation(
        write.release_reservation, description="Give back what is set aside for a cart."
    )
    allocate_orders = strawberry.mutation(
        write.allocate_orders,
        description="Allocate up to 1,000 orders now, in exactly the sequence given, in one transaction.",
    )
    start_allocation_run = strawberry.mutation(
        write.start_allocation_run, description="Allocate every order that matches, in the background."
    )
    cancel_allocation_run = strawberry.mutation(
        write.cancel_allocation_run, description="Stop a background run; what it did stays done."
    )
    save_allocation_rules = strawberry.mutation(
        write.save_allocation_rules,
        description="Say which new orders are allocated without anyone asking, and when. The list replaces the one "
        "before; orders that wait for a schedule already keep it.",
    )
    deallocate_orders = strawberry.mutation(
        write.deallocate_orders, description="Give back everything set aside for these orders."
    )
    release_orders = strawberry.mutation(
        fulfilling.release_orders,
        description="Give the warehouses the go-ahead for orders that are allocated and that nothing is in the way of; "
        "a fulfillment for each location.",
    )
    cancel_fulfillment = strawberry.mutation(
        fulfilling.cancel_fulfillment,
        description="Keep goods here that have not left: they stay set aside, and what was picked is put back. Where "
        "the channel would release the order again by itself, it is held (FULFILLMENT_CANCELED) until somebody ends "
        "that.",
    )
    create_pick_list = strawberry.mutation(
        fulfilling.create_pick_list, description="Put pick tasks together for one round of one picker."
    )
    claim_pick_list = strawberry.mutation(
        fulfilling.claim_pick_list, description="Take a pick list for a while, or for longer."
    )
    release_pick_list = strawberry.mutation(
        fulfilling.release_pick_list, description="Give a pick list back, so that others can take it."
    )
    record_picks = strawberry.mutation(
        fulfilling.record_picks,
        description="Say what was picked, also later and again: each command is applied once. What is short is "
        "corrected in the ledger and set aside again from elsewhere.",
    )
    check_fulfillment = strawberry.mutation(
        fulfilling.check_fulfillment,
        description="Say what a quality check found: nothing, or units that may not leave.",
    )
    pack_fulfillment = strawberry.mutation(
        fulfilling.pack_fulfillment, description="Put what was picked, or some of it, into parcels."
    )
    buy_shipping_label = strawberry.mutation(
        fulfilling.buy_shipping_label,
        description="Have a packed fulfillment taken by the carrier that is set up: each parcel gets its tracking "
        "number and label. It is bought once, however often it is asked for.",
    )
    ship_fulfillment = strawberry.mutation(
        fulfilling.ship_fulfillment,
        description="Hand parcels, all or some, to a carrier: what was set aside is consumed and on hand no longer.",
    )
    deliver_fulfillment = strawberry.mutation(
        fulfilling.deliver_fulfillment,
        description="Say that the customer has it; the order is fulfilled once that is true of all of it.",
    )
    record_tracking_events = strawberry.mutation(
        fulfilling.record_tracking_events,
        description="Write down what carriers say of parcels. Each event is its own idempotency key: told again, it is "
        "written down once. In whatever sequence they come, the latest by the carrier's clock counts; what has arrived "
        "in all its parcels is delivered.",
    )
    dropship_order = strawberry.mutation(
        fulfilling.dropship_order,
        description="Let a supplier send an order or lines of it: what is set aside for them is given back. "
        "Not while the order is on hold.",
    )
    request_return = strawberry.mutation(
        returning.request_return,
        description="Ask goods back that have left: which units, why, and where to. Whoever sent them, and whether or "
        "not they have arrived.",
    )
    receive_return = strawberry.mutation(
        returning.receive_return, description="Say what came back. It is no stock before somebody has looked at it."
    )
    inspect_return = strawberry.mutation(
        returning.inspect_return,
        description="Say of units that came back what becomes of them: on hand and for sale again, on hand in quality "
        "control, or discarded. What is for sale again serves the orders that wait for it.",
    )
    cancel_return = strawberry.mutation(
        returning.cancel_return,
        description="Say that nothing, or nothing more, of a return is expected. What came is inspected all the same.",
    )
    record_follow_up = strawberry.mutation(
        returning.record_follow_up, description="Write down what was heard of a customer after delivery."
    )
    create_invoice = strawberry.mutation(
        documenting.create_invoice,
        description="Issue an invoice of what was shipped and is on none yet, or of all that was ordered, under the "
        "next number of its series.",
    )
    save_merchant = strawberry.mutation(documenting.save_merchant, description="Say who sends parcels and invoices.")
    move_stock = strawberry.mutation(
        fulfilling.move_stock, description="Say in which bins units lie; on hand stays as it is."
    )
    save_webhook_endpoints = strawberry.mutation(
        webhooks.save_webhook_endpoints, description="Create or update endpoints of webhooks by name."
    )
    rotate_webhook_secret = strawberry.mutation(
        webhooks.rotate_webhook_secret,
        description="Sign an endpoint's webhooks with a new secret; those before sign beside it for a while.",
    )
    replay_webhook_events = strawberry.mutation(
        webhooks.replay_webhook_events, description="Go back (or forth) in the log, and deliver from there on."
    )
    send_test_webhook = strawberry.mutation(
        webhooks.send_test_webhook, description="Send an endpoint one signed webhook that tells of nothing."
    )
    save_alert_rules = strawberry.mutation(
        notices.save_alert_rules,
        description="Say what is watched for, and who is told. The list replaces the one before; alerts of rules that "
        "are gone, or watch for something else, are resolved.",
    )
    save_mail_templates = strawberry.mutation(
        notices.save_mail_templates,
        description="Say what mails say, and the customers of which channels get them: at first, none.",
    )
    create_api_key = strawberry.mutation(
        keeping.create_api_key, description="Make a key for a caller; its secret is shown this once."
    )
    rotate_api_key = strawberry.mutation(
        keeping.rotate_api_key,
        description="Give a key a new secret, shown this once; the one before opens for a while longer.",
    )
    revoke_api_key = strawberry.mutation(
        keeping.revoke_api_key,
        description="Let a key open nothing any more, for ever; its connections end within two seconds.",
    )


@strawberry.type(description="Watching: from now, or from after a cursor without a gap.")
class Subscription:
    """Watching."""

    events = strawberry.subscription(
        watch.events, description="Every event of the log, of any type: what `events` of Query answers, as it happens."
    )
    allocation_status_changed = strawberry.subscription(
        watch.allocation_status_changed, description="Every change of an order's allocation status."
    )
    order_changed = strawberry.subscription(watch.order_changed, description="Every change of an order, of any kind.")
    supply_changed = strawberry.subscription(watch.supply_changed, description="Every change of a supply.")
    expected_at_changed = strawberry.subscription(
        watch.expected_at_changed,
        description="Waiting orders whose date moved because a supply slipped or was called off.",
    )
    allocation_run_progressed = strawberry.subscription(
        watch.allocation_run_progressed,
        description="Progress of one run until it ends; of one that has ended, its end.",
    )
    fulfillment_changed = strawberry.subscription(
        watch.fulfillment_changed, description="Every step of every fulfillment."
    )
    pick_tasks_changed = strawberry.subscription(
        watch.pick_tasks_changed, description="What is to be picked at a location, as it changes."
    )
    return_changed = strawberry.subscription(watch.return_changed, description="Every step of every return.")
    stock_level_changed = strawberry.subscription(
        watch.stock_level_changed, description="Every change of a stock level."
    )


def create_schema() -> strawberry.Schema:
    """The schema; what it answers is in `gql.execution`."""
    schema = strawberry.Schema(
        Query,
        Mutation,
        Subscription,
        types=[
            events.AllocationStatusChanged,
            events.OrderChanged,
            events.StockLevelChanged,
            events.AllocationRunProgressed,
            events.SupplyChanged,
            events.ExpectedAtChanged,
            events.WebhookEndpointDisabled,
            events.FulfillmentChanged,
            events.PickTasksChanged,
            events.ReturnChanged,
            # What lists of outcomes tell, and no union names.
            refusals.OrderNotReleasable,
            refusals.PickConflict,
            events.AlertRaised,
            events.AlertResolved,
        ],
        config=StrawberryConfig(scalar_map=SCALARS),
        exception_handlers=[RefusalHandler(refusal) for refusal in CONVERTERS],
    )
    _make_one_of_known(schema)
    describe(schema._schema)  # noqa: SLF001  (Strawberry shows it nowhere else; a test watches)
    return schema


def _make_one_of_known(schema: strawberry.Schema) -> None:
    """Strawberry keeps @oneOf to itself; once graphql-core knows, it judges documents by it before it executes them."""
    for kind in schema._schema.type_map.values():  # noqa: SLF001  (Strawberry shows it nowhere else; a test watches)
        definition = kind.extensions.get("strawberry-definition")
        if isinstance(kind, GraphQLInputObjectType) and isinstance(definition, StrawberryObjectDefinition):
            kind.is_one_of = definition.is_one_of
