"""The body of an ingestion call: bytes to a `Call`, and from there to the arrivals of its events."""

from collections.abc import Iterator
from typing import Any, Final

from msgspec import Raw, Struct
from msgspec.json import Decoder

from guesthouse.errors import TooLarge
from guesthouse.model.normalise import CLIENT_TYPES, Arrival, Refused, normalise_event
from guesthouse.model.normalise_frame import Frame, make_frame
from guesthouse.model.normalise_json import Unfit, decode_body, decode_event

MAX_BATCH_BYTES: Final = 500 << 10
"""Of a body, decompressed."""
MAX_BATCH_EVENTS: Final = 2_500
MAX_EVENT_BYTES: Final = 32 << 10
"""Of an event's JSON as it was sent."""


class Call(Struct, kw_only=True):
    """A body whose envelope has been read; its events have not."""

    batch: list[Raw]
    writeKey: str | None = None  # noqa: N815 - the wire's spelling
    sentAt: Any = None  # noqa: N815 - the wire's spelling
    context: dict[str, Any] | None = None
    integrations: dict[str, Any] | None = None


class _Single(Struct):
    writeKey: str | None = None  # noqa: N815 - the wire's spelling
    sentAt: Any = None  # noqa: N815 - the wire's spelling


_batch: Final = Decoder(Call)
_single: Final = Decoder(_Single)
_text: Final = Decoder(Raw)


def read_batch(body: bytes) -> Call:
    """Read the envelope of a batch; raise `Malformed` or `TooLarge`."""
    if len(body) > MAX_BATCH_BYTES:
        raise TooLarge("the batch", MAX_BATCH_BYTES)
    call = decode_body(_batch, body)
    if len(call.batch) > MAX_BATCH_EVENTS:
        raise TooLarge("the batch", MAX_BATCH_EVENTS, "events")
    return call


def read_single(body: bytes) -> Call:
    """Read the envelope of a call with one event, which is the body itself; raise `Malformed` or `TooLarge`."""
    if len(body) > MAX_EVENT_BYTES:
        raise TooLarge("the event", MAX_EVENT_BYTES)
    text = decode_body(_text, body)
    single = decode_body(_single, bytes(text))
    return Call(batch=[text], writeKey=single.writeKey, sentAt=single.sentAt)


def arrivals(call: Call, frame: Frame, type_: str | None = None) -> Iterator[Arrival]:
    """Normalise the events of a call one after the other; *type_* is that of the call's path, if that has one.

    Raises `Malformed` at an event whose text is not UTF-8, since then the whole call isn't.
    """
    for text in call.batch:
        yield _arrive(text, frame, type_)


def frame_of(call: Call, *, source_id: str, received_at_ms: int, ip: str | None) -> Frame:
    """Make the frame that a call's events share."""
    return make_frame(
        source_id=source_id,
        received_at_ms=received_at_ms,
        sent_at=call.sentAt,
        context=call.context,
        integrations=call.integrations,
        ip=ip,
    )


def _arrive(text: Raw, frame: Frame, type_: str | None) -> Arrival:
    try:
        event = decode_event(text, MAX_EVENT_BYTES)
    except Unfit as unfit:
        return Refused(reason=str(unfit), received_at_ms=frame.received_at_ms, type=type_)
    if type_ is not None and isinstance(event, dict):
        event["type"] = type_
    return normalise_event(event, frame, CLIENT_TYPES)
