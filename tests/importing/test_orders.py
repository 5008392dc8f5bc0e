from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dibs.importing.orders import ImportedLine, ImportedOrder, OrdersRead, ServiceCodes, UnknownCountry, read_orders
from dibs.importing.refusals import RowIssue
from tests.importing.files import DAY, UCI, numbers, orders_of, written

ALL = "order,channel,sku,quantity,placed_at,unit_price,currency,customer,country"


def test_a_row_becomes_an_order_with_a_line(tmp_path):
    read = orders_of(tmp_path, "A1,EBAY, CHAIR ,2,2011-12-05T08:38,9.90,gbp, Ann ,France", headings=ALL)

    line = ImportedLine(line_number=2, sku="CHAIR", quantity=2, unit_price=Decimal("9.90"), currency="GBP")
    placed_at = datetime(2011, 12, 5, 8, 38, tzinfo=UTC)
    assert read.orders == [
        ImportedOrder(
            channel="EBAY", number="A1", placed_at=placed_at, customer="Ann", country_code="FR", lines=(line,)
        )
    ]
    assert read.issues == []


def test_three_columns_are_enough_and_the_channel_and_the_currency_have_defaults(tmp_path):
    read = orders_of(tmp_path, "A1,CHAIR,2", default_channel="SHOP", default_currency="EUR")

    assert read.orders[0] == ImportedOrder(
        channel="SHOP",
        number="A1",
        placed_at=None,
        customer=None,
        country_code=None,
        lines=(ImportedLine(line_number=2, sku="CHAIR", quantity=2, unit_price=None, currency="EUR"),),
    )


def test_rows_of_one_order_need_not_be_neighbours_and_orders_come_by_first_appearance(tmp_path):
    read = orders_of(tmp_path, "B,CHAIR,1", "A,CHAIR,2", "B,TABLE,3")

    assert [(order.number, [line.line_number for line in order.lines]) for order in read.orders] == [
        ("B", [2, 4]),
        ("A", [3]),
    ]


def test_the_same_number_in_two_channels_is_two_orders(tmp_path):
    read = orders_of(tmp_path, "1,EBAY,CHAIR,1", "1,,CHAIR,-1", "1,SHOP,CHAIR,1", headings="order,channel,sku,quantity")

    assert [(order.channel, order.number) for order in read.orders] == [("EBAY", "1")]
    assert read.rows_left_out_with_their_order == 1


def test_an_order_with_one_bad_row_is_left_out_as_a_whole_and_every_bad_row_is_listed(tmp_path):
    read = orders_of(tmp_path, "A,CHAIR,1", "A,CHAIR,-1", "B,CHAIR,1", "A,CHAIR,many", "A,CHAIR,2")

    assert numbers(read) == ["B"]
    assert read.issues == [
        RowIssue(line_number=3, order="A", message="quantity '-1' is negative"),
        RowIssue(line_number=5, order="A", message="quantity 'many' is not a whole number such as 12"),
    ]
    assert (read.orders_left_out, read.rows_left_out_with_their_order) == (1, 2)


@pytest.mark.parametrize("broken", ["A,CHAIR", "A,CHAIR,1,1", "A,CH\0AIR,1", 'A,"CHAIR,1', '"A,CHAIR,1', ",A,CHAIR,1"])
def test_a_broken_row_leaves_out_the_order_that_it_seems_to_belong_to(tmp_path, broken):
    read = orders_of(tmp_path, "A,CHAIR,1", "B,CHAIR,1", broken)

    assert numbers(read) == ["B"]
    assert [(issue.line_number, issue.order) for issue in read.issues] == [(4, "A")]


def test_a_broken_row_may_come_before_its_order(tmp_path):
    assert numbers(orders_of(tmp_path, "A,CHAIR", "B,CHAIR,1", "A,CHAIR,1")) == ["B"]


def test_a_broken_row_that_names_no_order_is_an_issue_without_an_order(tmp_path):
    read = orders_of(tmp_path, "A,CHAIR,1", "what is this")

    assert numbers(read) == ["A"]
    assert [(issue.line_number, issue.order) for issue in read.issues] == [(3, None)]


def test_a_row_whose_channel_is_unusable_leaves_the_order_out_of_every_channel(tmp_path):
    read = orders_of(
        tmp_path, "1,EBAY,CHAIR,1", f"1,{'x' * 101},CHAIR,1", "2,EBAY,CHAIR,1", headings="order,channel,sku,quantity"
    )

    assert numbers(read) == ["2"]


@pytest.mark.parametrize(
    "code",
    [
        "POST",
        "post",
        "DOT",
        "M",
        "m",
        "C2",
        "D",
        "S",
        "B",
        " Bank Charges ",
        "AMAZONFEE",
        "CRUK",
        "PADS",
        "GIFT_0001_10",
    ],
)
def test_a_service_code_is_skipped_before_anything_else_is_looked_at(tmp_path, code):
    read = orders_of(tmp_path, "A,CHAIR,1,1", f"A,{code},-1,much", headings="order,sku,quantity,unit_price")

    assert (numbers(read), read.issues, read.service_rows_skipped) == (["A"], [], 1)


@pytest.mark.parametrize("sku", ["POSTER", "DOTS", "BANK", "gift", "C22", "85123A"])
def test_goods_that_only_look_like_a_service_are_goods(tmp_path, sku):
    assert numbers(orders_of(tmp_path, f"A,{sku},1")) == ["A"]


