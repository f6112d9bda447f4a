"""The composition root: one host, built from its parts, in the order in which they need each other."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from guesthouse.clock import Clock, SystemClock
from guesthouse.config import EngineConfig
from guesthouse.errors import StorageFault
from guesthouse.ledger.sql import SqlLedger
from guesthouse.model.retry import RetryPolicy
from guesthouse.pipeline.accept import FrontDoor
from guesthouse.pipeline.deploy import Deployments
from guesthouse.pipeline.execute import Executor
from guesthouse.pipeline.hooks import SourceHooks
from guesthouse.pipeline.judge import Judge
from guesthouse.pipeline.modules import Modules
from guesthouse.pipeline.work import DeliveryWork
from guesthouse.pipeline.worker import Worker, WorkerConfig
from guesthouse.queue.sqlite import open_queue
from guesthouse.queue.sqlite.backend import SqliteQueue
from guesthouse.registry.sql import SqlRegistry
from guesthouse.runtime.engine import Engine

QUEUE_FILE = "queue.db"
DATABASE_FILE = "guesthouse.db"
CACHE_FOLDER = "cache"


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """All parts of a running host."""

    engine: Engine
    registry: SqlRegistry
    queue: SqliteQueue
    ledger: SqlLedger
    door: FrontDoor
    hooks: SourceHooks
    deployments: Deployments
    work: DeliveryWork
    worker: Worker


@asynccontextmanager
async def open_host(
    data: Path,
    *,
    engine: EngineConfig | None = None,
    worker: WorkerConfig | None = None,
    retry: RetryPolicy | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[Host]:
    """Open a host on a data folder, made where there is none; its worker runs until the block is left.

    Raises `OperatorError`: what of the folder or the system can't be used.
    """
    clock = clock or SystemClock()
    await asyncio.to_thread(_make, data)
    engine = engine or EngineConfig(cache_folder=data / CACHE_FOLDER)
    async with AsyncExitStack() as stack:
        database = f"sqlite:///{data / DATABASE_FILE}"
        registry = await SqlRegistry.open(database, data, clock=clock)
        stack.push_async_callback(registry.close)
        ledger = await SqlLedger.open(database)
        stack.push_async_callback(ledger.close)
        queue = await open_queue(data / QUEUE_FILE, clock=clock)
        stack.push_async_callback(queue.close)
        runtime = await stack.enter_async_context(Engine.open(engine, clock=clock))
        modules = Modules(runtime, registry)
        door = FrontDoor(registry, queue)
        hooks = SourceHooks(registry, queue, door, modules, clock)
        judge = Judge(retry or RetryPolicy(), random.SystemRandom().random, clock.now_ms)
        executor = Executor(registry, modules, judge, clock)
        host = Host(
            engine=runtime,
            registry=registry,
            queue=queue,
            ledger=ledger,
            door=door,
            hooks=hooks,
            deployments=Deployments(runtime, registry),
            work=DeliveryWork(registry, queue, ledger, hooks),
            worker=Worker(queue, ledger, registry, executor, clock, worker),
        )
        working = asyncio.create_task(host.worker.run(), name="guesthouse-worker")
        stack.push_async_callback(_end, working)
        yield host


def _make(data: Path) -> None:
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFault(f"the data folder {data} can't be made: {error.strerror}", reason="unreachable") from None


async def _end(working: "asyncio.Task[None]") -> None:
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
