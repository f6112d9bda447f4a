"""A host in a process of its own, which may be told to die at a named point. Run as a module.

Arguments: the data folder. It prints its URL once it listens, and ends on SIGTERM. It begins
when a line comes in, having imported everything. Of the environment:

``CRASH_AT``: the point, see `POINTS`, at which it is killed (-9), the third time that it comes there;
``POISON``: the name of events that kill it when they are run;
``WORKERS_BEAT``: seconds between two beats of its worker.

SIGUSR1 fills the disk (no file may grow any more), SIGUSR2 makes room again.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Awaitable, Callable
from functools import wraps
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from guesthouse import app
from guesthouse.ledger.sql import SqlLedger
from guesthouse.pipeline.execute import Executor
from guesthouse.pipeline.worker import Worker, WorkerConfig
from guesthouse.queue.sqlite import SqliteQueue
from guesthouse.serving import ServeConfig, Started, serve

POINTS: dict[str, tuple[type, str]] = {
    "accepted": (SqliteQueue, "accept"),
    "leased": (SqliteQueue, "lease"),
    "executed": (Executor, "run"),
    "settled": (SqliteQueue, "settle"),
    "appended": (SqlLedger, "append"),
    "drained": (SqliteQueue, "drained"),
}
"""Where it may die: right after this method did its work, before anybody hears of it."""
_TIMES = 3
Method = Callable[..., Awaitable[Any]]


def die() -> None:
    """End like a process that somebody killed."""
    os.kill(os.getpid(), signal.SIGKILL)


def crash_at(point: str) -> None:
    """Die the third time that a point is reached with something in hand."""
    kind, name = POINTS[point]
    method: Method = getattr(kind, name)
    times = 0

    @wraps(method)
    async def dying(*arguments: object, **more: object) -> object:
        nonlocal times
        answer = await method(*arguments, **more)
        times += answer != []  # a lease that found nothing
        if times == _TIMES:
            die()
        return answer

    setattr(kind, name, dying)


def poison(name: str) -> None:
    """Die of running an event of this name."""
    run: Method = Executor.run

    async def dying(self: Executor, leases: Any) -> object:  # noqa: ANN401 - passed on
        if any(lease.event.name == name for lease in leases):
            die()
        return await run(self, leases)

    Executor.run = dying  # type: ignore[assignment,method-assign] # a test's crash


def beat_each(seconds: float) -> None:
    """Let the worker beat, sweep and try again sooner than a host in earnest."""
    quick = WorkerConfig(beat_seconds=seconds, wait_seconds=seconds, fault_seconds=seconds)

    class QuickWorker(Worker):
        def __init__(self, *parts: Any) -> None:  # noqa: ANN401 - passed on
            super().__init__(*parts[:5], quick)  # type: ignore[call-arg] # five of them

    vars(app)["Worker"] = QuickWorker


def fill_disk() -> None:
    """Let no file grow beyond a size that all but the smallest have."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, resource.RLIM_INFINITY))


def make_room() -> None:
    """Let files grow again."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def say(started: Started) -> None:
    """Tell where it listens."""
    sys.stdout.write(f"{started.url}\n")
    sys.stdout.flush()


async def main(data: Path) -> None:
    """Serve until SIGTERM."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGUSR1, fill_disk)
    loop.add_signal_handler(signal.SIGUSR2, make_room)
    await serve(ServeConfig(data=data, port=0, allow_private=(ip_network("127.0.0.0/8"),)), stop, say)


if __name__ == "__main__":
    if point := os.environ.get("CRASH_AT"):
        crash_at(point)
    if name := os.environ.get("POISON"):
        poison(name)
    beat_each(float(os.environ.get("WORKERS_BEAT", "0.1")))
    sys.stdin.readline()
    asyncio.run(main(Path(sys.argv[1])))
