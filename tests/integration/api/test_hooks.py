"""Webhooks: everything goes in as it came, only what is harmless comes out."""

import logging
from collections.abc import AsyncIterator

import httpx
import pytest
from tests.support.asgi import client_of
from tests.support.clock import FakeClock
from tests.support.control import FakeHooks
from tests.support.door import HOOK_TOKEN

from guesthouse.api.hooks import ALLOWED, PREFIX, HookEndpoint
from guesthouse.api.ports import HookAnswer
from guesthouse.errors import StorageFault, TenantFull

pytestmark = pytest.mark.anyio
URL = PREFIX + HOOK_TOKEN
HTML = (("Content-Type", "text/html"),)


@pytest.fixture
def hooks() -> FakeHooks:
    """Play the source functions."""
    return FakeHooks()


@pytest.fixture
async def client(hooks: FakeHooks) -> AsyncIterator[httpx.AsyncClient]:
    """Talk to the endpoint before `hooks`."""
    async with client_of(HookEndpoint(hooks, FakeClock())) as client:
        yield client


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "PROPFIND"])
async def test_any_method_is_received(method: str, client: httpx.AsyncClient, hooks: FakeHooks) -> None:
    """The function decides what it understands."""
    assert (await client.request(method, URL)).status_code == 200
    assert hooks.received[0][0].method == method


async def test_the_request_goes_in_as_it_came(client: httpx.AsyncClient, hooks: FakeHooks) -> None:
    """Raw body, repeated headers and parameters, URL: signatures can be verified."""
    body = b"\x00\xff\x1f\x8b not JSON"
    headers = [("X-Signature", "a=b"), ("X-Many", "1"), ("X-Many", "2"), ("Content-Encoding", "gzip")]
    await client.post(f"{URL}?a=1&a=2&b=&c=%FF", content=body, headers=headers)
    ((webhook, ip),) = hooks.received
    assert webhook.body == body
    assert webhook.url == f"http://host.example.com{URL}?a=1&a=2&b=&c=%FF"
    assert webhook.query == (("a", "1"), ("a", "2"), ("b", ""), ("c", "\ufffd"))
    assert [pair for pair in webhook.headers if pair[0].startswith("x-")] == [
        ("x-signature", "a=b"),
        ("x-many", "1"),
        ("x-many", "2"),
    ]
    assert ip == "192.0.2.7"


async def test_the_functions_answer_comes_out(client: httpx.AsyncClient, hooks: FakeHooks) -> None:
    """Status, body, and the headers that handshakes need."""
    hooks.answer = HookAnswer(status=418, headers=(("X-Hook-Secret", "s"), *HTML), body=b"<b>hi</b>")
    response = await client.post(URL)
    assert (response.status_code, response.text) == (418, "<b>hi</b>")
    assert (response.headers["X-Hook-Secret"], response.headers["Content-Type"]) == ("s", "text/html")


@pytest.mark.parametrize(
    "header",
    [
        ("Set-Cookie", "a=b"),
        ("sEt-cOoKiE", "a=b"),
        ("Content-Security-Policy", "script-src *"),
        ("X-Content-Type-Options", "sniff"),
        ("Location", "https://evil.example.com"),
        ("Refresh", "0"),
        ("Content-Length", "0"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Access-Control-Allow-Credentials", "true"),
        ("X-Accel-Redirect", "/etc/passwd"),
        ("Strict-Transport-Security", "max-age=0"),
        ("Clear-Site-Data", "*"),
        ("Service-Worker-Allowed", "/"),
        ("ETag", "a\r\nSet-Cookie: a=b"),
        ("ETag", "a\x00"),
        ("ETag", "\u20ac"),
        ("ETag", "a" * 5_000),
    ],
)
async def test_other_headers_stay_in(header: tuple[str, str], client: httpx.AsyncClient, hooks: FakeHooks) -> None:
    """Cookies, policies, redirects, framing, and values that HTTP can't carry: none gets through."""
    hooks.answer = HookAnswer(headers=(header,), body=b"x")
    response = await client.post(URL)
    ours = {"content-length", "content-type"} | {"content-security-policy", "x-content-type-options"}
    assert set(response.headers) == ours | {"cross-origin-resource-policy", "referrer-policy"}
    assert response.content == b"x"


@pytest.mark.parametrize("failure", [None, StorageFault("full")])
async def test_browsers_are_kept_from_harm(
    failure: Exception | None, client: httpx.AsyncClient, hooks: FakeHooks
) -> None:
    """Neither an answer nor a refusal is sniffed or run."""
    hooks.failure = failure
    hooks.answer = HookAnswer(headers=HTML, body=b"<script>")
    response = await client.get(URL)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response.headers["Content-Security-Policy"]
    assert not {"set-cookie", "location"} & ALLOWED


@pytest.mark.parametrize(("status", "expected"), [(204, 204), (304, 304), (99, 502), (101, 502), (600, 502), (-1, 502)])
async def test_statuses_are_bounded(status: int, expected: int, client: httpx.AsyncClient, hooks: FakeHooks) -> None:
    """What has no body gets none; what is no final status is a bad gateway."""
    hooks.answer = HookAnswer(status=status, body=b"x")
    response = await client.get(URL)
    assert (response.status_code, response.content) == (expected, b"x" if expected == 502 else b"")


@pytest.mark.parametrize("token", ["", "wrong", "a/b", "..", "%2e%2e", "a" * 10_000, "a%00", "%ff", f"{HOOK_TOKEN}/x"])
async def test_an_unknown_address_is_404(
    token: str, client: httpx.AsyncClient, hooks: FakeHooks, caplog: pytest.LogCaptureFixture
) -> None:
    """And doesn't stand in the log, since it may be nearly right."""
    with caplog.at_level(logging.INFO, "guesthouse"):
        response = await client.post(PREFIX + token)
    assert response.status_code == 404
    assert not hooks.received
    assert len([record for record in caplog.records if record.name.startswith("guesthouse")]) == 1
    assert "wrong" not in str([record.__dict__ for record in caplog.records])


async def test_a_webhook_has_a_megabyte(client: httpx.AsyncClient, hooks: FakeHooks) -> None:
    """One byte more is 413."""
    assert (await client.post(URL, content=b"x" * (1 << 20))).status_code == 200
    response = await client.post(URL, content=b"x" * ((1 << 20) + 1))
    assert (response.status_code, response.headers["Connection"]) == (413, "close")
    assert len(hooks.received) == 1


async def test_too_many_headers_are_413(client: httpx.AsyncClient, hooks: FakeHooks) -> None:
    """Guests take 256."""
    response = await client.post(URL, headers=[(f"x-{number}", "") for number in range(300)])
    assert response.status_code == 413
    assert not hooks.received


async def test_a_full_tenant_is_429(client: httpx.AsyncClient, hooks: FakeHooks) -> None:
    """The sender learns when to come back."""
    hooks.failure = TenantFull("t", 1, 9.0)
    response = await client.post(URL)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "9")
