"""What becomes of one event on its way in."""

from typing import Any

import msgpack
import pytest

from guesthouse.model.normalise import (
    EMITTED_TYPES,
    Arrival,
    Normalised,
    Refused,
    is_switched_on,
    normalise_emitted,
    normalise_event,
)
from guesthouse.model.normalise_frame import Frame, make_frame

_RECEIVED_MS = 1_795_423_200_000
_RECEIVED = "2026-11-23T08:40:00.000Z"


def frame(**parts: Any) -> Frame:  # noqa: ANN401 - whatever `make_frame` takes
    """Make the frame of a call to the source ``src_1``."""
    return make_frame(source_id="src_1", received_at_ms=_RECEIVED_MS, **parts)


def track(**fields: object) -> dict[str, Any]:
    """Make an event that may come in; None takes a field away."""
    event = {"type": "track", "event": "Bought", "userId": "u1", "messageId": "m1", **fields}
    return {name: value for name, value in event.items() if value is not None}


def taken(arrival: Arrival) -> dict[str, Any]:
    """Give the event as functions get it."""
    assert isinstance(arrival, Normalised), arrival
    event: dict[str, Any] = msgpack.unpackb(arrival.payload)
    return event


def reason(event: object) -> str:
    """Give the reason why an event is refused."""
    arrival = normalise_event(event, frame())
    assert isinstance(arrival, Refused), arrival
    return arrival.reason


def test_a_track_comes_in() -> None:
    """What the host looks at is read out, and the event has the fields that functions rely on."""
    arrival = normalise_event(track(properties={"price": 1.5}), frame())
    event = taken(arrival)
    assert isinstance(arrival, Normalised)
    assert (arrival.type, arrival.name, arrival.user_id, arrival.message_id) == ("track", "Bought", "u1", "m1")
    assert event == {
        "type": "track",
        "event": "Bought",
        "userId": "u1",
        "messageId": "m1",
        "properties": {"price": 1.5},
        "context": {},
        "integrations": {"All": True},
        "timestamp": _RECEIVED,
        "receivedAt": _RECEIVED,
        "projectId": "src_1",
        "version": 2,
    }


@pytest.mark.parametrize("type_", ["identify", "page", "screen", "group", "alias"])
def test_other_types_need_no_name(type_: str) -> None:
    """Only a track must be named."""
    assert taken(normalise_event({"type": type_, "anonymousId": "a"}, frame()))["type"] == type_


@pytest.mark.parametrize(("type_", "field"), [("track", "event"), ("page", "name"), ("screen", "name")])
def test_the_name_is_where_the_type_has_it(type_: str, field: str) -> None:
    """A track's name is its event, a page's its name."""
    arrival = normalise_event({"type": type_, "userId": "u", field: "N"}, frame())
    assert isinstance(arrival, Normalised)
    assert arrival.name == "N"


@pytest.mark.parametrize(
    ("event", "words"),
    [
        ([], "must be an object"),
        (None, "must be an object"),
        ({}, "its type must be one of"),
        (track(type="set"), "its type must be one of"),
        (track(type=["track"]), "its type must be one of"),
        (track(type=1), "its type must be one of"),
        (track(event=None), "a track needs event"),
        (track(event=""), "a track needs event"),
        (track(event=7), "event must be a string"),
        (track(event="e" * 513), "event has more than 512 characters"),
        (track(userId=None), "it needs a userId or an anonymousId"),
        (track(userId=""), "it needs a userId or an anonymousId"),
        (track(userId=True), "userId must be a string"),
        (track(userId=1.5), "userId must be a string"),
        (track(userId={"$ne": 1}), "userId must be a string"),
        (track(userId="a\x00"), "userId must not hold the character NUL"),
        (track(anonymousId=[]), "anonymousId must be a string"),
        (track(groupId=[]), "groupId must be a string"),
        (track(previousId={}), "previousId must be a string"),
        (track(messageId=5), "messageId must be a string"),
        (track(messageId="m" * 101), "messageId has more than 100 characters"),
        (track(properties=[]), "properties must be an object"),
        (track(traits="x"), "traits must be an object"),
        (track(context=1), "context must be an object"),
        (track(integrations=["All"]), "integrations must be an object"),
    ],
)
def test_what_is_wrong_is_said(event: object, words: str) -> None:
    """An event that can't be taken is refused with a reason that names the field."""
    assert words in reason(event)


def test_a_refusal_tells_what_can_be_told() -> None:
    """The ledger gets the fields that are as they should be, and the event without its write key."""
    arrival = normalise_event(track(properties=[], messageId="m" * 101, writeKey="WK"), frame())
    assert isinstance(arrival, Refused)
    assert (arrival.type, arrival.name, arrival.user_id, arrival.message_id) == ("track", "Bought", "u1", None)
    assert msgpack.unpackb(arrival.payload) == track(properties=[], messageId="m" * 101)


def test_numbers_become_ids() -> None:
    """A whole number as id is common and meant as a text."""
    event = taken(normalise_event(track(userId=42, anonymousId=10**30, groupId=7), frame()))
    assert (event["userId"], event["anonymousId"], event["groupId"]) == ("42", str(10**30), "7")


def test_a_missing_message_id_is_assigned() -> None:
    """Each gets an id of its own, and functions see the same one as the ledger."""
    first, second = (normalise_event(track(messageId=None), frame()) for _ in range(2))
    assert isinstance(first, Normalised)
    assert isinstance(second, Normalised)
    assert first.message_id != second.message_id
    assert taken(first)["messageId"] == first.message_id


