"""From what a client or a source function sent to an event as functions get it: pure rules, one event at a time.

`normalise_event` answers an `Arrival` and never fails because of an event: what can't be taken is `Refused`, with its
reason. `guesthouse.model.normalise_call` reads the body of a whole ingestion call. Source: ``wire/WIRE.md``, which
tells what Segment's Tracking API does.
"""

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from guesthouse.model.event import EVENT_TYPES
from guesthouse.model.normalise_fields import complete, read_ids, read_message_id, read_name, read_type, readable
from guesthouse.model.normalise_frame import Frame
from guesthouse.model.normalise_json import Unfit, check_depth, encode

CLIENT_TYPES: Final = frozenset({"track", "identify", "page", "screen", "group", "alias"})
"""What clients may send."""
EMITTED_TYPES: Final = frozenset(EVENT_TYPES)
"""What source functions may emit."""


class Normalised(Struct, frozen=True, kw_only=True):
    """An event that may be accepted."""

    message_id: str
    type: str
    name: str | None
    user_id: str | None
    anonymous_id: str | None
    received_at_ms: int
    integrations: Mapping[str, Any]
    """Which destinations the client wants, for `is_switched_on`."""
    payload: bytes
    """See `guesthouse.model.event.Event.payload`."""


class Refused(Struct, frozen=True, kw_only=True):
    """An event that can't be taken; what of it could be read is for the ledger."""

    reason: str
    received_at_ms: int
    message_id: str | None = None
    type: str | None = None
    name: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    payload: bytes = b""
    """MessagePack, as it came; empty where it was too large or could not be read."""


Arrival = Normalised | Refused


def normalise_event(event: object, frame: Frame, types: frozenset[str] = CLIENT_TYPES) -> Arrival:
    """Check and complete one decoded event, in place; it isn't nested deeper than `normalise_json.MAX_DEPTH`."""
    if not isinstance(event, dict):
        return Refused(reason="an event must be an object", received_at_ms=frame.received_at_ms)
    try:
        return _normalise(event, frame, types)
    except Unfit as unfit:
        return refuse(event, str(unfit), frame.received_at_ms)


def _normalise(event: dict[str, Any], frame: Frame, types: frozenset[str]) -> Normalised:
    type_ = read_type(event, types)
    user_id, anonymous_id = read_ids(event, type_)
    name = read_name(event, type_)
    message_id = read_message_id(event)
    integrations = complete(event, frame)
    return Normalised(
        message_id=message_id,
        type=type_,
        name=name,
        user_id=user_id,
        anonymous_id=anonymous_id,
        received_at_ms=frame.received_at_ms,
        integrations=integrations,
        payload=encode(event),
    )


def normalise_emitted(event: object, frame: Frame) -> Arrival:
    """Check and complete an event that a source function emitted; see `normalise_event`."""
    try:
        check_depth(event)
    except Unfit as unfit:
        return Refused(reason=str(unfit), received_at_ms=frame.received_at_ms)
    return normalise_event(event, frame, EMITTED_TYPES)


def refuse(event: Mapping[str, Any], reason: str, received_at_ms: int) -> Refused:
    """Make a refusal that tells what can be told of the event."""
    type_ = readable(event, "type")
    try:
        payload = encode({key: value for key, value in event.items() if key != "writeKey"})
    except Unfit:
        payload = b""
    return Refused(
        reason=reason,
        received_at_ms=received_at_ms,
        message_id=readable(event, "messageId"),
        type=type_,
        name=readable(event, "event" if type_ == "track" else "name"),
        user_id=readable(event, "userId"),
        anonymous_id=readable(event, "anonymousId"),
        payload=payload,
    )


def is_switched_on(integrations: Mapping[str, Any], name: str) -> bool:
    """Say whether an event's ``integrations`` let a destination of this name have it; names are compared exactly.

    A named destination is on unless it is ``false`` (an object holds options and switches on); one that isn't named
    follows ``All``, which is on unless it is ``false``.
    """
    switch = integrations.get(name)
    if switch is None:
        switch = integrations.get("All")
    return switch is not False
