"""Slots: taken by whoever runs, given back however it ends; cancelling, deadlines, and many at once."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from tests.support.engines import EVENT, PATIENCE_SECONDS, SECONDS_OF_FUEL, answer_of, behave, opened
from tests.support.guests import behaviours
from tests.support.receiver import Received, Receiver, reply

from guesthouse.errors import DeadlineExceeded, NoSlot
from guesthouse.model.capability import Capabilities, Grant
from guesthouse.model.limits import Limits
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.modules import Module

pytestmark = pytest.mark.anyio
SLOTS = 20
LESS_THAN_A_CALL_SECONDS = 5
"""A request that nobody cancels ends by its own timeout, later than this."""
PLENTY = Limits(fuel=SECONDS_OF_FUEL, deadline_ms=60_000)


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[Engine]:
    """Open an engine of twenty slots."""
    async with opened(slots=SLOTS) as engine:
        yield engine


@pytest.fixture(scope="module")
async def module(engine: Engine) -> Module:
    """Load all behaviours."""
    return await engine.load(behaviours())


def begin(work: Coroutine[Any, Any, Any]) -> "asyncio.Task[Any]":
    """Make a task of it, which the test cancels or awaits."""
    return asyncio.ensure_future(work)


async def cancel(*tasks: "asyncio.Task[Any]") -> None:
    """Cancel tasks and wait for their end."""
    for task in tasks:
        task.cancel()
    for task in tasks:
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def full(module: Module) -> list["asyncio.Task[Any]"]:
    """Fill every slot with a guest that sleeps for an hour."""
    tasks = [begin(behave(module, "sleep_long", limits=PLENTY)) for _ in range(SLOTS)]
    await asyncio.sleep(0)
    return tasks


async def test_a_full_engine_refuses_and_works_on_once_there_is_room(engine: Engine, module: Module) -> None:
    """NoSlot tells how many there are; those who have one notice nothing."""
    tasks = await full(module)
    assert engine.active == SLOTS
    for _ in range(3):
        with pytest.raises(NoSlot) as refused:
            await behave(module, "echo")
        assert refused.value.slots == SLOTS
    await cancel(tasks.pop())
    assert answer_of(await behave(module, "echo")) == EVENT
    assert engine.active == SLOTS - 1
    await cancel(*tasks)
    assert engine.active == 0


async def test_cancelling_a_waiting_guest_frees_its_slot_at_once(engine: Engine, module: Module) -> None:
    """Before the loop's next turn is over."""
    tasks = await full(module)
    await cancel(*tasks)
    assert engine.active == 0
    tasks = await full(module)
    assert engine.active == SLOTS
    await cancel(*tasks)


async def test_cancelling_a_spinning_guest_frees_its_slot(engine: Engine, module: Module) -> None:
    """Between two of its slices."""
    spinner = begin(behave(module, "spin", limits=PLENTY))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert engine.active == 1
    await cancel(spinner)
    assert engine.active == 0


async def test_cancelling_a_task_before_it_ran_takes_nothing(engine: Engine, module: Module) -> None:
    """No slot was taken, so none is given back twice."""
    task = begin(behave(module, "echo"))
    await cancel(task)
    assert engine.active == 0


async def test_cancelling_a_queued_guest_frees_its_slot(engine: Engine, module: Module) -> None:
    """It had a slot but no turn yet, because others were spinning."""
    spinners = [begin(behave(module, "spin", limits=PLENTY)) for _ in range(5)]
    await asyncio.sleep(0)
    queued = begin(behave(module, "echo"))
    await asyncio.sleep(0)
    await cancel(queued, *spinners)
    assert engine.active == 0
    assert answer_of(await behave(module, "echo")) == EVENT


async def test_a_timeout_of_the_caller_cancels_the_guest(engine: Engine, module: Module) -> None:
    """As any coroutine's."""
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.02):
            await behave(module, "sleep_long", limits=PLENTY)
    assert engine.active == 0


async def test_cancelling_a_guest_cancels_its_requests(engine: Engine, module: Module) -> None:
    """The other side sees its connection closed, and nothing of it is left running."""

    async def never(_request: Received) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with Receiver(never) as there:
        grants = Capabilities(grants=(Grant.parse(there.url()),))
        task = begin(behave(module, "http_get", {"url": there.url()}, capabilities=grants, limits=PLENTY))
        await asyncio.wait_for(there.arrived.wait(), PATIENCE_SECONDS)
        await cancel(task)
        assert engine.active == 0
        await asyncio.wait_for(there.gone.wait(), LESS_THAN_A_CALL_SECONDS)


