"""An event from the door to the ledger: accepted, delivered or not, and explained."""

import asyncio
import json
from pathlib import Path

import pytest
from tests.support.guests import build_c, special
from tests.support.hosts import Rig, states
from tests.support.receiver import Received, reply

from guesthouse.errors import MissingModule, NoSlot, UnreadableSecret
from guesthouse.model.capability import Exposure
from guesthouse.model.delivery import Outcome, State
from guesthouse.model.record import EventFate
from guesthouse.model.registry import DestinationChange, SecretInput
from guesthouse.pipeline import execute
from guesthouse.runtime.modules import Module

pytestmark = pytest.mark.anyio


async def test_an_event_is_delivered_and_the_ledger_explains_it(rig: Rig) -> None:
    """What came in, who got it, what was sent and answered, and what it cost."""
    destination = await rig.destination("http_post")
    life = await rig.ended_one(await rig.send_one(event="Order Completed", messageId="explained"))
    assert life.delivery.state is State.SUCCEEDED
    (request,) = rig.receiver.requests
    assert json.loads(request.body)["event"] == "Order Completed"
    (attempt,) = life.attempts
    assert (attempt.outcome, attempt.verdict, attempt.attempt) == (Outcome.SUCCEEDED, "done", 1)
    assert attempt.destination_id == destination.id
    (exchange,) = attempt.http
    assert (exchange.method, exchange.status, exchange.request_body) == ("POST", 200, request.body)
    assert attempt.usage is not None
    assert attempt.usage.fuel > 0
    (told,) = await rig.host.ledger.explain(rig.tenant.tenant_id, "explained")
    assert told.event.fate is EventFate.ACCEPTED
    assert told.event.name == "Order Completed"


async def test_each_destination_has_its_own_delivery_and_outcome(rig: Rig) -> None:
    """One that fails leaves the others alone; nothing stays open."""
    for behaviour in ("done", "drop", "unsupported", "fail", "panic"):
        await rig.destination(behaviour)
    lives = await rig.ended(await rig.send_one(), deliveries=5)
    assert sorted(states(lives)) == sorted([State.SUCCEEDED, State.DISCARDED, State.DISCARDED, State.DEAD, State.DEAD])
    assert {life.attempts[0].code for life in lives if life.delivery.state is State.DEAD} == {"as_asked", "trapped"}


async def test_a_retry_waits_as_retry_after_says_and_then_succeeds(rig: Rig) -> None:
    """The guest gives no delay of its own, so the header of the 429 that it saw counts."""
    answers = [reply(429, retry_after="0"), reply(200)]
    rig.receiver.script = lambda _: answers.pop(0)
    function = await rig.function(module=busy(), name="busy")
    await rig.destination(function=function)
    life = await rig.ended_one(await rig.send_one())
    first, second = life.attempts
    assert (first.outcome, first.attempt, second.attempt) == (Outcome.RETRYING, 1, 2)
    assert first.due_at_ms == first.ended_at_ms
    assert second.outcome is Outcome.SUCCEEDED
    assert len(rig.receiver.requests) == 2


async def test_a_long_retry_after_is_what_the_ledger_says_it_waits_for(rig: Rig) -> None:
    """The delivery stands as retrying, due when the destination asked."""
    rig.receiver.script = lambda _: reply(503, retry_after="600")
    await rig.destination(function=await rig.function(module=busy(), name="busy"))
    life = await rig.attempted(await rig.send_one())
    assert life.delivery.state is State.RETRYING
    assert life.delivery.due_at_ms == life.attempts[0].ended_at_ms + 600_000
    assert await rig.host.work.cancel(rig.tenant.tenant_id, [life.delivery.id], None) == 1


async def test_retries_end_dead_after_the_last_attempt(rig: Rig) -> None:
    """Four attempts here, each recorded, then ``retries_exhausted``."""
    await rig.destination("retry")
    life = await rig.ended_one(await rig.send_one())
    assert [attempt.attempt for attempt in life.attempts] == [1, 2, 3, 4]
    assert [attempt.outcome for attempt in life.attempts] == [Outcome.RETRYING] * 3 + [Outcome.DEAD]
    assert (life.delivery.state, life.delivery.code) == (State.DEAD, "retries_exhausted")


async def test_a_deadline_is_retried(rig: Rig) -> None:
    """A guest that waits too long is tried again."""
    await rig.destination("sleep_long", limits={"deadline_ms": 20})
    life = await rig.ended_one(await rig.send_one())
    assert {attempt.code for attempt in life.attempts[:-1]} == {"deadline_exceeded"}
    assert len(life.attempts) == 4


async def test_a_duplicate_is_recorded_and_not_delivered(rig: Rig) -> None:
    """The same message id twice, in one call and in another."""
    await rig.destination("http_post")
    first, again = await rig.send({"messageId": "same"}, {"messageId": "same"})
    (later,) = await rig.send({"messageId": "same"})
    assert [first.fate, again.fate, later.fate] == [EventFate.ACCEPTED, EventFate.DUPLICATE, EventFate.DUPLICATE]
    await rig.ended_one(first.event_id)
    await rig.until(lambda: rig.life(later.event_id))
    assert len(rig.receiver.requests) == 1


