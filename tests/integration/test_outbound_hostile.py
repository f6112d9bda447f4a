"""Outgoing HTTP against the hostile: addresses in disguise, redirects to forbidden places, responses without an end."""

import asyncio
import gzip
from collections.abc import AsyncIterator

import pytest
from tests.support.outbound import FakeResolver, borrow, code_of, opened, send
from tests.support.receiver import Received, Receiver, endless, reply

from guesthouse.model.capability import Grant, Secret
from guesthouse.runtime.secrets import Vault

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Sockets behave differently in the two event loops; the promises are the same."""
    return "asyncio", {"use_uvloop": request.param}


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.1", "127.0.0.1.", "localhost."]
)
async def test_odd_spellings_of_loopback_are_bad_requests(host: str) -> None:
    """Decimal, hexadecimal, octal, short, dotted at the end: none of them gets as far as a lookup."""
    resolver = FakeResolver()
    async with Receiver() as there, opened(resolver=resolver) as out:
        assert await code_of(borrow(out, there.url()), there.url(host=host)) == "bad_request"
    assert (there.connections, resolver.lookups) == (0, [])


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "[::ffff:127.0.0.1]", "[::7f00:1]", "[::1]", "0.0.0.0"])  # noqa: S104 - hosts to refuse
async def test_a_granted_literal_is_still_checked(host: str) -> None:
    """A grant opens a name, never a forbidden address."""
    async with Receiver() as there, opened(allow_private=[]) as out:
        url = there.url(host=host)
        assert await code_of(borrow(out, url), url) == "denied_address"
    assert there.connections == 0


async def test_a_name_that_leads_to_a_private_address_is_denied() -> None:
    """The check sees what the name server said, and tells the guest nothing of it."""
    async with Receiver() as there, opened(allow_private=[], resolver=FakeResolver(evil=["127.0.0.1"])) as out:
        url = there.url(host="evil.example")
        result = await send(borrow(out, url), url)
    assert result["error"]["code"] == "denied_address"
    assert "127" not in result["error"]["message"]
    assert there.connections == 0


async def test_a_name_that_changes_its_mind_is_denied() -> None:
    """A first harmless answer buys nothing: the address that is connected to is the one that is checked."""
    resolver = FakeResolver(rebind=["127.0.0.2", "127.0.0.1"])
    async with Receiver(lambda _: b"") as there, opened(resolver=resolver) as out:
        out._guard._own_listeners = lambda: {("127.0.0.1", there.port)}
        url = there.url(host="rebind.example")
        borrower = borrow(out, url)
        assert await code_of(borrower, url) == "connect_failed"
        line = out._lines["tenant"]
        assert line.session.connector is not None
        line.session.connector.clear_dns_cache()  # type: ignore[attr-defined] # it is a TCPConnector
        assert await code_of(borrower, url) == "denied_address"
    assert there.connections == 0


async def test_the_hosts_own_listeners_are_never_reached() -> None:
    """Not even where the operator allows loopback."""
    async with Receiver() as there, opened(own_listeners=lambda: {("0.0.0.0", there.port)}) as out:  # noqa: S104 - a listener to keep guests from
        assert await code_of(borrow(out, there.url()), there.url()) == "denied_address"
    assert there.connections == 0


def redirect(location: str, status: int = 302) -> bytes:
    """Write a redirect."""
    return reply(status, b"", location=location)


async def test_redirects_are_followed_with_the_final_url() -> None:
    """Each hop is an exchange of its own; the body goes again where it should."""

    def script(received: Received) -> bytes:
        return redirect("../two?x", 307) if received.target == "/a/one" else reply(200, received.body)

    async with Receiver(script) as there, opened() as out:
        borrower = borrow(out, there.url())
        result = await send(borrower, there.url("/a/one"), "POST", body=b"again")
    assert (result["url"], result["body"]) == (there.url("/two?x"), b"again")
    assert [(exchange.url, exchange.status) for exchange in borrower.exchanges] == [
        (there.url("/a/one"), 307),
        (there.url("/two?x"), 200),
    ]
    assert borrower.calls == 1


async def test_a_guest_may_see_the_redirect_itself() -> None:
    """With redirect=False nothing is followed."""
    async with Receiver(lambda _: redirect("/elsewhere")) as there, opened() as out:
        result = await send(borrow(out, there.url()), there.url(), redirect=False)
    assert (result["status"], dict(result["headers"])["location"]) == (302, "/elsewhere")
    assert len(there.requests) == 1


async def test_a_redirect_without_a_location_is_a_response() -> None:
    """As in browsers."""
    async with Receiver(lambda _: reply(302, b"lost")) as there, opened() as out:
        assert (await send(borrow(out, there.url()), there.url()))["body"] == b"lost"


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "denied_host"),
        ("https://other.example/", "denied_host"),
        ("/outside", "denied_host"),
        ("file:///etc/passwd", "protocol_error"),
        ("http://2130706433/", "protocol_error"),
        ("/v1/..%2foutside", "protocol_error"),
    ],
)
async def test_a_redirect_reaches_nothing_that_is_not_granted(location: str, code: str) -> None:
    """Hop by hop, the same rules; the record says where it ended."""
    async with Receiver(lambda _: redirect(location)) as there, opened() as out:
        borrower = borrow(out, there.url("/v1"))
        assert await code_of(borrower, there.url("/v1")) == code
    assert len(there.requests) == 1
    assert (borrower.exchanges[0].status, borrower.exchanges[0].error) == (302, code)


async def test_a_redirect_to_a_granted_name_with_a_private_address_is_denied() -> None:
    """The grants say yes, the socket says no."""
    resolver = FakeResolver(inside=["10.0.0.1"])
    async with Receiver(lambda _: redirect("http://inside.example/")) as there, opened(resolver=resolver) as out:
        borrower = borrow(out, there.url(), "http://inside.example/")
        assert await code_of(borrower, there.url()) == "denied_address"


async def test_redirects_have_an_end() -> None:
    """A loop is a refusal."""
    async with Receiver(lambda _: redirect("/")) as there, opened() as out:
        assert await code_of(borrow(out, there.url(), http_redirects=3), there.url()) == "too_many_redirects"
    assert len(there.requests) == 4


async def test_secrets_do_not_follow_a_redirect_to_another_origin() -> None:
    """Another port is another origin: credentials and tokens stay behind, and don't return on the way back."""
    vault = Vault([Secret(name="k", value="sk_live_1234")])
    headers = (("Authorization", "Bearer x"), ("X-Note", "sk_live_1234"), ("Accept", "a/b"))
    async with Receiver() as other, Receiver(lambda _: redirect(other.url())) as there, opened() as out:
        await send(borrow(out, there.url(), other.url(), vault=vault), there.url(), headers=headers)
    (received,) = other.requests
    assert (received.header("authorization"), received.header("x-note"), received.header("accept")) == (
        None,
        None,
        "a/b",
    )


