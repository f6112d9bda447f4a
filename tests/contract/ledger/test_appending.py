"""Records come at least once and in any order; the answers depend on neither."""

import asyncio
import os
import random
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.records import FULL, START_MS, STRANGER, TENANT, attempt_record, event_record, read_all, retrying
from tests.support.storage import BACKENDS, STRANGE_TEXTS, Place, copied

from guesthouse.errors import NotFound
from guesthouse.ledger.sql import SqlLedger
from guesthouse.ledger.writing import SIZES
from guesthouse.model.delivery import Outcome, State
from guesthouse.model.record import AttemptRecord, Record

pytestmark = pytest.mark.anyio

WRITER = """
import asyncio, sys
from pathlib import Path
from tests.support.records import attempt_record, event_record
from tests.support.storage import Place
async def main(folder, first):
    async with Place("sqlite", Path(folder)).ledger() as ledger:
        for number in range(int(first), int(first) + 500, 50):
            events = [event_record(one, "dst_1") for one in range(number, number + 50)]
            await ledger.append([*events, *map(attempt_record, events)])
asyncio.run(main(*sys.argv[1:]))
"""


async def test_what_goes_in_comes_out(ledger: SqlLedger) -> None:
    """Every field of both kinds of records."""
    event = event_record(1, "dst_1", reason="why", passed_over=(("dst_2", "no_handler"),), anonymous_id="a")
    attempt = retrying(event, **FULL)
    await ledger.append([event, attempt])
    assert await ledger.event(TENANT, event.event_id) == event
    assert await ledger.attempt(TENANT, attempt.attempt_id) == attempt


async def test_again_changes_nothing(ledger: SqlLedger) -> None:
    """The drainer may repeat itself, also with a batch that is partly new."""
    event = event_record(1, "dst_1")
    attempt = attempt_record(event)
    await ledger.append([event, attempt])
    before = await ledger.explain(TENANT, "msg-1")
    await ledger.append([event, attempt, attempt, event_record(2)])
    await ledger.append([event])
    assert await ledger.explain(TENANT, "msg-1") == before
    assert len((await ledger.events(TENANT)).items) == 2


async def test_nothing_is_a_batch_too(ledger: SqlLedger) -> None:
    """An empty append does nothing."""
    await ledger.append([])


@pytest.mark.parametrize("count", [1, SIZES[1] - 1, SIZES[0], SIZES[0] + SIZES[1] + 1, 700])
async def test_batches_of_any_length_are_kept_whole(ledger: SqlLedger, count: int) -> None:
    """Whatever statements they are cut into."""
    events = [event_record(number, "dst_1") for number in range(count)]
    await ledger.append([*events, *(attempt_record(event) for event in events)])
    seen = await read_all(ledger.events, 500)
    assert {event.event_id for event in seen} == {event.event_id for event in events}
    states = {(await ledger.delivery(TENANT, event.deliveries[0][0])).delivery.state for event in events[-3:]}
    assert states == {State.SUCCEEDED}


@pytest.mark.parametrize(
    ("outcome", "state", "attempts"),
    [
        (Outcome.SUCCEEDED, State.SUCCEEDED, 1),
        (Outcome.DISCARDED, State.DISCARDED, 1),
        (Outcome.DEAD, State.DEAD, 1),
        (Outcome.RETRYING, State.RETRYING, 1),
        (Outcome.GIVEN_BACK, State.PENDING, 0),
        (Outcome.CANCELLED, State.CANCELLED, 1),
    ],
)
async def test_an_outcome_becomes_a_state(ledger: SqlLedger, outcome: Outcome, state: State, attempts: int) -> None:
    """A delivery given back has made no attempt."""
    event = event_record(1, "dst_1")
    await ledger.append([event, attempt_record(event, outcome=outcome, code="c", reason="r", due_at_ms=5)])
    view = (await ledger.delivery(TENANT, "dlv_1_dst_1")).delivery
    assert (view.state, view.attempts, view.code, view.reason, view.due_at_ms) == (state, attempts, "c", "r", 5)


