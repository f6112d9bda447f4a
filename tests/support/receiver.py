"""A small HTTP receiver on loopback that says exactly what a test tells it to, well-formed or not.

It speaks through plain asyncio streams: no library stands between a test and the bytes that go over the wire.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import ssl

Answer = bytes | AsyncIterator[bytes]
Script = Callable[["Received"], "Answer | Awaitable[Answer]"]


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it came over the wire."""

    method: str
    target: str
    """The request line's second word, untouched."""
    headers: tuple[tuple[str, str], ...]
    """Names in lower case."""
    body: bytes

    def header(self, name: str) -> str | None:
        """Return the first header of this name."""
        return next((value for known, value in self.headers if known == name), None)


def reply(status: int = 200, body: bytes = b"", **headers: str) -> bytes:
    """Write a well-formed response; underscores in header names become dashes."""
    fields = {"content_length": str(len(body)), **headers}
    lines = [f"HTTP/1.1 {status} Status", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def endless(head: bytes, chunk: bytes) -> AsyncIterator[bytes]:
    """Answer with a head and then the same bytes until the other side goes away."""
    yield head
    while True:
        yield chunk
        await asyncio.sleep(0)


class _Reader(asyncio.StreamReader):
    """Notices at once that the other side has gone, also while a script is thinking."""

    def __init__(self, gone: asyncio.Event) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._gone = gone

    def feed_eof(self) -> None:
        self._gone.set()
        super().feed_eof()


@dataclass
class Receiver:
    """Listens on 127.0.0.1 while it is entered; *script* turns each request into the bytes of its answer.

    An answer is bytes or an asynchronous iterator of bytes; ``b""`` closes the connection without a word.
    """

    script: Script = field(default=lambda _: reply())
    tls: "ssl.SSLContext | None" = None
    greeting: bytes = b""
    """Said before anybody asked."""
    requests: list[Received] = field(default_factory=list)
    connections: int = 0
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request has arrived."""
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a client has gone."""
    port: int = 0
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.get_running_loop().create_server(
            lambda: asyncio.StreamReaderProtocol(_Reader(self.gone), self._serve), "127.0.0.1", 0, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        """Return the URL of a path here."""
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        writer.write(self.greeting)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while await self._answer(reader, writer):
                    pass
        finally:
            self.gone.set()
            self._tasks.discard(task)
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        request = await _read_request(reader)
        self.requests.append(request)
        self.arrived.set()
        answer = self.script(request)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, bytes):
            writer.write(answer)
            await writer.drain()
            return bool(answer)
        async for piece in answer:
            writer.write(piece)
            await writer.drain()
        return False


async def _read_request(reader: asyncio.StreamReader) -> Received:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = [line.split(": ", 1) for line in lines]
    headers = tuple((name.lower(), value) for name, value in pairs)
    length = int(dict(headers).get("content-length", 0))
    return Received(method, target, headers, await reader.readexactly(length))
