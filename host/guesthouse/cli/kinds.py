"""What an option's text may be, and the sentence for whoever typed something else."""

import os
import re
from argparse import ArgumentTypeError
from collections.abc import Callable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final

from guesthouse.abi.contract import MAX_NAME_LENGTH
from guesthouse.model.capability import Grant, Secret
from guesthouse.model.grants import parse_grant

_MAX_PORT: Final = 65_535
_ADDRESS: Final = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\[\]:]+):([0-9]{1,5})")
_AGE: Final = re.compile(r"([0-9]{1,9})(s|m|h|d)")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Take whole numbers between bounds."""

    def parse_number(text: str) -> int:
        digits = text.replace("_", "").replace(",", "")
        is_number = digits.isascii() and digits.isdigit() and len(digits) <= len(str(high))
        if not is_number or not low <= int(digits) <= high:
            raise ArgumentTypeError(f"{text[:40]!r} isn't a whole number from {low:,} to {high:,}")
        return int(digits)

    return parse_number


def grant(text: str) -> Grant:
    """Take a URL and what lies below it."""
    try:
        return Grant.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def grant_text(text: str) -> str:
    """Take a grant as it is stored: a URL, methods before it if need be."""
    try:
        parse_grant(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None
    return text


def network(text: str) -> IPv4Network | IPv6Network:
    """Take a range of addresses."""
    try:
        return ip_network(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{error}; give a network such as 127.0.0.0/8") from None


def secret(text: str) -> Secret:
    """Take ``NAME=VALUE``, or ``NAME`` for a variable of the environment; what is wrong is said without the value."""
    name, equals, value = text.partition("=")
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise ArgumentTypeError("a secret is given as NAME=VALUE, or as NAME, which is then read from the environment")
    if not equals:
        found = os.environ.get(name)
        if found is None:
            raise ArgumentTypeError(f"there is no {name[:40]!r} in the environment; give NAME=VALUE")
        value = found
    return Secret(name=name, value=value)


def setting(text: str) -> tuple[str, str]:
    """Take ``NAME=VALUE``."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ArgumentTypeError(f"{text[:60]!r} isn't NAME=VALUE")
    return name, value


def address(text: str) -> tuple[str, int]:
    """Take ``HOST:PORT``, with IPv6 addresses in brackets."""
    found = _ADDRESS.fullmatch(text)
    if not found or int(found[2]) > _MAX_PORT:
        raise ArgumentTypeError(f"{text[:60]!r} isn't HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080")
    return found[1].strip("[]"), int(found[2])


def age(text: str) -> int:
    """Take a time that has passed, such as ``90s``, ``15m``, ``2h``, ``3d``, as milliseconds."""
    found = _AGE.fullmatch(text)
    if not found:
        raise ArgumentTypeError(f"{text[:40]!r} isn't an age such as 90s, 15m, 2h or 3d")
    return int(found[1]) * _SECONDS[found[2]] * 1_000