async def test_a_delivery_without_attempts_is_pending(ledger: SqlLedger) -> None:
    """It is known from the moment of its event."""
    await ledger.append([event_record(1, "dst_1", "dst_2")])
    views = (await ledger.deliveries(TENANT)).items
    assert [(view.destination_id, view.state, view.attempts) for view in views] == [
        ("dst_2", State.PENDING, 0),
        ("dst_1", State.PENDING, 0),
    ]
    assert (views[0].message_id, views[0].name, views[0].accepted_at_ms) == ("msg-1", "Order Completed", START_MS + 1)


async def test_a_replay_is_a_delivery_of_the_first_event(ledger: SqlLedger) -> None:
    """Linked to the delivery that it repeats; the event stays as it first came in."""
    event = event_record(1, "dst_1")
    await ledger.append([event, attempt_record(event, outcome=Outcome.DEAD)])
    again = msgspec.structs.replace(
        event, received_at_ms=START_MS + 99, deliveries=(("dlv_new", "dst_1"),), replays=(("dlv_new", "dlv_1_dst_1"),)
    )
    await ledger.append([again])
    replayed = (await ledger.delivery(TENANT, "dlv_new")).delivery
    assert (replayed.replay_of, replayed.accepted_at_ms, replayed.state) == (
        "dlv_1_dst_1",
        START_MS + 99,
        State.PENDING,
    )
    assert await ledger.event(TENANT, event.event_id) == event
    (life,) = await ledger.explain(TENANT, "msg-1")
    assert [one.delivery.id for one in life.deliveries] == ["dlv_1_dst_1", "dlv_new"]


def a_history() -> list[Record]:
    """Tell of three deliveries: tried four times, given back between; tried once; not yet tried."""
    event = event_record(1, "dst_1", "dst_2", "dst_3")
    tried = [
        retrying(event, 1),
        attempt_record(event, 2, outcome=Outcome.GIVEN_BACK, ended_at_ms=START_MS + 2_500),
        retrying(event, 2, ended_at_ms=START_MS + 2_600),
        attempt_record(event, 3, outcome=Outcome.GIVEN_BACK),
        attempt_record(event, 3, outcome=Outcome.DEAD, ended_at_ms=START_MS + 3_001),
        attempt_record(event, 1, 1),
    ]
    replay = msgspec.structs.replace(
        event, received_at_ms=START_MS + 9_000, deliveries=(("dlv_r", "dst_1"),), replays=(("dlv_r", "dlv_1_dst_1"),)
    )
    return [event, *tried, replay]


