"""Servers that answer without an end, without HTTP, or not at all; and guests that ask too much of them."""

import asyncio
import gzip
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import pytest
from tests.support.guests import behaviours
from tests.support.hostile import EVENT, Gauntlet
from tests.support.receiver import Answer, Received, Receiver, endless, reply

from guesthouse.errors import CapabilityDenied, DeadlineExceeded, FunctionError, TooManyCalls
from guesthouse.model.capability import Capabilities, Grant
from guesthouse.model.limits import DEFAULT_LIMITS, Limits
from guesthouse.model.report import Report
from guesthouse.model.verdict import Verdict

pytestmark = pytest.mark.anyio

MIB = 1 << 20
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
BRIEF = Limits(http_timeout_ms=100)
ZEROS = gzip.compress(bytes(20 * MIB))
TWICE = gzip.compress(gzip.compress(bytes(200 * MIB), 1), 9)
DEFLATED = zlib.compress(bytes(20 * MIB))
MEMBERS = gzip.compress(b"x") * 50_000


async def hang(head: bytes = b"") -> AsyncIterator[bytes]:
    """Answer with a beginning that has no continuation."""
    yield head
    await asyncio.Event().wait()


async def drip(head: bytes, drop: bytes) -> AsyncIterator[bytes]:
    """Send a drop every few milliseconds, for ever."""
    yield head
    while True:
        yield drop
        await asyncio.sleep(0.003)


async def once(data: bytes) -> AsyncIterator[bytes]:
    """Send bytes and hang up."""
    yield data


@dataclass(frozen=True, slots=True)
class Server:
    """What a server answers, and what the guest is told of it."""

    answer: Callable[[], Answer]
    code: str
    limits: Limits = field(default_factory=lambda: DEFAULT_LIMITS)


SERVERS: Mapping[str, Server] = {
    "a gzip bomb of twenty megabytes": Server(lambda: reply(200, ZEROS, content_encoding="gzip"), "response_too_large"),
    "a deflate bomb of twenty megabytes": Server(
        lambda: reply(200, DEFLATED, content_encoding="deflate"), "response_too_large"
    ),
    "gzip of fifty thousand members": Server(lambda: reply(200, MEMBERS, content_encoding="gzip"), "protocol_error"),
    "gzip that stops in the middle": Server(
        lambda: reply(200, ZEROS[:1_000], content_encoding="gzip"), "protocol_error"
    ),
    "gzip that is none": Server(lambda: reply(200, b"no gzip" * 99, content_encoding="gzip"), "protocol_error"),
    "a body without an end": Server(lambda: endless(OK + b"\r\n", bytes(65_536)), "response_too_large"),
    "a body that announces a terabyte": Server(
        lambda: endless(OK + b"Content-Length: 1099511627776\r\n\r\n", bytes(65_536)), "response_too_large"
    ),
    "chunks without an end": Server(
        lambda: endless(CHUNKED, b"10000\r\n" + bytes(65_536) + b"\r\n"), "response_too_large"
    ),
    "chunks of one byte without an end": Server(lambda: endless(CHUNKED, b"1\r\nx\r\n" * 5_000), "protocol_error"),
    "a chunk of impossible size": Server(lambda: once(CHUNKED + b"f" * 99 + b"\r\n"), "protocol_error"),
    "a chunk whose size is no number": Server(lambda: once(CHUNKED + b"zz\r\n"), "protocol_error"),
    "a body dripping byte by byte": Server(
        lambda: drip(OK + b"Content-Length: 100000\r\n\r\n", b"x"), "timed_out", BRIEF
    ),
    "headers dripping byte by byte": Server(lambda: drip(OK + b"X-Y: ", b"z"), "timed_out", BRIEF),
    "headers without an end": Server(lambda: endless(OK, b"X-Y: z\r\n" * 1_000), "protocol_error"),
    "a header of a megabyte": Server(lambda: once(OK + b"X-Y: " + b"z" * MIB + b"\r\n\r\n"), "protocol_error"),
    "a thousand headers": Server(lambda: once(OK + b"X-Y: z\r\n" * 1_000 + b"\r\n"), "protocol_error"),
    "a status line of a megabyte": Server(lambda: once(b"HTTP/1.1 200 " + b"z" * MIB + b"\r\n\r\n"), "protocol_error"),
    "provisional answers without an end": Server(
        lambda: endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100), "protocol_error"
    ),
    "another protocol": Server(lambda: once(b"220 mail.example ESMTP\r\n"), "protocol_error"),
    "two lengths that disagree": Server(
        lambda: once(OK + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"), "protocol_error"
    ),
    "a negative length": Server(lambda: once(OK + b"Content-Length: -1\r\n\r\n"), "protocol_error"),
    "nothing, and then it hangs up": Server(lambda: b"", "protocol_error"),
    "nothing, for ever": Server(hang, "timed_out", BRIEF),
    "half a body, and then it hangs up": Server(lambda: once(OK + b"Content-Length: 9\r\n\r\nabc"), "protocol_error"),
    "a switch to another protocol": Server(
        lambda: once(b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"), "protocol_error"
    ),
    "redirects to itself without an end": Server(lambda: reply(302, b"", location="/"), "too_many_redirects"),
    "redirects with bodies without an end": Server(
        lambda: endless(b"HTTP/1.1 307 X\r\nLocation: /\r\n\r\n", bytes(65_536)), "too_many_redirects"
    ),
    "a redirect of a megabyte": Server(
        lambda: once(b"HTTP/1.1 302 X\r\nLocation: /" + b"a" * MIB + b"\r\n\r\n"), "protocol_error"
    ),
}


async def visit(gauntlet: Gauntlet, there: Receiver, limits: Limits, **settings: object) -> Report:
    """Let a behaviour at the receiver."""
    module = await gauntlet.load(behaviours())
    capabilities = Capabilities(grants=(Grant(scheme="http", host="127.0.0.1", port=there.port),))
    return await module.invoke("onTrack", dict(EVENT), settings=settings, capabilities=capabilities, limits=limits)


@pytest.mark.parametrize("server", SERVERS.values(), ids=SERVERS)
async def test_a_hostile_server_is_a_refusal(server: Server, gauntlet: Gauntlet) -> None:
    """The guest is told what went wrong and can treat it; nothing is kept beyond the limits."""
    async with Receiver(lambda _: server.answer()) as there:

        async def attack() -> None:
            report = await visit(gauntlet, there, server.limits, behaviour="http_get", url=there.url())
            assert report.error is None
            assert report.reply is not None
            assert (report.verdict, report.reply.code) == (Verdict.FAIL, server.code), report.reply
            assert sum(len(exchange.response_body) for exchange in report.http) <= 6 * (16 << 10)

        await gauntlet.survive(attack)


async def test_gzip_inside_gzip_is_decompressed_once(gauntlet: Gauntlet) -> None:
    """The 200 megabytes within stay within."""
    async with Receiver(lambda _: reply(200, TWICE, content_encoding="gzip, gzip")) as there:

        async def attack() -> None:
            report = await visit(gauntlet, there, DEFAULT_LIMITS, behaviour="http_flood", url=there.url(), attempts=1)
            assert report.verdict is Verdict.DONE

        await gauntlet.survive(attack)


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://nobody.granted.example/", CapabilityDenied),
        ("no url at all", CapabilityDenied),
        ("http://2130706433/", CapabilityDenied),
        ("", TooManyCalls),
    ],
    ids=["a host that nobody granted", "what is no URL", "a disguised address", "more calls than it has"],
)
async def test_a_guest_that_ignores_refusals_is_ended(url: str, error: type[FunctionError], gauntlet: Gauntlet) -> None:
    """After a hundred of them, by name."""
    async with Receiver() as there:

        async def attack() -> None:
            settings = {"behaviour": "http_flood", "url": url or there.url(), "attempts": 1_000}
            report = await visit(gauntlet, there, DEFAULT_LIMITS, **settings)
            assert type(report.error) is error
            assert "after 100" in str(report.error)
            assert report.usage.http_calls == len(there.requests) <= DEFAULT_LIMITS.http_calls
            there.requests.clear()

        await gauntlet.survive(attack)


