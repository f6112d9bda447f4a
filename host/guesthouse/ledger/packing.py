"""Records as rows, and rows as records.

An append writes few large statements instead of many small ones, so records are taken apart here, in plain tuples in
the order of `EVENT_COLUMNS` and its like.

The latest record of a delivery is the one of the highest rank: whatever closes it before what leaves it open, then the
higher attempt, then the later end. That order is the same in whichever order the records come, and how often.
"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Row

from guesthouse.ledger.tables import attempts, deliveries, events
from guesthouse.model.delivery import Outcome, State
from guesthouse.model.record import AttemptRecord, EventFate, EventRecord, Record
from guesthouse.model.report import HttpExchange, LogLine, Usage

Values = tuple[Any, ...]

EVENT_COLUMNS: Final = tuple(column.name for column in events.c if column.name != "seq")
DELIVERY_COLUMNS: Final = tuple(column.name for column in deliveries.c)
ATTEMPT_COLUMNS: Final = tuple(column.name for column in attempts.c if column.name != "seq")

_STATES: Final = {outcome: State(outcome) for outcome in Outcome if outcome is not Outcome.GIVEN_BACK} | {
    Outcome.GIVEN_BACK: State.PENDING
}
_CLOSING: Final = frozenset({Outcome.SUCCEEDED, Outcome.DISCARDED, Outcome.DEAD, Outcome.CANCELLED})
_MAX_ATTEMPT: Final = (1 << 16) - 1
_TIME_BITS: Final = 44
_MAX_TIME: Final = (1 << _TIME_BITS) - 1

_encode: Final = msgspec.msgpack.Encoder().encode


_FACTS: Final = 8
"""Columns of a delivery that its attempts don't change; its rank follows."""


class _EventDetail(msgspec.Struct, array_like=True):
    reason: str | None
    deliveries: tuple[tuple[str, str], ...]
    replays: tuple[tuple[str, str], ...]
    passed_over: tuple[tuple[str, str], ...]


class _AttemptDetail(msgspec.Struct, array_like=True):
    function: str
    version: str
    reason: str | None
    verdict: str | None
    due_at_ms: int | None
    backtrace: tuple[str, ...]
    logs: tuple[LogLine, ...]
    http: tuple[HttpExchange, ...]
    usage: Usage | None


_decode_event: Final = msgspec.msgpack.Decoder(_EventDetail).decode
_decode_attempt: Final = msgspec.msgpack.Decoder(_AttemptDetail).decode


class Rows(NamedTuple):
    """What an append writes."""

    events: list[Values]
    deliveries: list[Values]
    attempts: list[Values]


class Packer:
    """Takes records apart, as many as are added, in any order; of each delivery there is one row in the end."""

    __slots__ = ("_attempts", "_deliveries", "_events")

    def __init__(self) -> None:
        self._events: list[Values] = []
        self._deliveries: dict[str, Values] = {}
        self._attempts: list[Values] = []

    def add(self, records: Iterable[Record]) -> None:
        """Take some more apart."""
        for record in records:
            if isinstance(record, EventRecord):
                self._events.append(_event_row(record))
                if record.deliveries:
                    self._accept(record)
            else:
                self._attempts.append(_attempt_row(record))
                self._move(record)

    def rows(self) -> Rows:
        """Give what came together."""
        return Rows(self._events, list(self._deliveries.values()), self._attempts)

    def _accept(self, record: EventRecord) -> None:
        replays, at_ms = dict(record.replays), record.received_at_ms
        pending = (0, State.PENDING, 0, None, at_ms, None, None)
        for delivery_id, destination_id in record.deliveries:
            facts = (delivery_id, record.event_id, record.tenant_id, record.source_id, destination_id, at_ms)
            known = self._deliveries.get(delivery_id)
            standing = pending if known is None else known[_FACTS:]
            self._deliveries[delivery_id] = (*facts, replays.get(delivery_id), True, *standing)

    def _move(self, record: AttemptRecord) -> None:
        known, rank = self._deliveries.get(record.delivery_id), rank_of(record)
        if known is None:
            # Its event's record will say when the delivery was accepted.
            facts: Values = (record.delivery_id, record.event_id, record.tenant_id, record.source_id)
            facts = (*facts, record.destination_id, record.started_at_ms, None, False)
        elif rank > known[_FACTS]:
            facts = known[:_FACTS]
        else:
            return
        self._deliveries[record.delivery_id] = (*facts, rank, *_standing(record))


def rank_of(record: AttemptRecord) -> int:
    """Order the attempts of a delivery. See the module."""
    attempt, ended = min(max(record.attempt, 0), _MAX_ATTEMPT), min(max(record.ended_at_ms, 1), _MAX_TIME)
    return (record.outcome in _CLOSING) << 61 | attempt << _TIME_BITS | ended


def event_of(row: Row[Any], payload: bytes = b"") -> EventRecord:
    """Put a record together again, without its payload where that isn't given."""
    detail = _decode_event(row.detail)
    return EventRecord(
        event_id=row.event_id,
        tenant_id=row.tenant_id,
        source_id=row.source_id,
        message_id=row.message_id,
        type=row.type,
        name=row.name,
        user_id=row.user_id,
        anonymous_id=row.anonymous_id,
        received_at_ms=row.received_at_ms,
        fate=EventFate(row.fate),
        reason=detail.reason,
        deliveries=detail.deliveries,
        replays=detail.replays,
        passed_over=detail.passed_over,
        payload=payload,
    )


def attempt_of(row: Row[Any]) -> AttemptRecord:
    """Put a record together again."""
    detail = _decode_attempt(row.detail)
    return AttemptRecord(
        attempt_id=row.attempt_id,
        invocation_id=row.invocation_id,
        delivery_id=row.delivery_id,
        event_id=row.event_id,
        tenant_id=row.tenant_id,
        source_id=row.source_id,
        destination_id=row.destination_id,
        function=detail.function,
        version=detail.version,
        attempt=row.attempt,
        started_at_ms=row.started_at_ms,
        ended_at_ms=row.ended_at_ms,
        outcome=Outcome(row.outcome),
        reason=detail.reason,
        code=row.code,
        verdict=detail.verdict,
        due_at_ms=detail.due_at_ms,
        backtrace=detail.backtrace,
        logs=detail.logs,
        http=detail.http,
        usage=detail.usage,
    )


def _event_row(record: EventRecord) -> Values:
    return (
        record.event_id,
        record.tenant_id,
        record.source_id,
        record.message_id,
        record.type,
        record.name,
        record.user_id,
        record.anonymous_id,
        record.received_at_ms,
        record.fate,
        _encode((record.reason, record.deliveries, record.replays, record.passed_over)),
        record.payload or None,
    )


def _attempt_row(record: AttemptRecord) -> Values:
    return (
        record.attempt_id,
        record.invocation_id,
        record.delivery_id,
        record.event_id,
        record.tenant_id,
        record.source_id,
        record.destination_id,
        record.attempt,
        record.started_at_ms,
        record.ended_at_ms,
        record.outcome,
        record.code,
        max(line.level for line in record.logs) if record.logs else None,
        _encode(
            (
                record.function,
                record.version,
                record.reason,
                record.verdict,
                record.due_at_ms,
                record.backtrace,
                record.logs,
                record.http,
                record.usage,
            )
        ),
    )


def _standing(attempt: AttemptRecord) -> Values:
    counted = attempt.attempt - 1 if attempt.outcome is Outcome.GIVEN_BACK else attempt.attempt
    state = _STATES[attempt.outcome]
    return (state, max(counted, 0), attempt.due_at_ms, attempt.ended_at_ms, attempt.code, attempt.reason)