async def tell(place: Place, batches: Sequence[Sequence[Record]]) -> object:
    """Append the batches to an empty ledger; all that it answers afterwards."""
    async with place.ledger() as ledger:
        for batch in batches:
            await ledger.append(batch)
        (life,) = await ledger.explain(TENANT, "msg-1")
        event = msgspec.structs.replace(life.event, deliveries=(), replays=(), received_at_ms=0)
        return life.deliveries, event, (await ledger.deliveries(TENANT)).items, (await ledger.attempts(TENANT)).items


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 1 << 32), cuts=st.integers(1, 6), repeats=st.integers(0, 6))
def test_neither_order_nor_repetition_matters(  # noqa: PLR0913, PLR0917 - three are fixtures
    empty: Path, tmp_path_factory: pytest.TempPathFactory, backend: str, seed: int, cuts: int, repeats: int
) -> None:
    """However the records of a history are shuffled, repeated and cut into batches, the answers are the same.

    But for which of two records with one event id (a replay has its event's) is kept as the event.
    """
    told = a_history()
    chance = random.Random(seed)  # noqa: S311 - a shuffle
    stream = told + chance.choices(told, k=repeats)
    chance.shuffle(stream)
    size = -(-len(stream) // cuts)
    batches = [stream[start : start + size] for start in range(0, len(stream), size)]
    places = [copied(empty, backend, tmp_path_factory.mktemp("told")) for _ in range(2)]
    assert asyncio.run(tell(places[0], batches)) == asyncio.run(tell(places[1], [told]))


async def test_an_attempt_whose_event_is_not_here_yet_is_shown(ledger: SqlLedger) -> None:
    """With what the attempt knows; the event fills in the rest when it comes."""
    event = event_record(1, "dst_1")
    attempt = retrying(event)
    await ledger.append([attempt])
    early = (await ledger.delivery(TENANT, attempt.delivery_id)).delivery
    assert (early.state, early.name, early.accepted_at_ms) == (State.RETRYING, None, attempt.started_at_ms)
    await ledger.append([event])
    late = (await ledger.delivery(TENANT, attempt.delivery_id)).delivery
    assert (late.state, late.name, late.accepted_at_ms) == (State.RETRYING, event.name, event.received_at_ms)


async def test_two_processes_append_at_once(ledger: SqlLedger, place: Place) -> None:
    """Each waits for the other; every record is there, also those that both have."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = (sys.executable, "-c", WRITER, str(place.folder))
    writers = [await asyncio.create_subprocess_exec(*command, first, env=environment) for first in ("0", "250")]
    assert [await writer.wait() for writer in writers] == [0, 0]
    seen = {(view.event_id, view.state) for view in await read_all(ledger.deliveries, 500)}
    assert seen == {(f"evt_{number}", State.SUCCEEDED) for number in range(750)}


@pytest.mark.parametrize("text", [text for text in STRANGE_TEXTS if "\ud800" not in text])
async def test_strange_texts_are_only_texts(ledger: SqlLedger, text: str) -> None:
    """What strangers write into events comes out as it went in, and does nothing."""
    event = event_record(1, "dst_1", message_id=text, name=text, user_id=text, anonymous_id=text, type=text)
    attempt = retrying(event, reason=text, code=text)
    await ledger.append([event_record(2), event, attempt])
    assert await ledger.event(TENANT, "evt_1") == event
    assert await ledger.attempt(TENANT, attempt.attempt_id) == attempt
    assert len((await ledger.events(TENANT)).items) == 2


async def test_another_tenants_records_do_not_exist(ledger: SqlLedger) -> None:
    """Not by id, not in any list, not as a part of an answer, and not for replay."""
    event = event_record(1, "dst_1")
    attempt = attempt_record(event, **FULL)
    await ledger.append([event, attempt])
    for question in (
        ledger.event(STRANGER, event.event_id),
        ledger.delivery(STRANGER, attempt.delivery_id),
        ledger.attempt(STRANGER, attempt.attempt_id),
    ):
        with pytest.raises(NotFound):
            await question
    lists = (ledger.events(STRANGER), ledger.deliveries(STRANGER), ledger.attempts(STRANGER))
    assert not [item for one in lists for item in (await one).items]
    assert not await ledger.explain(STRANGER, "msg-1")
    assert not (await ledger.logs(STRANGER)).entries
    assert not await ledger.payloads(STRANGER, [event.event_id])


async def test_a_strangers_event_id_tells_nothing_of_the_event(ledger: SqlLedger) -> None:
    """A delivery that names another tenant's event shows nothing of it."""
    event = event_record(1, "dst_1")
    theirs = msgspec.structs.replace(attempt_record(event), tenant_id=STRANGER, delivery_id="dlv_spy")
    await ledger.append([event, theirs])
    view = (await ledger.delivery(STRANGER, "dlv_spy")).delivery
    assert (view.message_id, view.name, view.user_id) == (None, None, None)
    assert isinstance((await ledger.delivery(STRANGER, "dlv_spy")).attempts[0], AttemptRecord)


async def test_what_is_closed_stays_closed(ledger: SqlLedger) -> None:
    """A cancellation counts the attempts so far; the one that ran meanwhile and was given back doesn't reopen it."""
    event = event_record(1, "dst_1")
    cancelled = attempt_record(event, 1, outcome=Outcome.CANCELLED)
    await ledger.append([event, cancelled, attempt_record(event, 2, outcome=Outcome.GIVEN_BACK)])
    assert (await ledger.delivery(TENANT, "dlv_1_dst_1")).delivery.state is State.CANCELLED
