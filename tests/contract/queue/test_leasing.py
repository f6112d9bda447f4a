"""What `Queue.lease` promises."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable

import pytest
from tests.support.queues import HOST, SECOND_MS, FakeClock, House, acceptance

from guesthouse.model.delivery import Outcome
from guesthouse.queue.protocol import MAX_LEASED, Room

pytestmark = pytest.mark.anyio
Open = Callable[..., Awaitable[House]]


async def test_a_leased_delivery_is_not_leased_again(house: House) -> None:
    """One delivery has one lease."""
    await house.accept("dst_1")
    await house.lease_one()
    assert await house.lease() == []


async def test_calls_at_the_same_time_share_the_work(house: House) -> None:
    """Two calls at once never get the same delivery."""
    await house.accept("dst_1", count=50)
    answers = await asyncio.gather(*(house.lease(limit=10) for _ in range(8)))
    leases = [lease for answer in answers for lease in answer]
    assert len({lease.delivery.id for lease in leases}) == len(leases) == 50


async def test_a_host_without_a_beat_gets_nothing(house: House) -> None:
    """Lanes come from beating; without lanes there is nothing to lease."""
    await house.accept("dst_1")
    assert await house.lease(host="hst_unknown") == []


async def test_the_limit_holds(house: House) -> None:
    """Never more than the limit, nor than a call may hand out at all."""
    await house.accept("dst_1", count=MAX_LEASED + 10)
    assert len(await house.lease(limit=3)) == 3
    assert await house.lease(limit=0) == []
    assert len(await house.lease(limit=10**9)) == MAX_LEASED


async def test_the_longest_due_comes_first(house: House, clock: FakeClock) -> None:
    """Within a destination, deliveries come in the order in which they became due."""
    order = []
    for _ in range(5):
        (one,) = await house.accept("dst_1")
        order.append(one.deliveries[0].id)
        clock.advance(1)
    assert [lease.delivery.id for lease in await house.lease()] == order


async def test_bytes_are_bounded(house: House) -> None:
    """Leases stop before the bytes are exceeded, but the first always fits."""
    await house.queue.accept([acceptance("dst_1", payload=bytes(10_000)) for _ in range(5)])
    assert len(await house.lease(max_bytes=25_000)) == 2
    assert len(await house.lease(max_bytes=1)) == 1


async def test_a_destination_gets_no_more_than_its_room(house: House) -> None:
    """A destination's room bounds its leases, whatever the limit, and 0 means none."""
    house.room = Room(default=2, destinations={"dst_1": 5, "dst_0": 0}, tenant_default=100)
    await house.accept("dst_0", "dst_1", "dst_2", count=10)
    leased = Counter(lease.delivery.destination_id for lease in await house.lease())
    assert leased == {"dst_1": 5, "dst_2": 2}


async def test_a_tenant_gets_no_more_than_its_room(house: House) -> None:
    """A tenant's room bounds the leases of all its destinations together."""
    house.room = Room(default=10, tenant_default=3, tenants={"tnt_2": 1})
    await house.accept("dst_1", "dst_2", count=5)
    await house.accept("dst_3", "dst_4", count=5, tenant_id="tnt_2")
    leased = Counter(lease.delivery.tenant_id for lease in await house.lease())
    assert leased == {"tnt_1": 3, "tnt_2": 1}


async def test_room_that_appears_is_used(house: House) -> None:
    """Room is read at every try: a waiting call goes on when a settlement made room."""
    house.room = Room(default=1)
    await house.accept("dst_1", count=2)
    first = await house.lease_one()
    house.room.default = 0
    waiting = asyncio.ensure_future(house.lease(wait_seconds=30))
    await asyncio.sleep(0)
    house.room.default = 1
    await house.settle(first)
    (second,) = await asyncio.wait_for(waiting, 10)
    assert second.delivery.id != first.delivery.id


async def test_tenants_share_evenly(house: House) -> None:
    """A tenant with a thousand times more work, in many destinations, gets no more than its turn."""
    for number in range(20):
        await house.accept(f"dst_{number}", count=50)
    await house.accept("dst_small", count=10, tenant_id="tnt_2")
    leased = Counter(lease.delivery.tenant_id for lease in await house.lease(limit=20))
    assert leased == {"tnt_1": 10, "tnt_2": 10}


async def test_destinations_of_a_tenant_share_evenly(house: House) -> None:
    """Within a tenant, a deep destination leaves the others their turns."""
    await house.accept("dst_deep", count=500)
    await house.accept("dst_2", "dst_3", count=5)
    leased = Counter(lease.delivery.destination_id for lease in await house.lease(limit=12))
    assert leased == {"dst_deep": 4, "dst_2": 4, "dst_3": 4}


async def test_turns_go_on_where_they_stopped(house: House) -> None:
    """Calls for one delivery at a time go round everybody before anybody is served twice."""
    destinations = {f"dst_{number}" for number in range(7)}
    await house.accept(*destinations, count=3)
    for _ in range(3):
        leased = [lease.delivery.destination_id for _ in range(7) for lease in await house.lease(limit=1)]
        assert set(leased) == destinations


