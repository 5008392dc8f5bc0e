"""How an API key's secret is written: `dibs_<mark>_<secret><checksum>`.

The mark is the key's and no secret: it says which key is meant, in lists and in logs. The checksum tells a secret that
was mistyped or cut from one that is unknown, without asking anybody, and lets scanners tell ours from other texts.
"""

import binascii
import re
import string

DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
MARK_LENGTH = 10
SECRET_BYTES = 32
SECRET_LENGTH = 43
"""Digits of 32 bytes."""
CHECKSUM_LENGTH = 6

_shape = re.compile(rf"dibs_[0-9A-Za-z]{{{MARK_LENGTH}}}_[0-9A-Za-z]{{{SECRET_LENGTH + CHECKSUM_LENGTH}}}")


def written(mark: str, secret: bytes) -> str:
    """The secret as callers present it."""
    body = f"dibs_{mark}_{_digits(int.from_bytes(secret), SECRET_LENGTH)}"
    return body + _checksum(body)


def is_mistyped(presented: str) -> bool:
    """Whether it has the shape of such a secret, and cannot be one. Secrets of other shapes are somebody's own."""
    if not _shape.fullmatch(presented):
        return False
    return _checksum(presented[:-CHECKSUM_LENGTH]) != presented[-CHECKSUM_LENGTH:]


def _checksum(body: str) -> str:
    return _digits(binascii.crc32(body.encode()), CHECKSUM_LENGTH)


def _digits(number: int, length: int) -> str:
    digits = ""
    for _ in range(length):
        number, digit = divmod(number, len(DIGITS))
        digits = DIGITS[digit] + digits
    return digits
