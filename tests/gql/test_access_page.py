"""The tables of the page about access are what the script makes of the code."""

from docs.make_access import PAGE, page


def test_the_page_is_what_the_script_writes():
    written = PAGE.read_text(encoding="utf-8")

    assert written == page(written)
