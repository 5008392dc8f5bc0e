import csv
import gzip
import lzma
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dibs.importing.files import LINE_CHARS_MAX
from dibs.importing.reading import BrokenRow, parse_map, read_rows
from dibs.importing.refusals import ImportRefused
from tests.importing.files import rows_of, written

HEADINGS = "order,sku,quantity\n"
ROW = {"order": "A1", "sku": "CHAIR", "quantity": "2"}


def refusal(path: Path, **headings: str) -> str:
    with pytest.raises(ImportRefused) as refused:
        list(rows_of(path, **headings))
    return str(refused.value)


def broken(rows: list[tuple[int, dict[str, str] | BrokenRow]]) -> list[tuple[int, str]]:
    return [(line, row.message) for line, row in rows if isinstance(row, BrokenRow)]


@pytest.mark.parametrize(
    ("name", "packed"),
    [("a.csv", bytes), ("a.csv.gz", gzip.compress), ("a.CSV.XZ", lzma.compress), ("a.txt", bytes)],
)
def test_a_file_is_unpacked_by_its_ending(tmp_path, name, packed):
    path = written(tmp_path, packed(f"{HEADINGS}A1,CHAIR,2\n".encode()), name)

    assert list(rows_of(path)) == [(2, ROW)]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_a_byte_order_mark_and_any_newline_are_no_part_of_the_cells(tmp_path, newline):
    path = written(tmp_path, ("\ufeff" + HEADINGS + "A1,CHAIR,2\n").replace("\n", newline))

    assert list(rows_of(path)) == [(2, ROW)]


def test_headings_are_found_in_any_case_and_trimmed_and_other_columns_are_dropped(tmp_path):
    path = written(tmp_path, " ORDER ,Notes,Sku,Menge\nA1,fragile,CHAIR,2\n")

    assert list(rows_of(path, quantity="menge")) == [(2, ROW)]


def test_line_numbers_are_those_of_an_editor_also_after_quoted_newlines_and_blank_lines(tmp_path):
    path = written(tmp_path, f'{HEADINGS}"A\n1","CH\n\nAIR",2\n\nA2,CHAIR,1\n   \nA3,CHAIR,1')

    assert [line for line, _ in rows_of(path)] == [2, 7, 9]


def test_an_optional_column_that_the_file_lacks_is_absent_unless_it_was_mapped(tmp_path):
    path = written(tmp_path, f"{HEADINGS}A1,CHAIR,2\n")

    assert list(read_rows(path, columns={}, required=tuple(ROW), optional=["country"])) == [(2, ROW)]
    with pytest.raises(ImportRefused, match="no column for country \\('Land'\\)"):
        list(read_rows(path, columns={"country": "Land"}, required=tuple(ROW), optional=["country"]))


def test_a_missing_column_is_refused_with_the_headings_found_and_the_map_that_helps(tmp_path):
    path = written(tmp_path, "InvoiceNo,StockCode,quantity\n1,2,3\n")

    assert refusal(path) == (
        "'file.csv' has no column for order, sku. Its headings are 'InvoiceNo', 'StockCode', 'quantity'."
        " Say which is which: --map order=HEADING --map sku=HEADING."
    )


def test_a_file_that_is_separated_by_semicolons_is_refused_by_name(tmp_path):
    assert "separates its columns by ';'" in refusal(written(tmp_path, "order;sku;quantity\nA1;CHAIR;2\n"))


def test_a_heading_that_is_there_twice_is_refused_only_where_it_is_wanted(tmp_path):
    path = written(tmp_path, "order,sku,Sku,quantity,note,note\nA1,CHAIR,x,2,a,b\n")

    assert "has 2 columns headed 'sku'" in refusal(path)
    assert list(read_rows(path, columns={}, required=["order"])) == [(2, {"order": "A1"})]


@pytest.mark.parametrize(
    ("content", "name", "sentence"),
    [
        (b"", "a.csv", "is empty"),
        (gzip.compress(b"", mtime=0), "a.csv.gz", "is empty"),
        (b"\xef\xbb\xbf\n\n", "a.csv", "has no headings"),
        (HEADINGS.encode("utf-16"), "a.csv", "is UTF-16 text"),
        (b"PK\x03\x04\x14\0", "a.csv", "is a workbook"),
        (gzip.compress(HEADINGS.encode(), mtime=0), "a.csv", "ends in .csv.gz"),
        (HEADINGS.encode(), "a.csv.gz", "cannot be read"),
        (HEADINGS.encode(), "a.csv.xz", "cannot be read"),
        (lzma.compress(HEADINGS.encode())[:-20], "a.csv.xz", "it is damaged"),
        (b"\x7fELF\x02\x01\x01\0\0\0\n", "a.csv", "does not look like a CSV file"),
        (b"Auftr\xe4ge,sku,quantity\n", "a.csv", "does not look like a CSV file"),
        (b'"order,sku,quantity\nA1,CHAIR,2\n', "a.csv", "headings of 'a.csv' cannot be read"),
    ],
)
def test_a_file_that_is_no_csv_is_refused_with_a_sentence(tmp_path, content, name, sentence):
    assert sentence in refusal(written(tmp_path, content, name))