async def test_refused_and_unmatched_events_are_in_the_ledger(rig: Rig) -> None:
    """With the reason, and who was passed over."""
    destination = await rig.destination("done", name="crm")
    refused, unmatched = await rig.send({"event": 7, "messageId": "bad"}, {"integrations": {"crm": False}})
    assert (refused.fate, unmatched.fate) == (EventFate.REFUSED, EventFate.UNMATCHED)
    life = await rig.until(lambda: rig.life(unmatched.event_id))
    assert life.event.passed_over == ((destination.id, "switched_off"),)
    told = await rig.until(lambda: rig.life(refused.event_id))
    assert told.event.reason == refused.reason


async def test_settings_and_secrets_reach_the_guest(rig: Rig) -> None:
    """Settings as they are; a secret of exposure ``value`` as it is; none of it in the ledger."""
    await rig.destination(
        "http_post",
        settings={"url": rig.receiver.url("/from-settings")},
        secrets={"signing_key": SecretInput(value="hunter2hunter2", exposure=Exposure.VALUE)},
    )
    await rig.ended_one(await rig.send_one())
    assert rig.receiver.requests[0].target == "/from-settings"
    await rig.destination(
        "http_get", secrets={"url": SecretInput(value=rig.receiver.url("/from-a-secret"), exposure=Exposure.VALUE)}
    )
    lives = await rig.ended(await rig.send_one(), deliveries=2)
    assert states(lives) == [State.SUCCEEDED] * 2
    assert "/from-a-secret" in {request.target for request in rig.receiver.requests}
    assert "/from-a-secret" not in repr(lives)


async def test_a_changed_destination_counts_from_the_next_attempt(rig: Rig) -> None:
    """A retry runs with the settings of its own time."""
    is_changed = asyncio.Event()

    async def refuse_after_the_change(_: Received) -> bytes:
        await is_changed.wait()
        return reply(429, retry_after="0")

    rig.receiver.script = refuse_after_the_change
    destination = await rig.destination(function=await rig.function(module=busy(), name="busy"))
    event_id = await rig.send_one()
    await rig.receiver.arrived.wait()
    rig.receiver.script = lambda _: reply()
    await rig.tenant.change_destination(destination.id, DestinationChange(settings={"url": rig.receiver.url("/new")}))
    is_changed.set()
    assert (await rig.ended_one(event_id)).delivery.state is State.SUCCEEDED
    assert [request.target for request in rig.receiver.requests] == ["/api", "/new"]


async def test_an_activated_version_counts_from_the_next_attempt(rig: Rig) -> None:
    """The version that ran stands in each attempt's record."""
    function = await rig.function(module=busy(), name="rolling")
    is_rolled = asyncio.Event()

    async def refuse_after_the_roll(_: Received) -> bytes:
        await is_rolled.wait()
        return reply(429, retry_after="0")

    rig.receiver.script = refuse_after_the_roll
    await rig.destination(function=function)
    event_id = await rig.send_one()
    await rig.receiver.arrived.wait()
    newer = await rig.function(module=special("smallest"), name="rolling")
    is_rolled.set()
    life = await rig.ended_one(event_id)
    assert (life.attempts[0].version, life.attempts[-1].version) == (function.active_version, newer.active_version)


async def test_a_deleted_destination_ends_its_deliveries_dead(rig: Rig) -> None:
    """``destination_gone``, with a record; the host doesn't stumble."""
    destination = await rig.destination("done")
    await rig.host.work.pause(rig.tenant.tenant_id, destination.id)
    event_id = await rig.send_one()
    await rig.tenant.delete_destination(destination.id)
    await rig.host.queue.release(destination.id, "paused")
    life = await rig.ended_one(event_id)
    assert (life.delivery.state, life.delivery.code) == (State.DEAD, "destination_gone")


async def test_a_destination_without_active_version_gets_nothing_and_the_ledger_says_why(rig: Rig) -> None:
    """The event is kept as unmatched."""
    module = special("smallest")
    made = await rig.host.deployments.deploy(rig.tenant.tenant_id, "sleeping", None, module, activate=False)
    destination = await rig.destination(function=made.function)
    life = await rig.until(lambda: rig.life(event_id)) if (event_id := await rig.send_one()) else None
    assert life is not None
    assert life.event.passed_over == ((destination.id, "no_active_version"),)


@pytest.mark.parametrize(
    "fault", [NoSlot(20), UnreadableSecret("key", "k1"), MissingModule("ab")], ids=lambda fault: fault.code
)
async def test_a_fault_of_the_host_counts_no_attempt(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """The delivery is given back and tried again; its first attempt is still its first."""
    monkeypatch.setattr(execute, "HOST_FAULT_MS", 20)
    invoke, faults = Module.invoke, [fault] * 6

    async def fail_at_first(*arguments: object, **more: object) -> object:
        if faults:
            raise faults.pop()
        return await invoke(*arguments, **more)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(Module, "invoke", fail_at_first)
    await rig.destination("done")
    life = await rig.ended_one(await rig.send_one())
    assert not faults
    assert life.delivery.state is State.SUCCEEDED
    assert [attempt.attempt for attempt in life.attempts] == [1]


def busy() -> bytes:
    """Build the guest that asks for a retry when the API is busy and leaves it to the host when."""
    return build_c(Path(__file__).with_name("busy.c"))
