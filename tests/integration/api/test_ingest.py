"""The ingestion endpoint, as Segment's clients and strangers use it."""

import base64
import gzip
import json
import logging
import zlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import msgpack
import pytest
from tests.support.asgi import client_of
from tests.support.captures import Capture, captures
from tests.support.clock import FakeClock
from tests.support.door import WRITE_KEY, FakeDoor

from guesthouse.api.ingest import ENDPOINTS, Ingest
from guesthouse.errors import StorageFault, TenantFull

pytestmark = pytest.mark.anyio
EVENT = {"userId": "u", "event": "E", "messageId": "m"}
BATCH = {"batch": [{"type": "track", **EVENT}, {"type": "page", "userId": "u", "name": "Home"}]}
BASIC = {"Authorization": "Basic " + base64.b64encode(f"{WRITE_KEY}:".encode()).decode()}
SUCCESS = {"success": True}
NOW_MS = 1_795_423_200_500


@pytest.fixture
def door() -> FakeDoor:
    """Remember who came in."""
    return FakeDoor()


@pytest.fixture
async def client(door: FakeDoor) -> AsyncIterator[httpx.AsyncClient]:
    """Talk to an endpoint in front of `door`."""
    async with client_of(Ingest(door, FakeClock(NOW_MS))) as client:
        yield client


def payloads(door: FakeDoor) -> list[dict[str, Any]]:
    """Give the events as functions get them."""
    return [msgpack.unpackb(event.payload) for event in door.events]


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.client)
async def test_captured_requests_come_in(capture: Capture, client: httpx.AsyncClient, door: FakeDoor) -> None:
    """Byte for byte what a real library sends is answered as Segment does, and all its events are taken."""
    response = await client.post(capture.path, content=capture.raw, headers=capture.headers)
    assert (response.status_code, response.json()) == (200, SUCCESS)
    assert [event.message_id for event in door.events] == [event["messageId"] for event in capture.body["batch"]]
    assert not [name for event in payloads(door) for name in event if name == "writeKey"]


@pytest.mark.parametrize("path", ENDPOINTS)
async def test_every_path_takes_its_events(path: str, client: httpx.AsyncClient, door: FakeDoor) -> None:
    """Long and short forms; the path of a single call is its type."""
    type_ = ENDPOINTS[path]
    response = await client.post(path, json=EVENT if type_ else BATCH, headers=BASIC)
    assert response.status_code == 200
    assert [event.type for event in door.events] == ([type_] if type_ else ["track", "page"])


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic " + base64.b64encode(b"WK:").decode(),
        "Basic " + base64.b64encode(b"WK").decode(),
        "Basic " + base64.b64encode(b"WK:ignored").decode(),
        "basic " + base64.b64encode(b"WK:").decode().rstrip("="),
    ],
)
async def test_a_key_in_the_header(authorization: str, client: httpx.AsyncClient) -> None:
    """Basic with the write key as name; colon, padding and case of the scheme don't matter."""
    response = await client.post("/v1/track", json=EVENT, headers={"Authorization": authorization})
    assert response.json() == SUCCESS


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x.y.z"}, {"Authorization": "Digest a"}])
@pytest.mark.parametrize(("path", "body"), [("/v1/track", EVENT), ("/v1/batch", BATCH)])
async def test_a_key_in_the_body(
    headers: dict[str, str], path: str, body: dict[str, Any], client: httpx.AsyncClient
) -> None:
    """The body's write key is enough, with a bearer token or without."""
    response = await client.post(path, json={**body, "writeKey": WRITE_KEY}, headers=headers)
    assert response.json() == SUCCESS


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic /w=="},
        {"Authorization": "Basic " + "A" * 5_000},
        {"Authorization": "Basic " + base64.b64encode(b":WK").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"wrong:").decode()},
        {"Authorization": "Bearer WK"},
    ],
)
@pytest.mark.parametrize("key", [None, "", "wrong", "W" * 10_000, "W\x00K", "' OR 1=1 --", "WK\n"])
async def test_a_wrong_key_is_401(
    headers: dict[str, str], key: str | None, client: httpx.AsyncClient, door: FakeDoor
) -> None:
    """Whatever is sent as key, nothing comes in with it."""
    response = await client.post("/v1/track", json={**EVENT, "writeKey": key}, headers=headers)
    assert response.status_code == 401
    assert response.json()["code"] == "unauthenticated"
    assert not door.calls


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", gzip.compress(json.dumps(EVENT).encode())),
        ("x-gzip", gzip.compress(json.dumps(EVENT).encode())),
        ("GZIP", gzip.compress(json.dumps(EVENT).encode())),
        ("", gzip.compress(json.dumps(EVENT).encode())),
        ("deflate", zlib.compress(json.dumps(EVENT).encode())),
        ("deflate", zlib.compress(json.dumps(EVENT).encode(), wbits=-15)),
        ("identity", json.dumps(EVENT).encode()),
    ],
)
@pytest.mark.parametrize("media", ["application/json", "text/plain", "application/x-www-form-urlencoded", "\x7f", ""])
async def test_bodies_are_unpacked(
    encoding: str, content: bytes, media: str, client: httpx.AsyncClient, door: FakeDoor
) -> None:
    """By gzip and both forms of deflate; what Content-Type says makes no difference."""
    headers = {"Content-Encoding": encoding, "Content-Type": media, **BASIC}
    response = await client.post("/v1/track", content=content, headers=headers)
    assert response.json() == SUCCESS
    assert len(door.events) == 1


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("br", b"{}"),
        ("gzip, gzip", gzip.compress(gzip.compress(b"{}"))),
        ("gzip", b"{}"),
        ("deflate", b"\xff\xff\xff"),
        ("gzip", gzip.compress(json.dumps(EVENT).encode())[:-9]),
        ("gzip", gzip.compress(b" " * 100_000_000, 9)),
        ("deflate", zlib.compress(b"[" * 50_000_000, 9)),
    ],
    ids=["unknown", "twice", "not gzip", "not deflate", "cut", "bomb", "deflate bomb"],
)
async def test_broken_compression_is_400(
    encoding: str, content: bytes, client: httpx.AsyncClient, door: FakeDoor
) -> None:
    """Unknown, broken, cut short or a bomb: refused at the bound."""
    headers = {"Content-Encoding": encoding, **BASIC}
    response = await client.post("/v1/batch", content=content, headers=headers)
    assert response.status_code == 400
    assert not door.calls


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b'{"batch":5}', b'{"batch":[\xff]}', b'{"batch":' + b"[" * 50_000, b"\x00" * 100],
)
async def test_malformed_bodies_are_400(content: bytes, client: httpx.AsyncClient, door: FakeDoor) -> None:
    """The answer is problem+json that says what is wrong."""
    response = await client.post("/v1/batch", content=content, headers=BASIC)
    assert response.status_code == 400
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["code"] == "malformed"
    assert not door.calls


