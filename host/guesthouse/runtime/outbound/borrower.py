"""One invocation's use of the client, ring by ring.

::

    Borrower.send    one call of a guest: counted, checked, queued, answered
      _follow        its hops: each one granted by itself
        _exchange    one hop: recorded, whatever becomes of it
          _perform   aiohttp: secrets put in, headers and body bounded

What a guest may not do and what goes wrong are results that it can treat; see `failures` for the one table.
"""

import asyncio
import io
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import aiohttp
from yarl import URL

from guesthouse.abi.results import Refusal, encode_http_response, encode_refusal
from guesthouse.errors import CapabilityDenied, TooManyCalls
from guesthouse.model.target import Target
from guesthouse.runtime.outbound.bodies import conceal, inflater_for, read_body
from guesthouse.runtime.outbound.exchange import (
    CANCELLED,
    RECORDED_BYTES,
    open_exchange,
    record_body,
    record_failure,
    record_head,
    refused_exchange,
)
from guesthouse.runtime.outbound.failures import RefusedError, translate
from guesthouse.runtime.outbound.grants import check_grants, check_method, may_reveal_over_http
from guesthouse.runtime.outbound.headers import HeaderPairs, check_values, filter_request, filter_response
from guesthouse.runtime.outbound.redirects import REDIRECTS, Hop, next_hop
from guesthouse.runtime.outbound.room import Room

if TYPE_CHECKING:
    from guesthouse.abi.requests import HttpRequest
    from guesthouse.model.capability import Grant
    from guesthouse.model.limits import Limits
    from guesthouse.model.report import HttpExchange
    from guesthouse.runtime.outbound.connector import Line
    from guesthouse.runtime.secrets import Vault

MAX_REFUSALS: Final = 100
"""Refusals of one kind (too many calls; denied or impossible requests) after which the guest is ended."""
MAX_RECORDED_REFUSALS: Final = 32
CONNECT_SECONDS: Final = 5.0
"""Time for name lookup, connection and TLS handshake, within the time of the whole call."""

_LARGE_BODY_BYTES: Final = 1 << 20
_SWITCHING_PROTOCOLS: Final = 101


class Answer(NamedTuple):
    """A response as the guest gets it."""

    status: int
    headers: HeaderPairs
    body: bytes
    location: str | None
    """Where to go next; None unless the response is a redirect that is to be followed."""


