"""Functions with ``onBatch``: events that wait together are run together, and each has its own outcome."""

from typing import Any

import pytest
from tests.support.hosts import Rig, states

from guesthouse.errors import NoSlot
from guesthouse.ledger.values import DeliveryLife
from guesthouse.model.delivery import Outcome, State
from guesthouse.model.registry import Batching
from guesthouse.pipeline import execute
from guesthouse.runtime.modules import Module

pytestmark = pytest.mark.anyio


async def run_together(
    rig: Rig,
    behaviour: str,
    properties: list[dict[str, object]],
    **more: Any,  # noqa: ANN401 - fields of `DestinationInput`
) -> list[DeliveryLife]:
    """Let events wait for a paused destination, and run when it is resumed; what became of each."""
    destination = await rig.destination(behaviour, batching=more.pop("batching", Batching()), **more)
    await rig.host.work.pause(rig.tenant.tenant_id, destination.id)
    entries = await rig.send(*({"properties": one} for one in properties))
    await rig.host.work.resume(rig.tenant.tenant_id, destination.id)
    return [await rig.ended_one(entry.event_id) for entry in entries]


async def test_each_event_of_a_batch_has_its_own_result(rig: Rig) -> None:
    """Done, dropped, failed and retried in one invocation; the retried one goes on by itself."""
    verdicts = ["done", "drop", "fail", "retry", "unsupported"]
    lives = await run_together(
        rig, "batch_partial", [{"verdict": verdict, "retry_after_ms": 0} for verdict in verdicts]
    )
    assert states(lives) == [State.SUCCEEDED, State.DISCARDED, State.DEAD, State.DEAD, State.DISCARDED]
    assert lives[2].delivery.code == "as_asked"
    assert [attempt.attempt for attempt in lives[3].attempts] == [1, 2, 3, 4]
    assert len({life.attempts[0].invocation_id for life in lives}) == 1
    assert len({life.attempts[0].attempt_id for life in lives}) == 5


async def test_one_poisonous_event_ends_up_alone(rig: Rig) -> None:
    """A batch that traps is run again in halves until the one to blame is found; the others succeed."""
    lives = await run_together(rig, "batch_poison", [{"poison": place == 11} for place in range(16)])
    assert [place for place, life in enumerate(lives) if life.delivery.state is State.DEAD] == [11]
    assert states(lives).count(State.SUCCEEDED) == 15
    assert lives[11].delivery.code == "trapped"
    assert [attempt.attempt for attempt in lives[11].attempts] == [1]


async def test_results_of_the_wrong_length_are_not_believed(rig: Rig) -> None:
    """No event is closed by a result that may be another's: each is run again, alone in the end."""
    lives = await run_together(rig, "batch_short", [{}, {}, {}])
    assert states(lives) == [State.SUCCEEDED] * 3
    assert len({life.attempts[0].invocation_id for life in lives}) == 3


async def test_a_batch_that_is_late_is_retried_whole(rig: Rig) -> None:
    """A deadline isn't the fault of one event."""
    lives = await run_together(rig, "sleep_long", [{}, {}], limits={"deadline_ms": 20})
    assert states(lives) == [State.DEAD] * 2
    assert {life.delivery.code for life in lives} == {"retries_exhausted"}
    assert {len(life.attempts) for life in lives} == {4}


async def test_batches_are_as_large_as_the_destination_wants(rig: Rig) -> None:
    """Ten events in batches of four."""
    lives = await run_together(rig, "batch_partial", [{}] * 10, batching=Batching(events=4))
    sizes = [0] * 3
    invocations = list(dict.fromkeys(life.attempts[0].invocation_id for life in lives))
    for life in lives:
        sizes[invocations.index(life.attempts[0].invocation_id)] += 1
    assert sorted(sizes) == [2, 4, 4]


async def test_a_fault_of_the_host_in_one_half_leaves_the_other_half_settled(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was delivered isn't delivered again because the rest couldn't be tried."""
    monkeypatch.setattr(execute, "HOST_FAULT_MS", 20)
    invoke, calls = Module.invoke, 0

    async def fail_once(*arguments: object, **more: object) -> object:
        nonlocal calls
        calls += 1
        if calls == 3:
            raise NoSlot(20)
        return await invoke(*arguments, **more)  # type: ignore[arg-type] # passed on as they came

    monkeypatch.setattr(Module, "invoke", fail_once)
    lives = await run_together(rig, "batch_poison", [{"poison": place == 3} for place in range(4)])
    assert states(lives) == [State.SUCCEEDED] * 3 + [State.DEAD]
    assert [len(life.attempts) for life in lives] == [1] * 4
    assert {life.attempts[0].outcome for life in lives[:3]} == {Outcome.SUCCEEDED}
