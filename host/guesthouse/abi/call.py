"""What ``guesthouse_call`` is given: handler, payload, settings and context to bytes."""

import math
from collections.abc import Mapping
from typing import Final

from msgspec import Struct
from msgspec.msgpack import Encoder

_encode: Final = Encoder().encode
_SMALLEST: Final = -(1 << 63)
_LARGEST: Final = (1 << 64) - 1


class CallContext(Struct, frozen=True, kw_only=True):
    """Where a call comes from. A name that doesn't apply is None."""

    function: str | None = None
    version: str | None = None
    source: str | None = None
    destination: str | None = None
    attempt: int = 1
    """Counted from 1 for each delivery."""
    deadline_ms: int
    """Wall clock that the invocation may take in all, from its start."""


class Webhook(Struct, frozen=True, kw_only=True):
    """The payload of ``onRequest``: a request as it came in."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case; a repeated header is repeated."""
    query: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    """The raw body, as it was signed."""


def encode_call(handler: str, payload: object, settings: Mapping[str, object], context: CallContext) -> bytes:
    """Encode a call.

    *payload* is a `Webhook`, a `msgspec.Raw` holding MessagePack, or made of what JSON has, and bytes. Integers beyond
    64 bits become floats, and lone surrogates U+FFFD, since a stranger's JSON may hold them and MessagePack can't.
    Anything else that it can't hold is a ``ValueError``.
    """
    call = {"handler": handler, "payload": payload, "settings": settings, "context": context}
    try:
        return _encode(call)
    except (OverflowError, UnicodeEncodeError):
        return _encode_nearly(call)
    except (RecursionError, TypeError) as error:
        raise ValueError(f"MessagePack can't hold this call: {error}") from None


def _encode_nearly(call: dict[str, object]) -> bytes:
    try:
        return _encode(_nearest(call))
    except (RecursionError, TypeError, UnicodeEncodeError) as error:
        raise ValueError(f"MessagePack can't hold this call: {error}") from None


def _nearest(value: object) -> object:
    """Copy *value* with what MessagePack can't hold replaced by what comes nearest."""
    match value:
        case int():
            return value if _SMALLEST <= value <= _LARGEST else _to_float(value)
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case Mapping():
            return {_nearest(key): _nearest(item) for key, item in value.items()}
        case list() | tuple():
            return [_nearest(item) for item in value]
    return value


def _to_float(value: int) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