async def test_a_redirect_with_an_endless_body_is_followed() -> None:
    """Nobody needs its body."""

    def script(received: Received) -> bytes | AsyncIterator[bytes]:
        if received.target == "/":
            return endless(b"HTTP/1.1 302 X\r\nLocation: /end\r\n\r\n", b"x" * 10_000)
        return reply(200, b"end")

    async with Receiver(script) as there, opened() as out:
        assert (await send(borrow(out, there.url()), there.url()))["body"] == b"end"


@pytest.mark.parametrize("limit", [1_000, 1_000_000])
async def test_a_gzip_bomb_ends_as_too_large(limit: int) -> None:
    """Expansion stops at the limit, however small the bomb is."""
    bomb = gzip.compress(bytes(20_000_000))
    async with Receiver(lambda _: reply(200, bomb, content_encoding="gzip")) as there, opened() as out:
        borrower = borrow(out, there.url(), http_response_bytes=limit)
        assert await code_of(borrower, there.url()) == "response_too_large"
    assert borrower.exchanges[0].status == 200


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999\r\n\r\n",
    ],
)
async def test_an_endless_body_ends_as_too_large(head: bytes) -> None:
    """And its connection is closed."""
    async with Receiver(lambda _: endless(head, b"x" * 10_000)) as there, opened() as out:
        assert await code_of(borrow(out, there.url(), http_response_bytes=50_000), there.url()) == "response_too_large"
        await there.gone.wait()


async def test_a_body_of_exactly_the_limit_is_whole() -> None:
    """The limit is inclusive."""
    async with Receiver(lambda _: reply(200, b"x" * 1_000)) as there, opened() as out:
        assert len((await send(borrow(out, there.url(), http_response_bytes=1_000), there.url()))["body"]) == 1_000
        assert await code_of(borrow(out, there.url(), http_response_bytes=999), there.url()) == "response_too_large"


async def hang(head: bytes = b"") -> AsyncIterator[bytes]:
    """Answer with a beginning that has no continuation."""
    yield head
    await asyncio.Event().wait()


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"HTTP/1.1 100 C\r\n\r\n"]
)
async def test_a_response_that_never_ends_times_out(head: bytes) -> None:
    """In the status line, the headers, the body, or after a 100: the guest's own timeout counts, and the limit's."""
    async with Receiver(lambda _: hang(head)) as there, opened() as out:
        borrower = borrow(out, there.url(), http_timeout_ms=30)
        assert await code_of(borrower, there.url()) == "timed_out"
        assert await code_of(borrow(out, there.url()), there.url(), timeout_ms=30) == "timed_out"
    assert borrower.exchanges[0].error == "timed_out"


