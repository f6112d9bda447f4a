"""What `Queue.beat`, `Queue.leave` and `Queue.sweep` promise: work outlives whoever did it."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.support.queues import HOST, SECOND_MS, FakeClock, House

from guesthouse.model.delivery import Outcome, State
from guesthouse.model.record import AttemptRecord

pytestmark = pytest.mark.anyio
Open = Callable[..., Awaitable[House]]


async def test_one_host_owns_every_lane(house: House) -> None:
    """A host that wants all lanes and is alone has them, beat after beat, in the same epoch."""
    lanes = await house.queue.beat(HOST, 64)
    assert [lane.number for lane in lanes] == list(range(64))
    assert await house.queue.beat(HOST, 64) == lanes


async def test_hosts_share_the_lanes(house: House) -> None:
    """Within two beats of its coming, a second host has half of the lanes; none has two owners."""
    for _ in range(2):
        first = await house.queue.beat(HOST, 64)
        second = await house.queue.beat("hst_2", 64)
    first = await house.queue.beat(HOST, 64)
    assert len(first) == len(second) == 32
    assert not {lane.number for lane in first} & {lane.number for lane in second}


async def test_what_one_host_does_not_want_another_gets(house: House) -> None:
    """A host takes no more lanes than it wants; the others share the rest."""
    await house.queue.beat("hst_2", 4)
    await house.queue.beat(HOST, 64)
    assert len(await house.queue.beat("hst_2", 4)) == 4
    assert len(await house.queue.beat(HOST, 64)) == 60


async def test_a_lane_changes_hands_with_a_new_epoch(house: House) -> None:
    """Every change of owner counts the lane's epoch up."""
    before = {lane.number: lane.epoch for lane in await house.queue.beat(HOST, 64)}
    await house.queue.leave(HOST)
    after = await house.queue.beat("hst_2", 64)
    assert all(lane.epoch > before[lane.number] for lane in after)


async def test_both_hosts_work(house: House) -> None:
    """Together, hosts that share the lanes lease everything; each only from its own."""
    await house.queue.beat("hst_2", 64)
    await house.queue.beat(HOST, 64)
    await house.queue.beat("hst_2", 64)
    await house.accept(*(f"dst_{number}" for number in range(100)))
    mine, theirs = await house.lease(), await house.lease(host="hst_2")
    assert len(mine) + len(theirs) == 100
    assert mine
    assert theirs


async def test_a_new_owner_is_told(house: House, clock: FakeClock) -> None:
    """Lanes that a late host lost to another wake their new owner, not the old one."""
    clock.advance(100 * SECOND_MS)
    await house.queue.beat("hst_2", 64)
    waiting = asyncio.ensure_future(house.lease(host="hst_2", wait_seconds=30))
    await asyncio.sleep(0)
    await house.accept("dst_1")
    assert len(await asyncio.wait_for(waiting, 10)) == 1


async def test_leaving_gives_everything_back(house: House) -> None:
    """A host that leaves makes room at once; what it leased is pending, with nothing counted, its tokens are void."""
    await house.accept("dst_1")
    lease = await house.lease_one()
    await house.queue.leave(HOST)
    await house.queue.beat("hst_2", 64)
    again = await house.lease_one(host="hst_2")
    assert (again.attempt, again.lost_leases) == (1, 0)
    assert not await house.settle(lease)


async def test_beats_renew_leases(house: House, clock: FakeClock) -> None:
    """As long as its host beats, a lease lasts."""
    await house.accept("dst_1")
    lease = await house.lease_one()
    for _ in range(10):
        clock.advance(60 * SECOND_MS)
        await house.queue.beat(HOST, 64)
        assert (await house.queue.sweep()).lost == 0
    assert await house.settle(lease)


async def _lease_elsewhere(house: House, host: str) -> None:
    """Let another host lease the one delivery, and vanish."""
    await house.queue.beat(HOST, 0)
    await house.queue.beat(host, 64)
    await house.lease_one(host=host)


async def test_a_lost_lease_makes_its_delivery_pending(house: House) -> None:
    """When a host stops beating, its deliveries come again, as the same attempt, and say that a lease was lost."""
    (one,) = await house.accept("dst_1")
    await _lease_elsewhere(house, "hst_lost")
    assert (await house.queue.look([one.deliveries[0].id]))[one.deliveries[0].id].state is State.RUNNING
    await house.lose_others()
    lease = await house.lease_one()
    assert (lease.attempt, lease.lost_leases) == (1, 1)


