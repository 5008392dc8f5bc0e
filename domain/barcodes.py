"""Numbers that are scanned: GTINs on goods, SSCCs on parcels, and whether a scan is the item that is meant. Pure.

As the GS1 General Specifications have it, sections 2.1 (GTIN), 2.2 (SSCC) and 7.9 (check digits).
"""

GTIN_LENGTHS = (8, 12, 13, 14)
SSCC_LENGTH = 18
COMPANY_PREFIX_LENGTHS = range(7, 11)
"""Of the company prefixes from which an SSCC is made here, in digits."""


def check_digit(body: str) -> int:
    """The digit that closes a number of GS1 whose other digits are these."""
    if not is_number(body):
        raise ValueError(f"a number of GS1 has digits only, not {body!r}")
    weighted = sum(int(digit) * (1 if index % 2 else 3) for index, digit in enumerate(reversed(body)))
    return -weighted % 10


def is_number(text: str) -> bool:
    """Digits 0 to 9, at least one, and nothing else; digits of other scripts are none."""
    return text.isascii() and text.isdigit()


def is_gtin(text: str) -> bool:
    """A GTIN-8, GTIN-12 (UPC-A), GTIN-13 (EAN-13) or GTIN-14 with the right check digit."""
    return len(text) in GTIN_LENGTHS and _closes(text)


def is_sscc(text: str) -> bool:
    return len(text) == SSCC_LENGTH and _closes(text)


def sscc(extension: int, company_prefix: str, serial: int) -> str:
    """The SSCC-18 of a parcel. ValueError where the parts make none: whoever calls has checked them."""
    if not 0 <= extension <= 9:
        raise ValueError(f"an extension digit is 0 to 9, not {extension}")
    if len(company_prefix) not in COMPANY_PREFIX_LENGTHS or not is_number(company_prefix):
        raise ValueError(f"a company prefix has 7 to 10 digits, unlike {company_prefix!r}")
    if not 0 <= serial < serials(company_prefix):
        raise ValueError(f"a serial reference beside {company_prefix} is below {serials(company_prefix)}, not {serial}")
    body = f"{extension}{company_prefix}{serial:0{SSCC_LENGTH - 2 - len(company_prefix)}}"
    return f"{body}{check_digit(body)}"


def serials(company_prefix: str) -> int:
    """How many serial references there are beside this prefix: 0 up to one less."""
    return int(10 ** (SSCC_LENGTH - 2 - len(company_prefix)))


def same_barcode(scanned: str, known: str) -> bool:
    """Whether the scan is the barcode that is known.

    A GTIN is the same number with or without the zeros that lead it, which scanners add and drop. Anything that is no
    GTIN has to match character by character.
    """
    if scanned == known:
        return True
    return is_gtin(scanned) and is_gtin(known) and scanned.zfill(14) == known.zfill(14)


def _closes(text: str) -> bool:
    return is_number(text) and check_digit(text[:-1]) == int(text[-1])
