"""What the ledger keeps: one record for each event that came in and for each attempt that ended."""

from enum import StrEnum

from msgspec import Struct

from guesthouse.model.delivery import Outcome
from guesthouse.model.report import HttpExchange, LogLine, Usage


class EventFate(StrEnum):
    """What became of an event at the door."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"
    """It failed validation; the reason says why."""
    UNMATCHED = "unmatched"
    """No destination wanted it."""


class EventRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="event"):
    """One event at the door. Its key in the ledger is ``event_id``."""

    event_id: str
    tenant_id: str
    source_id: str
    message_id: str | None
    type: str | None
    name: str | None
    user_id: str | None
    anonymous_id: str | None
    received_at_ms: int
    fate: EventFate
    reason: str | None = None
    deliveries: tuple[tuple[str, str], ...] = ()
    """Pairs (delivery id, destination id)."""
    replays: tuple[tuple[str, str], ...] = ()
    """Pairs (delivery id, the delivery that it repeats); a replay's record has the id of its event's first record."""
    passed_over: tuple[tuple[str, str], ...] = ()
    """Pairs (destination id, why it didn't want the event)."""
    payload: bytes = b""
    """MessagePack; what replay takes. Empty where the event was a duplicate."""


class AttemptRecord(Struct, frozen=True, kw_only=True, tag_field="kind", tag="attempt"):
    """One attempt for one delivery. Its key in the ledger is ``attempt_id``."""

    attempt_id: str
    """``att_...``; deliveries of one batch share the invocation, not the record."""
    invocation_id: str
    """``inv_...``; the same for all deliveries of a batch."""
    delivery_id: str
    event_id: str
    tenant_id: str
    source_id: str
    destination_id: str
    function: str
    version: str
    attempt: int
    """Counted from 1 for each delivery."""
    started_at_ms: int
    ended_at_ms: int
    outcome: Outcome
    reason: str | None
    """The guest's message or the error's; None where there is nothing to say."""
    code: str | None
    """The guest's code or the error's stable code."""
    verdict: str | None
    due_at_ms: int | None = None
    """When the next attempt is due; None where there is none."""
    backtrace: tuple[str, ...] = ()
    logs: tuple[LogLine, ...] = ()
    http: tuple[HttpExchange, ...] = ()
    usage: Usage | None = None


Record = EventRecord | AttemptRecord