@pytest.mark.parametrize(("path", "size"), [("/v1/batch", 500 << 10), ("/v1/track", 32 << 10)])
async def test_too_large_is_400(path: str, size: int, client: httpx.AsyncClient, door: FakeDoor) -> None:
    """As Segment has it, and the connection doesn't wait for the rest."""
    response = await client.post(path, content=b" " * size + b"{}", headers=BASIC)
    assert (response.status_code, response.json()["code"]) == (400, "too_large")
    assert response.headers["Connection"] == "close"
    assert not door.calls


async def test_too_many_events_are_400(client: httpx.AsyncClient, door: FakeDoor) -> None:
    """2,500 in a batch."""
    response = await client.post("/v1/batch", content=b'{"batch":[' + b"1," * 2_500 + b"1]}", headers=BASIC)
    assert (response.status_code, response.json()["code"]) == (400, "too_large")
    assert not door.calls


async def test_an_empty_batch_is_a_success(client: httpx.AsyncClient, door: FakeDoor) -> None:
    """Nothing is written for it."""
    assert (await client.post("/v1/batch", json={"batch": []}, headers=BASIC)).json() == SUCCESS
    assert not door.calls


async def test_a_batch_is_one_write(client: httpx.AsyncClient, door: FakeDoor) -> None:
    """Good events and refusals go through the door together."""
    body = {"batch": [EVENT, {"type": "track", **EVENT}] * 500}
    assert (await client.post("/v1/batch", json=body, headers=BASIC)).json() == SUCCESS
    assert (len(door.calls), len(door.arrivals), len(door.events)) == (1, 1_000, 500)


async def test_an_event_that_fails_validation_is_a_success(client: httpx.AsyncClient, door: FakeDoor) -> None:
    """As with Segment; its reason goes to the ledger."""
    assert (await client.post("/v1/track", json={"userId": "u"}, headers=BASIC)).json() == SUCCESS
    assert [getattr(arrival, "reason", None) for arrival in door.arrivals] == ["a track needs event"]


