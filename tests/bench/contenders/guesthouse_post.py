"""Ours: a fresh guest for every event, which POSTs half a KiB and reads the response."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.bench import guests
from tests.bench.host import check, opened_engine

from guesthouse.model.capability import Capabilities, Grant
from guesthouse.runtime.modules import Module


@contextmanager
def opened(url: str, in_flight: str) -> Iterator[Callable[[int], None]]:
    """Invoke with *in_flight* guests at once, which POST to *url*."""
    grants = Capabilities(grants=(Grant.parse(url),))
    with opened_engine() as (runner, engine):
        module = runner.run(engine.load(guests.posting(f"{url}/events")))
        yield lambda count: runner.run(_together(module, grants, count, int(in_flight)))


async def _together(module: Module, grants: Capabilities, count: int, in_flight: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(in_flight):
            tasks.create_task(_one_by_one(module, grants, count // in_flight))


async def _one_by_one(module: Module, grants: Capabilities, count: int) -> None:
    for _ in range(count):
        report = check(await module.invoke("onTrack", guests.EVENT, capabilities=grants, tenant="t"))
        if report.http[0].status != 200:
            raise RuntimeError(report.http[0].error_message)