async def test_a_drip_times_out() -> None:
    """Every byte comes in time, the response doesn't: the bound is on the whole call."""
    drip = endless(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", b"x")
    async with Receiver(lambda _: drip) as there, opened() as out:
        assert await code_of(borrow(out, there.url()), there.url(), timeout_ms=40) == "timed_out"


async def test_redirects_share_one_timeout() -> None:
    """A chain of hops, each in time, is bounded as a whole."""
    async with Receiver(lambda _: redirect("/")) as there, opened() as out:
        borrower = borrow(out, there.url(), http_redirects=1_000_000)
        assert await code_of(borrower, there.url(), timeout_ms=40) == "timed_out"


@pytest.mark.parametrize("timeout_ms", [0, -1])
async def test_a_timeout_that_is_no_time_is_refused(timeout_ms: int) -> None:
    """Zero is not for ever."""
    async with Receiver() as there, opened() as out:
        assert await code_of(borrow(out, there.url()), there.url(), timeout_ms=timeout_ms) == "bad_request"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00" * 100,
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 999999 X\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"HTTP/1.1 200 OK\r\nBad Header: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1_000 + b"\r\n",
        b"HTTP/1.1 200 " + b"y" * 100_000 + b"\r\n\r\n",
        b"HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nabc",
        reply(200, b"not gzip", content_encoding="gzip"),
        reply(200, gzip.compress(b"x" * 1_000)[:-9], content_encoding="gzip"),
    ],
)
async def test_what_is_not_http_is_a_protocol_error(answer: bytes) -> None:
    """Garbage, contradictions, floods of headers, protocols nobody asked for: one stable code."""
    async with Receiver(lambda _: answer) as there, opened() as out:
        assert await code_of(borrow(out, there.url()), there.url(), "POST", timeout_ms=2_000) == "protocol_error"


async def test_many_legal_headers_are_too_large_together() -> None:
    """Each fits, the sum doesn't."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n" + b"X: " + (b"y" * 15_000 + b"\r\nX: ") * 5 + b"\r\n\r\n"
    async with Receiver(lambda _: head) as there, opened() as out:
        assert await code_of(borrow(out, there.url()), there.url()) == "response_too_large"


@pytest.mark.parametrize(
    ("head", "flood"),
    [
        (b"", b"HTTP/1.1 100 C\r\n\r\n" * 10_000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n" * 30_000),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1;" + b"x" * 60_000 + b"\r\na\r\n"),
    ],
)
async def test_floods_of_framing_end_the_connection(head: bytes, flood: bytes) -> None:
    """Interim responses, tiny chunks, long chunk extensions: the parser isn't kept busy with them until the timeout."""
    async with Receiver(lambda _: endless(head, flood)) as there, opened() as out:
        assert await code_of(borrow(out, there.url()), there.url()) == "protocol_error"
        await there.gone.wait()


@pytest.mark.parametrize(("size", "count"), [(8, 8_000), (100, 10_000), (50_000, 20)])
async def test_honest_chunks_arrive_whole_and_in_order(size: int, count: int) -> None:
    """Small ones as streaming servers send them, and large ones that come in many reads."""
    chunks = [b"%0*d" % (size, number) for number in range(count)]
    wire = b"".join(b"%x\r\n%b\r\n" % (size, chunk) for chunk in chunks)
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + wire + b"0\r\n\r\n"
    async with Receiver(lambda _: answer) as there, opened() as out:
        borrower = borrow(out, there.url())
        for _ in range(2):
            assert (await send(borrower, there.url()))["body"] == b"".join(chunks)
    assert there.connections == 1


async def test_bytes_that_nobody_asked_for_end_an_idle_connection() -> None:
    """A server can't prepare the answer to the next request, nor fill the host's memory between two."""
    is_answered = asyncio.Event()

    async def chatter() -> AsyncIterator[bytes]:
        yield reply(200, b"first")
        await is_answered.wait()
        yield reply(200, b"second")
        await asyncio.Event().wait()

    async with Receiver(lambda _: chatter()) as there, opened() as out, asyncio.timeout(5):
        borrower = borrow(out, there.url())
        assert (await send(borrower, there.url()))["body"] == b"first"
        is_answered.set()
        await there.gone.wait()
        assert (await send(borrower, there.url()))["body"] == b"first"


async def cut_short() -> AsyncIterator[bytes]:
    """Close the connection in the middle of a body."""
    yield b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"


async def test_a_body_that_stops_in_the_middle_is_no_response() -> None:
    """Half a body isn't taken for a whole one; the status is on record."""
    async with Receiver(lambda _: cut_short()) as there, opened() as out:
        borrower = borrow(out, there.url())
        assert await code_of(borrower, there.url()) == "protocol_error"
    assert borrower.exchanges[0].status == 200


async def test_an_unknown_name_is_a_lookup_failure() -> None:
    """Told to the guest in our words, without the name server's."""
    async with opened(resolver=FakeResolver()) as out:
        result = await send(borrow(out, "http://nowhere.example/"), "http://nowhere.example/")
    assert result["error"]["code"] == "dns_failed"
    assert "10.9.8.7" not in result["error"]["message"]


async def test_a_wildcard_grant_covers_names_below_and_not_the_apex() -> None:
    """Over real lookups."""
    resolver = FakeResolver(a=["127.0.0.1"], example=["127.0.0.1"])
    async with Receiver() as there, opened(resolver=resolver) as out:
        borrower = borrow(out, Grant.parse(there.url(host="*.example.com")))
        assert (await send(borrower, there.url(host="a.example.com")))["status"] == 200
        assert await code_of(borrower, there.url(host="example.com")) == "denied_host"
        assert await code_of(borrower, there.url()) == "denied_host"
