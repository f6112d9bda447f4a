"""A whole API behind a real server in a thread of its own, for tests whose tools wait without an event loop."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

from tests.support.control import opened_stage
from tests.support.server import served

Place = tuple[str, dict[str, str]]
"""Where it is, and the headers of an administrator."""


@contextmanager
def served_in_background(folder: Path) -> Iterator[Place]:
    """Serve an API on the storage in *folder*."""
    started: Future[tuple[Place, asyncio.AbstractEventLoop, asyncio.Event]] = Future()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(folder, started)))
    thread.start()
    place, loop, stop = started.result()
    try:
        yield place
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()


async def _serve(folder: Path, started: Future[tuple[Place, asyncio.AbstractEventLoop, asyncio.Event]]) -> None:
    stop = asyncio.Event()
    try:
        async with opened_stage(folder) as stage, served(stage.api) as port:
            started.set_result(((f"http://127.0.0.1:{port}", stage.admin), asyncio.get_running_loop(), stop))
            await stop.wait()
    except BaseException as error:
        if not started.done():
            started.set_exception(error)
        raise
