"""What the host answers through a handle: values to bytes."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

from msgspec.msgpack import Encoder

_encode: Final = Encoder().encode

ELAPSED: Final = b""
"""The result of ``sleep``: nothing to read."""
DONE: Final = _encode({"ok": True})


class Refusal(StrEnum):
    """Why the host refused or could not do what was asked: stable codes, documented in ``ABI.md``."""

    BAD_REQUEST = "bad_request"
    """The request makes no sense: an impossible URL, method, header, time or algorithm."""
    NOT_SUPPORTED = "not_supported"
    """This host does not offer it."""
    DENIED_HOST = "denied_host"
    """No grant covers the URL's scheme, host, port and path."""
    DENIED_METHOD = "denied_method"
    """A grant covers the URL but not the method."""
    DENIED_ADDRESS = "denied_address"
    """The name leads to an address that guests never reach."""
    TOO_MANY_CALLS = "too_many_calls"
    """The invocation's calls are used up."""
    REQUEST_TOO_LARGE = "request_too_large"
    RESPONSE_TOO_LARGE = "response_too_large"
    TOO_MANY_REDIRECTS = "too_many_redirects"
    TIMED_OUT = "timed_out"
    DNS_FAILED = "dns_failed"
    CONNECT_FAILED = "connect_failed"
    TLS_FAILED = "tls_failed"
    PROTOCOL_ERROR = "protocol_error"
    """The other side did not speak HTTP, or stopped in the middle."""
    UNKNOWN_SECRET = "unknown_secret"  # noqa: S105 - a code, not a secret
    """The function has no secret of that name."""
    CACHE_FULL = "cache_full"
    """The function's share of the cache is used up."""
    VALUE_TOO_LARGE = "value_too_large"
    """The cache takes no single key or value of that size."""
    UNAVAILABLE = "unavailable"
    """The host could not do it now, and neither the guest nor the other side is to blame."""


def encode_http_response(status: int, headers: Iterable[tuple[str, str]], body: bytes, url: str) -> bytes:
    """Encode the response to ``http_send``; *url* is where the last redirect led."""
    return _encode({"status": status, "headers": list(headers), "body": body, "url": url})


def encode_refusal(code: Refusal, message: str) -> bytes:
    """Encode a refusal, which any handle may answer instead of its own result."""
    return _encode({"error": {"code": code, "message": message}})


def encode_signature(signature: bytes) -> bytes:
    """Encode the raw MAC that ``hmac_sign`` made."""
    return _encode({"signature": signature})


def encode_valid(valid: bool) -> bytes:  # noqa: FBT001 - the result is this one boolean
    """Encode what ``hmac_verify`` found."""
    return _encode({"valid": valid})


def encode_cached(value: bytes | None) -> bytes:
    """Encode what ``cache_get`` found; None where there was nothing."""
    return _encode({"found": value is not None, "value": value})


def encode_done() -> bytes:
    """Encode the result of ``cache_set`` and ``cache_delete``."""
    return DONE
