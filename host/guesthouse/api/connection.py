"""Connections of strangers: uvicorn's protocol with bounds on what it leaves open.

The head of a request has a size and a time; a client that closed its half still gets its answer; one that is answered
before its body was read is not read on. Bodies are bounded by whoever reads them.
"""

import asyncio
import logging
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from guesthouse.api.problems import LOG
from guesthouse.logs import tell

MAX_HEAD_BYTES: Final = 64 << 10
MAX_HEAD_FIELDS: Final = 512
HEAD_SECONDS: Final = 10.0
"""From the first byte of a head, or the beginning of the connection, to the head's end."""

_TOO_LARGE: Final = b"431 Request Header Fields Too Large"
_MALFORMED: Final = b"400 Bad Request"


class _HeadTooLarge(Exception):
    """Ends the parsing of a head."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection; hand the class to `uvicorn.Config` as ``http``."""

    head_seconds = HEAD_SECONDS

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401 - uvicorn's own
        """See `HttpToolsProtocol`."""
        super().__init__(*arguments, **options)
        self._is_in_head = True
        self._head_bytes = 0
        self._head_fields = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """See `asyncio.Protocol.connection_made`."""
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol.connection_lost`."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol.data_received`."""
        if self._is_in_head:
            # A field that doesn't end is told by no callback of the parser.
            self._head_bytes += len(data)
            if self._timer is None:
                self._start_timer()
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(_TOO_LARGE)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # True keeps the other half open
        """See `asyncio.Protocol.eof_received`."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            return None
        cycle.keep_alive = False
        return True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count what the parser found."""
        self._head_fields += 1
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """See that the head is within its bounds before anybody looks at it."""
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEAD_BYTES or self._head_fields > MAX_HEAD_FIELDS:
            raise _HeadTooLarge
        self._is_in_head = False
        self._stop_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Get ready for the next head."""
        self._is_in_head = True
        self._head_bytes = self._head_fields = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Read no body that nobody wants."""
        super().on_response_complete()
        if not self.pipeline and self.cycle.more_body and not self.transport.is_closing():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or too much of it."""
        del msg
        size = self._head_bytes if self._is_in_head else 0
        is_large = size > MAX_HEAD_BYTES or self._head_fields > MAX_HEAD_FIELDS
        self._refuse(_TOO_LARGE if is_large else _MALFORMED)

    def _refuse(self, status: bytes) -> None:
        client = self.client[0] if self.client else None
        tell(LOG, logging.INFO, "connection.refused", status=int(status[:3]), client=client)
        self.transport.write(b"HTTP/1.1 %b\r\nconnection: close\r\ncontent-length: 0\r\n\r\n" % status)
        self.transport.close()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self.head_seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _give_up(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self._refuse(b"408 Request Timeout")