async def test_an_answer_that_never_comes_ends_at_the_deadline(gauntlet: Gauntlet) -> None:
    """And the connection is closed, not left to the server."""
    async with Receiver(lambda _: hang()) as there:

        async def attack() -> None:
            there.gone.clear()
            report = await visit(gauntlet, there, Limits(deadline_ms=40), behaviour="http_get", url=there.url())
            assert type(report.error) is DeadlineExceeded
            await asyncio.wait_for(there.gone.wait(), 5)

        await gauntlet.survive(attack)


async def test_requests_that_are_left_behind_are_cancelled(gauntlet: Gauntlet) -> None:
    """A guest may end before its answers come; their connections end with it."""

    def script(received: Received) -> Answer:
        return reply() if received.target == "/fast" else hang()

    async with Receiver(script) as there:
        urls = [there.url("/slow"), there.url("/slow"), there.url("/fast")]

        async def attack() -> None:
            there.gone.clear()
            report = await visit(gauntlet, there, DEFAULT_LIMITS, behaviour="race_http", urls=urls)
            assert report.verdict is Verdict.DONE
            await asyncio.wait_for(there.gone.wait(), 5)

        await gauntlet.survive(attack)


async def test_a_hundred_requests_at_once_are_eight_at_a_time(gauntlet: Gauntlet) -> None:
    """The server sees no more of them than the limit, and the deadline ends them all."""
    async with Receiver(lambda _: hang()) as there:
        urls = [there.url()] * 19

        async def attack() -> None:
            before = there.connections
            report = await visit(gauntlet, there, Limits(deadline_ms=60), behaviour="parallel_http", urls=urls)
            assert type(report.error) is DeadlineExceeded
            assert there.connections - before <= DEFAULT_LIMITS.http_concurrent

        await gauntlet.survive(attack)


@pytest.mark.parametrize(
    "request_map",
    [
        {"method": "GET", "headers": [["x", "a\r\nHost: evil"]]},
        {"method": "GET", "headers": [["x: y\r\nz", "a"]]},
        {"method": "GET / HTTP/1.1\r\nX: Y\r\n\r\n"},
        {"method": "CONNECT"},
        {"method": "GET", "timeout_ms": 0},
    ],
    ids=["a header value", "a header name", "a method", "CONNECT", "a timeout of nothing"],
)
async def test_a_request_that_smuggles_is_a_bad_request(request_map: dict[str, object], gauntlet: Gauntlet) -> None:
    """Nothing of it is sent."""
    async with Receiver() as there:
        request = {"url": there.url(), **request_map}

        async def attack() -> None:
            report = await visit(gauntlet, there, DEFAULT_LIMITS, behaviour="http_raw", request=request)
            assert report.reply is not None
            assert report.reply.code == "bad_request", report.reply

        await gauntlet.survive(attack)
    assert there.requests == []
