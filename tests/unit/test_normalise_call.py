"""Bodies of ingestion calls, honest and hostile."""

import json
from contextlib import suppress
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.captures import Capture, captures

from guesthouse.errors import CallerError, Malformed, TooLarge
from guesthouse.model.normalise import Arrival, Normalised, Refused
from guesthouse.model.normalise_call import MAX_EVENT_BYTES, arrivals, frame_of, read_batch, read_single
from guesthouse.model.normalise_json import MAX_DEPTH, MAX_MENDED, mend


def arrive(body: bytes, type_: str | None = None) -> list[Arrival]:
    """Take a whole call in."""
    call = read_single(body) if type_ else read_batch(body)
    return list(arrivals(call, frame_of(call, source_id="src_1", received_at_ms=0, ip=None), type_))


def batch(*events: bytes) -> bytes:
    """Make a batch of JSON texts."""
    return b'{"batch":[' + b",".join(events) + b"]}"


def track(text: bytes) -> bytes:
    """Make an event with one more field, whose JSON is given."""
    return b'{"type":"track","event":"E","userId":"u","properties":{"a":' + text + b"}}"


def value(text: bytes) -> Any:  # noqa: ANN401 - whatever the JSON says
    """Say what functions get for a JSON text."""
    (arrival,) = arrive(batch(track(text)))
    assert isinstance(arrival, Normalised), arrival
    return msgpack.unpackb(arrival.payload)["properties"]["a"]


@pytest.mark.parametrize("capture", captures(), ids=lambda capture: capture.client)
def test_real_clients_are_understood(capture: Capture) -> None:
    """Every event that a real library sent comes in, with its own message id."""
    arrived = arrive(json.dumps(capture.body).encode())
    assert [arrival.message_id for arrival in arrived] == [event["messageId"] for event in capture.body["batch"]]
    assert all(isinstance(arrival, Normalised) for arrival in arrived)


def test_a_single_call_is_its_event() -> None:
    """The path tells the type, whatever the body says."""
    (arrival,) = arrive(b'{"type":"page","event":"E","userId":"u","writeKey":"WK"}', "track")
    assert isinstance(arrival, Normalised)
    assert arrival.type == "track"


def test_a_bad_event_does_not_fail_its_batch() -> None:
    """It is refused alone, in its place."""
    good = b'{"type":"page","userId":"u"}'
    kinds = [type(arrival) for arrival in arrive(batch(good, b"1", track(b"1e999"), b'{"type":"track"}', good))]
    assert kinds == [Normalised, Refused, Refused, Refused, Normalised]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nul",
        b"[]",
        b"{}",
        b'{"batch":{}}',
        b'{"batch":[],"context":[]}',
        b'{"batch":[],"integrations":1}',
        b'{"batch":[],"writeKey":1}',
        b'{"batch":[]} x',
        b'{"batch":[{"a":01}]}',
        b'{"batch":[NaN]}',
        b'{"batch":[Infinity]}',
        b'{"batch":[{"a":"\\q"}]}',
        b'{"batch":[{"a":"\xff"}]}',
        b'{"batch":[{"a":"\xed\xa0\x80"}]}',
        b'{"batch":[{"\xff":1}]}',
        b"\xff\xfe{\x00}\x00",
        b'{"batch":' + b"[" * 100_000,
        b'{"batch":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 80_000,
    ],
)
def test_what_is_not_a_batch_is_refused_whole(body: bytes) -> None:
    """Malformed JSON, invalid UTF-8, endless nesting and envelopes of other types are told apart by a sentence."""
    with pytest.raises(Malformed, match=r"^the body is "):
        arrive(body)


@pytest.mark.parametrize("body", [b"[]", b"1", b'"x"', b"null", b"", b'{"writeKey":1}', b'{"a":"\xff"}'])
def test_what_is_not_an_event_is_refused(body: bytes) -> None:
    """A single call must be an object of UTF-8."""
    with pytest.raises(Malformed):
        arrive(body, "track")


def test_bounds_of_a_call() -> None:
    """500 KiB and 2,500 events a batch, 32 KiB a single event."""
    assert len(arrive(batch(*[b"1"] * 2_500))) == 2_500
    with pytest.raises(TooLarge, match="2,500 events"):
        arrive(batch(*[b"1"] * 2_501))
    with pytest.raises(TooLarge, match="512,000 bytes"):
        arrive(batch(b" " * (500 << 10)))
    with pytest.raises(TooLarge, match="32,768 bytes"):
        arrive(b" " * (32 << 10) + b"{}", "track")


