"""Ours: `Module.invoke` on uvloop, sequentially or with several under way."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.bench import guests
from tests.bench.host import check, opened_engine

from guesthouse.runtime.modules import Module


@contextmanager
def opened(in_flight: str = "1", guest: str = "waiting_once", *arguments: str) -> Iterator[Callable[[int], None]]:
    """Invoke a guest of `tests.bench.guests` with *in_flight* invocations at once."""
    with opened_engine() as (runner, engine):
        module = runner.run(engine.load(getattr(guests, guest)(*arguments)))
        check(runner.run(module.invoke("onTrack", guests.EVENT)))
        work = _one_by_one if in_flight == "1" else _together
        yield lambda count: runner.run(work(module, count, int(in_flight)))


async def _one_by_one(module: Module, count: int, _in_flight: int = 1) -> None:
    for _ in range(count):
        await module.invoke("onTrack", guests.EVENT)


async def _together(module: Module, count: int, in_flight: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(_one_by_one(module, count // in_flight))
