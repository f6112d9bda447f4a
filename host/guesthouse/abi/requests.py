"""What a guest asks of the host: bytes to frozen values, or `BrokenContract`.

Only form is judged here. What is well-formed but can't be done (a bad URL, an unknown algorithm) is refused by whoever
does it, as the handle's result.
"""

from typing import Final, TypeVar

from msgspec import Struct
from msgspec.msgpack import Decoder

from guesthouse.abi.bounds import check
from guesthouse.abi.contract import MAX_REQUEST_VALUES
from guesthouse.abi.decoding import Milliseconds, Pairs, decode

T = TypeVar("T")


class HttpRequest(Struct, frozen=True, kw_only=True):
    """The argument of ``http_send``."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    """Names in lower case; not checked for what HTTP can't carry."""
    body: bytes = b""
    timeout_ms: int | None = None
    redirect: bool = True
    """Whether the host follows redirects; otherwise the guest gets them as responses."""


class _HttpRequest(Struct):
    method: str
    url: str
    headers: Pairs | None = None
    body: bytes | None = None
    timeout_ms: Milliseconds | None = None
    redirect: bool | None = None


class HmacSign(Struct, frozen=True, kw_only=True):
    """The argument of ``hmac_sign``."""

    secret: str
    """The secret's name."""
    algorithm: str
    """As in `contract.HMAC_ALGORITHMS`; others are refused by whoever signs."""
    data: bytes


class HmacVerify(Struct, frozen=True, kw_only=True):
    """The argument of ``hmac_verify``; see `HmacSign`."""

    secret: str
    algorithm: str
    data: bytes
    signature: bytes
    """Raw bytes, not hexadecimal."""


class CacheGet(Struct, frozen=True, kw_only=True):
    """The argument of ``cache_get``."""

    key: str


class CacheSet(Struct, frozen=True, kw_only=True):
    """The argument of ``cache_set``."""

    key: str
    value: bytes
    ttl_ms: Milliseconds


class CacheDelete(Struct, frozen=True, kw_only=True):
    """The argument of ``cache_delete``."""

    key: str


_http_request: Final = Decoder(_HttpRequest)
_hmac_sign: Final = Decoder(HmacSign)
_hmac_verify: Final = Decoder(HmacVerify)
_cache_get: Final = Decoder(CacheGet)
_cache_set: Final = Decoder(CacheSet)
_cache_delete: Final = Decoder(CacheDelete)


def decode_http_request(data: bytes | memoryview) -> HttpRequest:
    """Decode the argument of ``http_send``; raise `BrokenContract` whatever is wrong with its form."""
    asked = _decode(_http_request, data, "http_send")
    return HttpRequest(
        method=asked.method,
        url=asked.url,
        headers=tuple((name.lower(), value) for name, value in asked.headers or ()),
        body=asked.body or b"",
        timeout_ms=asked.timeout_ms,
        redirect=asked.redirect is not False,
    )


def decode_hmac_sign(data: bytes | memoryview) -> HmacSign:
    """Decode the argument of ``hmac_sign``; raise `BrokenContract` whatever is wrong with its form."""
    return _decode(_hmac_sign, data, "hmac_sign")


def decode_hmac_verify(data: bytes | memoryview) -> HmacVerify:
    """Decode the argument of ``hmac_verify``; raise `BrokenContract` whatever is wrong with its form."""
    return _decode(_hmac_verify, data, "hmac_verify")


def decode_cache_get(data: bytes | memoryview) -> CacheGet:
    """Decode the argument of ``cache_get``; raise `BrokenContract` whatever is wrong with its form."""
    return _decode(_cache_get, data, "cache_get")


def decode_cache_set(data: bytes | memoryview) -> CacheSet:
    """Decode the argument of ``cache_set``; raise `BrokenContract` whatever is wrong with its form."""
    return _decode(_cache_set, data, "cache_set")


def decode_cache_delete(data: bytes | memoryview) -> CacheDelete:
    """Decode the argument of ``cache_delete``; raise `BrokenContract` whatever is wrong with its form."""
    return _decode(_cache_delete, data, "cache_delete")


def _decode(decoder: Decoder[T], data: bytes | memoryview, place: str) -> T:
    data = bytes(data)
    check(data, place, MAX_REQUEST_VALUES)
    return decode(decoder, data, place)
