"""The record of each request and response, as the attempt keeps it: cut, and without secrets."""

from typing import TYPE_CHECKING, Final

from guesthouse.model.report import HttpExchange
from guesthouse.model.target import URL_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable

    from guesthouse.abi.requests import HttpRequest
    from guesthouse.runtime.outbound.failures import RefusedError
    from guesthouse.runtime.outbound.headers import HeaderPairs
    from guesthouse.runtime.outbound.redirects import Hop
    from guesthouse.runtime.secrets import Vault

RECORDED_BYTES: Final = 16 * 1024
"""Bytes kept of each body."""
CANCELLED: Final = "cancelled"

_METHOD_CHARS: Final = 32


def open_exchange(hop: "Hop", vault: "Vault", started_ms: int) -> HttpExchange:
    """Record a request before anything is put in the place of its tokens."""
    return HttpExchange(
        method=hop.method,
        url=vault.mask_text(hop.target.url),
        request_headers=vault.mask_headers(hop.headers),
        request_body=vault.mask_bytes(hop.body, RECORDED_BYTES),
        request_bytes=len(hop.body),
        started_ms=started_ms,
    )


def refused_exchange(request: "HttpRequest", refused: "RefusedError", vault: "Vault", started_ms: int) -> HttpExchange:
    """Record a request that was not made; its headers and body, which nobody checked, are left out."""
    return HttpExchange(
        method=request.method[:_METHOD_CHARS],
        url=vault.mask_text(request.url)[:URL_BYTES],
        request_headers=(),
        request_body=b"",
        request_bytes=len(request.body),
        started_ms=started_ms,
        error=refused.code.value,
        error_message=refused.message,
    )


def record_head(exchange: HttpExchange, status: int, headers: "HeaderPairs", vault: "Vault") -> None:
    """Record the beginning of what came back."""
    exchange.status = status
    exchange.response_headers = vault.mask_headers(headers)


def record_body(exchange: HttpExchange, body: bytes, vault: "Vault") -> None:
    """Record the rest of it."""
    exchange.response_body = vault.mask_bytes(body, RECORDED_BYTES)
    exchange.response_bytes = len(body)


def record_failure(exchange: HttpExchange, refused: "RefusedError") -> None:
    """Record why nothing, or not everything, came back."""
    exchange.error = refused.code.value
    exchange.error_message = refused.message


def abandon(exchanges: "Iterable[HttpExchange]", now_ms: int) -> None:
    """Record that whatever is still under way was given up: the invocation has ended."""
    for exchange in exchanges:
        if exchange.status is None and exchange.error is None:
            exchange.error = CANCELLED
            exchange.duration_ms = now_ms - exchange.started_ms
