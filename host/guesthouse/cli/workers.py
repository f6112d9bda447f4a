"""Several processes that serve one data folder from one listening socket, and the one that minds them.

The minder opens no engine. It shares the socket and a lifeline with each worker: what comes up the lifeline says that
the worker is ready, and its end tells either that the other is gone. The first worker starts alone, as it makes what a
new data folder lacks.
"""

import asyncio
import logging
import os
import socket
import sys
from argparse import Namespace
from collections.abc import Callable
from typing import Final

from guesthouse.config import TOKEN_FILE
from guesthouse.errors import OperatorError
from guesthouse.logs import tell
from guesthouse.serving import ServeConfig, Started, announced, answer, listening, url_of

LOG: Final = logging.getLogger("guesthouse.workers")
RESTART_SECONDS: Final = 1.0
"""The pause before a worker that ended is replaced."""
_NEW_TOKEN: Final = b"n"
_READY: Final = b"r"

Ready = Callable[[Started], None]


class WorkerFailed(OperatorError):
    """A worker ended before it was ready; its own words are on stderr."""

    code = "worker_failed"


async def mind(config: ServeConfig, arguments: Namespace, stop: asyncio.Event, on_ready: Ready) -> None:
    """Run *arguments.workers* processes until *stop* is set, replacing those that end."""
    with listening(config.host, config.port) as listener:
        listener.listen()
        minder = _Minder(arguments, listener, stop)
        try:
            async with asyncio.TaskGroup() as group:
                is_token_new = await minder.start_all(group)
                if not stop.is_set():
                    file = config.data / TOKEN_FILE
                    started = Started(url=url_of(listener), token_file=file, is_token_new=is_token_new)
                    with announced(config.data, started.url):
                        on_ready(started)
                        await stop.wait()
        except BaseExceptionGroup as several:
            raise several.exceptions[0] from None


class _Minder:
    def __init__(self, arguments: Namespace, listener: socket.socket, stop: asyncio.Event) -> None:
        self._arguments = arguments
        self._listener = listener
        self._stop = stop

    async def start_all(self, group: asyncio.TaskGroup) -> bool:
        """Start the first worker, then the others; whether there is a new token, once all are ready or are to stop."""
        word = await self._start(group)
        if word:
            await asyncio.gather(*[self._start(group) for _ in range(self._arguments.workers - 1)])
        return word == _NEW_TOKEN

    async def _start(self, group: asyncio.TaskGroup) -> bytes:
        ready: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        group.create_task(self._keep(ready))
        return await ready

    async def _keep(self, ready: "asyncio.Future[bytes]") -> None:
        while not self._stop.is_set():
            status = await self._run_one(ready)
            if self._stop.is_set():
                break
            if not ready.done():
                ready.set_exception(WorkerFailed(f"a worker ended with status {status} before it was ready"))
                return
            tell(LOG, logging.ERROR, "worker.ended", status=status)
            await _pause(self._stop, RESTART_SECONDS)
        if not ready.done():
            ready.set_result(b"")

    async def _run_one(self, ready: "asyncio.Future[bytes]") -> int:
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                worker = await asyncio.create_subprocess_exec(
                    *_command(self._arguments, self._listener.fileno(), theirs.fileno()),
                    pass_fds=(self._listener.fileno(), theirs.fileno()),
                )
            ours.setblocking(False)
            ending = asyncio.create_task(worker.wait())
            stopping = asyncio.create_task(self._stop.wait())
            try:
                await self._hear(ours, ready)
                await asyncio.wait({ending, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if worker.returncode is None:
                    worker.terminate()
                return await ending
            finally:
                stopping.cancel()

    async def _hear(self, ours: socket.socket, ready: "asyncio.Future[bytes]") -> None:
        hearing = asyncio.create_task(asyncio.get_running_loop().sock_recv(ours, 1))
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({hearing, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if hearing.done() and hearing.result() and not ready.done():
            ready.set_result(hearing.result())
        hearing.cancel()


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _command(arguments: Namespace, listener: int, lifeline: int) -> tuple[str, ...]:
    ranges = [word for network in arguments.allow_private for word in ("--allow-private", str(network))]
    own = ("--data", str(arguments.data), *ranges, "--worker", f"{listener},{lifeline}")
    return (sys.executable, "-m", "guesthouse.cli", "serve", *own)


async def work(config: ServeConfig, descriptors: tuple[int, int], stop: asyncio.Event) -> None:
    """Be a worker: serve on the minder's socket until told to stop, or until the minder is gone."""
    loop = asyncio.get_running_loop()
    listener, lifeline = (socket.socket(fileno=descriptor) for descriptor in descriptors)
    with listener, lifeline:
        loop.add_reader(lifeline, stop.set)

        def say(started: Started) -> None:
            os.write(lifeline.fileno(), _NEW_TOKEN if started.is_token_new else _READY)

        try:
            await answer(config, listener, stop, say)
        finally:
            loop.remove_reader(lifeline)


def descriptors(text: str) -> tuple[int, int]:
    """Read what `_command` writes."""
    listener, lifeline = map(int, text.split(","))
    return listener, lifeline
