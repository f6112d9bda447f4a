"""Room for calls at once."""

import asyncio

import pytest

from guesthouse.runtime.outbound.room import Room

pytestmark = pytest.mark.anyio


async def test_whoever_waits_longest_enters_first() -> None:
    """First come, first served."""
    room, entered = Room(1), []

    async def visit(name: str) -> None:
        await room.enter()
        entered.append(name)
        room.leave()

    await room.enter()
    visits = [asyncio.create_task(visit(name)) for name in "abc"]
    await asyncio.sleep(0)
    assert entered == []
    room.leave()
    await asyncio.gather(*visits)
    assert entered == ["a", "b", "c"]


async def test_a_place_given_to_someone_who_is_cancelled_is_not_lost() -> None:
    """The turn may be given and the call cancelled in the same moment."""
    room = Room(1)
    await room.enter()
    waiting = asyncio.create_task(room.enter())
    await asyncio.sleep(0)
    room.leave()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    async with asyncio.timeout(1):
        await room.enter()


async def test_someone_who_gave_up_is_passed_over() -> None:
    """A cancelled call in the queue doesn't take a turn."""
    room = Room(1)
    await room.enter()
    first, second = (asyncio.create_task(room.enter()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    room.leave()
    async with asyncio.timeout(1):
        await second
