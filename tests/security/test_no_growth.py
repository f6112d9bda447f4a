"""Hundreds of failures in a row: none of them leaves a descriptor, a mapping or a slot behind."""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.guests import behaviours, host, minimal
from tests.support.hostile import EVENT, Gauntlet
from tests.support.receiver import Receiver

from guesthouse.errors import RejectedModule
from guesthouse.model.capability import Capabilities, Grant
from guesthouse.model.limits import Limits

pytestmark = pytest.mark.anyio

ROUNDS = 60
ALLOWED_MAPPINGS = 16
"""The allocator of C may take some; a leak of one in each round would be several times as many."""
BRIEF = Limits(deadline_ms=10, fuel=2_000_000, memory_bytes=4 << 20)
FAULTS = {
    "spin": minimal(call="(loop $again (br $again)) (unreachable)"),
    "trap": minimal(call="(unreachable)"),
    "start trap": minimal(call="(i64.const -1)"),
    "recursion": minimal(call="(call $call (local.get $ptr) (local.get $len)) (i64.const 1) (i64.add)"),
    "memory": minimal(call="(loop $a (br_if $a (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) (unreachable)"),
    "sleep": minimal(
        imports=host("sleep", "wait"),
        call="""(i32.store (i32.const 0) (call $sleep (i32.const 60000)))
        (drop (call $wait (i32.const 0) (i32.const 1))) (unreachable)""",
    ),
    "pointer": minimal(
        imports=host("log"), call="(call $log (i32.const 0) (i32.const -1) (i32.const 9)) (unreachable)"
    ),
}


def descriptors() -> int:
    """Count this process's open files."""
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def has_children() -> bool:
    """Say whether a child of this process lives, or is dead and was not waited for."""
    return any(
        Path("/proc/self/task", task.name, "children").read_bytes() for task in Path("/proc/self/task").iterdir()
    )


def mappings() -> int:
    """Count this process's memory mappings."""
    return Path("/proc/self/maps").read_bytes().count(b"\n")


async def assert_no_growth(gauntlet: Gauntlet, round_: Callable[[], Awaitable[None]], rounds: int = ROUNDS) -> None:
    """Run a few rounds, count, run many, count again."""
    for _ in range(5):
        await round_()
    gc.collect()
    before = descriptors(), mappings()
    for _ in range(rounds):
        await round_()
    gc.collect()
    assert gauntlet.engine.active == 0
    assert descriptors() <= before[0]
    assert mappings() <= before[1] + ALLOWED_MAPPINGS


async def test_failing_guests(gauntlet: Gauntlet) -> None:
    """Traps, exhausted fuel and memory, deadlines, broken contracts: hundreds of invocations, one after the other."""
    modules = [await gauntlet.load(wasm) for wasm in FAULTS.values()]

    async def fail() -> None:
        for module in modules:
            report = await module.invoke("onTrack", dict(EVENT), limits=BRIEF)
            assert report.error is not None

    await assert_no_growth(gauntlet, fail)


async def test_guests_that_are_cancelled(gauntlet: Gauntlet) -> None:
    """Whoever awaited them has gone, while they ran, waited or had not begun."""
    modules = [await gauntlet.load(FAULTS[name]) for name in ("spin", "sleep")]

    async def cancel() -> None:
        tasks = [asyncio.ensure_future(module.invoke("onTrack", dict(EVENT))) for module in modules]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert gauntlet.engine.active == 0

    await assert_no_growth(gauntlet, cancel, 200)


async def test_requests_that_fail(gauntlet: Gauntlet) -> None:
    """Denied, refused, cut off, never answered."""
    module = await gauntlet.load(behaviours())
    async with Receiver(lambda _: b"") as there:
        grants = Capabilities(grants=(Grant(scheme="http", host="127.0.0.1", port=there.port),))

        async def fail() -> None:
            for url in (there.url(), "http://127.0.0.2/", "nonsense"):
                settings = {"behaviour": "http_get", "url": url}
                report = await module.invoke("onTrack", dict(EVENT), settings=settings, capabilities=grants)
                assert report.error is None

        await assert_no_growth(gauntlet, fail)


async def test_modules_that_are_refused(gauntlet: Gauntlet) -> None:
    """Children end and are waited for, their pipes are closed, and their files are gone."""
    folder = gauntlet.engine.config.cache_folder
    assert folder is not None

    async def refuse() -> None:
        with pytest.raises(RejectedModule):
            await gauntlet.engine.load(b"\0asm\1\0\0\0")

    await assert_no_growth(gauntlet, refuse, 10)
    assert not list(folder.glob("new-*"))
    assert not has_children()


async def test_modules_that_come_and_go(gauntlet: Gauntlet) -> None:
    """Native code is unmapped when its module is closed."""

    async def come_and_go() -> None:
        module = await gauntlet.engine.load(FAULTS["trap"])
        await module.invoke("onTrack", dict(EVENT))
        module.close()

    await assert_no_growth(gauntlet, come_and_go)
