"""Bodies of requests: read within a size and a time, decompressed within a size."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from guesthouse.errors import Malformed, TooLarge, TooSlow

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

DRAINED: Final = 4 << 20
"""Bytes over the limit that are read and thrown away: a client that is still sending doesn't hear a refusal."""
_GZIP_MAGIC: Final = b"\x1f\x8b"
_ANY_HEADER: Final = 32 + zlib.MAX_WBITS
"""Take gzip or zlib, whichever it is."""
_PLAIN_NAMES: Final = frozenset({b"", b"identity"})
_PACKED_NAMES: Final = frozenset({b"gzip", b"x-gzip", b"deflate"})


class Gone(Exception):
    """The client went away before its request was complete: there is nobody to answer."""


def header(scope: Scope, name: bytes) -> bytes:
    """Give a header's value, of the first one where it is repeated; empty where there is none."""
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value)
    return b""


async def read_body(scope: Scope, receive: Receive, what: str, *, limit: int, seconds: float) -> bytes:
    """Read a request's body; raise `TooLarge`, `TooSlow` or `Gone`. *what* names it in the message."""
    declared = header(scope, b"content-length")
    if declared.isdigit() and int(declared[:20]) > (limit if header(scope, b"expect") else limit + DRAINED):
        raise TooLarge(what, limit)
    try:
        async with asyncio.timeout(seconds):
            return await _gather(receive, what, limit)
    except TimeoutError:
        raise TooSlow(seconds) from None


async def _gather(receive: Receive, what: str, limit: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        is_last = not message.get("more_body", False)
        if size > limit:
            parts.clear()
            if is_last or size > limit + DRAINED:
                raise TooLarge(what, limit)
        else:
            parts.append(part)
        if is_last:
            return parts[0] if len(parts) == 1 else b"".join(parts)


def unpack(body: bytes, encoding: bytes, what: str, limit: int) -> bytes:
    """Decompress a body that is compressed, whatever its headers say of gzip; raise `TooLarge` or `Malformed`."""
    name = encoding.strip().lower()
    if name in _PLAIN_NAMES and not body.startswith(_GZIP_MAGIC):
        return body
    if name not in _PLAIN_NAMES and name not in _PACKED_NAMES:
        raise Malformed(f"the Content-Encoding {name.decode('latin-1')!r:.40} is not one of gzip, deflate, identity")
    for bits in (_ANY_HEADER, -zlib.MAX_WBITS):
        try:
            return _inflate(body, bits, what, limit)
        except zlib.error:
            # Deflate comes with and, from some clients, without its header.
            continue
    raise Malformed("the body is not compressed as its Content-Encoding says")


def _inflate(body: bytes, bits: int, what: str, limit: int) -> bytes:
    inflater = zlib.decompressobj(bits)
    data = inflater.decompress(body, limit + 1)
    if len(data) > limit:
        raise TooLarge(what, limit)
    if not inflater.eof:
        raise Malformed("the compressed body is cut short")
    return data
