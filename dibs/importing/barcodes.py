"""A barcode names one item: which of the items in a file may have the barcode that the file gives them."""

from collections.abc import Mapping


def refused_barcodes(
    wanted: Mapping[str, str], present: Mapping[str, str | None], owners: Mapping[str, str]
) -> dict[str, str]:
    """The SKUs that may not have the barcode they want, each with the SKU that has it or wanted it earlier.

    `wanted`: barcode by SKU, in the sequence of the file. `present`: the barcode that an item has now. `owners`: the
    item that has a barcode now. An item that gets another barcode in the same file makes room, unless it is refused.
    """
    refused: dict[str, str] = {}
    while True:
        moving = [sku for sku in wanted if sku not in refused and wanted[sku] != present.get(sku)]
        leaving = set(moving)
        holders = {barcode: sku for barcode, sku in owners.items() if sku not in leaving}
        clashes = {sku: holder for sku in moving if (holder := holders.setdefault(wanted[sku], sku)) != sku}
        if not clashes:
            return refused
        refused |= clashes