class Borrower:
    """The HTTP client of one invocation. Made by `Outbound.borrow`."""

    __slots__ = (
        "_clock",
        "_denials",
        "_excess",
        "_grants",
        "_limits",
        "_line",
        "_room",
        "_vault",
        "calls",
        "exchanges",
    )

    def __init__(
        self,
        line: "Callable[[], Line]",
        grants: "Sequence[Grant]",
        limits: "Limits",
        vault: "Vault",
        clock: Callable[[], float],
    ) -> None:
        self.exchanges: list[HttpExchange] = []
        self.calls = 0
        self._line = line
        self._grants = grants
        self._limits = limits
        self._vault = vault
        self._clock = clock
        self._room = Room(limits.http_concurrent)
        self._denials = 0
        self._excess = 0

    async def send(self, request: "HttpRequest") -> bytes:
        """Make one call and return the handle's result: the response, or a refusal.

        A request that is refused before it is sent doesn't count as a call. Raises `TooManyCalls` and
        `CapabilityDenied` for a guest that goes on after `MAX_REFUSALS`, and ``CancelledError``; exchanges are
        recorded in each case.
        """
        if self.calls >= self._limits.http_calls:
            return self._refuse_excess()
        try:
            hop = self._admit(request)
        except RefusedError as refused:
            self._record_refusal(request, refused)
            return encode_refusal(refused.code, refused.message)
        self.calls += 1
        await self._room.enter()
        try:
            return await self._follow(hop, request)
        except RefusedError as refused:
            return encode_refusal(refused.code, refused.message)
        finally:
            self._room.leave()

    def _admit(self, request: "HttpRequest") -> Hop:
        """Check a request; raise `RefusedError` or return it as it may be sent."""
        if len(request.body) > self._limits.http_request_bytes:
            raise RefusedError(
                Refusal.REQUEST_TOO_LARGE, f"the request's body exceeds {self._limits.http_request_bytes:,} bytes"
            )
        if request.timeout_ms is not None and request.timeout_ms <= 0:
            raise RefusedError(Refusal.BAD_REQUEST, "the timeout is not positive")
        hop = Hop(check_method(request.method), _parse(request.url), filter_request(request.headers), request.body)
        check_grants(self._grants, hop.method, hop.target)
        return hop

    def _refuse_excess(self) -> bytes:
        self._excess += 1
        if self._excess > MAX_REFUSALS:
            raise TooManyCalls(MAX_REFUSALS)
        return encode_refusal(Refusal.TOO_MANY_CALLS, f"all {self._limits.http_calls:,} calls are used up")

    def _record_refusal(self, request: "HttpRequest", refused: RefusedError) -> None:
        self._denials += 1
        if self._denials > MAX_REFUSALS:
            raise CapabilityDenied(MAX_REFUSALS)
        if self._denials <= MAX_RECORDED_REFUSALS:
            self.exchanges.append(refused_exchange(request, refused, self._vault, self._now_ms()))

    async def _follow(self, hop: Hop, request: "HttpRequest") -> bytes:
        """Send a request and whatever redirects make of it."""
        limit_ms = self._limits.http_timeout_ms
        budget_ms = limit_ms if request.timeout_ms is None else min(request.timeout_ms, limit_ms)
        end_ms = self._now_ms() + budget_ms
        answer = await self._exchange(hop, budget_ms, follow=request.redirect)
        followed = 0
        while answer.location is not None:
            if followed == self._limits.http_redirects:
                raise self._note(RefusedError(Refusal.TOO_MANY_REDIRECTS, f"more than {followed} redirects"))
            followed += 1
            hop = self._redirect(hop, answer.status, answer.location)
            left_ms = end_ms - self._now_ms()
            if left_ms <= 0:
                raise self._note(translate(TimeoutError()))
            answer = await self._exchange(hop, left_ms, follow=True)
        return encode_http_response(answer.status, answer.headers, answer.body, hop.target.url)

    def _redirect(self, hop: Hop, status: int, location: str) -> Hop:
        """Return the granted next hop; a refusal is noted at the response that asked for it."""
        try:
            following = next_hop(hop, status, location, self._vault)
            check_grants(self._grants, following.method, following.target)
        except RefusedError as refused:
            raise self._note(RefusedError(refused.code, f"after a redirect: {refused.message}")) from None
        return following

    def _note(self, refused: RefusedError) -> RefusedError:
        record_failure(self.exchanges[-1], refused)
        return refused

    async def _exchange(self, hop: Hop, timeout_ms: int, *, follow: bool) -> Answer:
        """Perform one hop and record it, however it ends."""
        exchange = open_exchange(hop, self._vault, self._now_ms())
        self.exchanges.append(exchange)
        try:
            return await self._perform(hop, exchange, timeout_ms, follow=follow)
        except asyncio.CancelledError:
            exchange.error = CANCELLED
            raise
        except Exception as error:  # noqa: BLE001 - the table that translates is total
            failure = error if isinstance(error, RefusedError) else translate(error)
            record_failure(exchange, failure)
            raise failure from None
        finally:
            exchange.duration_ms = self._now_ms() - exchange.started_ms

    async def _perform(self, hop: Hop, exchange: "HttpExchange", timeout_ms: int, *, follow: bool) -> Answer:
        line = self._line()
        line.busy += 1
        try:
            response = await line.session.request(
                hop.method,
                _url(hop.target.url),
                headers=self._reveal(hop),
                data=_payload(hop.body),
                allow_redirects=False,
                timeout=_timeout(timeout_ms),
            )
            try:
                return await self._read(response, exchange, follow=follow)
            finally:
                # A body that was read to its end has given the connection back; any other takes it along.
                response.close()
        finally:
            line.busy -= 1

    def _reveal(self, hop: Hop) -> Sequence[tuple[str, str]]:
        """Put secrets in the place of their tokens."""
        vault, target = self._vault, hop.target
        if not vault.has_references:
            return hop.headers
        over_http = target.scheme == "http" and may_reveal_over_http(self._grants, hop.method, target)
        headers = vault.reveal(hop.headers, scheme=target.scheme, host=target.host, over_http=over_http)
        check_values(headers)
        return headers

    async def _read(self, response: aiohttp.ClientResponse, exchange: "HttpExchange", *, follow: bool) -> Answer:
        status = exchange.status = response.status
        if status == _SWITCHING_PROTOCOLS:
            raise RefusedError(Refusal.PROTOCOL_ERROR, "the host switches to another protocol")
        location = response.headers.get("Location") if follow and status in REDIRECTS else None
        encoding = response.headers.get("Content-Encoding")
        inflater = inflater_for(encoding) if encoding and response.method != "HEAD" else None
        headers = filter_response(response.raw_headers, decoded=inflater is not None)
        record_head(exchange, status, headers, self._vault)
        limit = self._limits.http_response_bytes if location is None else RECORDED_BYTES
        try:
            body = await read_body(response.content, limit, inflater)
        except RefusedError:
            if location is None:
                raise
            body = b""
        record_body(exchange, body, self._vault)
        mask = self._vault.concealment()
        if mask is not None:
            headers = tuple((name, mask.text(value)) for name, value in headers)
            body = await conceal(body, mask)
        return Answer(status, headers, body, location)

    def _now_ms(self) -> int:
        return int(self._clock() * 1000)


def _parse(url: str) -> Target:
    try:
        return _parse_cached(url)
    except ValueError as error:
        raise RefusedError(Refusal.BAD_REQUEST, str(error)) from None


_parse_cached = lru_cache(maxsize=1024)(Target.parse)


@lru_cache(maxsize=1024)
def _url(url: str) -> URL:
    """Wrap a checked URL so that aiohttp sends it exactly as it is."""
    return URL(url, encoded=True)


@lru_cache(maxsize=1024)
def _timeout(milliseconds: int) -> aiohttp.ClientTimeout:
    seconds = milliseconds / 1000
    return aiohttp.ClientTimeout(total=seconds, connect=min(seconds, CONNECT_SECONDS), ceil_threshold=float("inf"))


def _payload(body: bytes) -> bytes | io.BytesIO | None:
    """Wrap a body for aiohttp, which warns of large ones that are plain bytes."""
    if len(body) > _LARGE_BODY_BYTES:
        return io.BytesIO(body)
    return body or None
