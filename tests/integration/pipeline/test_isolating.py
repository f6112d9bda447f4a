"""A destination that is slow, dead or crowded is its own problem: others don't wait, and it is left alone."""

import asyncio
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from tests.support.guests import build_c
from tests.support.hosts import QUICK_WORK, Rig, rig_on, states
from tests.support.receiver import Received, reply

from guesthouse.model.delivery import State
from guesthouse.model.registry import DestinationChange
from guesthouse.model.retry import RetryPolicy
from guesthouse.pipeline.breaker import BreakerPolicy

pytestmark = pytest.mark.anyio

PATIENT = RetryPolicy(attempts=10, first_ms=50, factor=1.0)


def busy() -> bytes:
    """Build the guest that asks for a retry when the API is busy."""
    return build_c(Path(__file__).with_name("busy.c"))


async def test_a_slow_destination_does_not_delay_another(rig: Rig) -> None:
    """It fills its own room with guests that wait; the other's events go through meanwhile."""
    slow_source = await rig.new_source()
    slow = await rig.destination("sleep_long", source=slow_source, limits={"deadline_ms": 60_000})
    quick = await rig.destination("http_post")
    await rig.send(*[{}] * 100, source=slow_source)
    for _ in range(10):
        assert (await rig.ended_one(await rig.send_one())).delivery.state is State.SUCCEEDED
    depths = {depth.destination_id: depth for depth in await rig.host.queue.depths()}
    assert depths[slow.id].open == 100
    assert depths[slow.id].running <= 8
    assert quick.id not in depths
    await rig.host.work.cancel(rig.tenant.tenant_id, [], slow.id)


async def test_a_dead_destination_is_left_alone_and_probed_one_by_one(tmp_path: Path) -> None:
    """Failures in a row open its breaker; what waits behind it spends no attempts; a good probe lets all through."""
    async with rig_on(tmp_path / "data", retry=PATIENT) as rig:
        rig.host.worker._breakers.policy = BreakerPolicy(failures=5, first_ms=400)
        rig.receiver.script = lambda _: reply(500)
        destination = await rig.destination(function=await rig.function(module=busy(), name="busy"))
        first = await rig.send(*[{}] * 5)

        async def is_held() -> bool:
            return any("breaker" in depth.holds for depth in await rig.host.queue.depths())

        await rig.until(is_held)
        assert len(rig.receiver.requests) == 5
        probed, is_mended = asyncio.Event(), asyncio.Event()

        async def answer_later(_: Received) -> bytes:
            probed.set()
            await is_mended.wait()
            return reply()

        rig.receiver.script = answer_later
        behind = await rig.send(*[{}] * 20)
        await probed.wait()
        (depth,) = await rig.host.queue.depths()
        assert (depth.destination_id, depth.running) == (destination.id, 1)
        assert len(rig.receiver.requests) == 6
        is_mended.set()
        lives = [await rig.ended_one(entry.event_id) for entry in (*first, *behind)]
        assert states(lives) == [State.SUCCEEDED] * 25
        assert [len(life.attempts) for life in lives[:5]] == [2] * 5
        assert [len(life.attempts) for life in lives[5:]] == [1] * 20


async def test_a_probe_that_fails_holds_the_destination_again(tmp_path: Path) -> None:
    """Each probe spends one attempt of one delivery, and the waits grow."""
    async with rig_on(tmp_path / "data", retry=PATIENT) as rig:
        rig.host.worker._breakers.policy = BreakerPolicy(failures=3, first_ms=60, longest_ms=120)
        arrivals: list[float] = []

        def refuse(_: Received) -> bytes:
            arrivals.append(asyncio.get_running_loop().time())
            return reply(500) if len(arrivals) < 6 else reply()

        rig.receiver.script = refuse
        await rig.destination(function=await rig.function(module=busy(), name="busy"))
        entries = await rig.send(*[{}] * 3)
        lives = [await rig.ended_one(entry.event_id) for entry in entries]
        assert states(lives) == [State.SUCCEEDED] * 3
        waits = [later - earlier for earlier, later in pairwise(arrivals[2:6])]
        assert waits[0] > 0.05
        assert min(waits[1:]) > 0.1


async def test_a_stop_gives_back_what_runs(tmp_path: Path) -> None:
    """A guest that waits for long doesn't keep the host from stopping, and its delivery is done by the next one."""
    async with rig_on(tmp_path / "data") as rig:
        rig.host.worker._config = replace(QUICK_WORK, stop_seconds=0.05)
        silent = asyncio.Event()

        async def say_nothing(_: Received) -> bytes:
            await silent.wait()
            return b""

        rig.receiver.script = say_nothing
        destination = await rig.destination("http_post", limits={"deadline_ms": 60_000, "http_timeout_ms": 60_000})
        event_id = await rig.send_one()
        await rig.receiver.arrived.wait()
        await rig.host.work.pause(rig.tenant.tenant_id, destination.id)
    async with rig_on(tmp_path / "data") as rig:
        change = DestinationChange(
            settings={"behaviour": "http_post", "url": rig.receiver.url("/")}, grants=(rig.receiver.url("/"),)
        )
        await rig.tenant.change_destination(destination.id, change)
        await rig.host.work.resume(rig.tenant.tenant_id, destination.id)
        life = await rig.ended_one(event_id)
        assert life.delivery.state is State.SUCCEEDED
        assert [attempt.attempt for attempt in life.attempts] == [1]
