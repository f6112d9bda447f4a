"""Response bodies: read to their end, decompressed, and never a byte more than allowed.

aiohttp's own decompression is off: it has no bound that we choose. The event loop gets a turn at least every
`TURN_BYTES`, whatever a body expands to.
"""

import asyncio
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from guesthouse.abi.results import Refusal
from guesthouse.runtime.masks import Mask, blot, merge
from guesthouse.runtime.outbound.failures import RefusedError

if TYPE_CHECKING:
    import aiohttp

ACCEPT_ENCODING: Final = "gzip, deflate"
"""What the host decodes; Brotli and Zstandard aren't asked for, as the standard library can't decode them."""
TURN_BYTES: Final = 512 * 1024

_PIECE_BYTES: Final = 64 * 1024
_GZIP_BITS: Final = 16 + zlib.MAX_WBITS
_MAX_MEMBERS: Final = 64
_ZLIB_METHOD: Final = 0x08
_GZIP_ENCODINGS: Final = frozenset({"gzip", "x-gzip"})


class Inflater:
    """Decompresses one body piece by piece, however many gzip members it is made of."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._stream: zlib._Decompress | None = None
        self._members = 0

    @property
    def is_complete(self) -> bool:
        """Whether the compressed data reached its end."""
        return self._stream is not None and self._stream.eof

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield what the data expands to, in pieces of at most 64 KiB. Raises `RefusedError` for malformed data."""
        is_cut = False
        while data or is_cut:
            stream = self._stream
            if stream is None or (stream.eof and self._gzip):
                stream = self._stream = self._open(data[0])
            if stream.eof:
                return
            try:
                piece = stream.decompress(data, _PIECE_BYTES)
            except zlib.error:
                raise _malformed() from None
            data = stream.unused_data or stream.unconsumed_tail
            is_cut = len(piece) == _PIECE_BYTES and not stream.eof
            yield piece

    def _open(self, first: int) -> "zlib._Decompress":
        self._members += 1
        if self._members > _MAX_MEMBERS:
            raise _malformed()
        if self._gzip:
            return zlib.decompressobj(_GZIP_BITS)
        # "deflate" ought to be wrapped in zlib's format; some servers send it bare.
        return zlib.decompressobj(zlib.MAX_WBITS if first & 0x0F == _ZLIB_METHOD else -zlib.MAX_WBITS)


def inflater_for(encoding: str) -> Inflater | None:
    """Return what decompresses a Content-Encoding; None where the guest gets the body as it came."""
    name = encoding.strip().lower()
    if name in _GZIP_ENCODINGS:
        return Inflater(gzip=True)
    return Inflater(gzip=False) if name == "deflate" else None


async def read_body(content: "aiohttp.StreamReader", limit: int, inflater: Inflater | None) -> bytes:
    """Read a body to its end and decompress it.

    Raises `RefusedError` once it exceeds *limit* bytes, as sent or decompressed.
    """
    chunks: list[bytes] = []
    size = received = turn = 0
    while chunk := await content.readany():
        received += len(chunk)
        for piece in (chunk,) if inflater is None else inflater.feed(chunk):
            size += len(piece)
            if size > limit or received > limit:
                raise too_large(limit)
            chunks.append(piece)
            turn += len(piece)
            if turn >= TURN_BYTES:
                turn = 0
                await asyncio.sleep(0)
    if inflater is not None and received and not inflater.is_complete:
        raise _malformed()
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


async def conceal(body: bytes, mask: Mask) -> bytes:
    """Return the body with every secret in it blotted out."""
    if len(body) <= _PIECE_BYTES:
        return mask.data(body)
    spans = []
    for start in range(0, len(body), _PIECE_BYTES):
        spans += mask.spans(body, start, min(start + _PIECE_BYTES, len(body)))
        await asyncio.sleep(0)
    return blot(body, merge(spans), len(body))


def too_large(limit: int) -> RefusedError:
    """Return the refusal of a body over the limit."""
    return RefusedError(Refusal.RESPONSE_TOO_LARGE, f"the response's body exceeds {limit:,} bytes")


def _malformed() -> RefusedError:
    return RefusedError(Refusal.PROTOCOL_ERROR, "the response's body is not what its Content-Encoding says")