async def test_many_full_destinations_do_not_hide_a_free_one(house: House) -> None:
    """However many destinations have no room, one that has is found."""
    full = [f"dst_{number}" for number in range(300)]
    house.room = Room(default=0, destinations={"dst_free": 1})
    await house.queue.accept([acceptance(*full)])
    await house.accept("dst_free")
    for _ in range(2):
        (lease,) = await house.lease(limit=1)
        assert lease.delivery.destination_id == "dst_free"
        await house.settle(lease, Outcome.GIVEN_BACK)


async def test_waiting_ends_when_something_is_accepted(house: House) -> None:
    """A waiting call gets what is accepted, at once."""
    waiting = asyncio.ensure_future(house.lease(wait_seconds=30))
    await asyncio.sleep(0)
    await house.accept("dst_1")
    assert len(await asyncio.wait_for(waiting, 10)) == 1


async def test_waiting_ends_when_something_is_given_back(house: House) -> None:
    """A waiting call gets what another worker gives back."""
    await house.accept("dst_1")
    lease = await house.lease_one()
    waiting = asyncio.ensure_future(house.lease(wait_seconds=30))
    await asyncio.sleep(0)
    await house.settle(lease, Outcome.GIVEN_BACK)
    assert len(await asyncio.wait_for(waiting, 10)) == 1


async def test_waiting_has_an_end(house: House) -> None:
    """With nothing due, a call answers with nothing when its time is up."""
    assert await asyncio.wait_for(house.lease(wait_seconds=0.01), 10) == []


async def test_a_cancelled_wait_leases_nothing(house: House) -> None:
    """A caller that gave up waiting takes nothing away from the others."""
    waiting = asyncio.ensure_future(house.lease(wait_seconds=30))
    await asyncio.sleep(0)
    await house.queue.depths()
    waiting.cancel()
    await asyncio.wait([waiting])
    await house.accept("dst_1")
    assert len(await house.lease()) == 1


@pytest.mark.parametrize("turns", range(12))
async def test_a_cancelled_call_keeps_no_lease(house: House, turns: int) -> None:
    """Whenever a call is cancelled, what it may have leased is pending again, and nothing is counted."""
    await house.accept("dst_1")
    leasing = asyncio.ensure_future(house.lease())
    for _ in range(turns):
        await asyncio.sleep(0)
    leasing.cancel()
    await asyncio.wait([leasing])
    leases = [] if leasing.cancelled() else leasing.result()
    leases += await house.lease(wait_seconds=10 * (not leases))
    assert [(lease.attempt, lease.lost_leases) for lease in leases] == [(1, 0)]


async def test_held_destinations_are_left_alone(house: House, clock: FakeClock) -> None:
    """Nothing is leased from a held destination until the time is up, or all reasons are released."""
    await house.accept("dst_1")
    await house.queue.hold("dst_1", None, "paused")
    await house.queue.hold("dst_1", clock.now_ms() + SECOND_MS, "breaker")
    assert await house.lease() == []
    clock.advance(SECOND_MS)
    assert await house.lease() == []
    await house.queue.release("dst_1", "paused")
    assert len(await house.lease()) == 1


async def test_a_timed_hold_ends_by_itself(house: House, clock: FakeClock) -> None:
    """A hold with a time needs nobody to release it; held before anything was accepted, too."""
    await house.queue.hold("dst_1", clock.now_ms() + SECOND_MS, "breaker")
    await house.accept("dst_1")
    assert await house.lease() == []
    clock.advance(SECOND_MS)
    assert len(await house.lease()) == 1


async def test_releasing_wakes(house: House) -> None:
    """A waiting call gets what a released hold had kept."""
    await house.queue.hold("dst_1", None, "paused")
    await house.accept("dst_1")
    waiting = asyncio.ensure_future(house.lease(wait_seconds=30))
    await asyncio.sleep(0)
    await house.queue.release("dst_1", "paused")
    assert len(await asyncio.wait_for(waiting, 10)) == 1


async def test_holds_survive_reopening(open_house: Open) -> None:
    """A paused destination stays paused over a restart."""
    house = await open_house()
    await house.accept("dst_1")
    await house.queue.hold("dst_1", None, "paused")
    await house.queue.close()
    again = await open_house(host="hst_2")
    assert await again.lease(host="hst_2") == []


async def test_holds_are_bounded(house: House) -> None:
    """A destination has a few reasons to be held, each short."""
    for number in range(8):
        await house.queue.hold("dst_1", None, f"reason {number}")
    with pytest.raises(ValueError, match="at most"):
        await house.queue.hold("dst_1", None, "one too many")
    with pytest.raises(ValueError, match="characters"):
        await house.queue.hold("dst_1", None, "x" * 101)


async def test_the_wall_clock_moves_nothing(house: House, clock: FakeClock) -> None:
    """A wall clock that jumps, either way, neither hurries nor delays what waits."""
    await house.accept("dst_1")
    await house.settle(await house.lease_one(), Outcome.RETRYING, due_at_ms=clock.now_ms() + 60 * SECOND_MS)
    clock.wall_ms += 10**9
    assert await house.lease() == []
    clock.wall_ms -= 10**10
    clock.monotonic_ms += 60 * SECOND_MS
    assert len(await house.lease(host=HOST)) == 1
