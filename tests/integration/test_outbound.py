"""Outgoing HTTP over real sockets: what is granted works, as on the open web."""

import asyncio
import gzip
import socket
import ssl
import subprocess
import zlib
from pathlib import Path

import pytest
from tests.support.outbound import FakeResolver, borrow, code_of, opened, send
from tests.support.outbound import request as make_request
from tests.support.receiver import Received, Receiver, reply

from guesthouse.errors import CapabilityDenied, TooManyCalls
from guesthouse.model.capability import Exposure, Grant, Secret
from guesthouse.runtime.secrets import Vault

pytestmark = pytest.mark.anyio


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, bool]]:
    """Sockets behave differently in the two event loops; the promises are the same."""
    return "asyncio", {"use_uvloop": request.param}


async def test_a_granted_request_arrives_and_its_response_comes_back() -> None:
    """Method, path and query as written, headers, body; then status, headers, body and the URL."""
    async with Receiver(lambda _: reply(201, b"made", content_type="text/plain", x_two="2")) as there, opened() as out:
        url = there.url("/a%20b/%7Ec?d=%2F&e[]=f")
        headers = (("Content-Type", "application/json"), ("X-One", "ü"))
        result = await send(borrow(out, there.url()), url, "post", headers=headers, body=b'{"a":1}')
    (received,) = there.requests
    assert (received.method, received.target, received.body) == ("POST", "/a%20b/%7Ec?d=%2F&e[]=f", b'{"a":1}')
    assert received.header("content-type") == "application/json"
    assert received.header("x-one") == "ü".encode().decode("latin-1")
    assert received.header("user-agent") == "Guesthouse"
    assert received.header("accept-encoding") == "gzip, deflate"
    assert (result["status"], result["body"], result["url"]) == (201, b"made", url)
    assert result["headers"][1:] == [["content-type", "text/plain"], ["x-two", "2"]]


async def test_nothing_is_reachable_without_a_grant() -> None:
    """No grant, no lookup, no connection."""
    resolver = FakeResolver()
    async with Receiver() as there, opened(resolver=resolver) as out:
        assert await code_of(borrow(out), there.url()) == "denied_host"
        assert await code_of(borrow(out, "https://api.example.com/"), "https://www.example.com/") == "denied_host"
    assert (there.connections, resolver.lookups) == (0, [])


async def test_a_grant_bounds_path_and_method() -> None:
    """What is granted works, and what lies beside it is refused by name."""
    async with Receiver() as there, opened() as out:
        borrower = borrow(out, Grant.parse(there.url("/v1"), methods=["GET"]))
        assert (await send(borrower, there.url("/v1/x")))["status"] == 200
        assert await code_of(borrower, there.url("/v2")) == "denied_host"
        assert await code_of(borrower, there.url("/v1"), "POST") == "denied_method"
        assert await code_of(borrower, there.url("/v1/%2e%2e/v2")) == "bad_request"
    assert len(there.requests) == 1


@pytest.mark.parametrize(
    "method", ["CONNECT", "TRACE", "trace", "TRACK", "", "GE T", "GET\r\nHost: x", "G" * 40, "GÉT"]
)
async def test_methods_that_guests_never_use_are_refused(method: str) -> None:
    """Tunnels, echoes, and what is no token."""
    async with Receiver() as there, opened() as out:
        assert await code_of(borrow(out, there.url()), there.url(), method) == "bad_request"
    assert there.connections == 0


async def test_the_guest_cannot_forge_routing_or_framing() -> None:
    """Host and length are the host's own, exactly once."""
    forged = (("Host", "internal"), ("Content-Length", "999"), ("Transfer-Encoding", "chunked"), ("Connection", "x"))
    async with Receiver() as there, opened() as out:
        assert (await send(borrow(out, there.url()), there.url(), "POST", headers=forged, body=b"abc"))["status"] == 200
    (received,) = there.requests
    names = [name for name, _ in received.headers]
    assert (received.header("host"), received.header("content-length")) == (f"127.0.0.1:{there.port}", "3")
    assert names.count("host") == names.count("content-length") == 1
    assert not {"transfer-encoding", "connection"} & set(names)


async def test_a_header_cannot_smuggle_a_line() -> None:
    """Line breaks in names and values are refused before anything is sent."""
    async with Receiver() as there, opened() as out:
        borrower = borrow(out, there.url())
        for header in (("X", "a\r\nEvil: 1"), ("X: a\r\nEvil", "1")):
            assert await code_of(borrower, there.url(), headers=(header,)) == "bad_request"
    assert there.connections == 0


