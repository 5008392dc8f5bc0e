"""A shop whose orders are priced, paid and held over the API."""

from typing import Any

from sqlalchemy import text

from tests.gql.serving import Served

MONEY = "amount currencyCode"
ADDRESS = "name line1 line2 city region postalCode countryCode latitude longitude phone"
ORDER = f"""
    id number status version allocationStatus paymentStatus note tags customer {{ name email reference phone }}
    shipTo {{ {ADDRESS} }} billTo {{ {ADDRESS} }} discounts {{ code description amount {{ {MONEY} }} }}
    shippingPrice {{ {MONEY} }} tax {{ {MONEY} }}
    totals {{
      lines {{ {MONEY} }} discounts {{ amount }} tax {{ amount }} shipping {{ amount }} total {{ amount }}
      paid {{ amount }} refunded {{ amount }} due {{ amount }}
    }}
    payments {{ id kind amount {{ {MONEY} }} method reference occurredAt recordedAt recordedBy }}
    holds {{ reason note rule placedBy placedAt releasedAt }}
    holdHistory {{ reason note rule placedBy releasedBy releasedAt }}
    addressProblems {{ field code message }}
    lines {{
      id sku quantity canceled customizationNote unitPrice {{ amount }} discount {{ {MONEY} }} tax {{ {MONEY} }}
    }}"""
LEEDS = {"line1": "1 Park Row", "city": "Leeds", "postalCode": "LS1 5HN", "countryCode": "GB"}


def pounds(amount: str, currency: str = "GBP") -> dict[str, str]:
    return {"amount": amount, "currencyCode": currency}


def problems(told: Any) -> list[tuple[str, str]]:
    assert told["__typename"] == "InvalidInput", told
    return [(".".join(problem["path"][1:]), problem["code"]) for problem in told["problems"]]


class Shop:
    """One test's own items and channel."""

    def __init__(self, api: Served) -> None:
        self.api = api
        self.channel, self.chair, self.table = api.unique("CH"), api.unique("CHAIR"), api.unique("TABLE")

    async def opened(self, stock: int = 10) -> "Shop":
        await self.api.mutate("saveLocations", locations=[{"code": "LEEDS", "name": "Leeds"}])
        await self.api.mutate("saveItems", items=[{"sku": sku, "name": sku} for sku in (self.chair, self.table)])
        lines = [{"sku": self.chair, "quantity": stock}]
        await self.api.mutate("receiveStock", location="LEEDS", lines=lines)
        return self

    async def serve(self, **fields: Any) -> Any:
        channel = {"code": self.channel, "name": self.channel} | fields
        selection = "... on SaveChannelsSuccess { channels { paidOnArrival unpaidOrdersExpireAfterMinutes } }"
        return await self.api.mutate("saveChannels", selection, channels=[channel])

    async def place(self, number: str = "1", **fields: Any) -> Any:
        wanted = {"channel": self.channel, "number": number, "lines": [self.line()]} | fields
        return await self.api.mutate("placeOrder", f"... on PlaceOrderSuccess {{ order {{ {ORDER} }} }}", **wanted)

    async def order(self, number: str = "1", **fields: Any) -> Any:
        told = await self.place(number, **fields)
        assert told["__typename"] == "PlaceOrderSuccess", told
        return told["order"]

    def line(self, quantity: int = 2, price: str | None = "10.00", **more: Any) -> dict[str, Any]:
        priced = {} if price is None else {"unitPrice": pounds(price)}
        return {"sku": self.chair, "quantity": quantity} | priced | more

    def named(self, number: str = "1") -> dict[str, Any]:
        return {"number": {"channel": self.channel, "number": number}}

    async def now(self, number: str = "1") -> Any:
        return (await self.api(f"query ($by: OrderBy!) {{ order(by: $by) {{ {ORDER} }} }}", by=self.named(number)))[
            "order"
        ]

    async def edit(self, number: str = "1", **fields: Any) -> Any:
        told = await self.api.mutate(
            "editOrder",
            f"... on EditOrderSuccess {{ order {{ {ORDER} }} }} ... on CurrencyMismatch {{ order {{ number }} }}",
            order=self.named(number),
            **fields,
        )
        return told.get("order") if told["__typename"] == "EditOrderSuccess" else told

    async def record(self, what: str, amount: str, number: str = "1", **fields: Any) -> Any:
        """By `recordPayment` or `recordRefund`."""
        kind = what[0].upper() + what[1:]
        money = pounds(amount, fields.pop("currency", "GBP"))
        wanted = {"order": self.named(number), "amount": money, "method": "bank"} | fields
        selection = f"""... on {kind}Success {{ order {{ {ORDER} }} }} ... on CurrencyMismatch {{ order {{ number }} }}
            ... on NotFound {{ references }}"""
        if what == "recordRefund":
            selection += "... on RefundExceedsPayments { order { totals { paid { amount } } } }"
        return await self.api.mutate(what, selection, **wanted)

    async def pay(self, amount: str, number: str = "1", **fields: Any) -> Any:
        told = await self.record("recordPayment", amount, number, **fields)
        assert told["__typename"] == "RecordPaymentSuccess", told
        return told["order"]

    async def refund(self, amount: str, number: str = "1", **fields: Any) -> Any:
        told = await self.record("recordRefund", amount, number, **fields)
        assert told["__typename"] == "RecordRefundSuccess", told
        return told["order"]

    async def holding(self, what: str, *numbers: str, **fields: Any) -> Any:
        """By `holdOrders` or `releaseHolds`."""
        kind = what[0].upper() + what[1:]
        selection = f"""... on {kind}Success {{ results {{
            index changed order {{ number version holds {{ reason }} }} refusal {{ __typename message }} }} }}"""
        orders = [self.named(number) for number in numbers or ("1",)]
        told = await self.api.mutate(what, selection, **({"orders": orders} | fields))
        return told.get("results", told)

    async def found(self, **condition: Any) -> list[str]:
        query = "query ($filter: OrderFilter) { orders(filter: $filter) { nodes { number } } }"
        told = await self.api(query, filter={"channels": [self.channel]} | condition)
        return [one["number"] for one in told["orders"]["nodes"]]

    async def changes(self, number: str = "1") -> list[list[str]]:
        """What happened in each version of the order."""
        order = (await self.now(number))["id"]
        async with self.api.database.engine.connect() as connection:
            rows = await connection.execute(
                text(
                    "SELECT payload -> 'changes' AS changes FROM events WHERE type = 'OrderChanged' "
                    "AND payload ->> 'order_number' = :number AND payload ->> 'channel_code' = :channel ORDER BY id"
                ),
                {"number": number, "channel": self.channel},
            )
            assert order
            return [row.changes for row in rows]


def amounts(order: Any) -> dict[str, str]:
    """The order's totals."""
    return {name: money["amount"] for name, money in order["totals"].items()}


def kept(order: Any) -> list[tuple[str, str]]:
    """The order's payments."""
    return [(payment["kind"], payment["amount"]["amount"]) for payment in order["payments"]]
