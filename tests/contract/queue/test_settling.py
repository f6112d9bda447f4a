"""What `Queue.settle` promises."""

from collections.abc import Awaitable, Callable

import pytest
from tests.support.queues import HOST, SECOND_MS, FakeClock, House, settlement

from guesthouse.model.delivery import Outcome, State
from guesthouse.queue.protocol import MAX_SETTLED, Lease

pytestmark = pytest.mark.anyio
Open = Callable[..., Awaitable[House]]


@pytest.mark.parametrize("outcome", [Outcome.SUCCEEDED, Outcome.DISCARDED, Outcome.DEAD])
async def test_a_closed_delivery_is_gone(house: House, outcome: Outcome) -> None:
    """Success, discard and death close the delivery; its record is in the outbox."""
    await house.accept("dst_1")
    await house.records()
    item = settlement(await house.lease_one(), outcome)
    assert await house.queue.settle([item]) == [True]
    assert await house.open_count() == 0
    assert await house.records() == [item.record]


async def test_a_retry_is_due_when_it_was_told(house: House, clock: FakeClock) -> None:
    """A retry waits until its time, then comes with the next attempt number."""
    (accepted,) = await house.accept("dst_1")
    lease = await house.lease_one()
    await house.settle(lease, Outcome.RETRYING, due_at_ms=clock.now_ms() + 10 * SECOND_MS)
    standing = (await house.queue.look([lease.delivery.id]))[accepted.deliveries[0].id]
    assert (standing.state, standing.attempts) == (State.RETRYING, 1)
    assert standing.due_at_ms == clock.now_ms() + 10 * SECOND_MS
    clock.advance(10 * SECOND_MS - 1)
    assert await house.lease() == []
    clock.advance(1)
    again = await house.lease_one()
    assert (again.attempt, again.age_ms) == (2, 10 * SECOND_MS)


async def test_given_back_counts_no_attempt(house: House) -> None:
    """What is given back is pending at once, as the same attempt, whatever happened before."""
    await house.accept("dst_1")
    await house.settle(await house.lease_one(), Outcome.RETRYING)
    assert await house.settle(await house.lease_one(), Outcome.GIVEN_BACK)
    lease = await house.lease_one()
    assert (lease.attempt, lease.lost_leases) == (2, 0)


async def test_parts_of_a_lease_can_be_given_back(house: House, clock: FakeClock) -> None:
    """Of deliveries leased together, some may be closed and others given back for later, in one call."""
    await house.accept("dst_1", count=4)
    leases = await house.lease()
    later = clock.now_ms() + SECOND_MS
    items = [settlement(lease) for lease in leases[:2]]
    items += [settlement(lease, Outcome.GIVEN_BACK, due_at_ms=later) for lease in leases[2:]]
    assert await house.queue.settle(items) == [True] * 4
    assert await house.lease() == []
    clock.advance(SECOND_MS)
    assert [lease.delivery.id for lease in await house.lease()] == [lease.delivery.id for lease in leases[2:]]


async def test_a_late_worker_cannot_settle(house: House) -> None:
    """Whoever lost the lease learns so and changes nothing, not even the outbox."""
    await house.accept("dst_1")
    await house.queue.beat("hst_late", 64)
    await house.queue.beat(HOST, 0)
    await house.queue.beat("hst_late", 64)
    late = await house.lease_one(host="hst_late")
    await house.lose_others()
    current = await house.lease_one()
    await house.records()
    assert not await house.settle(late)
    assert await house.records() == []
    assert current.token != late.token
    assert await house.settle(current)


async def test_repeating_answers_the_same(house: House) -> None:
    """A settlement that was lost on its way back may be sent again: the same answer, no second record."""
    await house.accept("dst_1", count=2)
    first, second = await house.lease()
    items = [settlement(first), settlement(second, Outcome.RETRYING)]
    assert await house.queue.settle(items) == [True, True]
    await house.records()
    again = await house.lease_one()
    assert await house.queue.settle(items) == [True, True]
    assert await house.records() == []
    assert await house.settle(again)


async def test_repeating_differently_is_refused(house: House) -> None:
    """A settled token doesn't settle anything else."""
    await house.accept("dst_1")
    lease = await house.lease_one()
    await house.settle(lease, Outcome.RETRYING)
    assert not await house.settle(lease)
    assert await house.open_count() == 1


async def test_repeats_answer_the_same_after_reopening(open_house: Open) -> None:
    """What was settled is known after a restart."""
    house = await open_house()
    await house.accept("dst_1")
    item = settlement(await house.lease_one())
    await house.queue.settle([item])
    await house.queue.close()
    again = await open_house(host="hst_2")
    assert await again.queue.settle([item]) == [True]


async def test_settled_tokens_are_kept_for_their_time(house: House, clock: FakeClock) -> None:
    """Sweeping keeps what was settled for as long as a repeat is promised the same answer, and not for ever."""
    await house.accept("dst_1")
    item = settlement(await house.lease_one())
    await house.queue.settle([item])
    clock.advance(600 * SECOND_MS)
    await house.queue.sweep()
    assert await house.queue.settle([item]) == [True]
    clock.advance(1_300 * SECOND_MS)
    await house.queue.sweep()
    assert await house.queue.settle([item]) == [False]


async def test_a_made_up_token_settles_nothing(house: House) -> None:
    """A wrong token, a wrong delivery, a token of another delivery: False, and both stay leased."""
    await house.accept("dst_1", count=2)
    one, other = (settlement(lease) for lease in await house.lease())
    forged = [
        type(one)(delivery_id=one.delivery_id, token=other.token, outcome=one.outcome),
        type(one)(delivery_id="dlv_unknown", token=one.token, outcome=one.outcome),
        type(one)(delivery_id=one.delivery_id, token=one.token + 1, outcome=one.outcome),
        type(one)(delivery_id=one.delivery_id, token=0, outcome=one.outcome),
    ]
    assert await house.queue.settle(forged) == [False] * 4
    assert await house.queue.settle([one, other]) == [True, True]


async def test_the_same_settlement_twice_in_a_call(house: House) -> None:
    """Twice the same in one call is one settlement."""
    await house.accept("dst_1")
    await house.records()
    item = settlement(await house.lease_one())
    assert await house.queue.settle([item, item]) == [True, True]
    assert len(await house.records()) == 1


async def test_the_payload_goes_with_the_last_delivery(house: House) -> None:
    """An event stays whole until its last delivery is closed."""
    await house.accept("dst_1", "dst_2")
    first, second = await house.lease()
    await house.settle(first)
    await house.settle(second, Outcome.RETRYING)
    (again,) = await house.lease()
    assert again.event == second.event


async def test_too_many_settlements_are_refused(house: House) -> None:
    """More than a call may hold is a mistake of ours, and nothing is settled."""
    await house.accept("dst_1")
    item = settlement(await house.lease_one())
    with pytest.raises(ValueError, match="at most"):
        await house.queue.settle([item] * (MAX_SETTLED + 1))
    with pytest.raises(ValueError, match="cancel"):
        await house.queue.settle([settlement(await _leased(house), Outcome.CANCELLED)])
    assert await house.queue.settle([]) == []


async def _leased(house: House) -> Lease:
    await house.accept("dst_1")
    return await house.lease_one()
