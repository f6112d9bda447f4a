"""Who asks: write keys of ingestion calls and bearer tokens of the control API."""

import binascii
from base64 import b64decode
from typing import Final

MAX_KEY: Final = 256
"""Characters of a key or token; longer ones are no key of ours."""
_BASIC: Final = b"basic "
_BEARER: Final = b"bearer "


def basic_key(authorization: bytes) -> str | None:
    """Read a write key from ``Basic base64(key + ":")``, the colon and the padding being optional; None without one."""
    if authorization[: len(_BASIC)].lower() != _BASIC:
        return None
    encoded = authorization[len(_BASIC) :].strip()
    if len(encoded) > 2 * MAX_KEY:
        return None
    try:
        text = b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    return usable(text.partition(":")[0])


def bearer_token(authorization: bytes) -> str | None:
    """Read a token from ``Bearer token``; None without one."""
    if authorization[: len(_BEARER)].lower() != _BEARER:
        return None
    return usable(authorization[len(_BEARER) :].strip().decode("latin-1"))


def usable(key: str | None) -> str | None:
    """Give a key back that may be one: not empty, not endless, of printable ASCII."""
    if not key or len(key) > MAX_KEY or not key.isascii() or not key.isprintable():
        return None
    return key
