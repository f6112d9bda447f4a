"""An ASGI app behind a real uvicorn on loopback, in the test's own event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn
from tests.support.asgi import App

from guesthouse.api.connection import BoundedProtocol

ANSWER_SECONDS: Final = 20.0
"""What takes milliseconds otherwise hangs when it takes longer than this."""


class _Server(uvicorn.Server):
    """Says when it listens, and leaves signals alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listens = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server.startup`."""
        await super().startup(sockets)
        self.listens.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """See `uvicorn.Server.capture_signals`."""
        yield


@asynccontextmanager
async def served(app: App, protocol: type[BoundedProtocol] = BoundedProtocol) -> AsyncIterator[int]:
    """Serve *app* and give the port; connections that are left open are closed at the end."""
    config = uvicorn.Config(
        app, http=protocol, ws="none", lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=0
    )
    server = _Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(server.serve([listener]))
        await server.listens.wait()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            await serving


async def talk(port: int, *parts: bytes, half_closed: bool = False) -> bytes:
    """Send raw bytes and give all that comes back until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            try:
                for part in parts:
                    writer.write(part)
                    await writer.drain()
                if half_closed:
                    writer.write_eof()
            except ConnectionError:
                # It has heard enough; its answer may still be there.
                pass
            return await _everything(reader)
    finally:
        writer.close()


async def _everything(reader: asyncio.StreamReader) -> bytes:
    data = b""
    try:
        while part := await reader.read(1 << 16):
            data += part
    except ConnectionError:
        pass
    return data
