"""A host's worker: leases what is due from its lanes, runs it, settles it, and keeps its claims alive.

Four loops: beat (claims), lease (work), drain (the outbox, by the owner of lane 0), sweep (housekeeping). A loop that
meets a storage fault waits and goes on; nothing is lost meanwhile, as nothing was settled.
"""

import asyncio
import contextlib
import logging
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from guesthouse.clock import Clock
from guesthouse.errors import OperatorError
from guesthouse.ids import new_id
from guesthouse.ledger.protocol import Ledger
from guesthouse.logs import tell
from guesthouse.model.delivery import Outcome
from guesthouse.model.registry import Batching
from guesthouse.pipeline.breaker import CLOSED, Breakers
from guesthouse.pipeline.execute import Executor, given_back
from guesthouse.pipeline.judge import RETRIES_EXHAUSTED
from guesthouse.queue.protocol import Lease, Queue, Room, Settlement
from guesthouse.registry.protocol import Registry

_log = logging.getLogger(__name__)
BREAKER = "breaker"
SUSPECT = 2
"""Lost leases in a row from which on a delivery is tried alone: hosts die of it, or it was in bad company."""
SUSPECT_MS = 50
"""How far apart suspects come due that had to wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerConfig:
    """How much one worker does at once."""

    deliveries: int = 512
    """Leased at once."""
    first_leases: int = 1
    """Leased at first; doubled with each lease, so that what kills hosts takes few others along."""
    per_destination: int = 32
    per_tenant: int = 256
    lease_bytes: int = 8 << 20
    lanes: int = 64
    beat_seconds: float = 1.0
    wait_seconds: float = 1.0
    drain_records: int = 1_000
    fault_seconds: float = 1.0
    """The pause after a storage fault."""
    stop_seconds: float = 20.0
    """How long running attempts may go on when the worker stops."""


class Worker:
    """Works until it is stopped."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts that a worker puts to work
        self,
        queue: Queue,
        ledger: Ledger,
        registry: Registry,
        executor: Executor,
        clock: Clock,
        config: WorkerConfig | None = None,
    ) -> None:
        """Take the parts; nothing runs before `run`."""
        self._queue = queue
        self._ledger = ledger
        self._registry = registry
        self._executor = executor
        self._clock = clock
        self._config = config or WorkerConfig()
        self._host = new_id("host")
        self._room = Room(default=self._config.per_destination, tenant_default=self._config.per_tenant)
        self._by_destination: Counter[str] = Counter()
        self._by_tenant: Counter[str] = Counter()
        self._breakers = Breakers()
        self._suspects: set[str] = set()
        self._stride = self._config.first_leases
        """How many may be leased at once. Grows quickly from 1, as few should be at stake after a host was lost."""
        self._running: set[asyncio.Task[None]] = set()
        self._has_place = asyncio.Event()
        self._is_drainer = False

    async def run(self) -> None:
        """Work until cancelled; then running attempts end or are given back, and the lanes are free at once."""
        try:
            await self._persist(self._beat)
            await self._persist(self._recover)
            async with asyncio.TaskGroup() as group:
                for step in (self._beat_later, self._lease, self._drain, self._sweep):
                    group.create_task(self._for_ever(step))
        finally:
            await self._stop()

    async def _for_ever(self, step: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.current_task()
        # Asked as well as raised: Python 3.11's wait_for may swallow a cancellation.
        while task is None or not task.cancelling():
            await self._persist(step)

    async def _persist(self, step: Callable[[], Awaitable[object]]) -> None:
        """Do a step, again and again while it fails: the storage comes back, and a bug must not end the worker."""
        while True:
            try:
                await step()
            except OperatorError as error:
                tell(_log, logging.WARNING, "worker.fault", code=error.code, reason=str(error))
            except Exception as bug:  # noqa: BLE001 - see above: logged, and tried again
                tell(_log, logging.ERROR, "worker.bug", error=bug)
            else:
                return
            await asyncio.sleep(self._config.fault_seconds)

    async def _beat_later(self) -> None:
        await asyncio.sleep(self._config.beat_seconds)
        await self._beat()

    async def _beat(self) -> None:
        lanes = await self._queue.beat(self._host, self._config.lanes)
        self._is_drainer = any(lane.number == 0 for lane in lanes)

    async def _sweep(self) -> None:
        await asyncio.sleep(self._config.beat_seconds)
        await self._recover()

    async def _recover(self) -> None:
        if (await self._queue.sweep()).lost:
            self._stride = 1

    async def _drain(self) -> None:
        if not self._is_drainer:
            await asyncio.sleep(self._config.wait_seconds)
            return
        records, cursor = await self._queue.drain(self._config.drain_records, wait_seconds=self._config.wait_seconds)
        if records:
            await self._ledger.append(records)
            await self._queue.drained(cursor)

    async def _lease(self) -> None:
        places = self._config.deliveries - self._by_tenant.total()
        if places <= 0:
            self._has_place.clear()
            await self._has_place.wait()
            return
        leases = await self._queue.lease(
            *(self._host, self._room),
            limit=min(places, self._stride),
            max_bytes=self._config.lease_bytes,
            wait_seconds=self._config.wait_seconds,
        )
        for group in await self._grouped(await self._hold_back(leases)):
            self._claim(group)
            task = asyncio.create_task(self._work(group))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _hold_back(self, leases: Sequence[Lease]) -> Sequence[Lease]:
        """Give back all but one of those that hosts may be dying of, so that one alone is at stake at a time."""
        suspects = [lease for lease in leases if lease.lost_leases >= SUSPECT]
        if not suspects:
            self._stride = min(2 * self._stride, self._config.deliveries) if leases else self._stride
            return leases
        self._stride = 1
        tried = [] if self._suspects else suspects[:1]
        self._suspects.update(lease.delivery.id for lease in tried)
        now = self._clock.now_ms()
        later = enumerate(suspects[len(tried) :], 1)
        await self._settle([given_back(lease, now + place * SUSPECT_MS) for place, lease in later])
        return [lease for lease in leases if lease.lost_leases < SUSPECT] + tried

    async def _grouped(self, leases: Sequence[Lease]) -> list[list[Lease]]:
        """Put leases that may share an attempt together; the others stand alone."""
        by_destination: dict[tuple[str, str], list[Lease]] = defaultdict(list)
        for lease in leases:
            by_destination[lease.delivery.tenant_id, lease.delivery.destination_id].append(lease)
        groups = []
        for (tenant_id, destination_id), several in by_destination.items():
            self._breakers.probe(destination_id)
            batching = await self._batching(tenant_id, destination_id) if len(several) > 1 else None
            groups += [[lease] for lease in several] if batching is None else batches(several, batching)
        return groups

    async def _batching(self, tenant_id: str, destination_id: str) -> Batching | None:
        with contextlib.suppress(Exception):  # whatever it is, the attempt meets it too, and says so
            assignment = await self._registry.within(tenant_id).assignment(destination_id)
            if "onBatch" in assignment.version.handlers:
                return getattr(assignment.holder, "batching", None) or Batching()
        return None

    async def _work(self, leases: list[Lease]) -> None:
        try:
            settlements = await self._executor.run(leases)
        except asyncio.CancelledError:
            await self._settle([given_back(lease) for lease in leases])
            raise
        except Exception as bug:  # noqa: BLE001 - a bug of ours must not lose the delivery
            tell(_log, logging.ERROR, "attempt.bug", error=bug, destination=leases[0].delivery.destination_id)
            later = self._clock.now_ms() + 10_000
            settlements = [given_back(lease, later) for lease in leases]
        finally:
            self._unclaim(leases)
        await self._mind_breaker(leases[0].delivery.destination_id, settlements)
        await self._settle(settlements)
        self._suspects.difference_update(lease.delivery.id for lease in leases)

    async def _settle(self, settlements: Sequence[Settlement]) -> None:
        """Settle, however long the storage fails: the lease is renewed meanwhile, and a repeat is harmless."""
        await self._persist(lambda: self._queue.settle(settlements))

    async def _mind_breaker(self, destination_id: str, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            if _is_failure(settlement):
                hold_ms = self._breakers.failed(destination_id)
                if hold_ms is not None:
                    tell(_log, logging.WARNING, "breaker.opened", destination=destination_id, milliseconds=hold_ms)
                    with contextlib.suppress(OperatorError):
                        await self._queue.hold(destination_id, self._clock.now_ms() + hold_ms, BREAKER)
            elif settlement.outcome is not Outcome.GIVEN_BACK:
                self._breakers.succeeded(destination_id)
        self._make_room(destination_id)

    def _claim(self, leases: Sequence[Lease]) -> None:
        delivery = leases[0].delivery
        self._by_destination[delivery.destination_id] += len(leases)
        self._by_tenant[delivery.tenant_id] += len(leases)
        self._make_room(delivery.destination_id, delivery.tenant_id)

    def _unclaim(self, leases: Sequence[Lease]) -> None:
        delivery = leases[0].delivery
        for counter, key in ((self._by_destination, delivery.destination_id), (self._by_tenant, delivery.tenant_id)):
            counter[key] -= len(leases)
            if counter[key] <= 0:
                del counter[key]
        self._make_room(delivery.destination_id, delivery.tenant_id)
        self._has_place.set()

    def _make_room(self, destination_id: str, tenant_id: str | None = None) -> None:
        most = self._config.per_destination if self._breakers.state(destination_id) == CLOSED else 1
        _note(self._room.destinations, destination_id, most - self._by_destination[destination_id], self._room.default)
        if tenant_id is not None:
            places = self._config.per_tenant - self._by_tenant[tenant_id]
            _note(self._room.tenants, tenant_id, places, self._room.tenant_default)

    async def _stop(self) -> None:
        if self._running:
            await asyncio.wait(self._running, timeout=self._config.stop_seconds)
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        with contextlib.suppress(OperatorError):
            await self._queue.leave(self._host)


def batches(leases: Sequence[Lease], batching: Batching) -> list[list[Lease]]:
    """Cut leases into batches by number of events and bytes; one that is larger than that by itself stands alone."""
    made: list[list[Lease]] = []
    size = 0
    for lease in leases:
        size += len(lease.event.payload)
        if not made or len(made[-1]) >= batching.events or size > batching.bytes:
            made.append([])
            size = len(lease.event.payload)
        made[-1].append(lease)
    return made


def _note(places: dict[str, int], key: str, left: int, default: int) -> None:
    if left == default:
        places.pop(key, None)
    else:
        places[key] = max(left, 0)


def _is_failure(settlement: Settlement) -> bool:
    is_last = settlement.record is not None and getattr(settlement.record, "code", None) == RETRIES_EXHAUSTED
    return settlement.outcome is Outcome.RETRYING or is_last
