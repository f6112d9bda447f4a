"""Whatever can go wrong in aiohttp, the operating system or the other side, as refusals: the one table.

The messages are ours: what libraries write names addresses that a guest has no business to know.
"""

import logging
import ssl
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from typing import Final

import aiohttp
from aiohttp.client_exceptions import UnixClientConnectorError, UploadAbortedError

from guesthouse.abi.results import Refusal
from guesthouse.runtime.outbound.addresses import FORBIDDEN_ERRNO

_log = logging.getLogger(__name__)


class RefusedError(Exception):
    """A request that isn't made, or that failed; becomes the handle's result."""

    def __init__(self, code: Refusal, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


Failure = tuple[Refusal, str]

FORBIDDEN: Final[Failure] = (Refusal.DENIED_ADDRESS, "the host's address is one that functions never reach")
_CONNECT: Final[Failure] = (Refusal.CONNECT_FAILED, "no connection to the host could be made")
_LOST: Final[Failure] = (Refusal.PROTOCOL_ERROR, "the connection was lost before the response was complete")
_MALFORMED: Final[Failure] = (Refusal.PROTOCOL_ERROR, "the response is not valid HTTP, or its headers are too large")
_URL: Final[Failure] = (Refusal.BAD_REQUEST, "the URL cannot be requested")
_TLS: Final[Failure] = (Refusal.TLS_FAILED, "no secure connection could be negotiated with the host")
_CERTIFICATE: Final[Failure] = (Refusal.TLS_FAILED, "the host's certificate is not valid for it")
_SLOW: Final[Failure] = (Refusal.TIMED_OUT, "the response was not complete in time")
_SLOW_CONNECT: Final[Failure] = (Refusal.TIMED_OUT, "the host did not accept a connection in time")
_OUT_OF_RESOURCES: Final[Failure] = (Refusal.UNAVAILABLE, "this machine is out of sockets or memory; try again later")
_UNEXPECTED: Final[Failure] = (Refusal.UNAVAILABLE, "the request could not be made")

FAILURES: Final[dict[type[Exception], Failure]] = {
    aiohttp.ClientConnectorCertificateError: _CERTIFICATE,
    aiohttp.ClientConnectorSSLError: _TLS,
    aiohttp.ClientSSLError: _TLS,
    aiohttp.ServerFingerprintMismatch: _CERTIFICATE,
    ssl.SSLCertVerificationError: _CERTIFICATE,
    ssl.SSLError: _TLS,
    aiohttp.ClientConnectorDNSError: (Refusal.DNS_FAILED, "the host's name has no address"),
    aiohttp.ClientProxyConnectionError: _CONNECT,
    aiohttp.ClientHttpProxyError: _CONNECT,
    UnixClientConnectorError: _CONNECT,
    aiohttp.ClientConnectorError: _CONNECT,
    aiohttp.ConnectionTimeoutError: _SLOW_CONNECT,
    aiohttp.SocketTimeoutError: _SLOW,
    aiohttp.ServerTimeoutError: _SLOW,
    aiohttp.ServerDisconnectedError: _LOST,
    aiohttp.ServerConnectionError: _LOST,
    aiohttp.ClientConnectionResetError: _LOST,
    aiohttp.ClientOSError: _LOST,
    aiohttp.ClientConnectionError: _LOST,
    aiohttp.ClientPayloadError: (Refusal.PROTOCOL_ERROR, "the response's body is malformed, or ended early"),
    UploadAbortedError: _LOST,
    aiohttp.TooManyRedirects: (Refusal.TOO_MANY_REDIRECTS, "the host redirects too often"),
    aiohttp.ContentTypeError: _MALFORMED,
    aiohttp.WSServerHandshakeError: _MALFORMED,
    aiohttp.WSMessageTypeError: _MALFORMED,
    aiohttp.ClientResponseError: _MALFORMED,
    aiohttp.InvalidURL: _URL,
    aiohttp.NonHttpUrlClientError: _URL,
    aiohttp.RedirectClientError: _URL,
    aiohttp.ClientError: _UNEXPECTED,
    TimeoutError: _SLOW,
    OSError: _LOST,
    ValueError: (Refusal.BAD_REQUEST, "the request cannot be written as HTTP"),
    Exception: _UNEXPECTED,
}
"""From the nearest class in an exception's ancestry; `Exception` makes it total."""

_BY_ERRNO: Final[dict[int | None, Failure]] = {
    FORBIDDEN_ERRNO: FORBIDDEN,
    EMFILE: _OUT_OF_RESOURCES,
    ENFILE: _OUT_OF_RESOURCES,
    ENOBUFS: _OUT_OF_RESOURCES,
    ENOMEM: _OUT_OF_RESOURCES,
}


def translate(error: Exception) -> RefusedError:
    """Say in our words what an exception of the client means to the guest."""
    failure = _BY_ERRNO.get(error.errno) if isinstance(error, OSError) else None
    failure = failure or next(FAILURES[cls] for cls in type(error).__mro__ if cls in FAILURES)
    if failure is _UNEXPECTED:
        _log.error("http.failed_unexpectedly", exc_info=error)
    return RefusedError(*failure)
