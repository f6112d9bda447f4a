"""Bodies: decompressed within bounds, masked across every seam."""

import gzip
import os
import zlib

import pytest

from guesthouse.abi.results import Refusal
from guesthouse.runtime.masks import Mask
from guesthouse.runtime.outbound.bodies import Inflater, conceal, inflater_for
from guesthouse.runtime.outbound.failures import RefusedError

TEXT = b"".join(b"%d," % number for number in range(20_000))


def inflate(encoding: str, data: bytes, step: int = 1_000) -> bytes:
    """Decompress data that arrives in pieces."""
    inflater = inflater_for(encoding)
    assert inflater is not None
    pieces = [piece for start in range(0, len(data), step) for piece in inflater.feed(data[start : start + step])]
    assert inflater.is_complete
    return b"".join(pieces)


def bare_deflate(data: bytes) -> bytes:
    """Compress without zlib's wrapping, as some servers do."""
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(data) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "data"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("X-GZIP", gzip.compress(TEXT)),
        ("gzip", gzip.compress(TEXT[:50_000]) + gzip.compress(TEXT[50_000:])),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", bare_deflate(TEXT)),
        ("deflate", zlib.compress(TEXT) + b"garbage"),
    ],
)
@pytest.mark.parametrize("step", [1 << 20, 1_000])
def test_bodies_are_decompressed(encoding: str, data: bytes, step: int) -> None:
    """Both gzip, with any number of members, and deflate, wrapped or bare, in pieces of any size."""
    assert inflate(encoding, data, step) == TEXT


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 131_072])
def test_nothing_is_left_behind_at_the_edge_of_a_piece(size: int) -> None:
    """A body that ends with a piece is complete."""
    assert inflate("gzip", gzip.compress(b"a" * size), 1 << 20) == b"a" * size


def test_output_that_zlib_holds_back_is_asked_for() -> None:
    """A bare stream may be taken in whole before the last of its output fits into the piece."""
    for size in range(65_536, 65_546):
        assert inflate("deflate", bare_deflate(b"a" * size), 1 << 20) == b"a" * size


def test_pieces_are_small_however_well_a_bomb_is_packed() -> None:
    """Expansion stops between pieces, so that whoever counts them can stop it."""
    bomb = gzip.compress(bytes(1_000_000))
    inflater = Inflater(gzip=True)
    assert len(next(iter(inflater.feed(bomb)))) == 65_536


@pytest.mark.parametrize("data", [b"not gzip", gzip.compress(TEXT)[:500] + b"\0" * 500, gzip.compress(b"") * 65])
def test_malformed_data_is_a_protocol_error(data: bytes) -> None:
    """So is a body of more members than anyone needs."""
    with pytest.raises(RefusedError) as caught:
        inflate("gzip", data)
    assert caught.value.code is Refusal.PROTOCOL_ERROR


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "identity", "compress"])
def test_other_encodings_are_left_alone(encoding: str) -> None:
    """The guest gets such bodies as they came, and the header that says so."""
    assert inflater_for(encoding) is None


@pytest.mark.anyio
async def test_secrets_are_concealed_in_large_bodies_wherever_they_stand() -> None:
    """Large bodies are looked through piece by piece; a secret on the seam is found."""
    secret = "s3cret-" + os.urandom(8).hex()
    body = bytearray(b"." * 200_000)
    for at in (0, 65_530, 131_072, 199_977):
        body[at : at + len(secret)] = secret.encode()
    concealed = await conceal(bytes(body), Mask([secret]))
    assert concealed.count(b"***") == 4
    assert len(concealed) == 200_000 - 4 * (len(secret) - 3)
