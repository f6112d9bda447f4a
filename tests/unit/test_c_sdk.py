"""The C SDK's guests on a stub of the host: what they send, what they make of what comes back, how they end."""

import hashlib
import json
from typing import Any

import msgpack
import pytest
from tests.support.guests import ROOT, WASI_FLAGS, behaviours, build_c, special
from tests.support.stub_host import NOW_MS, Answer, StubHost
from wasmtime import Trap, WasmtimeError

from guesthouse.abi.contract import HANDLERS
from guesthouse.abi.description import decode_description

VECTORS = ROOT / "guest-sdks" / "vectors"
HELLO = ROOT / "examples" / "hello-c"


def run(behaviour: str, payload: object = None, answers: dict[str, Answer] | None = None, **more: object) -> Any:  # noqa: ANN401
    """Run a behaviour in a new guest on the stub; answer its reply."""
    return StubHost(behaviours(), answers).call("onTrack", payload, {"behaviour": behaviour, **more})


def ok(_: object) -> object:
    """Answer an HTTP request."""
    return {"status": 200, "headers": [["X-Kind", "test"]], "body": b"hi", "url": "http://127.0.0.1/end"}


def test_a_guest_describes_itself() -> None:
    """The registration macro yields the description: kind, handlers and settings."""
    description = StubHost(behaviours()).describe()
    assert description["abi"] == 1
    assert description["language"] == "c"
    assert description["kind"] == "destination"
    assert description["settings"][0]["name"] == "behaviour"
    assert decode_description(msgpack.packb(description)).handlers == HANDLERS
    assert [setting["secret"] for setting in description["settings"]] == [False, False, True]


def test_a_handler_that_is_not_there_is_unsupported() -> None:
    """A call for another handler is answered, not trapped."""
    assert StubHost(special("smallest")).call("onPage", {})["verdict"] == "unsupported"


def test_echo_gives_the_payload_back() -> None:
    """A payload of any shape passes through unchanged."""
    payload = {"a": [1, -1, 2.5, None, True, "é", b"\x00\xff"], "b": {str(index): index for index in range(40)}}
    assert run("echo", payload) == {"verdict": "done", "event": payload}


def test_every_golden_call_is_understood() -> None:
    """Whatever the host calls with, a guest answers with a verdict."""
    calls = sorted(VECTORS.glob("call/*.msgpack"))
    assert calls
    for path in calls:
        assert StubHost(special("smallest")).call_bytes(path.read_bytes())["verdict"] in {"done", "unsupported"}


@pytest.mark.parametrize("verdict", ["done", "retry", "fail", "drop", "unsupported"])
def test_verdicts(verdict: str) -> None:
    """Each verdict has its helper."""
    assert run(verdict)["verdict"] == verdict


def test_a_retry_names_its_delay_only_when_it_has_one() -> None:
    """A negative delay leaves the time to the host."""
    assert "retry_after_ms" not in run("retry")
    assert run("retry", retry_after_ms=0)["retry_after_ms"] == 0


def test_a_post_is_encoded_and_its_response_decoded() -> None:
    """Method, URL, headers and body reach the host; status, headers, body and URL come back."""
    host = StubHost(behaviours(), {"http_send": ok})
    reply = host.call("onTrack", {"event": "é", "n": [1, 0.1]}, {"behaviour": "http_post", "url": "http://127.0.0.1/a"})
    assert host.requests == [
        (
            "http_send",
            {
                "method": "POST",
                "url": "http://127.0.0.1/a",
                "headers": [["content-type", "application/json"], ["x-behaviour", "http_post"]],
                "body": '{"event":"é","n":[1,0.1]}'.encode(),
            },
        ),
    ]
    expected = {"status": 200, "url": "http://127.0.0.1/end", "headers": [["X-Kind", "test"]], "size": 2, "body": "hi"}
    assert reply["event"] == expected


def test_a_refused_request_is_an_error_that_the_guest_can_treat() -> None:
    """The code and message of a refusal reach the guest."""
    error = {"error": {"code": "denied_host", "message": "no grant"}}
    reply = run("http_get", answers={"http_send": lambda _: error}, url="http://127.0.0.1")
    assert reply == {"verdict": "fail", "code": "denied_host", "message": "no grant"}