async def test_large_bodies_go_both_ways() -> None:
    """Over the size at which aiohttp warns; what comes back is what was sent."""
    body = bytes(range(256)) * 8_192
    async with Receiver(lambda received: reply(200, received.body)) as there, opened() as out:
        borrower = borrow(out, there.url(), http_request_bytes=4 << 20)
        assert (await send(borrower, there.url(), "PUT", body=body))["body"] == body
    assert borrower.exchanges[0].request_bytes == borrower.exchanges[0].response_bytes == len(body)


@pytest.mark.parametrize(
    ("encoding", "compress"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
async def test_compressed_responses_are_decompressed(encoding: str, compress: type[bytes]) -> None:
    """And the headers that spoke of the compression are gone."""
    body = b"hello " * 50_000
    async with Receiver(lambda _: reply(200, compress(body), content_encoding=encoding)) as there, opened() as out:
        result = await send(borrow(out, there.url()), there.url())
    assert result["body"] == body
    assert encoding == "identity" or dict(result["headers"]) == {}


async def test_an_encoding_that_nobody_asked_for_is_handed_on() -> None:
    """With the header that names it, undecoded."""
    async with Receiver(lambda _: reply(200, b"\x0b\x02", content_encoding="br")) as there, opened() as out:
        result = await send(borrow(out, there.url()), there.url())
    assert (result["body"], dict(result["headers"])["content-encoding"]) == (b"\x0b\x02", "br")


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304)])
async def test_responses_without_a_body_are_complete(method: str, status: int) -> None:
    """Whatever their headers announce."""
    head = f"HTTP/1.1 {status} X\r\nContent-Encoding: gzip\r\nContent-Length: 5\r\n\r\n".encode()
    async with Receiver(lambda _: head) as there, opened() as out:
        result = await send(borrow(out, there.url()), there.url(), method)
    assert (result["status"], result["body"]) == (status, b"")


async def test_a_connection_is_used_again_within_a_tenant_and_by_no_other() -> None:
    """Tenants share neither connections nor what was said on them."""
    async with Receiver(lambda _: reply(200, b"ok")) as there, opened() as out:
        for tenant in ("one", "one", "two", "two"):
            await send(borrow(out, there.url(), tenant=tenant), there.url())
    assert (there.connections, len(there.requests)) == (2, 4)


async def test_cookies_are_not_kept() -> None:
    """What one response sets, no later request carries; the guest itself may read it."""
    async with Receiver(lambda _: reply(200, b"", set_cookie="id=1; Path=/")) as there, opened() as out:
        borrower = borrow(out, there.url())
        first = await send(borrower, there.url())
        await send(borrower, there.url())
    assert ["set-cookie", "id=1; Path=/"] in first["headers"]
    assert there.requests[1].header("cookie") is None


async def test_proxies_of_the_environment_are_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    """The host's environment says nothing to guests' requests."""
    async with Receiver() as there, Receiver() as proxy, opened() as out:
        monkeypatch.setenv("http_proxy", proxy.url())
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        await send(borrow(out, there.url()), there.url())
    assert (there.connections, proxy.connections) == (1, 0)


async def test_calls_are_counted_and_the_stubborn_are_ended() -> None:
    """Beyond the cap a call is refused; a guest that goes on and on is stopped."""
    async with Receiver() as there, opened() as out:
        borrower = borrow(out, there.url(), http_calls=2)
        for _ in range(2):
            await send(borrower, there.url())
        for _ in range(100):
            assert await code_of(borrower, there.url()) == "too_many_calls"
        with pytest.raises(TooManyCalls):
            await borrower.send(make_request(there.url()))
    assert (len(there.requests), borrower.calls, len(borrower.exchanges)) == (2, 2, 2)


async def test_a_guest_that_ignores_denials_is_ended() -> None:
    """Denials cost no calls, but there is an end to them; records of them are bounded too."""
    async with opened() as out:
        borrower = borrow(out)
        for _ in range(100):
            assert await code_of(borrower, "https://denied.example/") == "denied_host"
        with pytest.raises(CapabilityDenied):
            await borrower.send(make_request("https://denied.example/"))
    assert borrower.calls == 0
    assert 0 < len(borrower.exchanges) < 50
    assert {exchange.error for exchange in borrower.exchanges} == {"denied_host"}