def test_the_call_is_merged_into_the_event() -> None:
    """The batch's context and integrations are each event's, but the event's own go before them."""
    call = frame(context={"app": "a", "locale": "de"}, integrations={"All": False, "CRM": True})
    event = taken(normalise_event(track(context={"locale": "en"}, integrations={"CRM": False}), call))
    assert event["context"] == {"app": "a", "locale": "en"}
    assert event["integrations"] == {"All": False, "CRM": False}


def test_events_share_nothing() -> None:
    """Completing one event changes neither the call nor the next event."""
    call = frame(context={"app": "a"}, ip="192.0.2.7")
    normalise_event(track(context=None), call)
    assert dict(call.context) == {"app": "a"}


def test_the_address_is_a_browsers() -> None:
    """It fills what is missing, for browsers only, and never replaces what the client says."""
    browser = frame(ip="192.0.2.7")
    assert taken(normalise_event(track(), browser))["context"] == {"ip": "192.0.2.7"}
    assert taken(normalise_event(track(), browser))["channel"] == "browser"
    assert taken(normalise_event(track(context={"ip": "0.0.0.0"}), browser))["context"] == {"ip": "0.0.0.0"}  # noqa: S104
    assert taken(normalise_event(track(), frame()))["context"] == {}


def test_the_host_has_the_last_word() -> None:
    """When it came in and to which source is ours to say; the write key is nobody else's business."""
    event = taken(normalise_event(track(receivedAt="x", projectId="p", writeKey="WK", version=1), frame()))
    assert (event["receivedAt"], event["projectId"], event["version"]) == (_RECEIVED, "src_1", 1)
    assert "writeKey" not in event


@pytest.mark.parametrize("field", ["timestamp", "originalTimestamp"])
def test_a_wrong_clock_is_corrected(field: str) -> None:
    """The rule: timestamp = receivedAt - (sentAt - originalTimestamp)."""
    call = frame(sent_at="2020-01-01T00:00:10Z")
    event = taken(normalise_event(track(**{field: "2020-01-01T01:00:00+01:00"}), call))
    assert event["timestamp"] == "2026-11-23T08:39:50.000Z"
    assert event["originalTimestamp"] == "2020-01-01T01:00:00+01:00"
    assert event["sentAt"] == "2020-01-01T00:00:10.000Z"


def test_an_event_may_tell_when_it_was_sent() -> None:
    """Its own sentAt counts where the call has none."""
    event = taken(normalise_event(track(timestamp="2020-01-01T00:00:00Z", sentAt="2020-01-01T00:00:01Z"), frame()))
    assert event["timestamp"] == "2026-11-23T08:39:59.000Z"


def test_without_sent_at_the_client_is_believed() -> None:
    """There is nothing to correct by."""
    event = taken(normalise_event(track(timestamp="2020-01-01T00:00:00.123456Z"), frame()))
    assert event["timestamp"] == "2020-01-01T00:00:00.123Z"


@pytest.mark.parametrize(
    "garbage", ["", "yesterday", 5, 1e300, [], {}, True, "9" * 10_000, "0001-01-01T00:00:00+14:00", "2026-13-01"]
)
def test_garbage_times_do_no_harm(garbage: object) -> None:
    """What isn't a time is left out, and the event is as old as its arrival."""
    fields = {"timestamp": garbage, "originalTimestamp": garbage, "sentAt": garbage}
    event = taken(normalise_event(track(**fields), frame(sent_at=garbage)))
    assert event["timestamp"] == _RECEIVED
    assert "sentAt" not in event
    assert "originalTimestamp" not in event


def test_a_time_beyond_the_calendar_is_now() -> None:
    """A corrected time that no calendar holds is none."""
    call = frame(sent_at="0001-01-01T00:00:00Z")
    assert taken(normalise_event(track(timestamp="9999-12-31T23:59:59Z"), call))["timestamp"] == _RECEIVED


def test_functions_may_emit_more_than_clients() -> None:
    """Objects and deletions come from source functions only."""
    assert {"set", "delete"} <= EMITTED_TYPES
    arrival = normalise_emitted({"type": "set", "collection": "rooms", "id": "1", "properties": {}}, frame())
    assert isinstance(arrival, Normalised)
    assert arrival.name == "rooms"
    assert isinstance(normalise_emitted({"type": "set", "id": "1"}, frame()), Refused)


def test_what_a_function_emits_is_not_too_deep() -> None:
    """It didn't come as JSON, so its depth is checked here."""
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    assert isinstance(normalise_emitted(track(properties={"a": deep}), frame()), Refused)


@pytest.mark.parametrize(
    ("integrations", "expected"),
    [
        ({}, True),
        ({"All": True}, True),
        ({"All": False}, False),
        ({"All": False, "CRM": True}, True),
        ({"All": False, "CRM": {"option": 1}}, True),
        ({"All": False, "crm": True}, False),
        ({"CRM": False}, False),
        ({"All": True, "CRM": False}, False),
        ({"All": False, "CRM": None}, False),
    ],
)
def test_destinations_are_switched_by_name(integrations: dict[str, Any], *, expected: bool) -> None:
    """The destination's own switch goes before All, which is on by default."""
    assert is_switched_on(integrations, "CRM") is expected
