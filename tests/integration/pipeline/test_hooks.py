"""Webhooks into source functions: what they emit is durable before the sender hears of it, and none is lost."""

import pytest
from tests.support.hosts import Rig, source_function, states

from guesthouse.abi.call import Webhook
from guesthouse.errors import NotFound
from guesthouse.ledger.values import DeliveryQuery, DeliveryView
from guesthouse.model.delivery import Outcome, State
from guesthouse.model.registry import Source

pytestmark = pytest.mark.anyio

REQUEST = Webhook(method="POST", url="https://host/v1/hooks/very-secret", body=b"\x00raw\xff")
EVENTS = [{"type": "track", "event": "Paid", "userId": "u1"}, {"type": "set", "collection": "c", "id": "1"}]
EMITS = {
    "verdict": "done",
    "events": EVENTS[:1],
    "response": {"status": 201, "headers": [["x-a", "b"]], "body": b"thanks"},
}
SPINS = "(loop $again (br $again)) (i64.const 0)"


async def dead_of(rig: Rig, source: Source) -> DeliveryView:
    """Wait for the one delivery of a source to itself."""

    async def found() -> DeliveryView | None:
        page = await rig.host.ledger.deliveries(rig.tenant.tenant_id, DeliveryQuery(destination_id=source.id))
        return page.items[0] if page.items else None

    view: DeliveryView = await rig.until(found)
    return view


async def test_a_webhook_becomes_events_and_its_sender_gets_the_functions_reply(rig: Rig) -> None:
    """Status, headers and body as the function gave them; the event is delivered like any other."""
    source = await rig.new_source(source_function(EMITS))
    destination = await rig.destination("http_post", source=source)
    answer = await rig.host.hooks.receive(source.hook_token, REQUEST, "203.0.113.7")
    assert (answer.status, answer.body) == (201, b"thanks")
    assert ("x-a", "b") in answer.headers

    async def delivered() -> DeliveryView | None:
        query = DeliveryQuery(destination_id=destination.id, state=State.SUCCEEDED)
        page = await rig.host.ledger.deliveries(rig.tenant.tenant_id, query)
        return page.items[0] if page.items else None

    view = await rig.until(delivered)
    assert (view.name, view.user_id, view.source_id) == ("Paid", "u1", source.id)
    assert b'"Paid"' in rig.receiver.requests[0].body


async def test_what_a_webhook_emitted_is_durable_before_the_reply(rig: Rig) -> None:
    """When the sender is answered, the queue holds it."""
    source = await rig.new_source(source_function(EMITS))
    destination = await rig.destination("done", source=source)
    await rig.host.work.pause(rig.tenant.tenant_id, destination.id)
    await rig.host.hooks.receive(source.hook_token, REQUEST, None)
    assert [depth.open for depth in await rig.host.queue.depths()] == [1]
    await rig.host.work.cancel(rig.tenant.tenant_id, [], destination.id)


@pytest.mark.parametrize("verdict", ["done", "drop"])
async def test_a_function_without_a_response_answers_200(rig: Rig, verdict: str) -> None:
    """There is nothing more to say; and nothing is kept."""
    source = await rig.new_source(source_function({"verdict": verdict}))
    answer = await rig.host.hooks.receive(source.hook_token, REQUEST, None)
    assert (answer.status, answer.body) == (200, b"")


@pytest.mark.parametrize(
    ("module", "limits", "status", "code"),
    [
        (source_function({"verdict": "fail", "code": "bad", "message": "no"}), {}, 502, "bad"),
        (source_function({"verdict": "retry", "code": "busy"}), {}, 502, "busy"),
        (source_function({}, call="unreachable"), {}, 502, "trapped"),
        (source_function({"verdict": "?"}), {}, 502, "broken_contract"),
        (source_function({}, call=SPINS), {"fuel": 1_000_000}, 502, "fuel_exhausted"),
        (source_function({}, call=SPINS), {"fuel": 10**10, "deadline_ms": 30}, 504, "deadline_exceeded"),
    ],
    ids=["fail", "retry", "trap", "contract", "fuel", "deadline"],
)
async def test_a_webhook_whose_function_breaks_is_kept_and_replayable(
    rig: Rig, module: bytes, limits: dict[str, int], status: int, code: str
) -> None:
    """Dead with its reason before the sender gets 502 (504 past the deadline); mended and replayed, it works."""
    source = await rig.new_source(module, limits=limits)
    destination = await rig.destination("done", source=source)
    assert (await rig.host.hooks.receive(source.hook_token, REQUEST, None)).status == status
    dead = await dead_of(rig, source)
    assert (dead.state, dead.code) == (State.DEAD, code)
    assert "very-secret" not in repr(dead)
    function = await rig.tenant.function(source.function_id or "")
    await rig.function(source_function(EMITS), name=function.name)
    ((old, new),) = (await rig.host.work.replay(rig.tenant.tenant_id, [dead.id])).deliveries
    assert old == dead.id
    lives = {life.delivery.id: life for life in await rig.ended(dead.event_id, deliveries=2)}
    assert (lives[new].delivery.state, lives[new].delivery.replay_of) == (State.SUCCEEDED, old)
    assert lives[new].attempts[0].outcome is Outcome.SUCCEEDED
    assert lives[old].delivery.state is State.DEAD

    async def delivered() -> bool:
        query = DeliveryQuery(destination_id=destination.id, state=State.SUCCEEDED)
        return bool((await rig.host.ledger.deliveries(rig.tenant.tenant_id, query)).items)

    assert await rig.until(delivered)


async def test_a_replayed_webhook_that_breaks_again_is_dead_again(rig: Rig) -> None:
    """As a delivery of its own, linked to the first, which can be replayed as well."""
    source = await rig.new_source(source_function({}, call="unreachable"))
    await rig.host.hooks.receive(source.hook_token, REQUEST, None)
    dead = await dead_of(rig, source)
    ((_, new),) = (await rig.host.work.replay(rig.tenant.tenant_id, [dead.id])).deliveries
    lives = await rig.ended(dead.event_id, deliveries=2)
    assert states(lives) == [State.DEAD] * 2
    assert {life.delivery.id for life in lives} == {dead.id, new}
    assert (await rig.host.work.replay(rig.tenant.tenant_id, [new])).deliveries[0][0] == new


async def test_an_emitted_event_that_fails_validation_is_recorded(rig: Rig) -> None:
    """The others are taken; the sender isn't blamed."""
    reply = {"verdict": "done", "events": [EVENTS[0], {"type": "track", "userId": "u1"}, {"type": "nonsense"}]}
    source = await rig.new_source(source_function(reply))
    destination = await rig.destination("done", source=source)
    assert (await rig.host.hooks.receive(source.hook_token, REQUEST, None)).status == 200

    async def delivered() -> int:
        query = DeliveryQuery(destination_id=destination.id, state=State.SUCCEEDED)
        return len((await rig.host.ledger.deliveries(rig.tenant.tenant_id, query)).items)

    assert await rig.until(delivered) == 1


async def test_unknown_tokens_and_sources_without_function_do_not_exist(rig: Rig) -> None:
    """Nobody learns which addresses there are."""
    for token in ("nonsense", rig.source.hook_token):
        with pytest.raises(NotFound):
            await rig.host.hooks.receive(token, REQUEST, None)
