"""What the host does for a guest while its fiber is suspended: one function for each import that opens a handle.

Each takes the invocation, the handle and the message as the guest wrote it, and sees to it that the handle completes.
A malformed message is `BrokenContract`, which ends the guest; what can't be done is a refusal that the guest can treat.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from guesthouse.abi.requests import (
    decode_cache_delete,
    decode_cache_get,
    decode_cache_set,
    decode_hmac_sign,
    decode_hmac_verify,
    decode_http_request,
)
from guesthouse.abi.results import (
    ELAPSED,
    Refusal,
    encode_cached,
    encode_done,
    encode_refusal,
    encode_signature,
    encode_valid,
)

if TYPE_CHECKING:
    from guesthouse.runtime.sandbox import Invocation

_NO_SUCH_SECRET = encode_refusal(Refusal.UNKNOWN_SECRET, "the function has no secret of that name")


def http_send(invocation: "Invocation", handle: int, message: bytes) -> None:
    """Send a request."""
    invocation.complete_from(handle, invocation.borrower.send(decode_http_request(message)))


def sleep(invocation: "Invocation", handle: int, message: bytes) -> None:
    """Start a timer."""
    milliseconds = int.from_bytes(message, "little")
    if milliseconds:
        invocation.complete_later(handle, ELAPSED, milliseconds)
    else:
        invocation.complete_at_once(handle, ELAPSED)


def hmac_sign(invocation: "Invocation", handle: int, message: bytes) -> None:
    """Sign under a secret that the guest names."""
    request = decode_hmac_sign(message)
    try:
        signature = invocation.vault.sign(request.secret, request.algorithm, request.data)
    except ValueError as error:
        answer = encode_refusal(Refusal.BAD_REQUEST, str(error))
    else:
        answer = _NO_SUCH_SECRET if signature is None else encode_signature(signature)
    invocation.complete_at_once(handle, answer)


def hmac_verify(invocation: "Invocation", handle: int, message: bytes) -> None:
    """Compare a signature, in constant time."""
    request = decode_hmac_verify(message)
    try:
        valid = invocation.vault.verify(request.secret, request.algorithm, request.data, request.signature)
    except ValueError as error:
        answer = encode_refusal(Refusal.BAD_REQUEST, str(error))
    else:
        answer = _NO_SUCH_SECRET if valid is None else encode_valid(valid)
    invocation.complete_at_once(handle, answer)


def cache_get(invocation: "Invocation", handle: int, message: bytes) -> None:
    """Look a key up in the function's cache."""
    found = invocation.engine.cache.get(invocation.cache_scope, decode_cache_get(message).key)
    invocation.complete_at_once(handle, encode_cached(found))


def cache_set(invocation: "Invocation", handle: int, message: bytes) -> None:
    """Store a value in the function's cache for a time."""
    request = decode_cache_set(message)
    refusal = invocation.engine.cache.set(invocation.cache_scope, request.key, request.value, request.ttl_ms)
    invocation.complete_at_once(handle, encode_done() if refusal is None else encode_refusal(*refusal))


def cache_delete(invocation: "Invocation", handle: int, message: bytes) -> None:
    """Forget a key of the function's cache."""
    invocation.engine.cache.delete(invocation.cache_scope, decode_cache_delete(message).key)
    invocation.complete_at_once(handle, encode_done())


OPERATIONS: Mapping[str, Callable[["Invocation", int, bytes], None]] = MappingProxyType(
    {run.__name__: run for run in (http_send, sleep, hmac_sign, hmac_verify, cache_get, cache_set, cache_delete)}
)
