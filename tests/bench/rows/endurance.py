"""Row 6: 100,000 invocations in a row leave nothing behind."""

import asyncio
from collections.abc import Sequence
from time import perf_counter
from typing import Final

import uvloop
from tests.bench import guests
from tests.bench.findings import Finding, single
from tests.bench.host import check, configuration, raise_broken
from tests.bench.machine import Footprint, footprint

from guesthouse.errors import Trapped
from guesthouse.model.limits import Limits
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.modules import Module

SECONDS: Final = 300
INVOCATIONS: Final = 100_000
_WARM_UP: Final = 5_000
_STAGES: Final = 10
_IN_FLIGHT: Final = 16
_GROWTH_KIB: Final = 2_048
_MAPPINGS: Final = 16
"""Python's allocator takes mappings of 1 MiB, threads that tick keep stacks; one left by each 6,000th would show."""
_CUT_SHORT: Final = Limits(deadline_ms=1)


def run(*, quick: bool) -> Sequence[Finding]:
    """Run them in stages, so that growth shows as a slope."""
    return uvloop.run(_measure(5_000 if quick else INVOCATIONS))


async def _measure(invocations: int) -> Sequence[Finding]:
    async with Engine.open(configuration()) as engine:
        module = await engine.load(guests.waiting_once())
        await _invoke(module, _WARM_UP)
        prints, began = [footprint()], perf_counter()
        for _ in range(_STAGES):
            await _invoke(module, invocations // _STAGES)
            prints.append(footprint())
        rate = invocations / (perf_counter() - began)
        broken = await _break(engine, invocations // 100)
    return (
        *_growth(f"{invocations:,} invocations", prints),
        single("invocations a second, 16 in flight", "/s", [rate]),
        *_growth(f"{invocations // 100:,} each trapped, late, cancelled", broken),
    )


def _growth(name: str, prints: Sequence[Footprint]) -> Sequence[Finding]:
    path = ", ".join(f"{print_.resident_kib:,}" for print_ in prints)
    first, last = prints[0], prints[-1]
    grown = float(last.resident_kib - first.resident_kib)
    descriptors, mappings = last.descriptors - first.descriptors, last.mappings - first.mappings
    return (
        single(f"{name}: memory", "KiB more", [grown], at_most=_GROWTH_KIB, note=f"resident KiB on the way: {path}"),
        single(f"{name}: descriptors", "more", [descriptors], at_most=0),
        single(f"{name}: mappings", "more", [mappings], at_most=_MAPPINGS, note=f"{last.mappings:,} in all"),
    )


async def _invoke(module: Module, count: int) -> None:
    async def some() -> None:
        for _ in range(count // _IN_FLIGHT):
            check(await module.invoke("onTrack", guests.EVENT))

    async with asyncio.TaskGroup() as tasks:
        for _ in range(_IN_FLIGHT):
            tasks.create_task(some())


async def _break(engine: Engine, count: int) -> Sequence[Footprint]:
    """End guests in the three ways that aren't an answer."""
    trapping, spinning = [await engine.load(guest()) for guest in (guests.trapping, guests.spinning)]
    await _break_some(trapping, spinning, max(100, count // 10))
    prints = [footprint()]
    for _ in range(2):
        await _break_some(trapping, spinning, count // 2)
        prints.append(footprint())
    return prints


async def _break_some(trapping: Module, spinning: Module, count: int) -> None:
    for _ in range(count):
        trapped = await trapping.invoke("onTrack", guests.EVENT)
        if not isinstance(trapped.error, Trapped):
            raise_broken(trapped.error)
        await spinning.invoke("onTrack", guests.EVENT, limits=_CUT_SHORT)
        task = asyncio.create_task(spinning.invoke("onTrack", guests.EVENT))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
