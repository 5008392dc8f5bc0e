"""Items and locations: saved by natural key, so saving twice is saving once."""

from collections.abc import Mapping, Sequence
from typing import Any

from domain.checks import PRIORITY_MAX, Path, Problems
from domain.ids import ItemId, LocationId
from services.ports import Database, UnitOfWork


async def save_items(database: Database, rows: Sequence[Mapping[str, Any]]) -> list[ItemId]:
    """Create or update items by `sku`; a key that is absent from a row keeps its value. Raises InvalidInput."""
    problems, path = Problems(), ("input", "items")
    problems.size(len(rows), path)
    checked = [_item(problems, row, (*path, str(index))) for index, row in enumerate(rows)]
    problems.distinct((row["sku"] for row in checked), path, "Each SKU may stand here once.")
    problems.distinct((row.get("barcode") for row in checked), path, "Each barcode may stand here once.")
    problems.refuse()

    async def work(uow: UnitOfWork) -> list[ItemId]:
        await _require_names(uow, checked)
        await _refuse_taken_barcodes(uow, checked)
        return await uow.catalog.save_items(checked)

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


def _item(problems: Problems, row: Mapping[str, Any], path: Path) -> dict[str, Any]:
    checked: dict[str, Any] = {"sku": problems.code(row["sku"], (*path, "sku"))}
    if "name" in row:
        checked["name"] = _required(problems, row["name"], (*path, "name"))
    if "barcode" in row:
        checked["barcode"] = problems.optional_text(row["barcode"], (*path, "barcode"), 100)
    return checked


def _location(problems: Problems, row: Mapping[str, Any], path: Path) -> dict[str, Any]:
    checked: dict[str, Any] = {"code": problems.code(row["code"], (*path, "code"))}
    if "name" in row:
        checked["name"] = _required(problems, row["name"], (*path, "name"))
    for name in ("kind", "rank"):
        if name in row:
            if row[name] is None:
                problems.add((*path, name), "REQUIRED", "This cannot be cleared: leave it out to keep it.")
            checked[name] = row[name]
    if checked.get("rank") is not None:
        problems.whole(checked["rank"], (*path, "rank"), -PRIORITY_MAX, PRIORITY_MAX)
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