async def test_strict_calls_get_reasons(client: httpx.AsyncClient, door: FakeDoor) -> None:
    """Each event that can't be taken is named, and then none is."""
    body = {"batch": [{"type": "track", **EVENT}, {"type": "page", "messageId": "bad"}, 7]}
    response = await client.post("/v1/batch?x=y&strict=1", json=body, headers=BASIC)
    assert response.status_code == 400
    assert response.json() == {
        "success": False,
        "events": [
            {"index": 1, "fate": "refused", "messageId": "bad", "reason": "it needs a userId or an anonymousId"},
            {"index": 2, "fate": "refused", "reason": "an event must be an object"},
        ],
    }
    assert not door.calls


async def test_strict_calls_learn_what_became_of_their_events(client: httpx.AsyncClient) -> None:
    """Each with its id, for `explain`."""
    response = await client.post("/v1/track?strict=1", json=EVENT, headers=BASIC)
    told = {"index": 0, "fate": "accepted", "messageId": "m", "eventId": "evt_0"}
    assert (response.status_code, response.json()) == (200, {"success": True, "events": [told]})


async def test_a_full_tenant_is_429(client: httpx.AsyncClient, door: FakeDoor) -> None:
    """It says when to come back: in seconds, and as seconds since 1970."""
    door.failure = TenantFull("tnt_1", 1_000_000, 4.2)
    response = await client.post("/v1/batch", json=BATCH, headers=BASIC)
    assert response.status_code == 429
    assert (response.headers["Retry-After"], response.headers["X-RateLimit-Reset"]) == ("5", "1795423205")


async def test_a_full_disk_is_503(client: httpx.AsyncClient, door: FakeDoor) -> None:
    """The client keeps its events and comes back."""
    door.failure = StorageFault("the disk is full", reason="full")
    response = await client.post("/v1/batch", json=BATCH, headers=BASIC)
    assert (response.status_code, response.json()["retryable"]) == (503, True)
    assert response.headers["Retry-After"] == "1"


async def test_a_bug_is_500_and_keeps_its_words(
    client: httpx.AsyncClient, door: FakeDoor, caplog: pytest.LogCaptureFixture
) -> None:
    """The log has the traceback, once; the stranger learns nothing."""
    door.failure = KeyError("inner thing")
    response = await client.post("/v1/batch", json=BATCH, headers=BASIC)
    assert response.status_code == 500
    assert "inner thing" not in response.text
    (record,) = caplog.records
    assert record.exc_info


async def test_a_refusal_is_logged_once(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    """One wide line says who asked for what and why not."""
    with caplog.at_level(logging.INFO, "guesthouse"):
        await client.post("/v1/batch", content=b"{", headers=BASIC)
    (record,) = caplog.records
    assert record.message == "call.refused"
    facts = record.__dict__["facts"]
    assert (facts["status"], facts["code"], facts["path"], facts["client"]) == (
        400,
        "malformed",
        "/v1/batch",
        "192.0.2.7",
    )


async def test_browsers_may_call(client: httpx.AsyncClient, door: FakeDoor) -> None:
    """From any origin, with a beacon's text/plain too; their address is the user's."""
    headers = {"Origin": "https://shop.example.com", "Content-Type": "text/plain"}
    response = await client.post("/v1/t", content=json.dumps({**EVENT, "writeKey": WRITE_KEY}), headers=headers)
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert payloads(door)[0]["context"]["ip"] == "192.0.2.7"


async def test_browsers_may_ask_first(client: httpx.AsyncClient) -> None:
    """The preflight allows what Segment's clients send; refusals can be read as well."""
    response = await client.options("/v1/batch", headers={"Origin": "https://a.example.com"})
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert "authorization" in response.headers["Access-Control-Allow-Headers"]
    refusal = await client.post("/v1/batch", content=b"")
    assert refusal.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH", "BREW"])
async def test_other_methods_are_405(method: str, client: httpx.AsyncClient) -> None:
    """The answer names what is allowed."""
    response = await client.request(method, "/v1/track")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST, OPTIONS")


async def test_a_client_that_goes_away_is_not_answered(door: FakeDoor, caplog: pytest.LogCaptureFixture) -> None:
    """Half a request changes nothing and is logged once."""

    async def receive() -> dict[str, Any]:
        return parts.pop(0)

    async def send(message: object) -> None:
        raise AssertionError(message)

    parts: list[dict[str, Any]] = [
        {"type": "http.request", "body": b'{"batch":', "more_body": True},
        {"type": "http.disconnect"},
    ]
    scope = {"type": "http", "method": "POST", "path": "/v1/batch", "headers": [], "query_string": b""}
    with caplog.at_level(logging.INFO, "guesthouse"):
        await Ingest(door, FakeClock(NOW_MS))(scope, receive, send)
    assert [record.message for record in caplog.records] == ["request.abandoned"]
    assert not door.calls
