import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dibs.importing.refusals import ImportRefused, RowIssue
from dibs.importing.stock import ImportedStock, read_stock
from tests.importing.files import written


def stock_of(folder, *rows: str, headings: str = "sku,location,on_hand") -> list[ImportedStock | RowIssue]:
    return list(read_stock(written(folder, "\n".join([headings, *rows, ""]))))


def test_a_row_becomes_an_item_at_a_location(tmp_path):
    rows = stock_of(
        tmp_path,
        " CHAIR ,Oak chair, 501 ,LEEDS,Leeds warehouse,7",
        headings="sku,name,barcode,location,location_name,on_hand",
    )

    assert rows == [
        ImportedStock(
            line_number=2,
            sku="CHAIR",
            name="Oak chair",
            barcode="501",
            location="LEEDS",
            location_name="Leeds warehouse",
            on_hand=7,
        )
    ]


@pytest.mark.parametrize("on_hand", [0, 1, 1_000_000_000])
def test_three_columns_are_enough_and_nothing_on_hand_is_stock_too(tmp_path, on_hand):
    (stock,) = stock_of(tmp_path, f"CHAIR,LEEDS,{on_hand}")

    assert isinstance(stock, ImportedStock)
    assert (stock.on_hand, stock.name, stock.barcode, stock.location_name) == (on_hand, None, None, None)


def test_the_same_item_at_the_same_location_twice_is_an_issue_that_names_the_first_line(tmp_path):
    rows = stock_of(tmp_path, "CHAIR,LEEDS,1", "CHAIR,YORK,2", " CHAIR,LEEDS ,3", "chair,LEEDS,4", "CHAIR,LEEDS,5")

    issues = [row for row in rows if isinstance(row, RowIssue)]
    assert [(issue.line_number, "those of line 2" in issue.message) for issue in issues] == [(4, True), (6, True)]
    assert [row.on_hand for row in rows if isinstance(row, ImportedStock)] == [1, 2, 4]


def test_a_bad_row_does_not_take_the_place_of_a_good_one(tmp_path):
    bad, good = stock_of(tmp_path, "CHAIR,LEEDS,-1", "CHAIR,LEEDS,5")

    assert bad == RowIssue(line_number=2, order=None, message="on_hand '-1' is negative")
    assert isinstance(good, ImportedStock)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (",LEEDS,1,", "sku is empty"),
        ("CHAIR,,1,", "location is empty"),
        (f"{'C' * 101},LEEDS,1,", "has more than 100 characters"),
        (f"CHAIR,{'L' * 101},1,", "has more than 100 characters"),
        ("CHAIR,LEEDS,,", "on_hand is empty"),
        ("CHAIR,LEEDS,1.5,", "on_hand '1.5' is not a whole number"),
        ("CHAIR,LEEDS,1000000001,", "is more than 1,000,000,000"),
        (f"CHAIR,LEEDS,1,{'5' * 101}", "barcode"),
        ("CHAIR,LEEDS,1", "the row has 3 cells where the headings are 4"),
    ],
)
def test_a_bad_row_is_listed_and_the_next_one_is_read(tmp_path, row, message):
    first, second = stock_of(tmp_path, row, "TABLE,LEEDS,2,", headings="sku,location,on_hand,barcode")

    assert isinstance(first, RowIssue)
    assert message in first.message
    assert isinstance(second, ImportedStock)


def test_a_file_without_its_columns_is_refused(tmp_path):
    with pytest.raises(ImportRefused, match="no column for location, on_hand"):
        stock_of(tmp_path, headings="sku,quantity")


def test_headings_can_be_mapped_and_rows_come_while_the_file_is_read(tmp_path):
    text = "Artikel,Lager,Menge\n" + "".join(f"SKU-{number},LEEDS,{number}\n" for number in range(3_000))
    path = written(tmp_path, gzip.compress(text.encode()), "stock.csv.gz")
    told: list[tuple[int, int]] = []
    columns = {"sku": "Artikel", "location": "Lager", "on_hand": "Menge"}

    rows = read_stock(path, columns=columns, progress=lambda *bytes_: told.append(bytes_))

    assert isinstance(next(rows), ImportedStock)
    assert len(told) == 1
    assert len(list(rows)) == 2_999
    assert told[-1][0] == told[-1][1]


@given(
    st.lists(st.tuples(st.sampled_from(["A", "B", ""]), st.sampled_from(["X", "Y"]), st.sampled_from(["0", "5", "-1"])))
)
def test_every_row_is_stock_or_an_issue_and_no_place_is_filled_twice(tmp_path_factory, rows):
    read = stock_of(tmp_path_factory.mktemp("stock"), *map(",".join, rows))

    assert [row.line_number for row in read] == list(range(2, len(rows) + 2))
    stock = [(row.sku, row.location) for row in read if isinstance(row, ImportedStock)]
    assert len(stock) == len(set(stock))
    assert set(stock) == {(sku, location) for sku, location, on_hand in rows if sku and on_hand != "-1"}
