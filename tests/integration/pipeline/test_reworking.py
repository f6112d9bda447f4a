"""What people do about deliveries: replay, cancel, pause, resume."""

from functools import partial

import pytest
from tests.support.guests import special
from tests.support.hosts import Rig, states

from guesthouse.errors import NotFound
from guesthouse.ledger.values import DeliveryQuery
from guesthouse.model.delivery import State
from guesthouse.model.registry import DestinationChange

pytestmark = pytest.mark.anyio


async def mend(rig: Rig, destination_id: str) -> None:
    """Let a destination work from now on."""
    settings = {"behaviour": "http_post", "url": rig.receiver.url("/api")}
    await rig.tenant.change_destination(destination_id, DestinationChange(settings=settings))


@pytest.mark.parametrize(("behaviour", "code"), [("fail", "as_asked"), ("panic", "trapped")])
async def test_a_dead_letter_is_replayed(rig: Rig, behaviour: str, code: str) -> None:
    """A new delivery of the ledger's copy, linked to the old one, which stays as it was."""
    destination = await rig.destination(behaviour)
    event_id = await rig.send_one(event="Again", messageId=f"again-{behaviour}")
    dead = await rig.ended_one(event_id)
    assert (dead.delivery.state, dead.delivery.code) == (State.DEAD, code)
    await mend(rig, destination.id)
    answer = await rig.host.work.replay(rig.tenant.tenant_id, [dead.delivery.id])
    ((old, new),) = answer.deliveries
    assert old == dead.delivery.id
    lives = {life.delivery.id: life.delivery for life in await rig.ended(event_id, deliveries=2)}
    assert lives[old].state is State.DEAD
    assert (lives[new].state, lives[new].replay_of) == (State.SUCCEEDED, old)
    (request,) = rig.receiver.requests
    assert f"again-{behaviour}".encode() in request.body


async def test_a_replay_stands_in_the_ledger_before_its_first_attempt(rig: Rig) -> None:
    """Whoever asks sees that it waits, and what it repeats."""
    destination = await rig.destination("fail")
    event_id = await rig.send_one()
    dead = await rig.ended_one(event_id)
    await rig.host.work.pause(rig.tenant.tenant_id, destination.id)
    ((_, new),) = (await rig.host.work.replay(rig.tenant.tenant_id, [dead.delivery.id])).deliveries

    async def known() -> bool:
        life = await rig.life(event_id)
        return life is not None and {one.delivery.id for one in life.deliveries} == {dead.delivery.id, new}

    await rig.until(known)
    view = (await rig.host.ledger.delivery(rig.tenant.tenant_id, new)).delivery
    assert (view.state, view.replay_of) == (State.PENDING, dead.delivery.id)
    await rig.host.work.cancel(rig.tenant.tenant_id, [new], None)


async def test_dead_letters_are_replayed_by_query(rig: Rig) -> None:
    """Page by page, several of one event among them, and only what the query means."""
    first, second = await rig.destination("fail"), await rig.destination("fail")
    await rig.destination("done")
    events = [await rig.send_one() for _ in range(5)]
    for event_id in events:
        await rig.ended(event_id, deliveries=3)
    for destination in (first, second):
        await mend(rig, destination.id)
    query = DeliveryQuery(source_id=rig.source.id, state=State.DEAD)
    replayed: list[tuple[str, str]] = []
    cursor = None
    while True:
        answer = await rig.host.work.replay_query(rig.tenant.tenant_id, query, cursor=cursor, limit=4)
        replayed += answer.deliveries
        cursor = answer.cursor
        if cursor is None:
            break
    assert len({new for _, new in replayed}) == 10
    for event_id in events:
        lives = await rig.ended(event_id, deliveries=5)
        assert sorted(states(lives)) == sorted([State.DEAD] * 2 + [State.SUCCEEDED] * 3)
    assert len(rig.receiver.requests) == 10


async def test_a_delivery_can_be_replayed_while_its_event_is_still_open_elsewhere(rig: Rig) -> None:
    """The queue holds the event twice, and each is settled by itself."""
    broken, waiting = await rig.destination("fail"), await rig.destination("done")
    await rig.host.work.pause(rig.tenant.tenant_id, waiting.id)
    event_id = await rig.send_one()

    async def dead() -> str | None:
        life = await rig.life(event_id)
        found = [one.delivery for one in life.deliveries if one.delivery.state is State.DEAD] if life else []
        return found[0].id if found else None

    delivery_id = await rig.until(dead)
    await mend(rig, broken.id)
    await rig.host.work.replay(rig.tenant.tenant_id, [delivery_id])
    await rig.host.work.resume(rig.tenant.tenant_id, waiting.id)
    lives = await rig.ended(event_id, deliveries=3)
    assert sorted(states(lives)) == sorted([State.DEAD, State.SUCCEEDED, State.SUCCEEDED])


