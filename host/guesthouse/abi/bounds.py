"""The one look that every message from a guest gets before it is decoded: small, flat and plain enough.

Bytes alone bound neither time nor memory: 1 MiB of empty maps is a million objects, and a thousand arrays inside one
another exhaust the stack of whatever touches them next. So the look walks over the tokens without making any value,
and stops at the first fault. A message that passes is a map, holds a bounded number of values at most `MAX_DEPTH`
deep, has only text as keys (whole numbers can be chosen to collide in a hash table), only finite numbers, no extension
types, and nothing behind its end. The walk takes about 0.1 us a value and looks at no more values than are allowed.

Format: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from collections.abc import Generator
from typing import Final

from guesthouse.abi.contract import MAX_DEPTH
from guesthouse.errors import BrokenContract

_SHORT_MAPS: Final = range(0x80, 0x90)
_SHORT_ARRAYS: Final = range(0x90, 0xA0)
_SHORT_TEXT: Final = range(0xA0, 0xC0)
_BINARY: Final = range(0xC4, 0xC7)
_REFUSED: Final = {
    0xC1: "a byte that MessagePack never uses",
    **dict.fromkeys((*range(0xC7, 0xCA), *range(0xD4, 0xD9)), "an extension type"),
}
_TEXT_8: Final = 0xD9
_LONG_TEXT: Final = range(0xD9, 0xDC)
_ARRAYS: Final = frozenset((*_SHORT_ARRAYS, 0xDC, 0xDD))
_MAPS: Final = frozenset((*_SHORT_MAPS, 0xDE, 0xDF))
_CONTAINERS: Final = _ARRAYS | _MAPS

_TEXT_SIZES: Final = [first - 0x9F if first in _SHORT_TEXT else 0 for first in range(256)]
_SIZES: Final = _TEXT_SIZES.copy()
"""Bytes that a token takes whose first byte says it all; 0 for every other first byte."""
for _first in (*range(0x80), 0xC0, 0xC2, 0xC3, *range(0xE0, 0x100)):
    _SIZES[_first] = 1
_SIZES[0xCC:0xD4] = [2, 3, 5, 9, 2, 3, 5, 9]
_LENGTH_BYTES: Final[dict[int, int]] = dict(zip((*_BINARY, *_LONG_TEXT), (1, 2, 4, 1, 2, 4), strict=True))
"""Bytes after the first one that hold the length of a str or bin."""
_EXPONENTS: Final = {0xCA: (0x7F80, 5), 0xCB: (0x7FF0, 9)}
"""Bits that are all set, in the first two bytes after it, where a float is not finite; and how long it is."""


_STEP_VALUES: Final = 4_096


class _FaultError(Exception):
    """What is wrong at a byte; `check` knows of which message."""

    def __init__(self, position: int, fault: str) -> None:
        super().__init__(f"at byte {position}: {fault}")


def check(data: bytes, place: str, max_values: int, textual: frozenset[bytes] = frozenset()) -> None:
    """Look over *data*; raise `BrokenContract`, naming *place*, unless it may be decoded without danger.

    *max_values* counts keys too, and containers twice, since they cost the most. *textual* names fields of the message
    that hold no binary data at any depth. That text is UTF-8 is left to the decoder.
    """
    for _ in check_in_steps(data, place, max_values, textual):
        pass


def check_in_steps(
    data: bytes, place: str, max_values: int, textual: frozenset[bytes] = frozenset()
) -> Generator[None, None, None]:
    """Do as `check` does, with a pause after every few thousand values, in which others may run."""
    try:
        end = yield from _check_fields(data, max_values, textual)
    except IndexError:
        end = len(data) + 1
    except _FaultError as error:
        raise BrokenContract(f"{place}, {error}") from None
    if end > len(data):
        raise BrokenContract(f"{place} is cut short after {len(data)} bytes")
    if end < len(data):
        raise BrokenContract(f"{place}, at byte {end}: the message ends here, but not its bytes")


def _check_fields(data: bytes, budget: int, textual: frozenset[bytes]) -> Generator[None, None, int]:
    """Walk over the map that a message is; answer where it ends, perhaps behind the last byte."""
    first = data[0]
    if first not in _MAPS:
        raise _FaultError(0, "a message is a map")
    pairs, position = _open(data, 0, first)
    budget -= 2 * pairs
    for _ in range(pairs):
        if budget < 0:
            raise _FaultError(position, "more values than a message may hold")
        start, end = _text(data, position)
        position, budget = yield from _walk(data, end, budget, binary=data[start:end] not in textual)
    return position


def _walk(  # noqa: C901 - the hot loop of every message: a call for each token would double its cost
    data: bytes, position: int, budget: int, *, binary: bool
) -> Generator[None, None, tuple[int, int]]:
    """Walk over one value; answer where it ends and how many more values are allowed."""
    outer: list[tuple[int, bool]] = []
    left, is_map, walked = 1, False, 0
    while True:
        walked += 1
        if walked == _STEP_VALUES:
            walked = 0
            yield
        while not left:
            if not outer:
                return position, budget
            left, is_map = outer.pop()
        left -= 1
        first = data[position]
        if is_map:
            size = _TEXT_SIZES[first]
            position = position + size if size else _text(data, position)[1]
            first = data[position]
        size = _SIZES[first]
        if size:
            position += size
        elif first == _TEXT_8:
            position += 2 + data[position + 1]
        elif first in _CONTAINERS:
            outer.append((left, is_map))
            if len(outer) >= MAX_DEPTH:
                raise _FaultError(position, f"more than {MAX_DEPTH} containers inside one another")
            is_map = first in _MAPS
            left, position = (first & 0x0F, position + 1) if first < _SHORT_TEXT[0] else _open(data, position, first)
            budget -= left + left + 1 if is_map else left + 1
            if budget < 0:
                raise _FaultError(position, "more values than a message may hold")
        else:
            position = _leaf(data, position, first, binary=binary)


def _open(data: bytes, position: int, first: int) -> tuple[int, int]:
    """Answer how many values or pairs the container at *position* claims, and where the first one is."""
    if first in _SHORT_MAPS or first in _SHORT_ARRAYS:
        return first & 0x0F, position + 1
    end = position + (5 if first & 1 else 3)
    return int.from_bytes(data[position + 1 : end]), end


def _text(data: bytes, position: int) -> tuple[int, int]:
    """Answer where the text of the key at *position* starts and ends."""
    first = data[position]
    size = _TEXT_SIZES[first]
    if size:
        return position + 1, position + size
    if first not in _LONG_TEXT:
        raise _FaultError(position, "a key that is not text")
    start = position + 1 + _LENGTH_BYTES[first]
    return start, start + int.from_bytes(data[position + 1 : start])


def _leaf(data: bytes, position: int, first: int, *, binary: bool) -> int:
    """Answer where the float, str or bin at *position* ends."""
    if first in _EXPONENTS:
        exponent, size = _EXPONENTS[first]
        if (data[position + 1] << 8 | data[position + 2]) & exponent == exponent:
            raise _FaultError(position, "a number that is not finite")
        return position + size
    if first in _REFUSED or not (binary or first in _LONG_TEXT):
        raise _FaultError(position, _REFUSED.get(first, "binary data, which an event can't hold"))
    start = position + 1 + _LENGTH_BYTES[first]
    return start + int.from_bytes(data[position + 1 : start])
