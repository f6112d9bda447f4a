"""Identifiers: a prefix that says what they name, then time and chance, so that they sort by age.

The body is 26 characters of Crockford's base 32, lower case: 48 bits of milliseconds since 1970, 80 random bits.
Source: https://github.com/ulid/spec.
"""

import os
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26
_RANDOM_BITS = 80
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_SHIFTS = range(10 * (_LENGTH // 2 - 1), -1, -10)


def new_id(prefix: str, *, now_ms: int | None = None) -> str:
    """Give a new identifier such as ``evt_01j9...``; *now_ms* defaults to the machine's clock."""
    return new_ids(prefix, 1, now_ms=now_ms)[0]


def new_ids(prefix: str, count: int, *, now_ms: int | None = None) -> list[str]:
    """Give *count* new identifiers in ascending order; those of one call differ in their last bits only."""
    if not count:
        return []
    now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
    # The top random bit stays clear, so that counting up from there never reaches the time.
    first = now << _RANDOM_BITS | int.from_bytes(os.urandom(_RANDOM_BITS // 8)) >> 1
    return [
        f"{prefix}_{''.join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])}"
        for number in range(first, first + count)
    ]
