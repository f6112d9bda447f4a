"""The `Queue` over one SQLite file: each method hands its operation to the committer, or reads."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from guesthouse.clock import Clock, SystemClock
from guesthouse.errors import StorageFault
from guesthouse.model.delivery import Outcome
from guesthouse.model.record import Record
from guesthouse.queue.protocol import (
    MAX_CANCELLED,
    MAX_LEASED,
    MAX_LOOKED,
    Acceptance,
    Depth,
    Lane,
    Lease,
    QueueConfig,
    Receipt,
    Room,
    Selector,
    Settlement,
    Standing,
    Swept,
)
from guesthouse.queue.sqlite import reading
from guesthouse.queue.sqlite.accepting import Acceptor, encode_records, pack, weigh
from guesthouse.queue.sqlite.committer import CALL_WEIGHT, Committer
from guesthouse.queue.sqlite.faults import closed, translated
from guesthouse.queue.sqlite.holding import Canceller, Holder
from guesthouse.queue.sqlite.lanes import Beater, Leaver
from guesthouse.queue.sqlite.leasing import Lessor
from guesthouse.queue.sqlite.schema import connect, create, prepare
from guesthouse.queue.sqlite.settling import Settler
from guesthouse.queue.sqlite.store import Store
from guesthouse.queue.sqlite.sweeping import Sweeper
from guesthouse.queue.sqlite.ticks import boot_id
from guesthouse.queue.sqlite.wake import Pipe

T = TypeVar("T")
_SIFTED = 2_000
_SIFTED_SLICES = 50
_LOOKS = 500
_UNKNOWN_HOST_SECONDS = 1.0
_DONE = object()


async def open_queue(
    path: Path, *, clock: Clock | None = None, config: QueueConfig | None = None, boot: str | None = None
) -> "SqliteQueue":
    """Open the queue in a file, made where there is none; raise StorageFault where that is impossible.

    *boot* names the boot of the machine that the clock's monotonic time belongs to; None asks the system.
    """
    clock, config, boot = clock or SystemClock(), config or QueueConfig(), boot_id() if boot is None else boot
    with translated():
        return SqliteQueue(path, await asyncio.to_thread(_open, path, clock, config, boot))


def _open(path: Path, clock: Clock, config: QueueConfig, boot: str) -> Store:
    create(path)
    connection = connect(path)
    try:
        connection.execute("BEGIN IMMEDIATE")
        prepare(connection, config.lanes)
        store = Store(connection, clock, config, boot)
        connection.execute("COMMIT")
    except BaseException:
        connection.close()
        raise
    return store


class SqliteQueue:
    """See `Queue`. Made by `open_queue`."""

    def __init__(self, path: Path, store: Store) -> None:
        self._store = store
        self._reader = connect(path)
        self._reader.execute("PRAGMA query_only = ON")
        self._pipe = Pipe(path, self._look_again)
        self._pipes: dict[int, str] = {}
        self._recorded = asyncio.Event()
        self._committer = Committer(store, path, on_commit=self._committed)
        self._returning: set[asyncio.Task[None]] = set()
        self._sifting: Iterator[None] | None = None
        self._is_closed = False

    async def accept(
        self, batch: Sequence[Acceptance], records: Sequence[Record] = (), *, deduplicate: bool = True
    ) -> list[Receipt]:
        """See `Queue.accept`."""
        parcels, bodies = await pack(batch, deduplicate=deduplicate), encode_records(records)
        acceptor = Acceptor(parcels, bodies, deduplicate=deduplicate)
        return await self._run(acceptor, is_durable=True, weight=weigh(parcels, bodies))

    async def beat(self, host: str, want: int) -> list[Lane]:
        """See `Queue.beat`."""
        lanes = await self._run(Beater(host, want, self._pipe.name))
        self._pipes = self._read_pipes()
        return lanes

    async def leave(self, host: str) -> None:
        """See `Queue.leave`."""
        await self._run(Leaver(host))

    async def lease(self, host: str, room: Room, *, limit: int, max_bytes: int, wait_seconds: float) -> list[Lease]:
        """See `Queue.lease`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + wait_seconds
        while True:
            changed = self._changed(host)
            changed.clear()
            leases = await self._try_lease(host, room, min(limit, MAX_LEASED), max_bytes)
            left = end - loop.time()
            if leases or left <= 0 or limit <= 0:
                return leases
            with suppress(TimeoutError):
                # Not wait_for: Python 3.11's swallows a cancellation that comes with the event.
                async with asyncio.timeout(min(left, self._until_due(host))):
                    await changed.wait()

    async def settle(self, items: Sequence[Settlement]) -> list[bool]:
        """See `Queue.settle`."""
        if not items:
            return []
        settler = Settler(items)
        return await self._run(settler, is_durable=True, weight=settler.weight)

    async def hold(self, destination_id: str, until_ms: int | None, reason: str) -> None:
        """See `Queue.hold`."""
        await self._run(Holder(destination_id, reason, until_ms), is_durable=True)

    async def release(self, destination_id: str, reason: str) -> None:
        """See `Queue.release`."""
        await self._run(Holder(destination_id, reason, None, is_release=True), is_durable=True)

    async def cancel(self, selector: Selector, limit: int = MAX_CANCELLED) -> int:
        """See `Queue.cancel`."""
        return await self._run(Canceller(selector, limit), is_durable=True)

    async def depths(self, selector: Selector | None = None) -> list[Depth]:
        """See `Queue.depths`."""
        await self._run(_nothing)
        found: list[Depth] = []
        with translated():
            for index, destination in enumerate(reading.open_destinations(self._store, selector or Selector()), 1):
                found.append(reading.depth_of(self._reader, self._store, destination))
                if index % _LOOKS == 0:
                    await asyncio.sleep(0)
        return found

    async def look(self, delivery_ids: Sequence[str]) -> dict[str, Standing]:
        """See `Queue.look`."""
        if len(delivery_ids) > MAX_LOOKED:
            raise ValueError(f"at most {MAX_LOOKED} deliveries are looked at at once")
        await self._run(_nothing)
        with translated():
            return reading.standings(self._reader, self._store, delivery_ids)

    async def drain(self, limit: int, *, wait_seconds: float = 0.0) -> tuple[list[Record], int]:
        """See `Queue.drain`."""
        self._recorded.clear()
        found = self._read_outbox(limit)
        if found[0] or wait_seconds <= 0:
            return found
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_seconds):
                await self._recorded.wait()
        return self._read_outbox(limit)

    async def drained(self, cursor: int) -> None:
        """See `Queue.drained`."""

        async def delete(store: Store) -> None:
            store.connection.execute("DELETE FROM outbox WHERE seq <= ?", (cursor,))

        await self._run(delete)

    async def sweep(self) -> Swept:
        """See `Queue.sweep`."""
        swept = await self._run(Sweeper(self._pipe.is_dead))
        with translated():
            await self._sift()
        return swept

    async def close(self) -> None:
        """See `Queue.close`."""
        if self._is_closed:
            return
        self._is_closed = True
        await asyncio.gather(*self._returning)
        await self._committer.close()
        self._pipe.close()
        self._reader.close()
        await asyncio.to_thread(self._store.connection.close)

    async def _run(
        self, operation: Callable[[Store], Awaitable[T]], *, is_durable: bool = False, weight: int = CALL_WEIGHT
    ) -> T:
        return await self._committer.run(operation, is_durable=is_durable, weight=weight)

    async def _try_lease(self, name: str, room: Room, limit: int, max_bytes: int) -> list[Lease]:
        """Try until something was leased or every ripe destination was looked at, a bounded number each time."""
        visited = 0
        while limit > 0:
            lessor = Lessor(name, room, limit, max_bytes)
            leases = await self._lease_or_return(lessor)
            visited += lessor.visits
            if leases or visited >= lessor.ripe:
                return leases
        return []

    async def _lease_or_return(self, lessor: Lessor) -> list[Lease]:
        leasing = asyncio.ensure_future(self._run(lessor))
        try:
            return await asyncio.shield(leasing)
        except asyncio.CancelledError:
            returning = asyncio.ensure_future(self._return(leasing))
            self._returning.add(returning)
            returning.add_done_callback(self._returning.discard)
            raise

    async def _return(self, leasing: "asyncio.Future[list[Lease]]") -> None:
        """Give back what a call leased that was cancelled before it could say so."""
        with suppress(StorageFault):
            await self.settle(
                [
                    Settlement(delivery_id=one.delivery.id, token=one.token, outcome=Outcome.GIVEN_BACK)
                    for one in await leasing
                ]
            )

    def _changed(self, name: str) -> asyncio.Event:
        host = self._store.hosts.get(name)
        return host.agenda.changed if host else asyncio.Event()

    def _until_due(self, name: str) -> float:
        host = self._store.hosts.get(name)
        if host is None:
            return _UNKNOWN_HOST_SECONDS
        due = host.agenda.next_due()
        return float("inf") if due is None else max(due - self._store.ticks.now(), 0) / 1000

    def _read_outbox(self, limit: int) -> tuple[list[Record], int]:
        if self._is_closed:
            raise closed()
        with translated():
            return reading.outbox(self._reader, limit)

    def _read_pipes(self) -> dict[int, str]:
        query = "SELECT number, pipe FROM lane JOIN host ON host.key = lane.host WHERE is_gone = 0"
        with translated():
            return dict(self._reader.execute(query))

    def _committed(self) -> None:
        self._recorded.set()
        lanes, self._store.foreign = self._store.foreign, set()
        for name in {self._pipes.get(lane, "") for lane in lanes} - {"", self._pipe.name}:
            self._pipe.wake(name)

    def _look_again(self) -> None:
        for agenda in self._store.agendas():
            agenda.changed.set()

    async def _sift(self) -> None:
        """Go on reading closed hours into the filter."""
        window = self._store.window
        if self._sifting is None and (hour := window.unsieved(self._store.ticks.now())) is not None:
            self._sifting = window.sift(self._reader, hour, _SIFTED)
        for _ in range(_SIFTED_SLICES):
            if self._sifting is not None and next(self._sifting, _DONE) is _DONE:
                self._sifting = None
            if self._sifting is None:
                return
            await asyncio.sleep(0)


async def _nothing(_: Store) -> None:
    """Only the beginning of a transaction is wanted: it reads what others changed."""
