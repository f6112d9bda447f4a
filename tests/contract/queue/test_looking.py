"""What `Queue.cancel`, `Queue.depths`, `Queue.look`, `Queue.drain` and `Queue.close` promise."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.support.queues import SECOND_MS, FakeClock, House, acceptance

from guesthouse.errors import StorageFault
from guesthouse.model.delivery import Outcome, State
from guesthouse.model.record import AttemptRecord
from guesthouse.queue.protocol import Depth, Selector

pytestmark = pytest.mark.anyio
Open = Callable[..., Awaitable[House]]


async def test_cancelling_closes(house: House) -> None:
    """What is cancelled is gone, leaves a record, and frees its place; the rest stays."""
    (one, _) = await house.accept("dst_1", count=2)
    await house.records()
    assert await house.queue.cancel(Selector(delivery_ids=(one.deliveries[0].id,))) == 1
    (record,) = await house.records()
    assert isinstance(record, AttemptRecord)
    assert (record.outcome, record.delivery_id) == (Outcome.CANCELLED, one.deliveries[0].id)
    assert (await house.lease_one()).delivery.id != one.deliveries[0].id


async def test_a_cancelled_run_cannot_settle(house: House) -> None:
    """Cancelling a running delivery refuses its settlement."""
    await house.accept("dst_1")
    lease = await house.lease_one()
    assert await house.queue.cancel(Selector(destination_id="dst_1")) == 1
    await house.records()
    assert not await house.settle(lease)
    assert await house.records() == []
    assert await house.open_count() == 0


@pytest.mark.parametrize(
    ("selector", "left"),
    [
        (Selector(tenant_id="tnt_1"), 2),
        (Selector(destination_id="dst_2"), 3),
        (Selector(tenant_id="tnt_1", destination_id="dst_2"), 4),
        (Selector(tenant_id="tnt_unknown"), 5),
    ],
)
async def test_selectors_narrow(house: House, selector: Selector, left: int) -> None:
    """Tenant and destination both have to fit; another tenant's deliveries are never meant."""
    await house.accept("dst_1", count=2)
    await house.accept("dst_3")
    await house.accept("dst_2", count=2, tenant_id="tnt_2")
    await house.queue.cancel(selector)
    assert await house.open_count() == (5 if selector.tenant_id == "tnt_1" and selector.destination_id else left)


async def test_another_tenants_delivery_is_not_cancelled(house: House) -> None:
    """An id of another tenant selects nothing."""
    (one,) = await house.accept("dst_1")
    assert await house.queue.cancel(Selector(tenant_id="tnt_2", delivery_ids=(one.deliveries[0].id,))) == 0


async def test_cancelling_is_bounded(house: House) -> None:
    """A call cancels no more than its limit, and never everything there is."""
    await house.accept("dst_1", count=5)
    await house.lease(limit=2)
    assert await house.queue.cancel(Selector(destination_id="dst_1"), 4) == 4
    assert await house.open_count() == 1
    with pytest.raises(ValueError, match="empty selector"):
        await house.queue.cancel(Selector())


async def test_depths_count_every_state(house: House, clock: FakeClock) -> None:
    """Depths say for each destination what is pending, running and retrying, and what has waited longest."""
    start = clock.now_ms()
    await house.accept("dst_1", count=4)
    leases = await house.lease(limit=3)
    await house.settle(leases[0], Outcome.RETRYING, due_at_ms=start + 60 * SECOND_MS)
    await house.settle(leases[1])
    clock.advance(SECOND_MS)
    await house.queue.hold("dst_1", None, "paused")
    await house.accept("dst_2", tenant_id="tnt_2")
    assert await house.queue.depths(Selector(tenant_id="tnt_1")) == [
        Depth(
            tenant_id="tnt_1",
            destination_id="dst_1",
            pending=1,
            running=1,
            retrying=1,
            oldest_due_at_ms=start,
            holds=("paused",),
        )
    ]
    assert len(await house.queue.depths()) == 2


async def test_looking_tells_where_a_delivery_stands(house: House) -> None:
    """An open delivery's state, its due time and what holds it can be asked for; closed ones are absent."""
    (one, other) = await house.accept("dst_1", count=2)
    await house.settle((await house.lease(limit=1))[0])
    await house.queue.hold("dst_1", None, "paused")
    looked = await house.queue.look([one.deliveries[0].id, other.deliveries[0].id, "dlv_unknown"])
    assert list(looked) == [other.deliveries[0].id]
    standing = looked[other.deliveries[0].id]
    assert (standing.state, standing.holds, standing.delivery) == (State.PENDING, ("paused",), other.deliveries[0])


async def test_a_due_retry_is_pending(house: House, clock: FakeClock) -> None:
    """A retry whose time has come is pending."""
    await house.accept("dst_1")
    lease = await house.lease_one()
    await house.settle(lease, Outcome.RETRYING, due_at_ms=clock.now_ms() + SECOND_MS)
    clock.advance(SECOND_MS)
    assert (await house.queue.look([lease.delivery.id]))[lease.delivery.id].state is State.PENDING


async def test_the_outbox_keeps_order_and_repeats(house: House) -> None:
    """Records come in order, again and again until they are drained, and then never."""
    batch = await house.accept("dst_1", count=5)
    records, cursor = await house.queue.drain(3)
    assert records == [one.record for one in batch[:3]]
    assert (await house.queue.drain(3))[0] == records
    await house.queue.drained(cursor)
    assert (await house.queue.drain(3))[0] == [one.record for one in batch[3:]]


async def test_an_empty_outbox_says_so(house: House) -> None:
    """Nothing to drain is an empty list and the cursor 0, which drains nothing."""
    assert await house.queue.drain(10) == ([], 0)
    await house.accept("dst_1")
    await house.queue.drained(0)
    assert len(await house.records()) == 1


async def test_draining_waits_for_a_record(house: House) -> None:
    """A waiting drainer gets what is recorded, at once."""
    waiting = asyncio.ensure_future(house.queue.drain(10, wait_seconds=30))
    await asyncio.sleep(0)
    await house.accept("dst_1")
    records, _ = await asyncio.wait_for(waiting, 10)
    assert len(records) == 1


async def test_the_outbox_survives_reopening(open_house: Open) -> None:
    """Records that weren't drained are there after a restart, and new ones come behind them."""
    house = await open_house()
    first = await house.accept("dst_1")
    await house.queue.close()
    again = await open_house(host="hst_2")
    second = await again.accept("dst_1")
    assert await again.records() == [first[0].record, second[0].record]


async def test_a_closed_queue_refuses(open_house: Open) -> None:
    """After closing every call raises StorageFault; closing twice is the same as once."""
    house = await open_house()
    await house.queue.close()
    await house.queue.close()
    for call in (house.queue.accept([acceptance("dst_1")]), house.queue.depths(), house.queue.drain(1)):
        with pytest.raises(StorageFault):
            await call


async def test_closing_commits_what_waits(open_house: Open) -> None:
    """Calls that were made before closing are answered."""
    house = await open_house()
    waiting = [asyncio.ensure_future(house.accept("dst_1")) for _ in range(5)]
    await asyncio.sleep(0)
    await house.queue.close()
    await asyncio.gather(*waiting)
    assert await (await open_house(host="hst_2")).open_count() == 5
