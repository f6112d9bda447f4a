"""What `Queue.accept` promises."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.queues import HOUR_MS, FakeClock, House, acceptance

from guesthouse.errors import TenantFull
from guesthouse.model.delivery import Outcome
from guesthouse.model.record import AttemptRecord, EventFate, EventRecord
from guesthouse.queue.protocol import MAX_ACCEPTED
from guesthouse.queue.sqlite.duplicates import message_key

pytestmark = pytest.mark.anyio
Open = Callable[..., Awaitable[House]]


async def test_what_was_accepted_can_be_leased(house: House) -> None:
    """An accepted delivery comes out whole: the event, the delivery, the first attempt."""
    (accepted,) = await house.accept("dst_1")
    lease = await house.lease_one()
    assert (lease.event, lease.delivery) == (accepted.event, accepted.deliveries[0])
    assert (lease.attempt, lease.lost_leases, lease.age_ms) == (1, 0, 0)


async def test_an_event_makes_a_delivery_for_each_destination(house: House) -> None:
    """Every delivery of an event is leased by itself."""
    (accepted,) = await house.accept("dst_1", "dst_2", "dst_3")
    leased = await house.lease()
    assert {lease.delivery for lease in leased} == set(accepted.deliveries)


async def test_records_go_to_the_outbox_with_the_events(house: House) -> None:
    """The event's record and further ones are there as soon as accept returns."""
    one = acceptance("dst_1")
    refused = acceptance().record
    assert refused
    await house.queue.accept([one], [refused])
    assert await house.records() == [one.record, refused]


async def test_an_unmatched_event_leaves_only_its_record(house: House) -> None:
    """An event without deliveries is remembered and recorded, and nothing waits."""
    await house.queue.accept([acceptance(message_id="m")])
    (record,) = await house.records()
    assert isinstance(record, EventRecord)
    assert record.fate is EventFate.UNMATCHED
    assert await house.open_count() == 0
    assert (await house.accept_ids("m"))[0].is_duplicate


async def test_a_message_id_counts_once(house: House) -> None:
    """A second event with the message id makes no delivery, answers as a duplicate and is recorded as one."""
    await house.accept_ids("m")
    (receipt,) = await house.accept_ids("m")
    records = await house.records()
    assert receipt.is_duplicate
    assert await house.open_count() == 1
    assert isinstance(records[1], EventRecord)
    assert (records[1].fate, records[1].deliveries, records[1].payload) == (EventFate.DUPLICATE, (), b"")


async def test_duplicates_within_a_batch(house: House) -> None:
    """Of equal message ids in one batch, the first counts."""
    receipts = await house.accept_ids("a", "b", "a")
    assert [receipt.is_duplicate for receipt in receipts] == [False, False, True]


async def test_duplicates_among_calls_at_the_same_time(house: House) -> None:
    """Of equal message ids in calls that share a commit, exactly one counts."""
    receipts = await asyncio.gather(*(house.accept_ids("same") for _ in range(10)))
    assert [receipt.is_duplicate for (receipt,) in receipts].count(False) == 1


async def test_sources_have_message_ids_of_their_own(house: House) -> None:
    """The same message id from another source is another event."""
    await house.accept_ids("m")
    (receipt,) = await house.accept_ids("m", source_id="src_2")
    assert not receipt.is_duplicate


async def test_the_window_lasts_a_day(house: House, clock: FakeClock) -> None:
    """A message id is remembered across the hours of a whole day, whenever in its hour it came."""
    for hour in range(3):
        await house.accept_ids(f"m{hour}")
        clock.advance(HOUR_MS)
    clock.advance(21 * HOUR_MS - 1)
    receipts = await house.accept_ids("m0", "m1", "m2")
    assert all(receipt.is_duplicate for receipt in receipts)


async def test_the_window_ends(house: House, clock: FakeClock) -> None:
    """After the window, and the rest of an hour, the message id is new again; sweeping forgets it for good."""
    await house.accept_ids("m")
    clock.advance(26 * HOUR_MS)
    assert (await house.queue.sweep()).ids == 1
    assert not (await house.accept_ids("m"))[0].is_duplicate


