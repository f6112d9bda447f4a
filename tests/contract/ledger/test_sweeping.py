"""Forgetting, and faults of the storage."""

import sqlite3
from pathlib import Path

import pytest
from tests.support.records import FULL, START_MS, TENANT, attempt_record, event_record, retrying
from tests.support.storage import Place

from guesthouse.errors import NotFound, StorageFault
from guesthouse.ledger.sql import SqlLedger
from guesthouse.ledger.values import Swept
from guesthouse.model.delivery import Outcome
from guesthouse.registry.database import DatabaseConfig

pytestmark = pytest.mark.anyio

FAR_MS = START_MS * 2


async def test_payloads_go_before_the_rest(ledger: SqlLedger) -> None:
    """What came in before is known afterwards, but can't be replayed."""
    await ledger.append([event_record(number, "dst_1") for number in range(4)])
    swept = await ledger.sweep(attempts_before_ms=0, payloads_before_ms=START_MS + 2)
    assert swept == Swept(payloads=2)
    assert sorted(await ledger.payloads(TENANT, [f"evt_{number}" for number in range(4)])) == ["evt_2", "evt_3"]
    assert (await ledger.event(TENANT, "evt_0")).payload == b""
    assert [life.has_payload for life in await ledger.explain(TENANT, "msg-1")] == [False]


async def test_old_events_go_with_all_that_became_of_them(ledger: SqlLedger) -> None:
    """Deliveries and attempts as well; younger ones stay."""
    events = [event_record(10_000 * number, "dst_1", "dst_2") for number in range(3)]
    done = [attempt_record(event, 1, index, **FULL) for event in events for index in range(2)]
    await ledger.append([*events, *done])
    swept = await ledger.sweep(attempts_before_ms=START_MS + 15_000, payloads_before_ms=0)
    assert swept == Swept(events=2, deliveries=4, attempts=4)
    assert [event.event_id for event in (await ledger.events(TENANT)).items] == ["evt_20000"]
    assert len((await ledger.attempts(TENANT)).items) == 2
    with pytest.raises(NotFound):
        await ledger.delivery(TENANT, "dlv_0_dst_1")


async def test_open_work_keeps_its_event(ledger: SqlLedger) -> None:
    """A paused destination's deliveries can be explained however long they wait; so can a fresh replay."""
    waiting, tried, done = (event_record(number, "dst_1") for number in range(3))
    await ledger.append([waiting, tried, done, retrying(tried), attempt_record(done, outcome=Outcome.DEAD)])
    assert await ledger.sweep(attempts_before_ms=FAR_MS, payloads_before_ms=0) == Swept(
        events=1, deliveries=1, attempts=1
    )
    assert [event.event_id for event in (await ledger.events(TENANT)).items] == ["evt_1", "evt_0"]


async def test_a_sweep_is_bounded_and_goes_on(ledger: SqlLedger) -> None:
    """It says that there is more; the next one does it; in the end there is nothing left to do."""
    events = [event_record(number, "dst_1") for number in range(25)]
    await ledger.append([*events, *(attempt_record(event) for event in events)])
    swept = [await ledger.sweep(attempts_before_ms=FAR_MS, payloads_before_ms=FAR_MS, limit=10) for _ in range(4)]
    assert [one.events for one in swept] == [10, 10, 5, 0]
    assert [one.is_done for one in swept] == [False, False, True, True]
    assert not (await ledger.attempts(TENANT)).items


async def test_what_comes_after_a_sweep_is_swept_in_its_time(ledger: SqlLedger) -> None:
    """Emptying the ledger doesn't make it lose its place."""
    for number in range(3):
        await ledger.append([event_record(number)])
        assert (await ledger.sweep(attempts_before_ms=0, payloads_before_ms=FAR_MS)).payloads == 1
        assert (await ledger.sweep(attempts_before_ms=FAR_MS, payloads_before_ms=FAR_MS)).events == 1


async def test_attempts_without_an_event_are_swept_too(ledger: SqlLedger) -> None:
    """Should an event's record never come."""
    event = event_record(1, "dst_1")
    await ledger.append([retrying(event), attempt_record(event, 2)])
    assert (await ledger.sweep(attempts_before_ms=FAR_MS, payloads_before_ms=0)).attempts == 2
    with pytest.raises(NotFound):
        await ledger.delivery(TENANT, "dlv_1_dst_1")


async def test_a_failed_append_leaves_nothing_and_can_be_repeated(ledger: SqlLedger) -> None:
    """A full disk: all of the batch is missing, and all of it is there when there is room again."""
    database = ledger._database
    await database.write(lambda connection: connection.exec_driver_sql("PRAGMA max_page_count=1").close())
    records = [event_record(number, "dst_1", payload=b"x" * 5_000) for number in range(300)]
    with pytest.raises(StorageFault) as fault:
        await ledger.append(records)
    assert fault.value.reason == "full"
    assert not (await ledger.events(TENANT)).items
    await ledger.append(records)
    assert len((await ledger.events(TENANT, limit=500)).items) == 300


async def test_a_locked_ledger_is_a_clear_error(place: Place) -> None:
    """It is read meanwhile, and written afterwards."""
    async with place.ledger(DatabaseConfig(busy_seconds=0.01)) as ledger:
        raw = sqlite3.connect(place.file, isolation_level=None)
        raw.execute("BEGIN IMMEDIATE")
        with pytest.raises(StorageFault) as fault:
            await ledger.append([event_record(1)])
        assert fault.value.reason == "locked"
        assert not (await ledger.events(TENANT)).items
        raw.execute("ROLLBACK")
        raw.close()
        await ledger.append([event_record(1)])
        assert (await ledger.event(TENANT, "evt_1")).event_id == "evt_1"


async def test_registry_and_ledger_may_have_files_of_their_own(tmp_path: Path) -> None:
    """The ledger needs nothing of the registry's tables."""
    ledger = await SqlLedger.open(f"sqlite:///{tmp_path}/ledger.db")
    await ledger.append([event_record(1)])
    await ledger.close()
    ledger = await SqlLedger.open(f"sqlite:///{tmp_path}/ledger.db")
    assert await ledger.event(TENANT, "evt_1") == event_record(1)
    await ledger.close()
