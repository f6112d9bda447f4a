"""What ``guesthouse_call`` answered: bytes to a `Reply`, or `BrokenContract`."""

import re
from collections.abc import Generator
from typing import Annotated, Any, Final

from msgspec import Meta, Raw, Struct
from msgspec.msgpack import Decoder, encode

from guesthouse.abi.bounds import check, check_in_steps
from guesthouse.abi.contract import MAX_EVENT_BYTES, MAX_EVENTS, MAX_MESSAGE_BYTES, MAX_REPLY_VALUES, MAX_RESULTS
from guesthouse.abi.decoding import Code, Milliseconds, Pairs, decode
from guesthouse.errors import BrokenContract
from guesthouse.model.reply import Headers, ItemResult, Reply, WebhookResponse
from guesthouse.model.verdict import Verdict

_NIL: Final = Raw(b"\xc0")
_TEXTUAL: Final = frozenset({b"event", b"events"})
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A header's name: https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2."""
_UNSAFE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class _Item(Struct):
    verdict: Verdict
    message: str | None = None
    code: Code | None = None
    retry_after_ms: Milliseconds | None = None


class _Response(Struct):
    status: Annotated[int, Meta(ge=100, le=599)]
    headers: Pairs | None = None
    body: bytes | None = None


class _Reply(_Item):
    results: Annotated[list[_Item], Meta(max_length=MAX_RESULTS)] | None = None
    events: Annotated[list[Raw], Meta(max_length=MAX_EVENTS)] | None = None
    response: _Response | None = None
    event: Raw = _NIL


_reply: Final = Decoder(_Reply)
_event: Final = Decoder(dict[str, Any])
_BARE: Final = {verdict: ItemResult(verdict=verdict) for verdict in Verdict}
"""Nearly every event of a batch ends in one of these."""
_PLAIN: Final = {encode({"verdict": verdict}): Reply(verdict=verdict) for verdict in Verdict}
"""Nearly every reply of a destination is one of these."""


def decode_reply(data: bytes | memoryview) -> Reply:
    """Decode a reply; raise `BrokenContract` naming the fault and its place, whatever the bytes.

    The caller bounds the number of bytes; time and memory are bounded here.
    """
    data = bytes(data)
    plain = _PLAIN.get(data)
    if plain is not None:
        return plain
    check(data, "reply", MAX_REPLY_VALUES, _TEXTUAL)
    return _to_reply(data)


def decode_reply_in_steps(data: bytes) -> Generator[None, None, Reply]:
    """Do as `decode_reply` does, with pauses in which others may run: a large reply takes tens of milliseconds."""
    yield from check_in_steps(data, "reply", MAX_REPLY_VALUES, _TEXTUAL)
    yield
    return _to_reply(data)


def _to_reply(data: bytes) -> Reply:
    reply = decode(_reply, data, "reply")
    return Reply(
        verdict=reply.verdict,
        message=_cut(reply.message),
        code=reply.code,
        retry_after_ms=reply.retry_after_ms,
        results=None if reply.results is None else tuple(map(_to_result, reply.results)),
        events=tuple(_decode_event(event, f"reply.events[{i}]") for i, event in enumerate(reply.events or ())),
        response=None if reply.response is None else _to_response(reply.response),
        event=None if reply.event == _NIL else _decode_event(reply.event, "reply.event"),
    )


def _to_result(item: _Item) -> ItemResult:
    if item.message is None and item.code is None and item.retry_after_ms is None:
        return _BARE[item.verdict]
    return ItemResult(
        verdict=item.verdict,
        message=_cut(item.message),
        code=item.code,
        retry_after_ms=item.retry_after_ms,
    )


def _cut(message: str | None) -> str | None:
    """Cut a message for people rather than lose the verdict that it explains."""
    if message is None or len(message) <= MAX_MESSAGE_BYTES // 4:
        return message
    return message.encode()[:MAX_MESSAGE_BYTES].decode(errors="ignore")


def _decode_event(raw: Raw, place: str) -> dict[str, Any]:
    data = bytes(raw)
    if len(data) > MAX_EVENT_BYTES:
        raise BrokenContract(f"{place} is {len(data):,} bytes; {MAX_EVENT_BYTES:,} are allowed")
    return decode(_event, data, place)


def _to_response(response: _Response) -> WebhookResponse:
    headers = response.headers or ()
    for i, (name, value) in enumerate(headers):
        _check_header(name, value, f"reply.response.headers[{i}]")
    return WebhookResponse(status=response.status, headers=_lower(headers), body=response.body or b"")


def _lower(headers: Headers) -> Headers:
    return tuple((name.lower(), value) for name, value in headers)


def _check_header(name: str, value: str, place: str) -> None:
    """Refuse what would let a guest write more into the response than one header."""
    if not _TOKEN.fullmatch(name):
        raise BrokenContract(f"{place}: {name[:64]!r} is not a header's name")
    if _UNSAFE.search(value):
        raise BrokenContract(f"{place}: a control character in the value of {name[:64]!r}")