async def test_a_lost_lease_wakes_another_host(house: House) -> None:
    """A waiting host gets what a lost one had."""
    await house.accept("dst_1")
    await _lease_elsewhere(house, "hst_lost")
    house.clock.advance(100 * SECOND_MS)
    await house.queue.beat(HOST, 64)
    waiting = asyncio.ensure_future(house.lease(wait_seconds=30))
    await asyncio.sleep(0)
    assert (await house.queue.sweep()).lost == 1
    assert len(await asyncio.wait_for(waiting, 10)) == 1


async def test_the_third_lost_lease_is_the_end(house: House) -> None:
    """A delivery that three hosts in a row were lost over is dead, ``host_crashed``, with a record."""
    (one,) = await house.accept("dst_1")
    for number in range(3):
        await _lease_elsewhere(house, f"hst_lost_{number}")
        await house.lose_others()
    assert await house.open_count() == 0
    record = (await house.records())[-1]
    assert isinstance(record, AttemptRecord)
    assert (record.outcome, record.code, record.delivery_id) == (Outcome.DEAD, "host_crashed", one.deliveries[0].id)


async def test_only_leases_lost_in_a_row_count(house: House) -> None:
    """An attempt that ends proves that the event doesn't kill its host: counting starts anew."""
    await house.accept("dst_1")
    for number in range(4):
        await _lease_elsewhere(house, f"hst_lost_{number}")
        await house.lose_others()
        lease = await house.lease_one()
        assert lease.lost_leases == 1
        await house.settle(lease, Outcome.RETRYING)


async def test_giving_back_proves_nothing(house: House) -> None:
    """A delivery that was given back keeps its count of lost leases."""
    await house.accept("dst_1")
    await _lease_elsewhere(house, "hst_lost")
    await house.lose_others()
    await house.settle(await house.lease_one(), Outcome.GIVEN_BACK)
    assert (await house.lease_one()).lost_leases == 1


async def test_a_host_that_slept_starts_anew(house: House, clock: FakeClock) -> None:
    """A host that was declared lost and beats again has lanes again, but not its leases."""
    await house.accept("dst_1")
    lease = await house.lease_one()
    clock.advance(100 * SECOND_MS)
    assert (await house.queue.sweep()).lost == 1
    assert await house.lease() == []
    await house.queue.beat(HOST, 64)
    assert not await house.settle(lease)
    assert (await house.lease_one()).lost_leases == 1


async def test_a_host_that_is_late_leases_nothing(house: House, clock: FakeClock) -> None:
    """Without a current beat its lanes may be another's, so a host gets nothing until it beats."""
    await house.accept("dst_1")
    clock.advance(100 * SECOND_MS)
    assert await house.lease() == []
    await house.queue.beat(HOST, 64)
    assert len(await house.lease()) == 1


async def test_leases_survive_a_restart_until_they_run_out(open_house: Open, clock: FakeClock) -> None:
    """What ran when its process ended comes again when its lease has run out, on a clock that goes on."""
    house = await open_house()
    await house.accept("dst_1")
    await house.lease_one()
    await house.queue.close()
    again = await open_house(host="hst_2")
    assert await again.open_count() == 1
    clock.advance(91 * SECOND_MS)
    await again.queue.beat("hst_2", 64)
    await again.queue.sweep()
    await again.queue.beat("hst_2", 64)
    assert (await again.lease_one(host="hst_2")).lost_leases == 1


async def test_waiting_goes_on_over_a_boot(open_house: Open, clock: FakeClock) -> None:
    """A retry that waits outlasts a reboot, after which the monotonic clock starts anew."""
    house = await open_house()
    await house.accept("dst_1")
    await house.settle(await house.lease_one(), Outcome.RETRYING, due_at_ms=clock.now_ms() + 600 * SECOND_MS)
    await house.queue.close()
    clock.monotonic_ms = 7
    clock.wall_ms += 300 * SECOND_MS
    again = await open_house(host="hst_2", boot="boot_2")
    assert await again.lease(host="hst_2") == []
    clock.advance(300 * SECOND_MS)
    await again.queue.beat("hst_2", 64)
    assert len(await again.lease(host="hst_2")) == 1
