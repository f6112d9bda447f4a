"""Whatever dies, and whenever: what got its 200 arrives, and queue and ledger agree in the end."""

import asyncio
import random
from collections import Counter

import pytest
from tests.e2e.house import POINTS
from tests.support.served import Estate, Process, fresh_ids

from guesthouse.model.delivery import State

pytestmark = pytest.mark.anyio

KILLS = 30
BACKLOG = 300
"""How many promises may be open before the load waits."""


async def load(estate: Estate, process: Process) -> None:
    """Send batch after batch until the host is gone."""
    while await estate.send(process.url, fresh_ids(5)):
        while len(estate.acknowledged - set(estate.copies)) > BACKLOG:
            estate.receiver.arrived.clear()
            await estate.receiver.arrived.wait()


async def load_and_kill(estate: Estate, seconds: float) -> None:
    """Let a host work under load, and kill it."""
    process = await estate.start()
    await estate.prepare()
    loads = [asyncio.create_task(load(estate, process)) for _ in range(3)]
    await asyncio.wait(loads, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    await process.kill()
    for one in loads:
        one.cancel()
    await asyncio.gather(*loads, return_exceptions=True)


@pytest.mark.timeout(180)
async def test_killed_at_random_moments_under_load_nothing_is_lost(estate: Estate) -> None:
    """Thirty times over; only what was in flight when the host was killed arrives twice.

    What was in flight three times in a row is dead, ``host_crashed``, and arrives when it is replayed.
    """
    dice = random.Random(20_26)  # noqa: S311 - a repeatable test
    for _ in range(KILLS):
        await load_and_kill(estate, dice.uniform(0.05, 0.4))
    last = await estate.start()
    await estate.settled()
    assert await last.stop() == 0
    views = await estate.reckon()
    dead = await estate.replay()
    assert not estate.acknowledged - set(estate.copies)
    assert len(dead) <= KILLS, "unlucky three times in a row, and tried alone the last time"
    assert len(estate.acknowledged) > KILLS
    by_host = Counter(estate.arrivals)
    assert set(by_host.values()) == {1}, "no host sends anything twice"
    extra = len(estate.arrivals) - len(views)
    assert extra <= KILLS * 32, "no more than a destination's room, for each kill"


@pytest.mark.parametrize("point", sorted(POINTS))
async def test_killed_between_two_steps_nothing_is_lost(estate: Estate, point: str) -> None:
    """A client that tries again with the same ids gets its 200, and each event is one delivery."""
    process = await estate.start(CRASH_AT=point)
    await estate.prepare()
    sent = fresh_ids(10)
    for one in sent:
        await estate.send(process.url, [one])
    async with asyncio.timeout(20):
        assert await process.process.wait() == -9
    promised = set(estate.acknowledged)
    again = await estate.start()
    for one in sent:
        if one not in promised:
            assert await estate.send(again.url, [one])
    assert estate.acknowledged == set(sent)
    await estate.arrived()
    await estate.settled()
    assert await again.stop() == 0
    assert len(await estate.reckon()) == len(sent)
    extra = len(estate.arrivals) - len(sent)
    assert extra == 0 if point in {"accepted", "leased"} else extra <= len(sent)


async def test_a_host_that_is_asked_to_stop_ends_what_runs(estate: Estate) -> None:
    """SIGTERM: no new leases, running guests end, the rest waits for the next host; nothing is sent twice."""
    count = estate.receiver.script
    is_let = asyncio.Event()

    async def count_later(request: object) -> bytes:
        await is_let.wait()
        return count(request)  # type: ignore[arg-type,return-value] # the script of the estate

    estate.receiver.script = count_later
    process = await estate.start()
    await estate.prepare()
    assert await estate.send(process.url, fresh_ids(100))
    await estate.receiver.arrived.wait()
    stopping = asyncio.create_task(process.stop())
    await asyncio.wait([stopping], timeout=0.2)
    is_let.set()
    assert await stopping == 0
    (depth,) = await estate.depths()
    assert 0 < depth.pending < 100
    assert depth.running == 0
    again = await estate.start()
    await estate.arrived()
    await estate.settled()
    assert await again.stop() == 0
    await estate.reckon()
    assert len(estate.arrivals) == 100


async def test_two_hosts_on_one_folder_share_the_work(estate: Estate) -> None:
    """Both take events in, each event is delivered once, and when one is killed the other goes on with its work."""
    first, second = await estate.start(), await estate.start()
    for _ in range(10):
        assert await estate.send(first.url, fresh_ids(5))
        assert await estate.send(second.url, fresh_ids(5))
    await estate.arrived()
    await estate.settled()
    assert len(estate.arrivals) == 100
    for _ in range(5):
        assert await estate.send(second.url, fresh_ids(5))
    await first.kill()
    for _ in range(5):
        assert await estate.send(second.url, fresh_ids(5))
    await estate.arrived()
    await estate.settled()
    assert await second.stop() == 0
    assert len(await estate.reckon()) == 150
    assert len(estate.arrivals) <= 150 + 32


async def test_an_event_that_kills_its_host_ends_dead_and_takes_no_other_along(estate: Estate) -> None:
    """After three lost leases ``host_crashed``; whatever was leased at the same times is delivered."""
    process = await estate.start(POISON="Poison")
    innocent, guilty = fresh_ids(60), fresh_ids(1)
    crashes = 0
    assert await estate.send(process.url, innocent[:30])
    await estate.send(process.url, guilty, "Poison")
    await estate.send(process.url, innocent[30:])
    while crashes < 10:
        await estate.prepare(POISON="Poison")
        ended = asyncio.create_task(process.process.wait())
        everything = asyncio.create_task(estate.arrived(estate.acknowledged - set(guilty)))
        await asyncio.wait([ended, everything], return_when=asyncio.FIRST_COMPLETED, timeout=20)
        settling = asyncio.create_task(estate.settled())
        await asyncio.wait([ended, settling], return_when=asyncio.FIRST_COMPLETED, timeout=20)
        is_over = not ended.done()
        for task in (ended, everything, settling):
            task.cancel()
        await asyncio.gather(ended, everything, settling, return_exceptions=True)
        if is_over:
            break
        crashes += 1
        process = await estate.start(POISON="Poison")
    assert crashes == 3
    assert await process.stop() == 0
    views = {view.message_id: view for view in await estate.ledger()}
    dead = views.pop(guilty[0])
    assert (dead.state, dead.code) == (State.DEAD, "host_crashed")
    assert {view.state for view in views.values()} == {State.SUCCEEDED}
    assert set(views) >= estate.acknowledged - set(guilty)
    assert not await estate.depths()
