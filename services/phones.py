"""Phone numbers: checked, and kept as E.164 has them."""

from domain.checks import CODE_LENGTH_MAX, Path, Problems


def checked_phone(problems: Problems, value: str | None, path: Path, country: str | None) -> str | None:
    """The number in E.164. `country`: the one whose people write it without a country code."""
    value = problems.optional_text(value, path, CODE_LENGTH_MAX)
    if not value:
        return None
    found = _e164(value, country)
    if found is None:
        told = 'This is no phone number: write it with "+" and the country code'
        told += "." if country else ", or give the address a countryCode."
        problems.add(path, "NOT_A_PHONE_NUMBER", told)
    return found or value


def _e164(value: str, country: str | None) -> str | None:
    """Whether a number of that length can be is checked; whether anybody has it, only a call can tell."""
    import phonenumbers  # it takes a tenth of a second, which only those pay who give a number

    try:
        number = phonenumbers.parse(value, country)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_possible_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
