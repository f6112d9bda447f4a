"""The fields of an event: which type each must have, and what the host adds."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from guesthouse.ids import new_id
from guesthouse.model.normalise_frame import Frame
from guesthouse.model.normalise_json import Unfit
from guesthouse.model.normalise_time import NO_SKEW, correct, read_time, write_time

MAX_MESSAGE_ID: Final = 100
"""Characters."""
MAX_TEXT: Final = 512
"""Characters of a user's id, an event's name and the like: databases index them."""
WIRE_VERSION: Final = 2
"""``version`` of an event that names none, as Segment has it."""

_OBJECTS: Final = ("context", "integrations", "properties", "traits")
_OTHER_IDS: Final = ("groupId", "previousId")
_NAMES: Final = {"track": "event", "page": "name", "screen": "name", "set": "collection"}
_MUST_BE_NAMED: Final = frozenset({"track", "set"})
_NEEDS_NOBODY: Final = "set"


def read_type(event: dict[str, Any], types: frozenset[str]) -> str:
    """Give the event's type and see that its parts are objects; raise `Unfit`."""
    type_ = event.get("type")
    if not isinstance(type_, str) or type_ not in types:
        raise Unfit(f"its type must be one of {', '.join(sorted(types))}")
    for field in _OBJECTS:
        if (value := event.get(field)) is not None and not isinstance(value, dict):
            raise Unfit(f"{field} must be an object")
    return type_


def read_ids(event: dict[str, Any], type_: str) -> tuple[str | None, str | None]:
    """Give ``userId`` and ``anonymousId``; whole numbers become texts, in the event too. Raise `Unfit`."""
    user_id, anonymous_id = _read_id(event, "userId"), _read_id(event, "anonymousId")
    for field in _OTHER_IDS:
        if field in event:
            _read_id(event, field)
    if user_id is None and anonymous_id is None and type_ != _NEEDS_NOBODY:
        raise Unfit("it needs a userId or an anonymousId")
    return user_id, anonymous_id


def _read_id(event: dict[str, Any], field: str) -> str | None:
    value = event.get(field)
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool):
        event[field] = value = str(value)
    return _check_text(value, field) or None


def _check_text(value: object, field: str, longest: int = MAX_TEXT) -> str:
    if not isinstance(value, str):
        raise Unfit(f"{field} must be a string")
    if len(value) > longest:
        raise Unfit(f"{field} has more than {longest} characters")
    if "\x00" in value:
        raise Unfit(f"{field} must not hold the character NUL")
    return value


def read_name(event: dict[str, Any], type_: str) -> str | None:
    """Give the event's name: ``event`` of a track, ``name`` of a page; raise `Unfit`."""
    field = _NAMES.get(type_)
    if field is None:
        return None
    value = event.get(field)
    name = None if value is None else _check_text(value, field)
    if not name and type_ in _MUST_BE_NAMED:
        raise Unfit(f"a {type_} needs {field}")
    return name or None


def read_message_id(event: dict[str, Any]) -> str:
    """Give the event's id, assigned where the client gave none; raise `Unfit`."""
    value = event.get("messageId")
    if value is None or value == "":
        event["messageId"] = value = new_id("msg")
    return _check_text(value, "messageId", MAX_MESSAGE_ID)


def complete(event: dict[str, Any], frame: Frame) -> Mapping[str, Any]:
    """Add what the call and the host know of the event, which has passed the checks; give its ``integrations``."""
    _set_times(event, frame)
    _set_context(event, frame)
    integrations: dict[str, Any] | None = event.get("integrations")
    if frame.integrations or integrations is None:
        event["integrations"] = integrations = {**(frame.integrations or _EVERYWHERE), **(integrations or {})}
    event["projectId"] = frame.source_id
    event.setdefault("version", WIRE_VERSION)
    event.pop("writeKey", None)
    return integrations


_EVERYWHERE: Final = {"All": True}


def _set_times(event: dict[str, Any], frame: Frame) -> None:
    told = event.get("timestamp") or event.get("originalTimestamp")
    original, skew = read_time(told), _set_sent_at(event, frame)
    timestamp = original and correct(original, skew)
    event["timestamp"] = write_time(timestamp) if timestamp else frame.received_at
    event["receivedAt"] = frame.received_at
    if original:
        event["originalTimestamp"] = told
    elif "originalTimestamp" in event:
        del event["originalTimestamp"]


def _set_sent_at(event: dict[str, Any], frame: Frame) -> timedelta:
    """Let the call's word go before the event's; give how far the client's clock is behind."""
    if frame.sent_at:
        event["sentAt"] = frame.sent_at
        return frame.skew
    sent = read_time(event.pop("sentAt", None))
    if sent is None:
        return NO_SKEW
    event["sentAt"] = write_time(sent)
    return frame.received - sent


def _set_context(event: dict[str, Any], frame: Frame) -> None:
    context = event.get("context")
    if frame.context or context is None:
        event["context"] = context = {**frame.context, **(context or {})}
    if frame.ip:
        event.setdefault("channel", "browser")
        context.setdefault("ip", frame.ip)


def readable(event: Mapping[str, Any], field: str) -> str | None:
    """Give a text of an event that failed the checks, if at least this one is as it should be."""
    try:
        return _check_text(event.get(field), field, MAX_MESSAGE_ID if field == "messageId" else MAX_TEXT)
    except Unfit:
        return None
