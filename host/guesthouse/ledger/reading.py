"""Answers of the ledger, each from one consistent state."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import Row, or_

from guesthouse.ledger import paging
from guesthouse.ledger.filters import attempt_conditions, delivery_conditions, event_conditions, plain
from guesthouse.ledger.packing import attempt_of, event_of
from guesthouse.ledger.scope import TenantScope
from guesthouse.ledger.tables import attempts, deliveries, events
from guesthouse.ledger.values import (
    AttemptQuery,
    DeliveryLife,
    DeliveryQuery,
    DeliveryView,
    EventQuery,
    Life,
    LogEntry,
    LogPage,
    Page,
)
from guesthouse.model.delivery import State
from guesthouse.model.record import AttemptRecord, EventRecord
from guesthouse.model.report import LogLevel


def event(scope: TenantScope, event_id: str) -> EventRecord:
    """See `Ledger.event`."""
    found = scope.only(scope.events(events.c.event_id == plain(event_id), with_payload=True), "event", event_id)
    return event_of(found, found.payload or b"")


def event_page(scope: TenantScope, query: EventQuery, cursor: str | None, limit: int) -> Page[EventRecord]:
    """See `Ledger.events`."""
    question = scope.events(*event_conditions(query))
    rows = scope.page(question, events.c.received_at_ms, events.c.event_id, cursor, limit)
    following = paging.place_of(rows[limit - 1], "received_at_ms", "event_id") if len(rows) > limit else None
    return Page(tuple(event_of(row) for row in rows[:limit]), following)


def delivery(scope: TenantScope, delivery_id: str) -> DeliveryLife:
    """See `Ledger.delivery`."""
    question = scope.deliveries(deliveries.c.delivery_id == plain(delivery_id))
    return _lives(scope, [scope.only(question, "delivery", delivery_id)])[0]


def delivery_page(scope: TenantScope, query: DeliveryQuery, cursor: str | None, limit: int) -> Page[DeliveryView]:
    """See `Ledger.deliveries`."""
    question = scope.deliveries(*delivery_conditions(scope, query))
    rows = scope.page(question, deliveries.c.accepted_at_ms, deliveries.c.delivery_id, cursor, limit)
    following = paging.place_of(rows[limit - 1], "accepted_at_ms", "delivery_id") if len(rows) > limit else None
    return Page(tuple(_view(row) for row in rows[:limit]), following)


def attempt(scope: TenantScope, attempt_id: str) -> AttemptRecord:
    """See `Ledger.attempt`."""
    size = scope.only(scope.attempt_sizes(attempts.c.attempt_id == plain(attempt_id)), "attempt", attempt_id)
    return attempt_of(scope.attempts([size])[0])


def attempt_page(scope: TenantScope, query: AttemptQuery, cursor: str | None, limit: int) -> Page[AttemptRecord]:
    """See `Ledger.attempts`; a page of large attempts is shorter."""
    question = scope.attempt_sizes(*attempt_conditions(scope, query))
    rows = scope.page(question, attempts.c.ended_at_ms, attempts.c.attempt_id, cursor, limit)
    shown = rows[: paging.within_budget(rows[:limit])]
    following = paging.place_of(shown[-1], "ended_at_ms", "attempt_id") if len(rows) > len(shown) else None
    return Page(tuple(attempt_of(row) for row in scope.attempts(shown)), following)


def explain(scope: TenantScope, message_id: str, limit: int) -> tuple[Life, ...]:
    """See `Ledger.explain`."""
    key = plain(message_id)
    same = or_(events.c.message_id == key, events.c.event_id == key)
    question = scope.events(same).order_by(events.c.received_at_ms, events.c.event_id).limit(limit)
    rows = scope.rows(question)
    of_events = scope.deliveries(deliveries.c.event_id.in_([row.event_id for row in rows]))
    ordered = of_events.order_by(deliveries.c.event_id, deliveries.c.accepted_at_ms, deliveries.c.delivery_id)
    lives = _lives(scope, scope.rows(ordered))
    by_event = {key: tuple(group) for key, group in groupby(lives, lambda life: life.delivery.event_id)}
    return tuple(
        Life(event=event_of(row), has_payload=row.has_payload, deliveries=by_event.get(row.event_id, ()))
        for row in rows
    )


def logs(scope: TenantScope, destination_id: str | None, level: LogLevel, cursor: str | None, limit: int) -> LogPage:
    """See `Ledger.logs`."""
    since = None if cursor is None else paging.number_of(cursor)
    conditions = [attempts.c.log_level.is_not(None), attempts.c.log_level >= int(level)]
    if destination_id is not None:
        conditions.append(attempts.c.destination_id == plain(destination_id))
    if since is not None:
        conditions.append(attempts.c.seq > since)
    order = attempts.c.seq.desc() if since is None else attempts.c.seq
    rows = scope.rows(scope.attempt_sizes(*conditions).order_by(order).limit(limit))
    shown = rows[: paging.within_budget(rows)]
    is_at_end = since is None or len(shown) == len(rows) < limit
    place = max(scope.last_logged(), since or 0) if is_at_end else shown[-1].seq
    whole = sorted(scope.attempts(shown), key=lambda row: row.seq)
    entries = tuple(entry for row in whole for entry in _entries(attempt_of(row), level))
    return LogPage(entries, paging.cursor_of(place), is_at_end)


def payloads(scope: TenantScope, event_ids: Sequence[str]) -> Mapping[str, EventRecord]:
    """See `Ledger.payloads`."""
    wanted = events.c.event_id.in_([plain(one) for one in event_ids])
    rows = scope.rows(scope.events(wanted, events.c.payload.is_not(None), with_payload=True))
    return {row.event_id: event_of(row, row.payload) for row in rows}


def _lives(scope: TenantScope, rows: Sequence[Row[Any]]) -> list[DeliveryLife]:
    of_deliveries = attempts.c.delivery_id.in_([row.delivery_id for row in rows])
    ordered = scope.attempt_sizes(of_deliveries).order_by(attempts.c.attempt, attempts.c.ended_at_ms, attempts.c.seq)
    sizes = scope.rows(ordered)
    count = paging.within_budget(sizes)
    whole = [attempt_of(row) for row in scope.attempts(sizes[:count])]
    left_out = [row.delivery_id for row in sizes[count:]]
    return [
        DeliveryLife(
            delivery=_view(row),
            attempts=tuple(one for one in whole if one.delivery_id == row.delivery_id),
            left_out=left_out.count(row.delivery_id),
        )
        for row in rows
    ]


def _view(row: Row[Any]) -> DeliveryView:
    return DeliveryView(
        id=row.delivery_id,
        event_id=row.event_id,
        tenant_id=row.tenant_id,
        source_id=row.source_id,
        destination_id=row.destination_id,
        accepted_at_ms=row.accepted_at_ms,
        state=State(row.state),
        attempts=row.attempts,
        due_at_ms=row.due_at_ms,
        updated_at_ms=row.updated_at_ms,
        code=row.code,
        reason=row.reason,
        replay_of=row.replay_of,
        message_id=row.message_id,
        type=row.type,
        name=row.name,
        user_id=row.user_id,
    )


def _entries(record: AttemptRecord, level: LogLevel) -> list[LogEntry]:
    return [
        LogEntry(
            at_ms=record.started_at_ms + line.at_ms,
            level=line.level,
            message=line.message,
            attempt_id=record.attempt_id,
            delivery_id=record.delivery_id,
            event_id=record.event_id,
            destination_id=record.destination_id,
            function=record.function,
            attempt=record.attempt,
        )
        for line in record.logs
        if line.level >= level
    ]
