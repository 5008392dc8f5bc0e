"""The page that customers see, in a real browser: it looks as it should, and asks for nothing else."""

from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.processes import Serving
from tests.builders import a_key
from tests.clients.browser import Tab, browsing

PLACE = """mutation ($input: PlaceOrderInput!) { placeOrder(input: $input) {
  ... on PlaceOrderSuccess { order { trackingUrl } } ... on UserError { message } } }"""
DARK = [{"name": "prefers-color-scheme", "value": "dark"}]
IS_THERE = "document.querySelector('h1')"


def link(shop: Serving, channel: str) -> str:
    """The address of a new order, at the port where the shop really is."""
    order = {
        "channel": channel,
        "number": "1001",
        "lines": [{"sku": "CHAIR", "quantity": 2}],
        "shipTo": {"city": "Ørsta" + "x" * 200, "countryCode": "NO"},
        "idempotencyKey": a_key(),
    }
    placed = shop.ask(PLACE, input=order).json()["data"]["placeOrder"]["order"]
    base = shop.address.removesuffix("/graphql")
    return base + str(placed["trackingUrl"]).removeprefix("http://127.0.0.1")


def look(tab: Tab, selector: str, what: str) -> Any:
    return tab.run(f"getComputedStyle(document.querySelector('{selector}')).{what}")


def luminance(color: str) -> float:
    """Of `rgb(r, g, b)`, as WCAG has it."""
    parts = (int(part) / 255 for part in color[color.index("(") + 1 : -1].split(",")[:3])
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a4_the_page_has_its_style_in_spite_of_its_policy_and_can_be_read(
    shop: Serving, channel: str, tmp_path: Path, scheme: str
):
    with browsing(link(shop, channel), tmp_path, IS_THERE) as tab:
        tab.do("Emulation.setEmulatedMedia", features=DARK if scheme == "dark" else [])
        card, page = look(tab, ".card", "backgroundColor"), look(tab, "body", "backgroundColor")
        texts = [look(tab, one, "color") for one in ("h1", ".order", ".stages .to-come", "dt", ".when")]
        radius = look(tab, ".card", "borderRadius")
        others = tab.run("performance.getEntriesByType('resource').map((one) => one.name)")
        problems = tab.problems

    assert radius == "12px"
    assert (luminance(page) > 0.5) == (scheme == "light")
    for color in texts:
        dark, light = sorted((luminance(color), luminance(card)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, "too pale for WCAG AA"
    assert others == []
    assert problems == []


def test_the_page_fits_a_phone_whatever_is_in_it(shop: Serving, channel: str, tmp_path: Path):
    with browsing(link(shop, channel), tmp_path, IS_THERE) as tab:
        tab.do("Emulation.setDeviceMetricsOverride", width=320, height=600, deviceScaleFactor=2, mobile=True)
        wide = tab.run("document.documentElement.scrollWidth")
        headings = tab.run("[...document.querySelectorAll('h1, h2')].map((one) => one.tagName)")

    assert wide == 320
    assert headings[0] == "H1"
    assert set(headings[1:]) == {"H2"}