async def test_a_request_that_is_too_large_is_refused() -> None:
    """Before anything is sent."""
    async with Receiver() as there, opened() as out:
        borrower = borrow(out, there.url(), http_request_bytes=10)
        assert await code_of(borrower, there.url(), "POST", body=b"x" * 11) == "request_too_large"
    assert there.connections == 0


async def test_calls_beyond_those_at_once_wait_their_turn() -> None:
    """Never more than the cap are under way, all are answered, and a cancelled one leaves its turn to others."""
    gate = asyncio.Event()
    under_way = peak = 0

    async def script(_: Received) -> bytes:
        nonlocal under_way, peak
        under_way += 1
        peak = max(peak, under_way)
        await gate.wait()
        under_way -= 1
        return reply()

    async with Receiver(script) as there, opened() as out:
        borrower = borrow(out, there.url(), http_concurrent=2)
        calls = [asyncio.create_task(send(borrower, there.url())) for _ in range(6)]
        await there.arrived.wait()
        calls[4].cancel()
        gate.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert peak == 2
    assert isinstance(results.pop(4), asyncio.CancelledError)
    assert [result["status"] for result in results if isinstance(result, dict)] == [200] * 5


async def test_a_cancelled_request_is_recorded_and_its_connection_closed() -> None:
    """Half a call leaves a record and nothing else."""

    async def script(_: Received) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    async with Receiver(script) as there, opened() as out:
        borrower = borrow(out, there.url())
        call = asyncio.create_task(send(borrower, there.url()))
        await there.arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await there.gone.wait()
    (exchange,) = borrower.exchanges
    assert (exchange.error, exchange.status) == ("cancelled", None)


async def test_exchanges_are_recorded_and_cut() -> None:
    """What was sent, what came, how long it took; bodies up to 16 KiB, with their true sizes."""
    async with Receiver(lambda _: reply(200, b"r" * 20_000)) as there, opened() as out:
        borrower = borrow(out, there.url())
        await send(borrower, there.url("/x"), "POST", headers=(("X-One", "1"),), body=b"q" * 30_000)
    (exchange,) = borrower.exchanges
    assert (exchange.method, exchange.url, exchange.status) == ("POST", there.url("/x"), 200)
    assert exchange.request_headers == (("X-One", "1"),)
    assert (len(exchange.request_body), exchange.request_bytes) == (16_384, 30_000)
    assert (len(exchange.response_body), exchange.response_bytes) == (16_384, 20_000)
    assert exchange.response_headers == (("content-length", "20000"),)
    assert exchange.error is None
    assert exchange.duration_ms >= 0


async def test_a_referenced_secret_travels_and_is_never_seen() -> None:
    """The receiver gets the value; the guest, the record and a reflected response do not hold it."""

    def script(received: Received) -> bytes:
        reflected = f"you sent {received.header('authorization')}"
        return reply(200, reflected.encode(), x_echo=received.header("authorization") or "")

    key = Secret(name="key", value="sk_live_1234", exposure=Exposure.REFERENCE, hosts=("127.0.0.1",))
    vault = Vault([key])
    async with Receiver(script) as there, opened() as out:
        grant = Grant.parse(there.url(), secrets_over_http=True)
        borrower = borrow(out, grant, secrets=[key], vault=vault)
        headers = (("Authorization", f"Bearer {vault.settings['key']}"),)
        result = await send(borrower, there.url(), "POST", headers=headers, body=vault.settings["key"].encode())
    (received,) = there.requests
    (exchange,) = borrower.exchanges
    assert received.header("authorization") == "Bearer sk_live_1234"
    assert received.body == vault.settings["key"].encode()
    assert (result["body"], ["x-echo", "Bearer ***"] in result["headers"]) == (b"you sent Bearer ***", True)
    assert exchange.request_headers == headers
    assert "sk_live_1234" not in repr(exchange)


async def test_a_secret_does_not_travel_in_plain_http_unless_granted() -> None:
    """The worthless token goes instead."""
    key = Secret(name="key", value="sk_live_1234", exposure=Exposure.REFERENCE, hosts=("127.0.0.1",))
    vault = Vault([key])
    async with Receiver() as there, opened() as out:
        await send(borrow(out, there.url(), vault=vault), there.url(), headers=(("X", vault.settings["key"]),))
    assert there.requests[0].header("x") == vault.settings["key"]


