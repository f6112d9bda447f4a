"""Figures of the queue by itself: ``python -m tests.bench.queue_figures [FOLDER] [--ids MILLIONS]``.

Accepting one by one and in hundreds, leasing and settling in two hundreds, draining; leasing at a depth of a thousand
and of a hundred thousand; accepting with many message ids in the window. CPU is the whole process's, commit thread and
the making of attempt records included.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.support.queues import HOST, acceptance, settlement

from guesthouse.queue.protocol import Acceptance, Lease, Room
from guesthouse.queue.sqlite import SqliteQueue, open_queue
from guesthouse.queue.sqlite.duplicates import HOUR_MS

PAYLOAD = bytes(632)
DESTINATIONS = 10
ROOM = Room(default=10**9, tenant_default=10**9)
_HOURS = 24
_FILL = """
INSERT INTO seen_{hour} WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
SELECT randomblob(16) AS id FROM n ORDER BY id
"""


def events(count: int) -> list[Acceptance]:
    """Make events of the usual size, over a few destinations."""
    return [acceptance(f"dst_{number % DESTINATIONS}", payload=PAYLOAD) for number in range(count)]


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    """Print how fast something went and what it cost."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"{what:58} {count / wall:10,.0f} /s {cpu / count * 1e6:8.1f} us CPU")


@asynccontextmanager
async def fresh_queue(folder: str | None) -> AsyncIterator[SqliteQueue]:
    """Open an empty queue whose host owns all lanes."""
    with tempfile.TemporaryDirectory(dir=folder) as inner:
        queue = await open_queue(Path(inner) / "queue.db")
        await queue.beat(HOST, 64)
        yield queue
        await queue.close()


async def accept_all(queue: SqliteQueue, batches: Iterable[Sequence[Acceptance]], callers: int) -> None:
    """Accept batches by several callers at once."""
    rest = iter(batches)

    async def call() -> None:
        for batch in rest:
            await queue.accept(batch)

    await asyncio.gather(*(call() for _ in range(callers)))


async def lease(queue: SqliteQueue) -> list[Lease]:
    """Lease two hundred."""
    return await queue.lease(HOST, ROOM, limit=200, max_bytes=1 << 30, wait_seconds=0)


async def work_off(queue: SqliteQueue) -> None:
    """Lease and settle until nothing is due."""
    while leases := await lease(queue):
        await queue.settle([settlement(one) for one in leases])


async def drain(queue: SqliteQueue) -> None:
    """Empty the outbox."""
    while True:
        records, cursor = await queue.drain(1_000)
        if not records:
            return
        await queue.drained(cursor)


async def show_throughput(folder: str | None) -> None:
    """Show the life of an event, step by step."""
    hundreds = [events(100) for _ in range(200)]
    ones = [events(1) for _ in range(6_000)]
    alone = [events(1) for _ in range(300)]
    async with fresh_queue(folder) as queue:
        with timed("accept in hundreds, 8 callers", 20_000):
            await accept_all(queue, hundreds, 8)
        with timed("accept one by one, 64 callers", len(ones)):
            await accept_all(queue, ones, 64)
        with timed("accept one by one, 1 caller", len(alone)):
            await accept_all(queue, alone, 1)
        with timed("lease and settle in two hundreds", 26_300):
            await work_off(queue)
        with timed("drain in thousands", 52_600):
            await drain(queue)


async def show_depth(folder: str | None) -> None:
    """Show leasing at two depths."""
    for depth in (1_000, 100_000):
        async with fresh_queue(folder) as queue:
            await accept_all(queue, (events(500) for _ in range(depth // 500)), 4)
            with timed(f"lease two hundreds at a depth of {depth:,}", 1_000):
                for _ in range(5):
                    await lease(queue)


async def show_window(folder: str | None, ids: int) -> None:
    """Show accepting with many ids in the window, all of them in the filter."""
    async with fresh_queue(folder) as queue:
        await queue.accept(events(1))
        await asyncio.to_thread(_fill, queue, ids // _HOURS)
        await queue.beat(HOST, 64)
        queue._store.begin()
        start = time.perf_counter()
        while queue._store.window.unsieved(queue._store.ticks.now()) is not None:
            await queue.sweep()
        print(f"reading {ids:,} ids into the filter took {time.perf_counter() - start:.1f} s")
        hundreds = [events(100) for _ in range(200)]
        with timed(f"accept in hundreds, {ids:,} ids in the window", 20_000):
            await accept_all(queue, hundreds, 8)


def _fill(queue: SqliteQueue, an_hour: int) -> None:
    connection = queue._store.connection
    latest = queue._store.ticks.now() // HOUR_MS
    for hour in range(latest - _HOURS + 1, latest + 1):
        connection.execute(f"CREATE TABLE IF NOT EXISTS seen_{hour} (id BLOB PRIMARY KEY) WITHOUT ROWID")
        connection.execute(_FILL.format(hour=hour), (an_hour,))
        connection.execute(
            "INSERT INTO hour VALUES (?, ?) ON CONFLICT (hour) DO UPDATE SET ids = ids + excluded.ids", (hour, an_hour)
        )
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    queue._store.undo()


async def main() -> None:
    """Show all figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", help="where the files are written; a temporary folder by default")
    parser.add_argument("--ids", type=float, default=1.0, metavar="MILLIONS", help="message ids in the window")
    arguments = parser.parse_args()
    await show_throughput(arguments.folder)
    await show_depth(arguments.folder)
    await show_window(arguments.folder, int(arguments.ids * 1e6))


if __name__ == "__main__":
    asyncio.run(main())
