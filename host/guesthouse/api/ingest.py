"""The ingestion endpoint: Segment's Tracking API, as ``wire/WIRE.md`` describes what its clients do.

The hot path of the host, so it speaks ASGI itself. A batch is accepted or refused whole; an event that can't be taken
does not fail its batch, but is recorded with its reason. With ``?strict=1`` it does, and the answer names each.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from msgspec import Struct, json, structs

from guesthouse.api.answers import CLOSE, Header, answer, answer_problem
from guesthouse.api.bodies import Gone, Receive, Scope, Send, header, read_body, unpack
from guesthouse.api.credentials import basic_key, usable
from guesthouse.api.ports import Door, Entry
from guesthouse.api.problems import LOG, headers_of, make_problem, problem_of, tell_error
from guesthouse.clock import Clock
from guesthouse.errors import TooLarge, TooSlow, Unauthenticated
from guesthouse.logs import tell
from guesthouse.model.normalise import Arrival, Refused
from guesthouse.model.normalise_call import MAX_BATCH_BYTES, Call, arrivals, frame_of, read_batch, read_single
from guesthouse.model.record import EventFate
from guesthouse.model.registry import Source

BATCH: Final = ""
"""Stands for no type: the events of a batch tell their own."""
_TYPES: Final = ("identify", "track", "page", "screen", "group", "alias")
ENDPOINTS: Final = {
    **{f"/v1/{name}": name for name in _TYPES},
    **{f"/v1/{name[0]}": name for name in _TYPES},
    **dict.fromkeys(("/v1/batch", "/v1/import", "/v1/b", "/sdk/batch"), BATCH),
}
"""Paths, and the type of the one event that is sent there."""
BODY_SECONDS: Final = 30.0
_CHUNK: Final = 100
"""Events that are normalised before others get their turn on the event loop."""

_SUCCESS: Final = b'{"success": true}'
_JSON: Final[Header] = (b"content-type", b"application/json")
_ANY_ORIGIN: Final[Header] = (b"access-control-allow-origin", b"*")
_SUCCESS_HEADERS: Final = (_JSON, _ANY_ORIGIN)
_PREFLIGHT: Final = (
    _ANY_ORIGIN,
    (b"access-control-allow-methods", b"POST"),
    (b"access-control-allow-headers", b"authorization, content-type, content-encoding, x-retry-count"),
    (b"access-control-max-age", b"86400"),
)
_EXPOSED: Final[Header] = (b"access-control-expose-headers", b"retry-after, x-ratelimit-reset")


class _Fate(Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """What a strict call is told of one event."""

    index: int
    fate: EventFate
    message_id: str | None = None
    event_id: str | None = None
    reason: str | None = None


class Ingest:
    """An ASGI app for the paths of `ENDPOINTS`."""

    def __init__(self, door: Door, clock: Clock, *, body_seconds: float = BODY_SECONDS) -> None:
        """Let events in through *door*."""
        self._door = door
        self._clock = clock
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        method = scope["method"]
        if method == "OPTIONS":
            await answer(send, 204, b"", _PREFLIGHT)
        elif method != "POST":
            problem = make_problem(405, "method_not_allowed", f"{scope['path']} takes POST")
            await answer_problem(send, problem, (_ANY_ORIGIN, (b"allow", b"POST, OPTIONS")))
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, body = await self._take(scope, receive)
        except Gone:
            tell(LOG, logging.INFO, "request.abandoned", path=scope["path"])
        except Exception as error:  # noqa: BLE001 - the tree's base and bugs: all are answered, bugs with 500
            await self._refuse(error, scope, send)
        else:
            await answer(send, status, body, _SUCCESS_HEADERS)

    async def _refuse(self, error: Exception, scope: Scope, send: Send) -> None:
        problem = problem_of(error)
        if isinstance(error, TooLarge):
            # Segment's clients know 400 as the answer to both what is malformed and what is too large.
            problem = structs.replace(problem, status=400)
        headers = [_ANY_ORIGIN, _EXPOSED, *headers_of(error, self._clock.now_ms())]
        if isinstance(error, TooLarge | TooSlow):
            headers.append(CLOSE)
        tell_error(error, "call.refused", path=scope["path"], client=_client(scope))
        await answer_problem(send, problem, headers)

    async def _take(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        packed = await read_body(scope, receive, "the body", limit=MAX_BATCH_BYTES, seconds=self._body_seconds)
        type_ = ENDPOINTS[scope["path"]]
        key = basic_key(header(scope, b"authorization"))
        source = await self._source(key) if key else None
        body = unpack(packed, header(scope, b"content-encoding"), "the body", MAX_BATCH_BYTES)
        call = read_single(body) if type_ else read_batch(body)
        if source is None:
            source = await self._source(usable(call.writeKey))
        arrived = await self._normalise(call, source, type_ or None, _browser_ip(scope))
        if b"strict=1" in scope["query_string"].split(b"&"):
            return await self._accept_strictly(source, arrived)
        await self._accept(source, arrived)
        return 200, _SUCCESS

    async def _source(self, key: str | None) -> Source:
        source = await self._door.source(key) if key else None
        if source is None:
            raise Unauthenticated("write key")
        return source

    async def _normalise(self, call: Call, source: Source, type_: str | None, ip: str | None) -> list[Arrival]:
        frame = frame_of(call, source_id=source.id, received_at_ms=self._clock.now_ms(), ip=ip)
        arrived: list[Arrival] = []
        for arrival in arrivals(call, frame, type_):
            arrived.append(arrival)
            if len(arrived) % _CHUNK == 0:
                await asyncio.sleep(0)
        return arrived

    async def _accept(self, source: Source, arrived: Sequence[Arrival]) -> Sequence[Entry]:
        if not arrived:
            return ()
        entries = await self._door.accept(source, arrived)
        if LOG.isEnabledFor(logging.DEBUG):
            refused = sum(isinstance(arrival, Refused) for arrival in arrived)
            tell(LOG, logging.DEBUG, "events.accepted", source=source.id, events=len(arrived), refused=refused)
        return entries

    async def _accept_strictly(self, source: Source, arrived: Sequence[Arrival]) -> tuple[int, bytes]:
        refused = [
            _Fate(index=index, fate=EventFate.REFUSED, message_id=arrival.message_id, reason=arrival.reason)
            for index, arrival in enumerate(arrived)
            if isinstance(arrival, Refused)
        ]
        if refused:
            tell(LOG, logging.INFO, "call.refused", source=source.id, events=len(arrived), refused=len(refused))
            return 400, json.encode({"success": False, "events": refused})
        entries = await self._accept(source, arrived)
        fates = [
            _Fate(index=index, fate=entry.fate, message_id=arrival.message_id, event_id=entry.event_id)
            for index, (arrival, entry) in enumerate(zip(arrived, entries, strict=True))
        ]
        return 200, json.encode({"success": True, "events": fates})


def _browser_ip(scope: Scope) -> str | None:
    """Give the address of a browser: only they name an origin."""
    return _client(scope) if header(scope, b"origin") else None


def _client(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None