async def test_a_visible_secret_is_masked_in_the_record_only() -> None:
    """The guest wrote it and may read it; the record may not."""
    key = Secret(name="key", value="sk_live_1234")
    async with Receiver(lambda _: reply(200, b"sk_live_1234")) as there, opened() as out:
        borrower = borrow(out, there.url(), secrets=[key])
        headers = (("X-Key", "sk_live_1234"),)
        result = await send(borrower, there.url("/sk_live_1234"), "POST", headers=headers, body=b"k=sk_live_1234")
    (exchange,) = borrower.exchanges
    assert result["body"] == b"sk_live_1234"
    assert "sk_live_1234" not in repr(exchange)
    assert exchange.url == there.url("/***")


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\x1bb"])
async def test_a_secret_that_breaks_out_of_a_header_is_not_sent(value: str) -> None:
    """A line break or another control in the value ends the call, not the header."""
    key = Secret(name="key", value=value, exposure=Exposure.REFERENCE, hosts=("127.0.0.1",))
    vault = Vault([key])
    async with Receiver() as there, opened() as out:
        borrower = borrow(out, Grant.parse(there.url(), secrets_over_http=True), vault=vault)
        code = await code_of(borrower, there.url(), headers=(("X", vault.settings["key"]),))
    assert (code, there.requests) == ("bad_request", [])


async def test_idle_tenants_make_room() -> None:
    """Beyond so many tenants the one idle for longest loses its connections; one that is busy never does."""
    async with Receiver(lambda _: reply(200, b"ok")) as there, opened(max_lines=2) as out:
        for tenant in ("one", "two", "three", "one"):
            assert (await send(borrow(out, there.url(), tenant=tenant), there.url()))["status"] == 200
        assert len(out._lines) == 2
    assert there.connections == 4


async def test_a_closed_client_refuses() -> None:
    """Later requests are told, not broken."""
    async with Receiver() as there, opened() as out:
        await out.close()
        assert await code_of(borrow(out, there.url()), there.url()) == "unavailable"


async def test_names_are_looked_up() -> None:
    """The system's resolver finds localhost, in threads of our own."""
    async with Receiver() as there, opened(allow_private=[]) as out:
        url = there.url(host="localhost")
        assert await code_of(borrow(out, url), url) == "denied_address"
    async with Receiver() as there, opened() as out:
        url = there.url(host="localhost")
        assert (await send(borrow(out, url), url))["status"] == 200


def self_signed(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a certificate for ``secure.example``; return the contexts of a server and of a client that trusts it."""
    made = [folder / "key.pem", folder / "cert.pem"]
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    names = ["-subj", "/CN=secure.example", "-addext", "subjectAltName=DNS:secure.example"]
    subprocess.run(  # noqa: S603 - a fixed command
        [*command, *names, "-keyout", made[0], "-out", made[1]], check=True, capture_output=True
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made[1], made[0])
    return server, ssl.create_default_context(cafile=str(made[1]))


async def test_certificates_are_verified(tmp_path: Path) -> None:
    """Authority and name both count, and a secret travels once they are right."""
    server, trusting = self_signed(tmp_path)
    key = Secret(name="key", value="sk_live_1234", exposure=Exposure.REFERENCE, hosts=("secure.example",))
    vault = Vault([key])
    names = {"secure": ["127.0.0.1"], "other": ["127.0.0.1"]}
    async with Receiver(tls=server) as there:
        grants = [there.url(host="secure.example"), there.url(host="other.example")]
        headers = (("Authorization", f"Bearer {vault.settings['key']}"),)
        async with opened(resolver=FakeResolver(**names)) as out:
            assert await code_of(borrow(out, *grants), grants[0], headers=headers) == "tls_failed"
        async with opened(resolver=FakeResolver(**names), tls=trusting) as out:
            assert await code_of(borrow(out, *grants), grants[1], headers=headers) == "tls_failed"
            assert there.requests == []
            assert (await send(borrow(out, *grants, vault=vault), grants[0], headers=headers))["status"] == 200
    assert there.requests[0].header("authorization") == "Bearer sk_live_1234"


async def test_plain_http_on_a_tls_port_fails_cleanly() -> None:
    """A server that doesn't speak TLS is a TLS failure."""
    async with Receiver(greeting=b"220 mail.example ESMTP\r\n") as there, opened() as out:
        url = there.url().replace("http://", "https://")
        assert await code_of(borrow(out, url), url) == "tls_failed"


async def test_nobody_listening_is_a_refusal() -> None:
    """Connection refused is a result that the guest can treat, and names no address."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/"
        async with opened() as out:
            result = await send(borrow(out, url), url)
    assert result["error"]["code"] == "connect_failed"
    assert "127.0.0.1" not in result["error"]["message"]
