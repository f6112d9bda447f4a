"""What a delivery's end leaves behind: rows that go, and the records of ends that no attempt wrote."""

import sqlite3
from collections.abc import Iterable

from msgspec import json

from guesthouse.ids import new_id
from guesthouse.model.delivery import Delivery, Outcome
from guesthouse.model.event import Event
from guesthouse.model.record import AttemptRecord
from guesthouse.queue.sqlite.destinations import Destination

_WITHOUT_DELIVERIES = """
DELETE FROM event WHERE seq IN (SELECT value FROM json_each(?))
    AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.seq BETWEEN event.seq AND event.last)
"""


def numbers(values: Iterable[int]) -> str:
    """Give numbers to a statement as one value, for ``IN (SELECT value FROM json_each(?))``."""
    return json.encode(list(values)).decode()


def texts(values: Iterable[str]) -> str:
    """Give texts to a statement as one value."""
    return json.encode(list(values)).decode()


def delivery_of(delivery_id: str, event_id: str, destination: Destination, replay_of: str | None) -> Delivery:
    """Put a delivery together from its columns."""
    return Delivery(
        id=delivery_id,
        event_id=event_id,
        tenant_id=destination.tenant_id,
        destination_id=destination.id,
        replay_of=replay_of,
    )


def remove(connection: sqlite3.Connection, seqs: list[int], events: Iterable[int]) -> None:
    """Delete deliveries, and those of their events that have no open delivery left."""
    if seqs:
        connection.execute("DELETE FROM delivery WHERE seq IN (SELECT value FROM json_each(?))", (numbers(seqs),))
        connection.execute(_WITHOUT_DELIVERIES, (numbers(set(events)),))


def queue_full_record(delivery: Delivery, event: Event, wall_ms: int) -> AttemptRecord:
    """Say that a delivery was stored dead because its destination had filled its share."""
    reason = "the destination has filled its share of the tenant's queue"
    return _record(delivery, event, wall_ms, attempt=0, outcome=Outcome.DEAD, code="queue_full", reason=reason)


def crashed_record(delivery: Delivery, event: Event, wall_ms: int, attempt: int, leases: int) -> AttemptRecord:
    """Say that a delivery is dead because host after host was lost while running it."""
    reason = f"{leases} hosts in a row were lost while running it"
    return _record(delivery, event, wall_ms, attempt=attempt, outcome=Outcome.DEAD, code="host_crashed", reason=reason)


def cancelled_record(delivery: Delivery, event: Event, wall_ms: int, attempt: int) -> AttemptRecord:
    """Say that a delivery was cancelled after *attempt* attempts."""
    return _record(
        delivery, event, wall_ms, attempt=attempt, outcome=Outcome.CANCELLED, code="cancelled", reason="cancelled"
    )


def _record(  # noqa: PLR0913 - the facts of one record
    delivery: Delivery, event: Event, wall_ms: int, *, attempt: int, outcome: Outcome, code: str, reason: str
) -> AttemptRecord:
    return AttemptRecord(
        attempt_id=new_id("att", now_ms=wall_ms),
        invocation_id="",
        delivery_id=delivery.id,
        event_id=event.id,
        tenant_id=delivery.tenant_id,
        source_id=event.source_id,
        destination_id=delivery.destination_id,
        function="",
        version="",
        attempt=attempt,
        started_at_ms=wall_ms,
        ended_at_ms=wall_ms,
        outcome=outcome,
        reason=reason,
        code=code,
        verdict=None,
    )
