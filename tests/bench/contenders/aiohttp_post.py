"""The peer of a guest's POST: aiohttp alone, on uvloop, with as many connections."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import aiohttp
import uvloop
from tests.bench import guests


@contextmanager
def opened(url: str, in_flight: str) -> Iterator[Callable[[int], None]]:
    """POST to *url* from *in_flight* tasks at once."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        session = runner.run(_session(int(in_flight)))
        yield lambda count: runner.run(_together(session, f"{url}/events", count, int(in_flight)))
        runner.run(session.close())


async def _session(connections: int) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections))


async def _together(session: aiohttp.ClientSession, url: str, count: int, in_flight: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(_one_by_one(session, url, count // in_flight))


async def _one_by_one(session: aiohttp.ClientSession, url: str, count: int) -> None:
    headers = {"content-type": "application/json"}
    for _ in range(count):
        async with session.post(url, data=guests.BODY, headers=headers) as response:
            response.raise_for_status()
            await response.read()