async def test_the_window_survives_reopening(open_house: Open, clock: FakeClock) -> None:
    """A restarted host remembers message ids, also of closed hours that it never saw grow."""
    house = await open_house()
    await house.accept_ids("old")
    clock.advance(HOUR_MS)
    await house.accept_ids("young")
    await house.queue.close()
    again = await open_house(host="hst_2")
    assert all(receipt.is_duplicate for receipt in await again.accept_ids("old", "young"))
    await again.queue.sweep()
    receipts = await again.accept_ids("old", "young", "new")
    assert [receipt.is_duplicate for receipt in receipts] == [True, True, False]


async def test_replays_pass_the_window_by(house: House) -> None:
    """Without the duplicate check, an event is accepted again, and its id isn't entered."""
    one = acceptance("dst_1", message_id="m")
    await house.queue.accept([one], deduplicate=False)
    (receipt,) = await house.accept_ids("m")
    assert not receipt.is_duplicate
    (receipt,) = await house.queue.accept([acceptance("dst_1", message_id="m")], deduplicate=False)
    assert not receipt.is_duplicate


async def test_a_full_tenant_is_refused_whole(open_house: Open) -> None:
    """Past the tenant's bound nothing of the call is written: the same ids are new when there is room again."""
    house = await open_house(tenant_bound=4, destination_share=1.0)
    await house.accept("dst_1", count=3)
    batch = [acceptance("dst_1", message_id=one) for one in ("a", "b")]
    with pytest.raises(TenantFull) as caught:
        await house.queue.accept(batch)
    assert caught.value.retry_after_seconds > 0
    assert await house.open_count() == 3
    for lease in await house.lease():
        await house.settle(lease)
    assert not any(receipt.is_duplicate for receipt in await house.queue.accept(batch))


async def test_a_full_tenant_does_not_touch_another(open_house: Open) -> None:
    """One tenant's bound refuses nobody else's events, not even in the same commit."""
    house = await open_house(tenant_bound=1, destination_share=1.0)
    full = house.queue.accept([acceptance("dst_1"), acceptance("dst_1")])
    other = house.queue.accept([acceptance("dst_2", tenant_id="tnt_2")])
    results = await asyncio.gather(full, other, return_exceptions=True)
    assert isinstance(results[0], TenantFull)
    assert isinstance(results[1], list)


async def test_duplicates_do_not_fill_a_tenant(open_house: Open) -> None:
    """Only new deliveries count against the bound."""
    house = await open_house(tenant_bound=1, destination_share=1.0)
    await house.accept_ids("m")
    assert (await house.accept_ids("m"))[0].is_duplicate


async def test_past_its_share_a_destination_gets_dead_letters(open_house: Open) -> None:
    """Beyond its share, a destination's deliveries are recorded dead, ``queue_full``; the others' are accepted."""
    house = await open_house(tenant_bound=4)
    batch = [acceptance("dst_1", "dst_2") for _ in range(2)]
    await house.queue.accept(batch[:1])
    await house.queue.accept([acceptance("dst_1")])
    await house.records()
    (receipt,) = await house.queue.accept([one := acceptance("dst_1")])
    records = await house.records()
    assert receipt.refused == (one.deliveries[0].id,)
    assert records[0] == one.record
    assert isinstance(records[1], AttemptRecord)
    assert (records[1].outcome, records[1].code, records[1].attempt) == (Outcome.DEAD, "queue_full", 0)
    assert records[1].delivery_id == one.deliveries[0].id
    assert await house.open_count() == 3


async def test_too_large_a_batch_is_refused(house: House) -> None:
    """More events than a call may hold are a mistake of ours, and nothing is written."""
    with pytest.raises(ValueError, match="at most"):
        await house.queue.accept([acceptance("dst_1")] * (MAX_ACCEPTED + 1))
    assert await house.open_count() == 0


async def test_a_call_that_breaks_fails_alone(house: House) -> None:
    """A delivery id that exists already fails its own call; the calls beside it are accepted."""
    (known,) = await house.accept("dst_1")
    again = house.queue.accept([known], deduplicate=False)
    other = house.queue.accept([acceptance("dst_1")])
    results = await asyncio.gather(other, again, return_exceptions=True)
    assert isinstance(results[0], list)
    assert isinstance(results[1], Exception)
    assert await house.open_count() == 2


@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_different_messages_have_different_keys(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Two pairs of source and message id share a key only if they are the same; sources hold no line feed."""
    sources = (one[0].replace("\n", ""), other[0].replace("\n", ""))
    same = (sources[0], one[1]) == (sources[1], other[1])
    assert (message_key(sources[0], one[1]) == message_key(sources[1], other[1])) is same
