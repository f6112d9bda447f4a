"""Row 3: how late the event loop gets while guests spin for ever, and how long honest guests beside them take."""

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from itertools import count
from resource import RUSAGE_SELF, getrusage
from time import perf_counter
from typing import TYPE_CHECKING, Final

import msgspec
import uvloop
from msgspec import Struct
from tests.bench import guests
from tests.bench.findings import Finding, number, percentile, single
from tests.bench.host import check, configuration, raise_broken

from guesthouse.errors import FuelExhausted
from guesthouse.model.limits import Limits
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.modules import Module

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SECONDS: Final = 240
_TENANTS: Final = 4
_TURN_SECONDS: Final = 0.002
_HONEST_PERIOD: Final = 0.01
_PROBE_PERIOD: Final = 0.005
_SETTLE_SECONDS: Final = 0.005
"""For each hostile guest, before anything is measured: its first time slice."""
_ENDLESS: Final = Limits(fuel=10**15, deadline_ms=3_600_000)
_LIMITED: Final = Limits(deadline_ms=3_600_000)
_TARGET_MS: Final = 10


class _Scene(Struct, frozen=True):
    """Who is hostile."""

    spinners: int
    hog: str | None = None
    """A guest that fills its memory over and over, one of `tests.bench.guests`."""
    is_control: bool = False
    """Then Python itself works for 2 ms in each turn of the loop, and no guest does."""

    def __str__(self) -> str:
        if self.is_control:
            return "no guests, 2 ms of Python a turn"
        hog = {None: "", "filling_by_stores": ", one filling memory", "filling_in_bulk": ", one filling in bulk"}
        return f"{self.spinners} spinning{hog[self.hog]}"


_SCENES: Final = (
    _Scene(0),
    _Scene(0, is_control=True),
    *(_Scene(spinners, hog) for spinners in (4, 64, 256) for hog in (None, "filling_by_stores")),
    *(_Scene(spinners, "filling_in_bulk") for spinners in (0, 4, 256)),
)


class _Seen(Struct):
    """Milliseconds; and how often the machine took the processor away."""

    delays: list[float] = msgspec.field(default_factory=list)
    latencies: list[float] = msgspec.field(default_factory=list)
    preemptions: int = 0


def run(*, quick: bool) -> Sequence[Finding]:
    """Play every scene in turn, a few times."""
    rounds, seconds = (1, 1.0) if quick else (3, 4.0)
    seen = uvloop.run(_measure(rounds, seconds))
    return tuple(finding for scene, rounds_seen in seen.items() for finding in _findings(scene, rounds_seen))


def _findings(scene: _Scene, rounds: Sequence[_Seen]) -> Sequence[Finding]:
    late = [percentile(seen.delays, 99) for seen in rounds]
    slow = [percentile(seen.latencies, 99) for seen in rounds]
    middle = percentile([value for seen in rounds for value in seen.latencies], 50)
    worst = max(max(seen.delays) for seen in rounds)
    preempted = sum(seen.preemptions for seen in rounds)
    says = (
        f"latest {number(worst)} ms; honest p50 {number(middle)} ms; preempted by other processes {preempted:,} times"
    )
    target = _TARGET_MS if scene.spinners or scene.hog else None
    return (
        single(f"{scene}: loop delay p99", "ms", late, at_most=target, note=says),
        single(f"{scene}: honest p99", "ms", slow),
    )


async def _measure(rounds: int, seconds: float) -> dict[_Scene, list[_Seen]]:
    seen: dict[_Scene, list[_Seen]] = {scene: [] for scene in _SCENES}
    async with Engine.open(configuration()) as engine:
        honest = [await engine.load(guest()) for guest in (guests.plain, guests.waiting_once)]
        spinning = await engine.load(guests.spinning())
        hogs: dict[str | None, list[tuple[Module, Limits]]] = {
            "filling_by_stores": [(await engine.load(guests.filling_by_stores()), _ENDLESS)],
            "filling_in_bulk": [(await engine.load(guests.filling_in_bulk()), _LIMITED)],
        }
        for _ in range(rounds):
            for scene, scenes_seen in seen.items():
                hostile = [(spinning, _ENDLESS)] * scene.spinners + hogs.get(scene.hog, [])
                async with _busy() if scene.is_control else _hostile(hostile):
                    scenes_seen.append(await _watch(honest, seconds))
    return seen


@asynccontextmanager
async def _hostile(hostile: Sequence[tuple[Module, Limits]]) -> "AsyncIterator[None]":
    """Let guests of a few tenants run for ever, until the block ends."""
    tasks = [
        asyncio.create_task(_run_for_ever(module, limits, f"hostile-{index % _TENANTS}"))
        for index, (module, limits) in enumerate(hostile)
    ]
    await asyncio.sleep(_SETTLE_SECONDS * len(tasks))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        if not all(isinstance(end, asyncio.CancelledError) for end in ends):
            raise RuntimeError("a hostile guest ended before its time")


async def _run_for_ever(module: Module, limits: Limits, tenant: str) -> None:
    """Run a hostile guest, and again when its fuel is used up: `memory.fill` costs as much fuel as it has bytes."""
    while True:
        report = await module.invoke("onTrack", guests.EVENT, limits=limits, tenant=tenant)
        if not isinstance(report.error, FuelExhausted):
            raise_broken(report.error)


@asynccontextmanager
async def _busy() -> "AsyncIterator[None]":
    """Work for 2 ms in each turn of the loop, until the block ends."""

    async def work() -> None:
        while True:
            until = perf_counter() + _TURN_SECONDS
            while perf_counter() < until:
                pass
            await asyncio.sleep(0)

    task = asyncio.create_task(work())
    try:
        yield
    finally:
        task.cancel()


async def _watch(honest: Sequence[Module], seconds: float) -> _Seen:
    """Send honest guests and probe the loop for a time."""
    seen, preempted = _Seen(), getrusage(RUSAGE_SELF).ru_nivcsw
    async with asyncio.timeout(seconds * 10), asyncio.TaskGroup() as tasks:
        tasks.create_task(_probe(seen.delays, seconds))
        began = perf_counter()
        for index in count():
            due = began + index * _HONEST_PERIOD
            if due > began + seconds:
                break
            await asyncio.sleep(max(0.0, due - perf_counter()))
            tasks.create_task(_serve(honest[index % len(honest)], due, seen.latencies))
    seen.preemptions = getrusage(RUSAGE_SELF).ru_nivcsw - preempted
    return seen


async def _serve(module: Module, due: float, latencies: list[float]) -> None:
    """Serve one honest event; its latency counts from when it was due."""
    check(await module.invoke("onTrack", guests.EVENT, tenant="honest"))
    latencies.append((perf_counter() - due) * 1000)


async def _probe(delays: list[float], seconds: float) -> None:
    """Sleep again and again, and note how late each sleep ends (the loop's own timers count in milliseconds)."""
    ends = perf_counter() + seconds
    while (now := perf_counter()) < ends:
        await asyncio.sleep(_PROBE_PERIOD)
        delays.append(max(0.0, perf_counter() - now - _PROBE_PERIOD) * 1000)
