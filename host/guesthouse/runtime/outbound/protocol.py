"""aiohttp's client protocol with bounds on what a hostile server can make it do.

Its parser works through whatever a read brings, and a read brings up to 256 KiB: interim responses of 18 bytes without
end were seen to stop the event loop for seconds, chunks of one byte for 75 ms at a time. So bytes reach the parser in
slices; a slice that was mostly framing ends the connection's turn, and too much framing ends the connection. Bytes
that nobody asked for, on a connection that waits for its next request, end it as well.
"""

import asyncio
from functools import partial
from typing import Any, Final, cast

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import HttpProcessingError

SLICE_BYTES: Final = 2 * 1024
"""Parsed at once while most of it is framing: 0.4 ms at worst."""
LARGE_SLICE_BYTES: Final = 8 * 1024
"""Parsed at once while most of it is body."""
MAX_FRAMING_BYTES: Final = 80 * 1024
"""Heads and chunk framing of one response, beyond as many bytes again as its body has."""
MAX_INTERIM: Final = 16
"""Responses with a status of 1xx before the final one."""

_FINAL_STATUS: Final = 200
_SWITCHING_PROTOCOLS: Final = 101


class BoundedHandler(ResponseHandler):
    """Feeds the parser slice by slice, and counts what doesn't end up in a body."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self._is_awaited = True
        self._is_scheduled = False
        self._pending: bytes | memoryview = b""
        self._slice = SLICE_BYTES
        self._received = 0
        self._interim = 0
        self._final: aiohttp.StreamReader | None = None

    def set_response_params(self, **params: Any) -> None:  # noqa: ANN401 - aiohttp's own, handed through
        """Expect the response to the next request."""
        self._is_awaited = True
        self._slice = SLICE_BYTES
        self._received = self._interim = 0
        self._final = None
        super().set_response_params(**params)

    def data_received(self, data: bytes) -> None:
        """Take bytes from the socket, or, without any, go on after the consumer had enough."""
        if not data:
            super().data_received(data)
            self._work()
        elif not self._is_awaited:
            self._abandon()
        elif self._pending:
            self._pending = bytes(self._pending) + data
            self._pause_transport_reading()
        elif len(data) <= SLICE_BYTES and not self._reading_paused:
            self._feed(data)
        else:
            self._pending = memoryview(data)
            self._work()

    def feed_data(self, data: Any, size: int = 0) -> None:  # noqa: ANN401 - aiohttp's own, handed through
        """Take a response's head from the parser."""
        message, payload = data
        if message.code >= _FINAL_STATUS or message.code == _SWITCHING_PROTOCOLS:
            self._final = payload
        else:
            self._interim += 1
        if self._interim <= MAX_INTERIM:
            super().feed_data(data, size)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget what was not worked through."""
        self._pending = b""
        super().connection_lost(exc)

    def _work(self) -> None:
        """Feed slices until nothing is left, the consumer has enough, or this turn was spent on framing."""
        while self._pending and not (self._reading_paused or self._is_scheduled):
            piece, self._pending = bytes(self._pending[: self._slice]), self._pending[self._slice :]
            is_costly = 4 * self._feed(piece) > len(piece)
            self._slice = SLICE_BYTES if is_costly else LARGE_SLICE_BYTES
            if is_costly and self._pending:
                self._pause_transport_reading()
                self._is_scheduled = True
                self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._is_scheduled = False
        self._work()
        if not (self._pending or self._reading_paused or self._buffer_paused):
            self._resume_transport_reading()

    def _feed(self, piece: bytes) -> int:
        """Parse a slice and return how many bytes of it were framing."""
        before = self._framing()
        self._received += len(piece)
        super().data_received(piece)
        framing = self._framing()
        if self._interim > MAX_INTERIM or (framing > self._allowed() and not self._reading_paused):
            self._abandon()
        elif self._final is not None and self._final.is_eof():
            self._is_awaited = False
            if self._pending:
                self._abandon()
        return framing - before

    def _framing(self) -> int:
        return self._received - (self._final.total_bytes if self._final is not None else 0)

    def _allowed(self) -> int:
        return MAX_FRAMING_BYTES + (self._final.total_bytes if self._final is not None else 0)

    def _abandon(self) -> None:
        """Close the connection at once; whoever waits for it learns why."""
        self._pending = b""
        self.set_exception(HttpProcessingError(message="the response is mostly framing, or unasked for"))
        if self._final is not None and not self._final.is_eof():
            self._final.set_exception(aiohttp.ClientPayloadError("the response is mostly framing"))
        if self.transport is not None:
            self.transport.abort()


def use_bounded_handler(connector: aiohttp.TCPConnector) -> None:
    """Make a connector speak through `BoundedHandler`; aiohttp offers no public way to choose."""
    loop = asyncio.get_running_loop()
    connector._factory = cast("partial[ResponseHandler]", partial(BoundedHandler, loop=loop))  # noqa: SLF001 - see above
