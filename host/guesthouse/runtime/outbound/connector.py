"""One aiohttp session for each tenant: its own connections, its own name lookups, no memory of anything else."""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from guesthouse.runtime.outbound.addresses import AddressGuard
from guesthouse.runtime.outbound.bodies import ACCEPT_ENCODING
from guesthouse.runtime.outbound.headers import MAX_LINE_BYTES, MAX_RESPONSE_HEADERS
from guesthouse.runtime.outbound.protocol import use_bounded_handler

USER_AGENT: Final = "Guesthouse"
LOOKUP_THREADS: Final = 32
LOOKUPS_PER_TENANT: Final = 4
"""Name lookups of one tenant at once; more wait, so that slow name servers of one can't take every thread."""

_READ_BYTES: Final = 64 * 1024
_NAMES_CACHED: Final = 256
_KEEPALIVE_SECONDS: Final = 15.0


@dataclass(slots=True)
class Line:
    """A tenant's session and the number of requests that are under way in it."""

    session: aiohttp.ClientSession
    busy: int = 0


class ThreadResolver(AbstractResolver):
    """The system's resolver in threads of our own: the event loop's are few, and slow names would take them all."""

    def __init__(self, threads: int = LOOKUP_THREADS) -> None:
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="guesthouse-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host; raises ``OSError`` where it has none."""
        found = await asyncio.get_running_loop().run_in_executor(
            self._threads, lambda: socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        )
        return [
            ResolveResult(
                hostname=host, host=str(address[0]), port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
            )
            for kind, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Let go of the threads; lookups that have begun end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class _Queue(AbstractResolver):
    """A tenant's share of a resolver that it doesn't own."""

    def __init__(self, resolver: AbstractResolver) -> None:
        self._resolver = resolver
        self._room = asyncio.Semaphore(LOOKUPS_PER_TENANT)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        async with self._room:
            return await self._resolver.resolve(host, port, family)

    async def close(self) -> None:
        """Leave the shared resolver open."""


def open_line(guard: AddressGuard, resolver: AbstractResolver, *, connections: int, tls: ssl.SSLContext | None) -> Line:
    """Open a tenant's session; *connections* is how many it may have at once, 0 for any number."""
    connector = aiohttp.TCPConnector(
        socket_factory=guard.open_socket,
        resolver=_Queue(resolver),
        dns_cache_max_size=_NAMES_CACHED,
        keepalive_timeout=_KEEPALIVE_SECONDS,
        limit=connections,
        ssl=tls or True,
    )
    use_bounded_handler(connector)
    session = aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        requote_redirect_url=False,
        read_bufsize=_READ_BYTES,
        max_line_size=MAX_LINE_BYTES,
        max_field_size=MAX_LINE_BYTES,
        max_headers=MAX_RESPONSE_HEADERS,
        headers={"User-Agent": USER_AGENT, "Accept-Encoding": ACCEPT_ENCODING},
    )
    # Otherwise aiohttp sends GET, PUT and the like a second time by itself, past the cap and the record.
    session._retry_connection = False  # noqa: SLF001 - there is no public switch; aiohttp's own test client does so
    return Line(session)


class Closing:
    """Sessions that are being closed in the background."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, closing: Coroutine[Any, Any, None]) -> None:
        """Close one without waiting for it."""
        task = asyncio.ensure_future(closing)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def wait(self) -> None:
        """Return when all are closed."""
        await asyncio.gather(*self._tasks, return_exceptions=True)
