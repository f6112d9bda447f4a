"""Closing the engine: what is under way ends at once and in order, and nothing is left behind."""

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.support.engines import EVENT, PATIENCE_SECONDS, SECONDS_OF_FUEL, answer_of, behave, opened
from tests.support.guests import behaviours, minimal
from tests.support.receiver import Received, Receiver

from guesthouse.errors import EngineClosed
from guesthouse.model.capability import Capabilities, Grant
from guesthouse.model.limits import Limits
from guesthouse.runtime.compiler import Compiler

pytestmark = pytest.mark.anyio
PLENTY = Limits(fuel=SECONDS_OF_FUEL, deadline_ms=60_000)


async def test_what_is_under_way_ends_with_engine_closed() -> None:
    """Waiting, spinning, and queued for a turn."""
    async with opened() as engine:
        module = await engine.load(behaviours())
        names = ["sleep_long"] * 3 + ["spin"] * 3 + ["echo"]
        tasks = [asyncio.ensure_future(behave(module, name, limits=PLENTY)) for name in names]
        await asyncio.sleep(0)
        assert engine.active == len(names)
    ended = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(error) for error in ended] == [EngineClosed] * len(names)
    assert engine.active == 0


async def test_a_request_under_way_is_dropped() -> None:
    """The other side sees its connection closed."""

    async def never(_request: Received) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with Receiver(never) as there:
        async with opened() as engine:
            module = await engine.load(behaviours())
            grants = Capabilities(grants=(Grant.parse(there.url()),))
            task = asyncio.ensure_future(behave(module, "http_get", {"url": there.url()}, capabilities=grants))
            await asyncio.wait_for(there.arrived.wait(), PATIENCE_SECONDS)
        await asyncio.wait_for(there.gone.wait(), 5)
        with pytest.raises(EngineClosed):
            await task


async def test_afterwards_everything_is_engine_closed() -> None:
    """An operator's error, which keeps the work for another host."""
    async with opened() as engine:
        module = await engine.load(behaviours())
    assert EngineClosed.retryable
    with pytest.raises(EngineClosed):
        await behave(module, "echo")
    with pytest.raises(EngineClosed):
        await engine.load(minimal())
    module.close()
    await engine.close()


async def test_a_build_under_way_ends_with_engine_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the child made of it, it isn't linked into an engine that is gone."""
    building, may_end = asyncio.Event(), asyncio.Event()
    build = Compiler.build

    async def held(self: Compiler, *arguments: Any) -> object:  # noqa: ANN401 - those of `build`
        building.set()
        await may_end.wait()
        return await build(self, *arguments)

    monkeypatch.setattr(Compiler, "build", held)
    async with opened() as engine:
        task = asyncio.ensure_future(engine.load(minimal()))
        await building.wait()
    may_end.set()
    with pytest.raises(EngineClosed):
        await task


async def test_nothing_is_left_behind() -> None:
    """Neither threads nor tasks nor descriptors, of engines that were used and closed.

    The pool of threads of the loop, which grows to its bound, belongs to none of them.
    """

    async def use() -> None:
        async with opened(slots=2) as engine:
            module = await engine.load(behaviours())
            await behave(module, "spin", limits=Limits(fuel=10_000_000))
            await behave(module, "http_get", {"url": "http://127.0.0.1:9/"})

    await use()
    before = _footprint()
    for _ in range(5):
        await use()
    after = _footprint()
    assert all(now <= then for now, then in zip(after, before, strict=True)), (before, after)


def _footprint() -> tuple[int, int, int]:
    threads = [thread for thread in threading.enumerate() if not thread.name.startswith("asyncio_")]
    return len(threads), len(asyncio.all_tasks()), len(list(Path("/proc/self/fd").iterdir()))


async def test_several_engines_live_side_by_side() -> None:
    """Each with its own slots, modules and guests; the outer one outlives the inner."""
    async with opened(slots=2) as outer:
        outside = await outer.load(behaviours())
        sleeping = asyncio.ensure_future(behave(outside, "sleep", {"milliseconds": 150}))
        async with opened(slots=2) as inner:
            inside = await inner.load(behaviours())
            assert answer_of(await behave(inside, "echo")) == EVENT
            assert (outer.active, inner.active) == (1, 0)
        assert (await sleeping).verdict == "done"
        assert answer_of(await behave(outside, "echo")) == EVENT


async def test_an_error_inside_the_block_closes_the_engine_too() -> None:
    """And comes out as itself."""
    with pytest.raises(KeyError):
        async with opened() as engine:
            raise KeyError
    with pytest.raises(EngineClosed):
        await engine.load(minimal())
