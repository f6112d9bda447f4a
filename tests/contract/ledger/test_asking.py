"""Questions: filters, pages, explanations, logs."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.records import FULL, START_MS, TENANT, attempt_record, event_record, read_all, retrying
from tests.support.storage import BACKENDS, STRANGE_TEXTS, Place, copied

from guesthouse.errors import CallerError, InvalidInput, QueryTooBroad
from guesthouse.ledger.paging import PAGE_BYTES
from guesthouse.ledger.protocol import MAX_LIMIT
from guesthouse.ledger.sql import SqlLedger
from guesthouse.ledger.values import AttemptQuery, DeliveryQuery, EventQuery
from guesthouse.model.delivery import Outcome, State
from guesthouse.model.record import EventFate
from guesthouse.model.report import LogLevel, LogLine
from guesthouse.registry.database import DatabaseConfig

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled(ledger: SqlLedger) -> SqlLedger:
    """Give a ledger with four events: delivered, retrying, dead, refused."""
    events = [
        event_record(1, "dst_1"),
        event_record(2, "dst_1", source_id="src_2", name="Signed Up", user_id="user-2"),
        event_record(3, "dst_2", type="page", name="Home", user_id=None, anonymous_id="anon-3"),
        event_record(4, fate=EventFate.REFUSED, reason="no user", message_id=None),
    ]
    attempts = [
        attempt_record(events[0], attempt_id="att_1"),
        retrying(events[1], attempt_id="att_2"),
        attempt_record(events[2], outcome=Outcome.DEAD, code="trapped", attempt_id="att_3"),
    ]
    await ledger.append([*events, *attempts])
    return ledger


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (EventQuery(), "4321"),
        (EventQuery(message_id="msg-2"), "2"),
        (EventQuery(source_id="src_1"), "431"),
        (EventQuery(type="page"), "3"),
        (EventQuery(name="Signed Up"), "2"),
        (EventQuery(user_id="user-1"), "41"),
        (EventQuery(anonymous_id="anon-3"), "3"),
        (EventQuery(fate=EventFate.REFUSED), "4"),
        (EventQuery(fate=EventFate.ACCEPTED), "321"),
        (EventQuery(since_ms=START_MS + 2, until_ms=START_MS + 4), "32"),
        (EventQuery(since_ms=-(1 << 80), until_ms=1 << 80), "4321"),
        (EventQuery(user_id="user-1", name="Signed Up"), ""),
    ],
)
async def test_events_are_found(filled: SqlLedger, query: EventQuery, expected: str) -> None:
    """By everything that a query may say, the latest received first, without their payloads."""
    page = await filled.events(TENANT, query)
    assert [event.event_id for event in page.items] == [f"evt_{number}" for number in expected]
    assert not [event for event in page.items if event.payload]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (DeliveryQuery(), "321"),
        (DeliveryQuery(event_id="evt_1"), "1"),
        (DeliveryQuery(message_id="msg-2"), "2"),
        (DeliveryQuery(source_id="src_1"), "31"),
        (DeliveryQuery(destination_id="dst_1"), "21"),
        (DeliveryQuery(type="page"), "3"),
        (DeliveryQuery(name="Signed Up"), "2"),
        (DeliveryQuery(user_id="user-1"), "1"),
        (DeliveryQuery(state=State.SUCCEEDED), "1"),
        (DeliveryQuery(state=State.DEAD), "3"),
        (DeliveryQuery(state=State.RETRYING, destination_id="dst_1"), "2"),
        (DeliveryQuery(state=State.PENDING), ""),
        (DeliveryQuery(code="trapped"), "3"),
        (DeliveryQuery(since_ms=START_MS + 2, until_ms=START_MS + 3), "2"),
    ],
)
async def test_deliveries_are_found(filled: SqlLedger, query: DeliveryQuery, expected: str) -> None:
    """By everything that a query may say, the latest accepted first."""
    page = await filled.deliveries(TENANT, query)
    assert [view.event_id for view in page.items] == [f"evt_{number}" for number in expected]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (AttemptQuery(), "321"),
        (AttemptQuery(delivery_id="dlv_1_dst_1"), "1"),
        (AttemptQuery(event_id="evt_2"), "2"),
        (AttemptQuery(source_id="src_2"), "2"),
        (AttemptQuery(destination_id="dst_1"), "21"),
        (AttemptQuery(outcome=Outcome.DEAD), "3"),
        (AttemptQuery(outcome=Outcome.SUCCEEDED), "1"),
        (AttemptQuery(code="http_503"), "2"),
        (AttemptQuery(since_ms=START_MS + 1_022, until_ms=START_MS + 1_023), "2"),
    ],
)
async def test_attempts_are_found(filled: SqlLedger, query: AttemptQuery, expected: str) -> None:
    """By everything that a query may say, the latest ended first."""
    page = await filled.attempts(TENANT, query)
    assert [attempt.attempt_id for attempt in page.items] == [f"att_{number}" for number in expected]


@pytest.mark.parametrize("text", STRANGE_TEXTS)
async def test_strange_texts_find_nothing(filled: SqlLedger, text: str) -> None:
    """In every field of every query; they are compared, never read as SQL or as patterns."""
    names = {"message_id", "source_id", "type", "name", "user_id", "anonymous_id"}
    for name in names:
        assert not (await filled.events(TENANT, msgspec.convert({name: text}, EventQuery))).items
    for name in {"event_id", "destination_id", "code"} | names - {"anonymous_id"}:
        assert not (await filled.deliveries(TENANT, msgspec.convert({name: text}, DeliveryQuery))).items
    for name in ("delivery_id", "event_id", "source_id", "destination_id", "code"):
        assert not (await filled.attempts(TENANT, msgspec.convert({name: text}, AttemptQuery))).items
    assert not await filled.explain(TENANT, text)
    assert not await filled.payloads(TENANT, [text])
    assert not (await filled.logs(TENANT, destination_id=text)).entries
    for question in (filled.event, filled.delivery, filled.attempt):
        with pytest.raises(CallerError):
            await question(TENANT, text)
    if "\ud800" not in text:
        assert not (await filled.events(text)).items


@pytest.mark.parametrize("cursor", [*STRANGE_TEXTS, "gA", "kgE", "AAAA", "ks__________oWE", "////"])
async def test_a_garbled_cursor_is_refused(filled: SqlLedger, cursor: str) -> None:
    """Whoever makes one up is told so."""
    for question in (filled.events, filled.deliveries, filled.attempts):
        with pytest.raises(InvalidInput, match="cursor"):
            await question(TENANT, cursor=cursor)
    with pytest.raises(InvalidInput, match="cursor"):
        await filled.logs(TENANT, cursor=cursor if cursor != "AAAA" else "_")


@pytest.mark.parametrize("limit", [0, -1, MAX_LIMIT + 1, 1 << 70])
async def test_a_limit_has_bounds(filled: SqlLedger, limit: int) -> None:
    """Nobody asks for everything at once."""
    questions: list[Any] = [
        lambda: filled.events(TENANT, limit=limit),
        lambda: filled.deliveries(TENANT, limit=limit),
        lambda: filled.attempts(TENANT, limit=limit),
        lambda: filled.explain(TENANT, "m", limit=limit),
        lambda: filled.logs(TENANT, limit=limit),
        lambda: filled.payloads(TENANT, ["evt_1"] * (MAX_LIMIT + 1)),
    ]
    for ask in questions:
        with pytest.raises(InvalidInput):
            await ask()


@pytest.mark.parametrize("backend", BACKENDS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(times=st.lists(st.integers(0, 5), min_size=1, max_size=25), limit=st.integers(1, 30))
def test_pages_put_together_are_the_list(
    empty: Path, tmp_path_factory: pytest.TempPathFactory, backend: str, times: list[int], limit: int
) -> None:
    """Whatever their length and however many share a time: nothing is missing, nothing is there twice, all in order."""

    async def check(place: Place) -> None:
        async with place.ledger() as ledger:
            events = [event_record(n, "dst_1", received_at_ms=at_ms) for n, at_ms in enumerate(times)]
            attempts = [attempt_record(event, attempt_id=f"att_{n}") for n, event in enumerate(events)]
            await ledger.append([*events, *attempts])
            expected = sorted(((at_ms, f"{n}") for n, at_ms in enumerate(times)), key=lambda one: one, reverse=True)
            found = [(event.received_at_ms, event.event_id[4:]) for event in await read_all(ledger.events, limit)]
            assert found == expected
            views = await read_all(ledger.deliveries, limit)
            assert sorted(view.event_id[4:] for view in views) == sorted(n for _, n in expected)
            assert [view.accepted_at_ms for view in views] == [at_ms for at_ms, _ in expected]
            tried = await read_all(ledger.attempts, limit)
            assert [(attempt.event_id[4:]) for attempt in tried] == [n for _, n in expected]

    asyncio.run(check(copied(empty, backend, tmp_path_factory.mktemp("pages"))))


async def test_records_that_come_meanwhile_do_not_disturb_a_reader(ledger: SqlLedger) -> None:
    """The next page goes on where the last one ended."""
    await ledger.append([event_record(number) for number in range(10)])
    page = await ledger.events(TENANT, limit=5)
    await ledger.append([event_record(number) for number in range(10, 20)])
    rest = await ledger.events(TENANT, cursor=page.next, limit=5)
    assert [event.event_id for event in rest.items] == [f"evt_{number}" for number in range(4, -1, -1)]
    assert rest.next is None


async def test_an_explanation_tells_the_whole_life(ledger: SqlLedger) -> None:
    """Each time the message came, each delivery, each attempt, first things first."""
    event = event_record(1, "dst_1", "dst_2", passed_over=(("dst_3", "filtered_type"),))
    again = event_record(5, message_id="msg-1", fate=EventFate.DUPLICATE, payload=b"")
    attempts = [retrying(event, 1), retrying(event, 2), attempt_record(event, 3, **FULL)]
    await ledger.append([again, *reversed(attempts), event])
    first, second = await ledger.explain(TENANT, "msg-1")
    assert (first.event.event_id, first.has_payload, first.event.passed_over) == ("evt_1", True, event.passed_over)
    assert [life.delivery.state for life in first.deliveries] == [State.SUCCEEDED, State.PENDING]
    assert list(first.deliveries[0].attempts) == attempts
    assert (second.event.fate, second.has_payload, second.deliveries) == (EventFate.DUPLICATE, False, ())
    assert [life.event.event_id for life in await ledger.explain(TENANT, "evt_5")] == ["evt_5"]


async def test_a_large_answer_is_cut_and_says_so(ledger: SqlLedger) -> None:
    """By bytes as well as by number: pages are shorter, explanations count what they left out."""
    event = event_record(1, "dst_1")
    large = (LogLine(LogLevel.INFO, "x" * (PAGE_BYTES // 2 - 1_000), 0),)
    attempts = [retrying(event, number, logs=large) for number in range(1, 6)]
    await ledger.append([event, *attempts])
    page = await ledger.attempts(TENANT, limit=5)
    assert len(page.items) == 2
    assert await read_all(ledger.attempts, 5) == attempts[::-1]
    life = await ledger.delivery(TENANT, "dlv_1_dst_1")
    assert (len(life.attempts), life.left_out) == (2, 3)


async def test_logs_are_followed(ledger: SqlLedger) -> None:
    """From now on, in the order of recording; no line is skipped or given twice."""
    event = event_record(1, "dst_1", "dst_2")
    await ledger.append([event, attempt_record(event, **FULL)])
    start = await ledger.logs(TENANT)
    assert [entry.message for entry in start.entries] == ["hello", "oh\0no"]
    assert (start.entries[0].at_ms, start.is_at_end) == (START_MS + 1_004, True)
    assert not (await ledger.logs(TENANT, cursor=start.cursor)).entries
    late = [retrying(event, number, logs=(LogLine(LogLevel.WARN, f"w{number}", 0),)) for number in (5, 3, 4)]
    await ledger.append([attempt_record(event, 1, 1), *late])
    first = await ledger.logs(TENANT, cursor=start.cursor, limit=2)
    second = await ledger.logs(TENANT, cursor=first.cursor, limit=2)
    assert [entry.message for page in (first, second) for entry in page.entries] == ["w5", "w3", "w4"]
    assert (first.is_at_end, second.is_at_end) == (False, True)


async def test_logs_are_filtered(ledger: SqlLedger) -> None:
    """By destination and by level; the cursor moves on past what was not wanted."""
    event = event_record(1, "dst_1", "dst_2")
    await ledger.append([event, attempt_record(event, **FULL), attempt_record(event, 1, 1, **FULL)])
    page = await ledger.logs(TENANT, destination_id="dst_2", level=LogLevel.WARN)
    assert [(entry.destination_id, entry.level) for entry in page.entries] == [("dst_2", LogLevel.ERROR)]
    nothing = await ledger.logs(TENANT, destination_id="dst_3")
    assert not (await ledger.logs(TENANT, cursor=nothing.cursor)).entries


async def test_the_latest_logs_come_first_hand(ledger: SqlLedger) -> None:
    """Without a cursor one sees the end of the log, not its beginning, and can follow from there."""
    events = [event_record(number, "dst_1") for number in range(9)]
    line = [(LogLine(LogLevel.INFO, f"m{number}", 0),) for number in range(9)]
    await ledger.append([*events, *(attempt_record(event, logs=line[n]) for n, event in enumerate(events))])
    page = await ledger.logs(TENANT, limit=2)
    assert [entry.message for entry in page.entries] == ["m7", "m8"]
    assert not (await ledger.logs(TENANT, cursor=page.cursor)).entries


async def test_payloads_for_replay(ledger: SqlLedger) -> None:
    """Those that are there; others are missing, not empty."""
    await ledger.append([event_record(1), event_record(2, payload=b"")])
    found = await ledger.payloads(TENANT, ["evt_1", "evt_2", "evt_3"])
    assert found == {"evt_1": event_record(1)}


async def test_a_question_that_takes_too_long_is_ended(place: Place) -> None:
    """Its asker is told to narrow it; the next question is answered."""
    async with place.ledger() as ledger:
        for start in range(0, 4_000, 500):
            await ledger.append([event_record(number, "dst_1") for number in range(start, start + 500)])
    async with place.ledger(DatabaseConfig(read_seconds=0.0)) as ledger:
        with pytest.raises(QueryTooBroad, match="narrow"):
            await ledger.deliveries(TENANT, DeliveryQuery(code="nothing has it", source_id="src_1"))
        assert (await ledger.event(TENANT, "evt_1")).event_id == "evt_1"