def test_other_service_codes_replace_the_usual_ones(tmp_path):
    read = orders_of(tmp_path, "A,POST,1", "A,ship-eu,1", "A,Tip,1", service_codes="ship-*, TIP")

    assert [line.sku for line in read.orders[0].lines] == ["POST"]
    assert not ServiceCodes("").match("POST")


def test_a_quantity_of_zero_is_skipped_and_counted(tmp_path):
    read = orders_of(tmp_path, "A,CHAIR,0", "A,CHAIR,1", "A,,00", "B,CHAIR, 0 ")

    assert numbers(read) == ["A"]
    assert (read.zero_quantity_rows_skipped, read.orders_without_goods, read.issues) == (3, 1, [])


def test_an_order_of_services_only_is_no_order_and_no_issue(tmp_path):
    read = orders_of(tmp_path, "A,POST,1", "B,CHAIR,1", "C,POST,1", "C,CHAIR,-1")

    assert (numbers(read), read.orders_without_goods, read.orders_left_out) == (["B"], 1, 1)


def test_the_earliest_time_of_an_order_counts(tmp_path):
    times = "2011-12-05T10:00", "", "2011-12-05T10:30+01:00", "2011-12-05T11:00"
    read = orders_of(tmp_path, *(f"A,CHAIR,1,{time}" for time in times), headings="order,sku,quantity,placed_at")

    assert read.orders[0].placed_at == datetime(2011, 12, 5, 9, 30, tzinfo=UTC)


def test_the_first_customer_and_the_first_country_that_are_given_count(tmp_path):
    rows = "A,CHAIR,1,,", "A,CHAIR,1,Ann,EIRE", "A,CHAIR,1,14075.0,France"
    read = orders_of(tmp_path, *rows, headings="order,sku,quantity,customer,country")

    assert (read.orders[0].customer, read.orders[0].country_code) == ("Ann", "IE")


def test_a_country_without_a_code_is_none_and_noted_once_an_order(tmp_path):
    rows = "A,CHAIR,1,Atlantis", "A,CHAIR,1,Atlantis", "B,CHAIR,1,Atlantis", "C,CHAIR,1,Utopia", "D,CHAIR,-1,Lemuria"
    read = orders_of(tmp_path, *rows, headings="order,sku,quantity,country")

    assert [order.country_code for order in read.orders] == [None, None, None]
    assert read.notes == [UnknownCountry(name="Atlantis", orders=2), UnknownCountry(name="Utopia", orders=1)]


def test_the_real_day_is_read_to_the_last_row():
    read = read_orders(DAY, columns=UCI, default_channel="UCI")

    lines = [line for order in read.orders for line in order.lines]
    assert (len(read.orders), len(lines), read.rows) == (131, 5286, 5331)
    assert (len(read.issues), read.service_rows_skipped, read.zero_quantity_rows_skipped) == (26, 19, 0)
    assert sum(line.unit_price == 0 for line in lines) == 5  # of 8 rows at a price of zero, 3 have negative quantities
    assert (read.orders_left_out, read.orders_without_goods, read.rows_left_out_with_their_order) == (16, 4, 0)
    assert read.notes == [UnknownCountry(name="Channel Islands", orders=1)]
    assert Counter(issue.message.split()[0] for issue in read.issues) == {"quantity": 26}


def test_the_real_day_in_any_sequence_of_its_rows_gives_the_same_orders(tmp_path):
    headings, *rows = DAY.read_text().splitlines()
    turned = written(tmp_path, "\n".join([headings, *reversed(rows)]))

    def contents(read: OrdersRead):
        return {order.number: Counter((line.sku, line.quantity) for line in order.lines) for order in read.orders}

    there, back = (read_orders(path, columns=UCI, default_channel="UCI") for path in (DAY, turned))
    assert contents(there) == contents(back)


BAD = ["-1", "x", "1.5", ""]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ABCD"),
            st.sampled_from(["CHAIR", "TABLE", "POST", "m"]),
            st.sampled_from(["1", "2", "0", *BAD]),
            st.sampled_from(["", ",too many", '"']),
        ),
        max_size=25,
    )
)
def test_every_row_is_accounted_for_and_every_order_is_in_or_out_as_a_whole(tmp_path_factory, rows):
    text = [f"{order},{sku},{quantity}{rest}" for order, sku, quantity, rest in rows]
    read = orders_of(tmp_path_factory.mktemp("orders"), *text)

    goods = [row for row in rows if row[3] == ",too many" or (row[1] not in {"POST", "m"} and row[2] != "0")]
    bad = {order for order, _, quantity, rest in goods if rest == ",too many" or quantity in BAD}
    if not any(rest == '"' for *_, rest in rows):
        assert set(numbers(read)) == {order for order, *_ in goods} - bad
        assert {line for line, row in enumerate(rows, 2) if row in goods and row[0] in bad} >= {
            issue.line_number for issue in read.issues
        }
    skipped = read.service_rows_skipped + read.zero_quantity_rows_skipped + read.rows_left_out_with_their_order
    assert read.rows == sum(len(order.lines) for order in read.orders) + len(read.issues) + skipped
    for order in read.orders:
        assert order.number not in {issue.order for issue in read.issues}