def test_a_folder_a_missing_file_and_an_impossible_path_are_refused(tmp_path):
    assert "is a folder" in refusal(tmp_path)
    assert "There is no file" in refusal(tmp_path / "none.csv")
    assert "cannot be opened" in refusal(Path("a\0.csv"))
    assert "cannot be opened" in refusal(Path("a" * 5000))


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (b"A1,CHAIR", "the row has 2 cells where the headings are 3"),
        (b"A1,CHAIR,2,x", "the row has 4 cells where the headings are 3"),
        (b"A1,CH\0AIR,2", "the row contains a NUL byte"),
        (b"A1,CH\xe4IR,2", "the row is not UTF-8 (byte 0xE4)"),
        (b"A1,CH\xed\xa0\x80IR,2", "the row is not UTF-8 (byte 0xED)"),
        (b'A1,"CHAIR"S,2', "text follows a closing quotation mark"),
        (b'A1,"CHAIR,2', "a quotation mark is opened and not closed"),
        (b"A1," + b"x" * 140_000 + b",2", "a cell has more than 131,072 characters"),
        (b"A1," + b",".join([b"x"] * LINE_CHARS_MAX) + b",2", "the line has more than 1,000,000 characters"),
    ],
)
def test_a_broken_row_is_listed_and_the_rows_around_it_are_read(tmp_path, row, message):
    path = written(tmp_path, HEADINGS.encode() + b"A0,CHAIR,1\n" + row + b"\nA2,CHAIR,3\n")

    rows = list(rows_of(path))

    assert [line for line, _ in rows] == [2, 3, 4]
    assert broken(rows)[0][0] == 3
    assert message in broken(rows)[0][1]
    assert rows[2] == (4, {"order": "A2", "sku": "CHAIR", "quantity": "3"})


def test_an_open_quotation_mark_does_not_swallow_the_rows_up_to_the_next_quotation_mark(tmp_path):
    path = written(tmp_path, f'{HEADINGS}A1,"CHAIR,1\nA2,CHAIR,1\nA3,"TABLE, OAK",1\nA4,CHAIR,1\n')

    rows = list(rows_of(path))

    assert [line for line, _ in broken(rows)] == [2]
    assert [row["order"] for _, row in rows if isinstance(row, dict)] == ["A2", "A3", "A4"]


def test_an_empty_row_is_blank_only_without_quotation_marks(tmp_path):
    path = written(tmp_path, f'{HEADINGS}\n  \n""\n"\n"\n')

    assert [line for line, _ in broken(list(rows_of(path)))] == [4, 5, 6]


def test_an_open_quotation_mark_in_a_long_file_costs_one_row(tmp_path):
    path = written(tmp_path, HEADINGS + 'A0,"CHAIR,1\n' + "A1,CHAIR,1\n" * 500)

    rows = list(rows_of(path))

    assert len(rows) == 501
    assert len(broken(rows)) == 1


def test_a_damaged_archive_is_refused_though_its_first_rows_were_read(tmp_path):
    data = lzma.compress((HEADINGS + "".join(f"{os.urandom(8).hex()},CHAIR,1\n" for _ in range(20_000))).encode())
    path = written(tmp_path, data[: len(data) // 2], "a.csv.xz")
    rows = rows_of(path)
    next(rows)

    with pytest.raises(ImportRefused, match="damaged or incomplete"):
        list(rows)


def test_progress_counts_the_bytes_on_disk_and_ends_at_all_of_them(tmp_path):
    path = written(tmp_path, gzip.compress((HEADINGS + "A1,CHAIR,1\n" * 5_000).encode()), "a.csv.gz")
    told: list[tuple[int, int]] = []

    list(read_rows(path, columns={}, required=["order"], progress=lambda *bytes_: told.append(bytes_)))

    size = path.stat().st_size
    assert {total for _, total in told} == {size}
    assert told == sorted(told)
    assert told[-1] == (size, size)


def test_a_map_names_columns_and_keeps_what_follows_the_first_equals_sign():
    assert parse_map(["order=InvoiceNo", " sku = a=b "], ["order", "sku"]) == {"order": "InvoiceNo", "sku": "a=b"}


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["order"], "--map 'order' is not understood: write NAME=HEADING"),
        (["order="], "is not understood"),
        (["=InvoiceNo"], "is not understood"),
        (["colour=Colour"], "--map knows no column 'colour': the columns are order, sku."),
        (["order=A", "order=B"], "--map names the column order twice: 'A' and 'B'."),
    ],
)
def test_a_map_that_makes_no_sense_is_refused(values, sentence):
    with pytest.raises(ImportRefused) as refused:
        parse_map(values, ["order", "sku"])

    assert sentence in str(refused.value)


@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.binary(max_size=300).map(HEADINGS.encode().__add__),
        st.text(alphabet='A1",\n\r ', max_size=200).map(lambda text: (HEADINGS + text).encode()),
    ),
    ending=st.sampled_from(["csv", "csv.gz", "csv.xz"]),
    pack=st.booleans(),
)
def test_no_bytes_at_all_raise_anything_but_a_refusal(tmp_path_factory, content, ending, pack):
    packed = {"csv": bytes, "csv.gz": gzip.compress, "csv.xz": lzma.compress}[ending](content) if pack else content
    path = written(tmp_path_factory.mktemp("any"), packed, f"a.{ending}")

    try:
        lines = [line for line, _ in rows_of(path)]
    except ImportRefused:
        return
    assert lines == sorted(set(lines))


@given(st.lists(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=3, max_size=3)))
def test_every_row_that_a_csv_writer_wrote_comes_back(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("written") / "a.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["order", "sku", "quantity"], *rows])

    assert [list(row.values()) for _, row in rows_of(path) if isinstance(row, dict)] == rows
