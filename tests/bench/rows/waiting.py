"""Row 2: 10,000 guests that wait for real HTTP at once in one process."""

import asyncio
from collections.abc import Sequence
from typing import Final

import uvloop
from msgspec import Struct
from tests.bench import guests
from tests.bench.findings import Finding, single
from tests.bench.host import check, configuration
from tests.bench.machine import Footprint, footprint
from tests.bench.receiver import Receiver, raise_descriptor_limit, receiver
from tests.support.guests import behaviours

from guesthouse.model.capability import Capabilities, Grant
from guesthouse.model.limits import Limits
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.modules import Module

SECONDS: Final = 120
GUESTS: Final = 10_000
_TENANTS: Final = 100
_WAVE: Final = 500
_LIMITS: Final = Limits(deadline_ms=60_000, http_timeout_ms=60_000)


class _Crowd(Struct, frozen=True):
    """Guests that wait: how many, and the process before and with them."""

    count: int
    before: Footprint
    after: Footprint

    def each(self, name: str) -> float:
        """Give what one guest adds to a field of the footprint."""
        return float((getattr(self.after, name) - getattr(self.before, name)) / self.count)


def run(*, quick: bool) -> Sequence[Finding]:
    """Measure the smallest guest first, then the same with one built from C, in the slots that are warm by then."""
    raise_descriptor_limit()
    with receiver() as held:
        small, large = uvloop.run(_measure(held, 500 if quick else GUESTS))
    return (
        single(
            f"{small.count:,} waiting guests, each", "KiB", [small.each("resident_kib")], at_most=48, note=_say(small)
        ),
        single("the same, a guest built from C, each", "KiB", [large.each("resident_kib")], note=_say(large)),
    )


def _say(crowd: _Crowd) -> str:
    return (
        f"shared pages once: {crowd.each('proportional_kib'):.1f} KiB each; page tables beside it:"
        f" {crowd.each('page_tables_kib'):.1f} KiB each; the process has {crowd.after.resident_kib // 1024:,} MiB,"
        f" {crowd.after.descriptors:,} descriptors, {crowd.after.mappings:,} mappings"
    )


async def _measure(held: Receiver, count: int) -> tuple[_Crowd, _Crowd]:
    async with Engine.open(configuration(count)) as engine:
        before = None
        crowds = []
        for wasm in (guests.posting(f"{held.url}/events"), behaviours()):
            module = await engine.load(wasm)
            await asyncio.gather(_post(module, held, 0), asyncio.to_thread(held.release))
            before = before or footprint()
            crowds.append(_Crowd(count, before, await _wait_together(module, held, count)))
    return crowds[0], crowds[1]


async def _wait_together(module: Module, held: Receiver, count: int) -> Footprint:
    """Start guests in waves, measure when the receiver holds all their requests, let them end."""
    await asyncio.to_thread(held.hold)
    tasks: list[asyncio.Task[None]] = []
    while len(tasks) < count:
        tasks += [asyncio.create_task(_post(module, held, len(tasks) + index)) for index in range(_WAVE)]
        await asyncio.to_thread(held.await_held, len(tasks))
    measured = footprint()
    await asyncio.to_thread(held.release)
    await asyncio.gather(*tasks)
    return measured


async def _post(module: Module, held: Receiver, number: int) -> None:
    settings = {"behaviour": "http_post", "url": f"{held.url}/events"}
    grants = Capabilities(grants=(Grant.parse(held.url),))
    tenant = f"tenant-{number % _TENANTS}"
    check(
        await module.invoke(
            "onTrack", guests.EVENT, settings=settings, capabilities=grants, limits=_LIMITS, tenant=tenant
        )
    )
