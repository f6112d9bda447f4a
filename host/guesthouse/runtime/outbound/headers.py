"""Header fields: what guests may send, what they get to see, and what must not follow a redirect to another origin."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from guesthouse.abi.results import Refusal
from guesthouse.runtime.outbound.failures import RefusedError

HeaderPairs = tuple[tuple[str, str], ...]

MAX_REQUEST_HEADERS: Final = 100
MAX_REQUEST_HEADER_BYTES: Final = 64 * 1024
MAX_RESPONSE_HEADERS: Final = 128
MAX_RESPONSE_HEADER_BYTES: Final = 64 * 1024
MAX_LINE_BYTES: Final = 16 * 1024
"""Of a status line or one header field; aiohttp's parser stops there."""

_HOP_BY_HOP: Final = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})
_OURS: Final = _HOP_BY_HOP | {"accept-encoding", "content-length", "expect", "host", "http2-settings"}
_OUR_PREFIXES: Final = ("proxy-",)
_DECODED: Final = frozenset({"content-encoding", "content-length"})
_NAME: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}")
_FORBIDDEN: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]")
_CACHED_CHARS: Final = 64
_SENSITIVE: Final = re.compile(r"auth|cookie|credential|key|passw|secret|session|signature|token", re.IGNORECASE)


def filter_request(headers: Iterable[tuple[str, str]]) -> HeaderPairs:
    """Return the headers that a guest may send: `_OURS` and ``Proxy-*`` are dropped without a word.

    They are the host's business, and client libraries in guests set them as a matter of course. Raises `RefusedError`
    for names and values that HTTP can't carry, such as line breaks, and for too many or too large headers.
    """
    kept = []
    size = count = 0
    for name, value in headers:
        count += 1
        size += len(name) + len(value)
        if _FORBIDDEN.search(value):
            raise RefusedError(Refusal.BAD_REQUEST, "a header's value contains a control character")
        if _is_guests(name):
            kept.append((name, value.strip(" \t")))
    if count > MAX_REQUEST_HEADERS or size > MAX_REQUEST_HEADER_BYTES:
        raise RefusedError(Refusal.REQUEST_TOO_LARGE, "the request has too many headers, or too large ones")
    return tuple(kept)


def check_values(headers: Iterable[tuple[str, str]]) -> None:
    """Raise `RefusedError` where a secret that was put in would break out of its header."""
    if any(_FORBIDDEN.search(value) for _, value in headers):
        raise RefusedError(Refusal.BAD_REQUEST, "a secret's value contains a control character")


def is_sensitive(name: str) -> bool:
    """Say whether a header of this name is likely to carry credentials."""
    return _SENSITIVE.search(name) is not None


def filter_response(raw: Iterable[tuple[bytes, bytes]], *, decoded: bool) -> HeaderPairs:
    """Return a response's headers for the guest, names in lower case, without those between two hops.

    Where the body was *decoded*, its encoding and length have gone too. Raises `RefusedError` where they are too large.
    """
    hidden = _HOP_BY_HOP | _DECODED if decoded else _HOP_BY_HOP
    kept = []
    size = 0
    for raw_name, raw_value in raw:
        size += len(raw_name) + len(raw_value)
        name = _lower(raw_name) if len(raw_name) <= _CACHED_CHARS else raw_name.decode("ascii", "replace").lower()
        if name not in hidden:
            kept.append((name, raw_value.decode("utf-8", "replace")))
    if size > MAX_RESPONSE_HEADER_BYTES:
        raise RefusedError(Refusal.RESPONSE_TOO_LARGE, f"the headers exceed {MAX_RESPONSE_HEADER_BYTES:,} bytes")
    return tuple(kept)


@lru_cache(maxsize=2048)
def _is_guests(name: str) -> bool:
    if not _NAME.fullmatch(name):
        raise RefusedError(Refusal.BAD_REQUEST, "a header's name is not one")
    lowered = name.lower()
    return lowered not in _OURS and not lowered.startswith(_OUR_PREFIXES)


@lru_cache(maxsize=2048)
def _lower(name: bytes) -> str:
    return name.decode("ascii", "replace").lower()
