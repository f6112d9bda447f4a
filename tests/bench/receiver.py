"""A loopback HTTP receiver in a process of its own: answers each POST, or holds all of them until told.

Its parent speaks to it by lines: ``hold``, ``release``, and ``await N``, answered when N requests are being held.
"""

import asyncio
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import uvloop
from tests.bench.processes import Child, child

_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
_BACKLOG = 4_096


class Receiver:
    """The parent's side."""

    def __init__(self, process: Child) -> None:
        """Take a started receiver."""
        self._process = process
        self.url = f"http://127.0.0.1:{int(process.listen())}"

    def hold(self) -> None:
        """Let no request be answered from now on."""
        self._process.ask("hold")

    def release(self) -> None:
        """Answer all requests, those to come as well."""
        self._process.ask("release")

    def await_held(self, count: int) -> None:
        """Block until so many requests are being held."""
        self._process.ask(f"await {count}")


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Start a receiver; it ends with the block."""
    with child("receiver") as process:
        yield Receiver(process)


class _Desk:
    """What connections share: who is being held, and how many the parent waits for."""

    def __init__(self) -> None:
        self.is_holding = False
        self._held: list[asyncio.Transport] = []
        self._awaited: int | None = None

    def arrived(self, transport: asyncio.Transport) -> None:
        if self.is_holding:
            self._held.append(transport)
            self._tell()
        else:
            transport.write(_ANSWER)

    def obey(self, line: str) -> None:
        command, _, number = line.partition(" ")
        if command == "await":
            self._awaited = int(number)
            self._tell()
            return
        self.is_holding = command == "hold"
        if not self.is_holding:
            self._release()
        print("so be it", flush=True)

    def _release(self) -> None:
        for transport in self._held:
            transport.write(_ANSWER)
        self._held.clear()

    def _tell(self) -> None:
        if self._awaited is not None and len(self._held) >= self._awaited:
            self._awaited = None
            print("they are here", flush=True)


class _Connection(asyncio.Protocol):
    """Splits what arrives into requests, by their Content-Length."""

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._end_of_request()) is not None:
            self._buffer = self._buffer[end:]
            self._desk.arrived(self._transport)

    def _end_of_request(self) -> int | None:
        head, found, _ = self._buffer.partition(b"\r\n\r\n")
        _, _, rest = head.lower().partition(b"content-length:")
        end = len(head) + 4 + int(rest.partition(b"\r\n")[0] or 0)
        return end if found and len(self._buffer) >= end else None


async def _serve() -> None:
    loop, desk, is_over = asyncio.get_running_loop(), _Desk(), asyncio.Event()

    def heard() -> None:
        line = sys.stdin.readline()
        if line:
            desk.obey(line.strip())
        else:
            loop.remove_reader(sys.stdin)
            is_over.set()

    server = await loop.create_server(lambda: _Connection(desk), "127.0.0.1", 0, backlog=_BACKLOG)
    loop.add_reader(sys.stdin, heard)
    print(server.sockets[0].getsockname()[1], flush=True)
    await is_over.wait()
    server.close()


def raise_descriptor_limit() -> None:
    """Allow this process as many descriptors as it may have."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


if __name__ == "__main__":
    raise_descriptor_limit()
    uvloop.run(_serve())