async def test_a_deadline_cancels_a_guests_requests(engine: Engine, module: Module) -> None:
    """Like the caller's cancelling."""

    async def never(_request: Received) -> bytes:
        await asyncio.Event().wait()
        return b""

    async with Receiver(never) as there:
        grants = Capabilities(grants=(Grant.parse(there.url()),))
        limits = Limits(deadline_ms=50)
        report = await behave(module, "http_get", {"url": there.url()}, capabilities=grants, limits=limits)
        assert isinstance(report.error, DeadlineExceeded)
        assert [exchange.status for exchange in report.http] == [None]
        await asyncio.wait_for(there.gone.wait(), LESS_THAN_A_CALL_SECONDS)
    assert engine.active == 0


async def test_thousands_of_cancels_over_twenty_slots_lose_none(engine: Engine, module: Module) -> None:
    """Waiting and spinning ones in turn; at the end every slot can be had again."""
    for _ in range(100):
        tasks = await full(module)
        assert engine.active == SLOTS
        await cancel(*tasks)
    for _ in range(10):
        tasks = [begin(behave(module, "spin", limits=PLENTY)) for _ in range(SLOTS)]
        await asyncio.sleep(0)
        await cancel(*tasks)
    assert engine.active == 0
    echoes = await asyncio.gather(*(behave(module, "echo") for _ in range(SLOTS)))
    assert [answer_of(report) for report in echoes] == [EVENT] * SLOTS


@pytest.mark.parametrize("behaviour", ["panic", "exit", "http_raw", "batch_short"])
async def test_an_attempt_that_breaks_gives_its_slot_back(engine: Engine, module: Module, behaviour: str) -> None:
    """Traps, faults of the contract, bad replies: more of them than there are slots."""
    for _ in range(2 * SLOTS):
        report = await module.invoke("onBatch", [EVENT, EVENT], settings={"behaviour": behaviour})
        assert report.error is not None
    assert engine.active == 0


async def test_what_cannot_be_encoded_takes_no_slot(engine: Engine, module: Module) -> None:
    """A ValueError for whoever calls, nothing for the guest."""
    for _ in range(2 * SLOTS):
        with pytest.raises(ValueError, match="MessagePack can't hold"):
            await module.invoke("onTrack", {"event": object()})
    assert engine.active == 0


@pytest.mark.parametrize("behaviour", ["sleep_long", "spin"])
async def test_a_deadline_ends_whoever_waits_and_whoever_spins(engine: Engine, module: Module, behaviour: str) -> None:
    """Not before, and soon after; it is the one error that may not come again."""
    limits = Limits(fuel=SECONDS_OF_FUEL, deadline_ms=50)
    report = await behave(module, behaviour, limits=limits)
    assert type(report.error) is DeadlineExceeded
    assert report.error.retryable
    assert 50 <= report.usage.duration_ms < 1_000
    assert engine.active == 0


async def test_deadlines_are_each_guests_own(module: Module) -> None:
    """The shortest ends first, whatever the order of their start."""
    ended: list[int] = []

    async def wait(milliseconds: int) -> None:
        await behave(module, "sleep_long", limits=Limits(deadline_ms=milliseconds))
        ended.append(milliseconds)

    await asyncio.gather(*map(wait, (90, 30, 60)))
    assert ended == [30, 60, 90]


async def test_many_tasks_may_invoke_at_once(engine: Engine, module: Module) -> None:
    """Each gets its own guest's answer, however their waits interleave."""

    async def answer(request: Received) -> bytes:
        await asyncio.sleep(0)
        return reply(200, request.target.encode())

    async def ask(number: int, there: Receiver) -> None:
        grants = Capabilities(grants=(Grant.parse(there.url()),))
        report = await behave(module, "http_get", {"url": there.url(f"/{number}")}, capabilities=grants)
        assert answer_of(report)["body"] == f"/{number}"
        assert [exchange.url for exchange in report.http] == [there.url(f"/{number}")]

    room = asyncio.Semaphore(SLOTS)

    async def in_turn(number: int, there: Receiver) -> None:
        async with room:
            await ask(number, there)

    async with Receiver(answer) as there:
        await asyncio.gather(*(in_turn(number, there) for number in range(200)))
    assert engine.active == 0


async def test_modules_run_side_by_side(engine: Engine, module: Module) -> None:
    """Two loads of the same bytes, too: closing one leaves the other."""
    twin = await engine.load(behaviours())
    assert (twin.digest, twin.description) == (module.digest, module.description)
    sleeping = begin(behave(module, "sleep", {"milliseconds": 20}))
    assert answer_of(await behave(twin, "echo")) == EVENT
    twin.close()
    assert (await sleeping).verdict == "done"
    assert answer_of(await behave(module, "echo")) == EVENT