def test_an_event_in_a_batch_may_have_32_kib() -> None:
    """Counted as it was sent; one byte more is refused, alone and unread."""
    frame = len(track(b'""'))
    fits, over = (track(b'"' + b"x" * (MAX_EVENT_BYTES - frame + more) + b'"') for more in (0, 1))
    first, second = arrive(batch(fits, over))
    assert isinstance(first, Normalised)
    assert isinstance(second, Refused)
    assert (second.reason, second.payload) == ("it has more than 32,768 bytes", b"")


def test_depth_is_bounded() -> None:
    """As deep as guests take it comes in; one deeper is refused, alone."""
    inner = MAX_DEPTH - 2
    assert isinstance(arrive(batch(track(b"[" * inner + b"]" * inner)))[0], Normalised)
    for depth in (inner + 1, 500):
        for opener, closer in ((b"[", b"]"), (b'{"a":', b"}")):
            text = opener * depth + b"1" * (opener != b"[") + closer * depth
            (arrival,) = arrive(batch(track(text)))
            assert isinstance(arrival, Refused), depth
            assert "nested" in arrival.reason


def test_wide_is_not_deep() -> None:
    """Many containers beside one another are as good as few."""
    assert len(value(b"[" + b"[],{}," * 1_000 + b"[]]")) == 2_001


@pytest.mark.parametrize("text", [b"1e999", b"-1e999", b"1" * 400, b"-" + b"1" * 400, b"1" * 5_000])
def test_numbers_that_nothing_holds_are_refused(text: bytes) -> None:
    """They are refused by name, without costing more than their length."""
    (arrival,) = arrive(batch(track(text)))
    assert isinstance(arrival, Refused)
    assert "number" in arrival.reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b"18446744073709551615", (1 << 64) - 1),
        (b"18446744073709551616", float(1 << 64)),
        (b"-9223372036854775809", -float(1 << 63)),
        (b"200000000000000000000", 2e20),
        (b"1" * 30, float("1" * 30)),
    ],
)
def test_large_whole_numbers_become_floats(text: bytes, expected: float) -> None:
    """JavaScript writes 2e20 with all its digits; MessagePack has 64 bits for it."""
    assert value(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\ude00 low"', "\ufffd low"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"\ud83d\u0041"', "\ufffdA"),
        (rb'"\ud83d\ude00 \\ud83d \ud800"', "\U0001f600 \\ud83d \ufffd"),
    ],
)
def test_lone_surrogates_are_mended(text: bytes, expected: str) -> None:
    """JavaScript cuts strings in the middle of an emoji; that must not lose the batch."""
    assert value(text) == expected
    assert value(rb'["\ud83d", ' + text + b"]")[1] == expected


def test_mending_is_bounded() -> None:
    """A body of nothing but escapes is left alone."""
    body = rb"\ud83d" * (MAX_MENDED + 1)
    assert mend(body) == body


def test_of_a_repeated_key_the_last_counts() -> None:
    """As in JavaScript; there is no second reading of the same text anywhere."""
    (arrival,) = arrive(b'{"userId":"a","userId":"b","event":"E"}', "track")
    assert isinstance(arrival, Normalised)
    assert arrival.user_id == "b"


def test_a_byte_order_mark_is_skipped() -> None:
    """Some Windows clients send one."""
    assert isinstance(arrive(b'\xef\xbb\xbf{"event":"E","userId":"u"}', "track")[0], Normalised)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
_FIELDS = ["type", "event", "userId", "anonymousId", "messageId", "timestamp", "sentAt", "context", "integrations"]


@given(st.lists(st.dictionaries(st.sampled_from(_FIELDS), _json), max_size=3), _json, _json)
def test_any_json_is_taken_or_refused(events: list[Any], sent_at: object, context: object) -> None:
    """Whatever the types, each event arrives or is refused, or the call is; nothing else happens."""
    body = json.dumps({"batch": events, "sentAt": sent_at, "context": context}).encode()
    with suppress(CallerError):
        assert len(arrive(body)) == len(events)


@given(st.binary(max_size=64))
def test_any_bytes_are_taken_or_refused(body: bytes) -> None:
    """The same for what is hardly JSON."""
    for text in (body, batch(body), track(body)):
        for type_ in (None, "track"):
            with suppress(CallerError):
                arrive(text, type_)