def test_requests_run_in_parallel() -> None:
    """All requests are started before the first is waited for, and results are in the order of the requests."""
    statuses = {f"http://127.0.0.1/{status}": status for status in (200, 404, 500)}
    host = StubHost(behaviours(), {"http_send": lambda request: {"status": statuses[request["url"]]}})
    reply = host.call("onTrack", {}, {"behaviour": "parallel_http", "urls": list(statuses)})
    assert reply["event"] == {"statuses": [200, 404, 500]}
    assert host.waits == [1, 1, 1]


def test_too_many_handles_are_an_error_value() -> None:
    """A guest without a free handle gets an error response and lives."""
    reply = StubHost(behaviours(), max_handles=0).call("onTrack", {}, {"behaviour": "http_get", "url": "http://x"})
    assert reply["code"] == "too_many_handles"


def test_whichever_handle_is_ready_first_is_served_first() -> None:
    """Waiting for any of several handles answers the right one each time (the stub readies the last)."""
    assert run("parallel_sleep", milliseconds=[3, 2, 1])["event"] == {"order": [2, 1, 0]}


def test_log_lines_are_formatted_and_carry_their_level() -> None:
    """Levels, UTF-8, newlines and long lines arrive as written."""
    host = StubHost(behaviours())
    host.call("onTrack", {}, {"behaviour": "log"})
    levels = [(0, "a debug line"), (1, "an info line"), (2, "a warn line"), (3, "an error line")]
    assert host.logs == [*levels, (1, "grüß dich 🌍"), (1, "two\nlines"), (1, "x" * 5000)]


def test_a_panic_says_why_before_it_traps() -> None:
    """The reason is the last log line, at level error."""
    host = StubHost(behaviours())
    with pytest.raises(Trap):
        host.call("onTrack", {}, {"behaviour": "panic"})
    assert host.logs == [(3, "panicked, as asked")]


def test_running_out_of_memory_traps_with_a_reason() -> None:
    """An allocation that the host refuses never answers NULL to the author."""
    host = StubHost(behaviours())
    with pytest.raises(Trap):
        host.call("onTrack", {}, {"behaviour": "hog"})
    assert host.logs == [(3, "guesthouse: out of memory")]


@pytest.mark.parametrize("behaviour", ["abort", "divide_by_zero", "bad_pointer", "deep_recursion"])
def test_faults_trap(behaviour: str) -> None:
    """Each fault is a trap, not an answer."""
    with pytest.raises(Trap):
        run(behaviour)


def test_a_call_that_is_not_messagepack_traps_with_a_reason() -> None:
    """The SDK doesn't guess at what a broken host meant."""
    host = StubHost(behaviours())
    with pytest.raises((Trap, WasmtimeError)):
        host.call_bytes(b"\xdf\xff\xff\xff\xff")
    assert host.logs == [(3, "guesthouse: the host's call is not MessagePack")]


def test_batches_answer_for_each_event() -> None:
    """`results` holds a verdict for each event, in order, with its own delay and code."""
    wishes = [{"verdict": "retry", "retry_after_ms": 5}, {}, {"verdict": "fail"}]
    batch = [{"properties": wish} for wish in wishes]
    reply = StubHost(behaviours()).call("onBatch", batch, {"behaviour": "batch_partial"})
    assert reply["results"] == [
        {"verdict": "retry", "message": "retry, as asked", "retry_after_ms": 5},
        {"verdict": "done"},
        {"verdict": "fail", "code": "as_asked", "message": "failed, as asked"},
    ]


