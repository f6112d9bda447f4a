"""The contract's backends: a second one joins by a line in `BACKENDS`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from tests.support.queues import HOST, FakeClock, House

from guesthouse.clock import Clock
from guesthouse.queue.protocol import Queue, QueueConfig
from guesthouse.queue.sqlite import open_queue

Opener = Callable[[Path, Clock, QueueConfig, str], Awaitable[Queue]]
Open = Callable[..., Awaitable[House]]


async def _open_sqlite(folder: Path, clock: Clock, config: QueueConfig, boot: str) -> Queue:
    return await open_queue(folder / "queue.db", clock=clock, config=config, boot=boot)


BACKENDS: dict[str, Opener] = {"sqlite": _open_sqlite}


@pytest.fixture(params=sorted(BACKENDS))
def opener(request: pytest.FixtureRequest) -> Opener:
    """Give the way to open one backend; the suite runs over each."""
    return BACKENDS[request.param]


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that stands still."""
    return FakeClock()


@pytest.fixture
async def open_house(opener: Opener, tmp_path: Path, clock: FakeClock) -> AsyncIterator[Open]:
    """Open the queue in the test's folder, as often as wanted: again after closing, or twice at once."""
    opened: list[Queue] = []

    async def open_house(*, host: str | None = HOST, boot: str = "boot_1", **bounds: float) -> House:
        queue = await opener(tmp_path, clock, QueueConfig(**bounds), boot)  # type: ignore[arg-type] # bounds by name
        opened.append(queue)
        if host:
            await queue.beat(host, 64)
        return House(queue, clock)

    yield open_house
    for queue in opened:
        await queue.close()


@pytest.fixture
async def house(open_house: Open) -> House:
    """Give an empty queue with one host that owns every lane."""
    return await open_house()
