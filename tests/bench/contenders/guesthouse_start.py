"""Ours on a guest whose initialisation is work, from its snapshot or with ``_initialize`` run for each event."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tests.bench import guests
from tests.bench.host import check, opened_engine


@contextmanager
def opened(start: str) -> Iterator[Callable[[int], None]]:
    """Invoke one by one; *start* is ``snapshot`` or ``initialise``."""
    is_snapshotted = start == "snapshot"
    with opened_engine() as (runner, engine):
        module = runner.run(engine.load(guests.heavy_start(is_snapshotted=is_snapshotted)))
        if module.needs_initialise == is_snapshotted:
            raise RuntimeError(f"the guest isn't as it should be: {module.why_not_snapshotted}")
        check(runner.run(module.invoke("onTrack", guests.EVENT)))

        async def work(count: int) -> None:
            for _ in range(count):
                await module.invoke("onTrack", guests.EVENT)

        yield lambda count: runner.run(work(count))