def test_webhooks_are_answered_and_become_events() -> None:
    """A source function sees the raw request, answers its sender and emits events."""
    headers = [["Content-Type", "text/csv"]]
    request = {"method": "POST", "url": "/w", "headers": headers, "query": [], "body": b"one\n\ntwo"}
    answered = StubHost(behaviours()).call("onRequest", request, {"behaviour": "webhook_reply", "status": 201})
    echoed = [["content-type", "text/csv"], ["x-method", "POST"], ["x-url", "/w"]]
    assert answered["response"] == {"status": 201, "headers": echoed, "body": b"one\n\ntwo"}
    emitted = StubHost(behaviours()).call("onRequest", request, {"behaviour": "webhook_events"})
    assert [event["event"] for event in emitted["events"]] == ["one", "two"]


def test_digests_clock_and_random_bytes_come_from_the_host() -> None:
    """Six digests, the wall clock, and two draws of 16 bytes."""
    names = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
    assert run("digest", data="é")["event"] == {name: hashlib.new(name, "é".encode()).hexdigest() for name in names}
    assert run("clock")["event"] == {"now_ms": NOW_MS}
    assert run("random")["event"]["first"] == bytes(range(16)).hex()


def test_signatures_are_asked_of_the_host() -> None:
    """The guest names a secret; the host signs and verifies."""
    answers: dict[str, Answer] = {
        "hmac_sign": lambda request: {"signature": request["secret"].encode()},
        "hmac_verify": lambda request: {"valid": request["data"] == b"abc"},
    }
    wanted = {"secret": "key", "algorithm": "sha256", "data": "abc"}
    reply = run("hmac", answers=answers, **wanted)
    assert reply["event"] == {"signature": b"key".hex(), "valid": True, "tampered": False}


def test_the_cache_is_asked_of_the_host() -> None:
    """Get, set and delete, each with the key and value that the guest gave."""
    kept: dict[str, bytes] = {}

    def keep(request: Any) -> object:  # noqa: ANN401 - a decoded message
        kept[request["key"]] = request["value"]
        return {"ok": request["ttl_ms"] == 60_000}

    answers: dict[str, Answer] = {
        "cache_get": lambda request: {"found": request["key"] in kept, "value": kept.get(request["key"])},
        "cache_set": keep,
        "cache_delete": lambda request: {"ok": kept.pop(request["key"]) == b"a value"},
    }
    event = run("cache", answers=answers, key="k")["event"]
    expected = {"before": False, "set": True, "found": True, "value": "a value", "deleted": True, "after": False}
    assert event == expected


def test_the_smallest_guest_needs_no_wasi() -> None:
    """A build without a C library imports only the contract and stays small."""
    module = special("smallest")
    assert b"wasi_snapshot_preview1" not in module
    assert len(module) < 12_000
    assert StubHost(module).call("onTrack", {"event": "Order Completed"})["message"] == "Order Completed"


@pytest.mark.parametrize(
    ("response", "verdict"),
    [
        ({"status": 204}, {"verdict": "done"}),
        ({"status": 400}, {"verdict": "fail", "code": "refused", "message": "the API answered 400"}),
        ({"status": 503}, {"verdict": "retry", "message": "the API answered 503"}),
        (
            {"status": 429, "headers": [["Retry-After", "7"]]},
            {"verdict": "retry", "message": "the API answered 429", "retry_after_ms": 7_000},
        ),
        (
            {"error": {"code": "connect_failed", "message": "nobody listens"}},
            {"verdict": "retry", "code": "connect_failed", "message": "nobody listens"},
        ),
        (
            {"error": {"code": "denied_host", "message": "no grant"}},
            {"verdict": "fail", "code": "denied_host", "message": "no grant"},
        ),
    ],
)
def test_the_example_judges_by_status(response: object, verdict: object) -> None:
    """examples/hello-c is done, retries or fails as its README says."""
    host = StubHost(build_c(HELLO / "hello.c", flags=WASI_FLAGS), {"http_send": lambda _: response})
    event = json.loads((HELLO / "event.json").read_text())
    settings = json.loads((HELLO / "settings.json").read_text())
    assert host.call("onTrack", event, settings) == verdict
    expected = json.loads((HELLO / "expected.json").read_text())["http"][0]
    assert host.requests[0][1]["body"].decode() == expected["body"]
    assert host.requests[0][1]["headers"] == expected["headers"]