async def test_another_tenants_delivery_does_not_exist(rig: Rig) -> None:
    """Replay says so, cancel finds nothing, pause and resume don't touch it."""
    destination = await rig.destination("fail")
    dead = await rig.ended_one(await rig.send_one())
    other = await rig.host.registry.create_tenant("other")
    work = rig.host.work
    with pytest.raises(NotFound):
        await work.replay(other.id, [dead.delivery.id])
    assert await work.cancel(other.id, [dead.delivery.id], destination.id) == 0
    for verb in (work.pause, work.resume):
        with pytest.raises(NotFound):
            await verb(other.id, destination.id)
    query = DeliveryQuery(destination_id=destination.id)
    assert (await work.replay_query(other.id, query, cursor=None, limit=10)).deliveries == ()


async def test_replaying_what_does_not_exist_replays_nothing(rig: Rig) -> None:
    """One unknown id among others: NotFound, and no delivery is made."""
    await rig.destination("fail")
    dead = await rig.ended_one(await rig.send_one())
    with pytest.raises(NotFound):
        await rig.host.work.replay(rig.tenant.tenant_id, [dead.delivery.id, "dlv_unknown"])
    assert await rig.open_count() == 0


async def test_a_paused_destination_waits_and_is_resumed(rig: Rig) -> None:
    """Nothing is leased from it meanwhile; afterwards everything is delivered, in the order of arrival."""
    paused, other = await rig.destination("http_post"), await rig.destination("done")
    await rig.host.work.pause(rig.tenant.tenant_id, paused.id)
    events = [await rig.send_one() for _ in range(3)]
    for event_id in events:
        await rig.until(partial(is_delivered_to, rig, event_id, other.id))
    assert not rig.receiver.requests
    (depth,) = await rig.host.queue.depths()
    assert (depth.destination_id, depth.open, depth.holds) == (paused.id, 3, ("paused",))
    await rig.host.work.resume(rig.tenant.tenant_id, paused.id)
    for event_id in events:
        assert states(await rig.ended(event_id, deliveries=2)) == [State.SUCCEEDED] * 2
    assert len(rig.receiver.requests) == 3


async def is_delivered_to(rig: Rig, event_id: str, destination_id: str) -> bool:
    """Say whether a destination has got an event."""
    life = await rig.life(event_id)
    return life is not None and any(
        one.delivery.destination_id == destination_id and one.delivery.state is State.SUCCEEDED
        for one in life.deliveries
    )


async def test_waiting_deliveries_are_cancelled(rig: Rig) -> None:
    """Those named, then all of the destination; each with a record, and none is delivered after all."""
    destination = await rig.destination("http_post")
    tenant_id = rig.tenant.tenant_id
    await rig.host.work.pause(tenant_id, destination.id)
    events = [await rig.send_one() for _ in range(4)]
    life = await rig.until(lambda: rig.life(events[0]))
    assert await rig.host.work.cancel(tenant_id, [life.deliveries[0].delivery.id], None) == 1
    assert await rig.host.work.cancel(tenant_id, [], destination.id) == 3
    assert await rig.host.work.cancel(tenant_id, [], None) == 0
    await rig.host.work.resume(tenant_id, destination.id)
    for event_id in events:
        assert (await rig.ended_one(event_id)).delivery.state is State.CANCELLED
    assert not rig.receiver.requests


async def test_cancelling_what_runs_makes_its_result_count_no_more(rig: Rig) -> None:
    """The guest ends in its own time; the delivery stays cancelled."""
    await rig.destination("sleep_long", limits={"deadline_ms": 300})
    event_id = await rig.send_one()

    async def runs() -> bool:
        return any(depth.running for depth in await rig.host.queue.depths())

    life = await rig.until(lambda: rig.life(event_id))
    delivery_id = life.deliveries[0].delivery.id
    while not await runs():
        pass
    assert await rig.host.work.cancel(rig.tenant.tenant_id, [delivery_id], None) == 1
    while rig.host.engine.active:
        await rig.host.queue.depths()
    ended = await rig.ended_one(event_id)
    assert ended.delivery.state is State.CANCELLED
    assert [attempt.code for attempt in ended.attempts] == ["cancelled"]


async def test_a_destination_that_is_deleted_leaves_nothing_in_the_queue(rig: Rig) -> None:
    """Its open deliveries are cancelled."""
    destination = await rig.destination("done")
    await rig.host.work.pause(rig.tenant.tenant_id, destination.id)
    event_id = await rig.send_one()
    await rig.tenant.delete_destination(destination.id)
    await rig.host.work.destination_deleted(rig.tenant.tenant_id, destination.id)
    assert (await rig.ended_one(event_id)).delivery.state is State.CANCELLED
    assert await rig.open_count() == 0


async def test_the_same_bytes_deployed_again_are_the_same_version(rig: Rig) -> None:
    """An upload that is repeated changes nothing."""
    deployments, tenant_id = rig.host.deployments, rig.tenant.tenant_id
    first = await deployments.deploy(tenant_id, "twice", None, special("smallest"), activate=True)
    again = await deployments.deploy(tenant_id, "twice", None, special("smallest"), activate=True)
    assert (first.is_new, again.is_new) == (True, False)
    assert first.version == again.version
