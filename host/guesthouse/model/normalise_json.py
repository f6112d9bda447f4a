"""JSON from strangers: bytes to values that MessagePack can hold, within bounds.

What honest clients send and strict readers refuse is mended: lone surrogates (JavaScript cuts strings in the middle of
an emoji) become U+FFFD, whole numbers beyond 64 bits become floats. Of a repeated key the last one counts. NaN,
Infinity and invalid UTF-8 are no JSON.
"""

import re
from collections.abc import Iterable
from itertools import chain
from typing import Any, Final, TypeVar

from msgspec import DecodeError, Raw, ValidationError
from msgspec.json import Decoder
from msgspec.msgpack import Encoder

from guesthouse.errors import Malformed

T = TypeVar("T")

MAX_DEPTH: Final = 60
"""Containers inside one another in an event; guests take 64 in a whole call."""
MAX_MENDED: Final = 20_000
"""Escapes in a body with lone surrogates that is still mended; it bounds the time."""

_BOM: Final = b"\xef\xbb\xbf"
_ESCAPE: Final = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F]|u[dD][89a-fA-F][0-9a-fA-F]{2}|.)", re.DOTALL
)
"""One escape; a high surrogate takes the beginning of its low one along."""
_LONE_LENGTH: Final = len(rb"\ud800")
_TOO_DEEP: Final = f"it is nested more than {MAX_DEPTH} deep"
_SMALLEST: Final = -(1 << 63)
_LARGEST: Final = (1 << 64) - 1

_decode_any: Final = Decoder().decode
_encode: Final = Encoder().encode


class Unfit(ValueError):
    """One event can't be taken, others of its call can; says why."""


def decode_body(decoder: Decoder[T], body: bytes) -> T:
    """Decode a whole body; raise `Malformed`, saying what is wrong and where."""
    try:
        return _decode_text(decoder, body)
    except Malformed:
        mended = mend(body.removeprefix(_BOM))
        if mended == body:
            raise
    return _decode_text(decoder, mended)


def _decode_text(decoder: Decoder[T], body: bytes) -> T:
    try:
        return decoder.decode(body)
    except ValidationError as error:
        raise Malformed(f"the body is not as it should be: {error}") from None
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None
    except DecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    except RecursionError:
        raise Malformed("the body is nested too deep") from None


def decode_event(text: Raw, max_bytes: int) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Decode one event of a body that `decode_body` has passed; raise `Unfit`, or `Malformed` for the whole body."""
    data = bytes(text)
    if len(data) > max_bytes:
        raise Unfit(f"it has more than {max_bytes:,} bytes")
    try:
        value = _decode_any(data)
    except ValidationError as error:
        raise Unfit(f"a number in it can't be held: {error}") from None
    except RecursionError:
        raise Unfit(_TOO_DEEP) from None
    except UnicodeDecodeError:
        raise Malformed("the body is not UTF-8") from None
    except DecodeError as error:
        raise Malformed(f"the body is not JSON: {error}") from None
    # Counting is quick and nearly always enough: who is nested so deep has so many brackets.
    if data.count(b"{") + data.count(b"[") > MAX_DEPTH:
        check_depth(value)
    return value


def check_depth(value: object) -> None:
    """Raise `Unfit` where containers are nested more than `MAX_DEPTH` deep."""
    level: list[object] = [value]
    for _ in range(MAX_DEPTH + 1):
        level = [one for one in level if isinstance(one, dict | list | tuple)]
        if not level:
            return
        level = list(chain.from_iterable(map(_items, level)))
    raise Unfit(_TOO_DEEP)


def _items(container: Any) -> Iterable[object]:  # noqa: ANN401 - a dict, list or tuple
    return container.values() if isinstance(container, dict) else container


def encode(value: object) -> bytes:
    """Encode as MessagePack what JSON or a guest gave; raise `Unfit` for what it can't hold."""
    try:
        return _encode(value)
    except (OverflowError, UnicodeEncodeError):
        return _encode_nearest(value)
    except (RecursionError, TypeError) as error:
        raise Unfit(f"MessagePack can't hold it: {error}") from None


def _encode_nearest(value: object) -> bytes:
    try:
        return _encode(_nearest(value))
    except OverflowError:
        raise Unfit("a number in it can't be held: it is beyond floats as well") from None


def _nearest(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds, at most `MAX_DEPTH` deep
    """Copy *value* with what MessagePack can't hold replaced by what comes nearest."""
    match value:
        case int():
            return value if _SMALLEST <= value <= _LARGEST else float(value)
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case dict():
            return {_nearest(key): _nearest(item) for key, item in value.items()}
        case list() | tuple():
            return [_nearest(item) for item in value]
    return value


def mend(body: bytes) -> bytes:
    """Replace lone surrogates by U+FFFD; a body without any, or with too many escapes, comes back as it is."""
    if body.count(b"\\") > MAX_MENDED:
        return body
    return _ESCAPE.sub(_mend_escape, body)


def _mend_escape(found: re.Match[bytes]) -> bytes:
    text = found[0]
    return rb"\ufffd" if len(text) == _LONE_LENGTH else text
