"""The one table from exceptions to refusals."""

import inspect
import socket
import ssl
from errno import EMFILE

import aiohttp
import pytest
from aiohttp import client_exceptions, http_exceptions

from guesthouse.abi.results import Refusal
from guesthouse.runtime.outbound.addresses import ForbiddenAddressError
from guesthouse.runtime.outbound.failures import FAILURES, translate

CLIENT_EXCEPTIONS = [
    cls
    for _, cls in inspect.getmembers(client_exceptions, inspect.isclass)
    if issubclass(cls, Exception) and cls.__module__ == client_exceptions.__name__
]
BROAD = {aiohttp.ClientError, OSError, ValueError, Exception}


def blank(cls: type[Exception]) -> Exception:
    """Make an exception without the arguments that it asks for."""
    return cls.__new__(cls)


def test_there_are_exceptions_to_translate() -> None:
    """The list below is not empty by mistake."""
    assert len(CLIENT_EXCEPTIONS) > 25


@pytest.mark.parametrize("cls", CLIENT_EXCEPTIONS)
def test_every_client_exception_has_a_row(cls: type[Exception]) -> None:
    """No exception of aiohttp's client is left to a catch-all row."""
    nearest = next(base for base in cls.__mro__ if base in FAILURES)
    assert nearest not in BROAD or cls is nearest


@pytest.mark.parametrize(
    "cls",
    [*CLIENT_EXCEPTIONS, http_exceptions.HttpProcessingError, RuntimeError, KeyError, socket.gaierror, UnicodeError],
)
def test_the_translation_is_total(cls: type[Exception]) -> None:
    """Whatever is raised becomes a refusal with a stable code and a sentence."""
    refused = translate(blank(cls))
    assert refused.code in Refusal
    assert refused.message


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ForbiddenAddressError(), Refusal.DENIED_ADDRESS),
        (OSError(ForbiddenAddressError().errno, "Multiple exceptions: ..."), Refusal.DENIED_ADDRESS),
        (OSError(EMFILE, "Too many open files"), Refusal.UNAVAILABLE),
        (TimeoutError(), Refusal.TIMED_OUT),
        (aiohttp.ConnectionTimeoutError(), Refusal.TIMED_OUT),
        (aiohttp.ServerDisconnectedError(), Refusal.PROTOCOL_ERROR),
        (aiohttp.ClientPayloadError(), Refusal.PROTOCOL_ERROR),
        (ssl.SSLError(1, "bad"), Refusal.TLS_FAILED),
        (ValueError("Newline in header"), Refusal.BAD_REQUEST),
    ],
)
def test_causes_are_told_apart(error: Exception, code: Refusal) -> None:
    """A guest can tell what is forbidden from what is broken, slow, or the host's own trouble."""
    assert translate(error).code is code


def test_messages_name_no_address() -> None:
    """The words of libraries, which name internal addresses, don't reach the guest."""
    error = OSError(111, "Connect call failed ('10.1.2.3', 80)")
    assert "10.1.2.3" not in translate(error).message
