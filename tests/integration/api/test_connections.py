"""Strangers on raw sockets against a real uvicorn: whatever they leave open or send too much of has an end."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator

import pytest
from tests.support.asgi import App
from tests.support.clock import FakeClock
from tests.support.door import FakeDoor
from tests.support.server import ANSWER_SECONDS, served, talk

from guesthouse.api.answers import answer
from guesthouse.api.bodies import Receive, Scope, Send, read_body
from guesthouse.api.connection import MAX_HEAD_BYTES, MAX_HEAD_FIELDS, BoundedProtocol
from guesthouse.api.ingest import Ingest

pytestmark = pytest.mark.anyio
BODY = json.dumps({"userId": "u", "event": "E", "writeKey": "WK"}).encode()
HEAD = b"POST /v1/track HTTP/1.1\r\nHost: x\r\n"
LAST = b"Connection: close\r\n"


class Hasty(BoundedProtocol):
    """Gives up at the first opportunity."""

    head_seconds = 0.05


@pytest.fixture(scope="module", params=[True, False], ids=["uvloop", "asyncio"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Run on both event loops: they close connections each in its own way."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.fixture
def door() -> FakeDoor:
    """Remember who came in."""
    return FakeDoor()


@pytest.fixture
def app(door: FakeDoor) -> App:
    """Give bodies little time."""
    return Ingest(door, FakeClock(), body_seconds=0.05)


@pytest.fixture
async def port(door: FakeDoor) -> AsyncIterator[int]:
    """Serve the ingestion endpoint with the bounds that it has in earnest."""
    async with served(Ingest(door, FakeClock())) as port:
        yield port


def length(size: int) -> bytes:
    """End a head with the length of its body."""
    return b"Content-Length: %d\r\n\r\n" % size


def status(said: bytes) -> int:
    """Read the status of an answer."""
    assert said.startswith(b"HTTP/1.1 "), said[:100]
    return int(said[9:12])


async def test_an_honest_request(port: int, door: FakeDoor) -> None:
    """In one piece, byte by byte, or chunked."""
    whole = HEAD + LAST + length(len(BODY)) + BODY
    chunked = HEAD + LAST + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)
    for parts in ([whole], [bytes([byte]) for byte in whole], [chunked]):
        assert status(await talk(port, *parts)) == 200
    assert len(door.events) == 3


async def test_pipelined_requests_are_all_answered(port: int, door: FakeDoor) -> None:
    """In order, on one connection."""
    said = await talk(port, (HEAD + length(len(BODY)) + BODY) * 3 + HEAD + LAST + length(2) + b"{}")
    assert said.count(b"HTTP/1.1 200 OK") == 3
    assert said.count(b"HTTP/1.1 401 ") == 1
    assert len(door.events) == 3


async def test_whoever_closed_its_half_gets_its_answer() -> None:
    """The request is whole, so it counts, even where the answer takes longer than the closing."""
    heard = asyncio.Event()

    class Listening(BoundedProtocol):
        def eof_received(self) -> bool | None:  # type: ignore[override]  # as in `BoundedProtocol`
            heard.set()
            return super().eof_received()

    async def patient(scope: Scope, receive: Receive, send: Send) -> None:
        await read_body(scope, receive, "the body", limit=100, seconds=5)
        await heard.wait()
        await answer(send, 200, b"hi", [])

    async with served(patient, Listening) as port:
        said = await talk(port, HEAD + length(2) + b"{}", half_closed=True)
    assert said.endswith(b"hi")
    assert b"connection: close" in said


@pytest.mark.parametrize("sent", [b"", b"PO", HEAD, HEAD + length(100), HEAD + length(len(BODY)) + BODY[:-1]])
async def test_half_a_request_and_the_end(sent: bytes, port: int, door: FakeDoor) -> None:
    """Nothing came in, and nobody waits for the rest."""
    assert await talk(port, sent, half_closed=True) == b""
    assert not door.calls


@pytest.mark.parametrize("sent", [b"", b"POST /v1", HEAD])
async def test_a_slow_head_is_408(sent: bytes, app: App, caplog: pytest.LogCaptureFixture) -> None:
    """However little comes, and when nothing comes at all."""
    with caplog.at_level(logging.INFO, "guesthouse"):
        async with served(app, Hasty) as port:
            assert status(await talk(port, sent)) == 408
    assert [record.message for record in caplog.records if record.name == "guesthouse.api"] == ["connection.refused"]


async def test_a_slow_second_head_is_408(app: App, door: FakeDoor) -> None:
    """The time begins anew with each request of a connection."""
    async with served(app, Hasty) as port, asyncio.timeout(ANSWER_SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(HEAD + length(len(BODY)) + BODY)
        assert status(await reader.readuntil(b"}")) == 200
        writer.write(b"POST")
        assert status(await reader.read()) == 408
        writer.close()
    assert len(door.events) == 1


async def test_a_slow_body_is_408(app: App, door: FakeDoor) -> None:
    """It is told what it did wrong."""
    async with served(app) as port:
        said = await talk(port, HEAD + length(len(BODY)) + BODY[:-1])
    assert status(said) == 408
    assert b'"code":"too_slow"' in said
    assert not door.calls


@pytest.mark.parametrize(
    "flood",
    [
        b"x-a: " + b"a" * MAX_HEAD_BYTES * 20,
        b"a" * MAX_HEAD_BYTES * 20,
        b"x: y\r\n" * (MAX_HEAD_FIELDS + 1) + b"\r\n",
        b"x: %b\r\n" % (b"y" * 1_000) * 100 + b"\r\n",
    ],
    ids=["endless value", "endless name", "too many", "too much"],
)
async def test_header_floods_are_431(flood: bytes, port: int, door: FakeDoor) -> None:
    """Too many, too long, or without an end."""
    assert status(await talk(port, HEAD + flood)) == 431
    assert not door.calls


async def test_an_endless_url_is_431(port: int) -> None:
    """The first line counts as well."""
    assert status(await talk(port, b"POST /" + b"a" * MAX_HEAD_BYTES * 20)) == 431


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x00\x00\x00\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"GET\r\n\r\n",
        b"POST /v1/track HTTP/9.9\r\n\r\n",
        b"POST /v1/tr\xe9ck HTTP/1.1\r\nHost: x\r\n\r\n",
        HEAD + b"Content-Length: -1\r\n\r\n",
        HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
        HEAD + b"bad header\r\n\r\n",
        HEAD + b"x: a\x00b\r\n\r\n",
    ],
)
async def test_what_is_no_http_is_400(sent: bytes, port: int, door: FakeDoor) -> None:
    """And no second request hides in it."""
    said = await talk(port, sent)
    assert status(said) == 400
    assert said.count(b"HTTP/1.1 ") == 1
    assert not door.calls


async def test_a_declared_flood_is_refused_unread(port: int) -> None:
    """Nobody waits for a terabyte to say no."""
    assert status(await talk(port, HEAD + length(1 << 40))) == 400
    assert status(await talk(port, HEAD + b"Expect: 100-continue\r\n" + length(600_000))) == 400


async def test_a_body_over_its_limit_hears_why(port: int, door: FakeDoor) -> None:
    """A client that is still sending would miss an answer before its end, and try again for ever."""
    said = await talk(port, HEAD + length(2_000_000), *[b" " * 50_000] * 40)
    assert status(said) == 400
    assert b'"code":"too_large"' in said
    assert not door.calls


async def test_an_endless_body_has_an_end(port: int, door: FakeDoor) -> None:
    """Past what is thrown away, the connection is closed."""
    chunk = b"%x\r\n%b\r\n" % (100_000, b" " * 100_000)
    said = await talk(port, HEAD + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 200)
    assert said == b"" or status(said) == 400
    assert not door.calls


async def test_a_body_that_nobody_wants_is_not_read() -> None:
    """The connection of an answer that came before its request was complete is closed."""

    async def hello(_scope: Scope, _receive: Receive, send: Send) -> None:
        await answer(send, 200, b"hi", [])

    async with served(hello) as port:
        assert (await talk(port, HEAD + length(1_000_000) + b"x")).endswith(b"hi")


async def test_many_open_connections_do_no_harm(port: int, door: FakeDoor) -> None:
    """Two hundred half requests don't keep an honest one waiting."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(200)]
    for _, writer in opened:
        writer.write(HEAD + length(100) + b"{")
    assert status(await talk(port, HEAD + LAST + length(len(BODY)) + BODY)) == 200
    for _, writer in opened:
        writer.close()
    assert len(door.events) == 1
