"""Bodies: read within bounds, unpacked within bounds."""

import asyncio
import gzip
import zlib
from typing import Any

import pytest

from guesthouse.api.bodies import DRAINED, Gone, header, read_body, unpack
from guesthouse.errors import Malformed, TooLarge, TooSlow

LIMIT = 10


class Wire:
    """What a server receives, message by message; then it waits for ever."""

    def __init__(self, *parts: bytes, is_whole: bool = True) -> None:
        last = len(parts) - 1
        self.messages = [
            {"type": "http.request", "body": part, "more_body": not (is_whole and number == last)}
            for number, part in enumerate(parts)
        ]
        self.taken = 0

    async def receive(self) -> Any:  # noqa: ANN401 - an ASGI message
        """See ASGI."""
        if self.taken == len(self.messages):
            await asyncio.Event().wait()
        self.taken += 1
        return self.messages[self.taken - 1]


async def read(wire: Wire, seconds: float = 5, **headers: str) -> bytes:
    """Read a body of at most ten bytes."""
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return await read_body({"headers": pairs}, wire.receive, "the body", limit=LIMIT, seconds=seconds)


@pytest.mark.anyio
@pytest.mark.parametrize("parts", [[b""], [b"0123456789"], [b"01234", b"", b"56789"]])
async def test_a_body_comes_in_parts(parts: list[bytes]) -> None:
    """Up to the limit, in one part or several."""
    assert await read(Wire(*parts)) == b"".join(parts)


@pytest.mark.anyio
async def test_a_body_over_its_limit_is_read_to_its_end() -> None:
    """The client hears of it only when it has sent everything."""
    wire = Wire(b"x" * 11, b"y" * 1_000, b"z")
    with pytest.raises(TooLarge):
        await read(wire)
    assert wire.taken == 3


@pytest.mark.anyio
async def test_what_is_thrown_away_is_bounded() -> None:
    """An endless body ends."""
    wire = Wire(*[b"x" * 1_000_000] * 20, is_whole=False)
    with pytest.raises(TooLarge):
        await read(wire)
    assert wire.taken == DRAINED // 1_000_000 + 1


@pytest.mark.anyio
@pytest.mark.parametrize(("size", "expect"), [(10**30, ""), (11, "100-continue")])
async def test_a_declared_flood_is_not_read_at_all(size: int, expect: str) -> None:
    """Nor one whose sender waits for leave."""
    wire = Wire(b"x")
    with pytest.raises(TooLarge):
        await read(wire, content_length=str(size), expect=expect)
    assert wire.taken == 0


@pytest.mark.anyio
async def test_a_body_that_stops_is_too_slow() -> None:
    """It has its time, and no more."""
    with pytest.raises(TooSlow):
        await read(Wire(b"x", is_whole=False), seconds=0)


@pytest.mark.anyio
async def test_a_sender_that_goes_is_gone() -> None:
    """That is nobody's error."""
    wire = Wire(b"x", is_whole=False)
    wire.messages.append({"type": "http.disconnect"})
    with pytest.raises(Gone):
        await read(wire)


def test_headers_are_found() -> None:
    """The first of that name, or nothing."""
    scope = {"headers": [(b"a", b"1"), (b"b", b"2"), (b"b", b"3")]}
    assert (header(scope, b"b"), header(scope, b"c")) == (b"2", b"")


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"", b"0123456789"),
        (b" Identity ", b"0123456789"),
        (b"gzip", gzip.compress(b"0123456789")),
        (b"", gzip.compress(b"0123456789")),
        (b"deflate", zlib.compress(b"0123456789")),
        (b"deflate", zlib.compress(b"0123456789", wbits=-15)),
    ],
)
def test_bodies_are_unpacked(encoding: bytes, packed: bytes) -> None:
    """By their own first bytes where the header says nothing."""
    assert unpack(packed, encoding, "the body", LIMIT) == b"0123456789"


@pytest.mark.parametrize("pack", [gzip.compress, zlib.compress])
def test_bombs_stop_at_the_limit(pack: Any) -> None:  # noqa: ANN401 - one of the two
    """One byte more than the limit is unpacked, not a gigabyte."""
    for size in (LIMIT + 1, 10_000_000):
        with pytest.raises(TooLarge):
            unpack(pack(bytes(size)), b"gzip", "the body", LIMIT)


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [(b"br", b"x"), (b"gzip", b"x"), (b"gzip", b""), (b"gzip", gzip.compress(b"x")[:-1]), (b"\xff", b"x")],
)
def test_broken_packing_is_malformed(encoding: bytes, packed: bytes) -> None:
    """Unknown, not what it says, or cut short."""
    with pytest.raises(Malformed):
        unpack(packed, encoding, "the body", LIMIT)
