"""Items, locations and channels: saved by natural key, so saving twice is saving once."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.checks import PRIORITY_MAX, Path, Problems
from domain.ids import ChannelId, ItemId, LocationId, Sku
from domain.kinds import SourcingRule
from domain.sourcing import BY_RANK
from domain.stock import Component
from services.order_input import checked_address, wire_name
from services.outcomes import to_json
from services.ports.catalog import BundleConflict
from services.ports.database import Database
from services.ports.unit_of_work import UnitOfWork

COMPONENTS_MAX = 100
EXPIRES_AFTER_MINUTES_MAX = 527_040
"""A leap year."""
UNITS_MAX = 10_000
"""The most units of a component in one bundle."""

CONFLICTS = {
    BundleConflict.HAS_STOCK: (
        "HAS_STOCK",
        "A bundle has no stock of its own, and this item has a stock level or is expected: use another SKU.",
    ),
    BundleConflict.IS_COMPONENT: ("NOT_ALLOWED", "This item is a component of a bundle, so it cannot be one."),
    BundleConflict.HAS_BUNDLE: ("NOT_ALLOWED", "A component cannot be a bundle itself: name its components instead."),
}


async def save_items(database: Database, rows: Sequence[Mapping[str, Any]]) -> list[ItemId]:
    """Create or update items by `sku`; a key that is absent from a row keeps its value. Raises InvalidInput.

    `components`: SKU and units of each, None or nothing for an item that is no bundle.
    """
    problems, path = Problems(), ("input", "items")
    problems.size(len(rows), path)
    checked = [_item(problems, row, (*path, str(index))) for index, row in enumerate(rows)]
    problems.distinct((row["sku"] for row in checked), path, "Each SKU may stand here once.")
    problems.distinct((row.get("barcode") for row in checked), path, "Each barcode may stand here once.")
    problems.refuse()

    async def work(uow: UnitOfWork) -> list[ItemId]:
        if any("components" in row for row in checked):
            await uow.catalog.lock_components()
        await _require_names(uow, checked)
        await _refuse_taken_barcodes(uow, checked)
        plain = [{name: value for name, value in row.items() if name != "components"} for row in checked]
        saved = await uow.catalog.save_items(plain)
        await _save_components(uow, checked, saved)
        return saved

    return await database.run(work, repeatable=True)


async def save_locations(database: Database, rows: Sequence[Mapping[str, Any]]) -> list[LocationId]:
    """Create or update locations by `code`; a key that is absent from a row keeps its value. Raises InvalidInput."""
    problems, path = Problems(), ("input", "locations")
    problems.size(len(rows), path)
    checked = [_location(problems, row, (*path, str(index))) for index, row in enumerate(rows)]
    problems.distinct((row["code"] for row in checked), path, "Each code may stand here once.")
    problems.refuse()

    async def work(uow: UnitOfWork) -> list[LocationId]:
        known = {location.code for location in await uow.catalog.locations()}
        missing = Problems()
        for index, row in enumerate(checked):
            if "name" not in row and row["code"] not in known:
                missing.add((*path, str(index), "name"), "REQUIRED", "A new location needs a name.")
        missing.refuse()
        return await uow.catalog.save_locations(checked)

    return await database.run(work, repeatable=True)


async def save_channels(database: Database, rows: Sequence[Mapping[str, Any]]) -> list[ChannelId]:
    """Create or update channels by `code`; a key that is absent from a row keeps its value. Raises InvalidInput.

    `locations`: codes, None for all; `sourcing`: rules, None for those of a new channel.
    """
    problems, path = Problems(), ("input", "channels")
    problems.size(len(rows), path)
    checked = [_channel(problems, row, (*path, str(index))) for index, row in enumerate(rows)]
    problems.distinct((row["code"] for row in checked), path, "Each code may stand here once.")
    problems.refuse()

    async def work(uow: UnitOfWork) -> list[ChannelId]:
        known = {channel.code for channel in await uow.catalog.channels()}
        places = {location.code: location.id for location in await uow.catalog.locations()}
        missing = Problems()
        saved = []
        for index, row in enumerate(checked):
            if "name" not in row and row["code"] not in known:
                missing.add((*path, str(index), "name"), "REQUIRED", "A new channel needs a name.")
            saved.append(_with_location_ids(missing, row, places, (*path, str(index), "locations")))
        missing.refuse()
        return await uow.catalog.save_channels(saved)

    return await database.run(work, repeatable=True)


def _channel(problems: Problems, row: Mapping[str, Any], path: Path) -> dict[str, Any]:
    checked: dict[str, Any] = {"code": problems.code(row["code"], (*path, "code"))}
    if "name" in row:
        checked["name"] = _required(problems, row["name"], (*path, "name"))
    if "sourcing" in row:
        rules = BY_RANK.rules if row["sourcing"] is None else row["sourcing"]
        problems.size(len(rules), (*path, "sourcing"), len(SourcingRule))
        problems.distinct(rules, (*path, "sourcing"), "Each rule may stand here once.")
        checked["sourcing"] = list(rules)
    if "split_lines" in row:
        if row["split_lines"] is None:
            problems.add((*path, "splitLines"), "REQUIRED", "This cannot be cleared: leave it out to keep it.")
        checked["split_lines"] = row["split_lines"]
    if "releases_by_itself" in row:
        if row["releases_by_itself"] is None:
            problems.add((*path, "releasesByItself"), "REQUIRED", "This cannot be cleared: leave it out to keep it.")
        checked["releases_by_itself"] = row["releases_by_itself"]
    if "paid_on_arrival" in row:
        if row["paid_on_arrival"] is None:
            problems.add((*path, "paidOnArrival"), "REQUIRED", "This cannot be cleared: leave it out to keep it.")
        checked["paid_on_arrival"] = row["paid_on_arrival"]
    expires = "unpaid_orders_expire_after_minutes"
    if expires in row:
        if row[expires] is not None:
            problems.whole(row[expires], (*path, "unpaidOrdersExpireAfterMinutes"), 1, EXPIRES_AFTER_MINUTES_MAX)
        checked[expires] = row[expires]
    if "locations" in row:
        codes = row["locations"]
        at = (*path, "locations")
        if codes is not None:
            problems.size(len(codes), at, least=0)
            problems.distinct(codes, at, "Each location may stand here once.")
            codes = [problems.code(code, (*at, str(index))) for index, code in enumerate(codes)]
        checked["locations"] = codes
    return checked


def _with_location_ids(
    problems: Problems, row: Mapping[str, Any], places: Mapping[str, LocationId], path: Path
) -> dict[str, Any]:
    if "locations" not in row:
        return dict(row)
    codes = row["locations"]
    for index, code in enumerate(codes or ()):
        if code not in places:
            problems.add((*path, str(index)), "UNKNOWN", "There is no location of this code.")
    ids = None if codes is None else sorted(places[code] for code in codes if code in places)
    return {name: value for name, value in row.items() if name != "locations"} | {"location_ids": ids}


def _item(problems: Problems, row: Mapping[str, Any], path: Path) -> dict[str, Any]:
    checked: dict[str, Any] = {"sku": problems.code(row["sku"], (*path, "sku"))}
    if "name" in row:
        checked["name"] = _required(problems, row["name"], (*path, "name"))
    if "barcode" in row:
        checked["barcode"] = problems.optional_text(row["barcode"], (*path, "barcode"), 100)
    if "components" in row:
        parts = row["components"] or ()
        checked["components"] = _checked_components(problems, checked["sku"], parts, (*path, "components"))
    return checked


def _checked_components(
    problems: Problems, bundle: str, parts: Sequence[tuple[str, int]], path: Path
) -> list[tuple[str, int]]:
    problems.size(len(parts), path, COMPONENTS_MAX, least=0)
    checked = [
        (problems.code(sku, (*path, str(at), "sku")), problems.whole(units, (*path, str(at), "units"), 1, UNITS_MAX))
        for at, (sku, units) in enumerate(parts)
    ]
    problems.distinct((sku for sku, _ in checked), path, "Each component may stand here once, with all its units.")
    for at, (sku, _) in enumerate(checked):
        if sku == bundle:
            problems.add((*path, str(at), "sku"), "NOT_ALLOWED", "A bundle cannot be a component of itself.")
    return checked


async def _save_components(uow: UnitOfWork, rows: Sequence[Mapping[str, Any]], saved: Sequence[ItemId]) -> None:
    """Raises InvalidInput, after which everything is rolled back."""
    made = [
        (at, item, row["components"])
        for at, (row, item) in enumerate(zip(rows, saved, strict=True))
        if "components" in row
    ]
    if not made:
        return
    items = await uow.catalog.items_by_sku([sku for *_, parts in made for sku, _ in parts])
    problems = Problems()
    for at, _, parts in made:
        for index, (sku, _) in enumerate(parts):
            if sku not in items:
                path = ("input", "items", str(at), "components", str(index), "sku")
                problems.add(path, "UNKNOWN", "There is no item of this SKU.")
    problems.refuse()
    components = {
        item: tuple(Component(item=items[Sku(sku)], sku=Sku(sku), units=units) for sku, units in parts)
        for _, item, parts in made
    }
    positions = {item: at for at, item, _ in made}
    for item, conflict in await uow.catalog.save_components(components):
        problems.add(("input", "items", str(positions[item]), "components"), *CONFLICTS[conflict])
    problems.refuse()


HOURS_MAX = 24 * 365
KEPT = {
    "kind": "kind",
    "rank": "rank",
    "handling_hours": "handling_hours",
    "transit_hours": "transit_hours",
    "requires_quality_check": "checks_quality",
}
"""What a location always has, by where it is kept."""


def _location(problems: Problems, row: Mapping[str, Any], path: Path) -> dict[str, Any]:
    checked: dict[str, Any] = {"code": problems.code(row["code"], (*path, "code"))}
    if "name" in row:
        checked["name"] = _required(problems, row["name"], (*path, "name"))
    for name, column in KEPT.items():
        if name in row:
            if row[name] is None:
                problems.add((*path, wire_name(name)), "REQUIRED", "This cannot be cleared: leave it out to keep it.")
            checked[column] = row[name]
    for name in ("handling_hours", "transit_hours"):
        if checked.get(name) is not None:
            problems.whole(checked[name], (*path, wire_name(name)), 0, HOURS_MAX)
    if checked.get("rank") is not None:
        problems.whole(checked["rank"], (*path, "rank"), -PRIORITY_MAX, PRIORITY_MAX)
    if "address" in row:
        given = row["address"]
        checked["address"] = None if given is None else to_json(checked_address(problems, given, (*path, "address")))
    if "region" in row:
        checked["region"] = problems.optional_text(row["region"], (*path, "region"), 100)
    if "country_code" in row:
        checked["country_code"] = problems.country(row["country_code"], (*path, "countryCode"))
    for name, most in (("latitude", 90), ("longitude", 180)):
        if name in row:
            checked[name] = problems.coordinate(row[name], (*path, name), most)
    return checked


def _required(problems: Problems, value: str | None, path: Path) -> str:
    return problems.text(value or "", path)


async def _require_names(uow: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    nameless = [row["sku"] for row in rows if "name" not in row]
    known = await uow.catalog.items_by_sku(nameless)
    problems = Problems()
    for index, row in enumerate(rows):
        if "name" not in row and row["sku"] not in known:
            problems.add(("input", "items", str(index), "name"), "REQUIRED", "A new item needs a name.")
    problems.refuse()


async def _refuse_taken_barcodes(uow: UnitOfWork, rows: Sequence[Mapping[str, Any]]) -> None:
    """A barcode names one item. It may move between items of one call only by being cleared first."""
    wanted = {row["barcode"]: (index, row["sku"]) for index, row in enumerate(rows) if row.get("barcode")}
    problems = Problems()
    for barcode, owner in (await uow.catalog.skus_with_barcodes(list(wanted))).items():
        index, sku = wanted[barcode]
        if sku != owner:
            path = ("input", "items", str(index), "barcode")
            problems.add(path, "DUPLICATE", f"The item {owner} has this barcode.")
    problems.refuse()
