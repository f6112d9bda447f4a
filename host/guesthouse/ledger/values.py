"""What the ledger answers: pages, deliveries as they stand, an event's whole life, log lines."""

from typing import Generic, TypeVar

from msgspec import Struct

from guesthouse.model.delivery import Outcome, State
from guesthouse.model.record import AttemptRecord, EventFate, EventRecord
from guesthouse.model.report import LogLevel

T = TypeVar("T")


class Page(Struct, Generic[T], frozen=True):
    """A part of a list, the newest first."""

    items: tuple[T, ...]
    next: str | None = None
    """Hand it in as *cursor* for the part that follows; None where this is the last."""


class EventQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which events; what isn't given doesn't matter."""

    message_id: str | None = None
    source_id: str | None = None
    type: str | None = None
    name: str | None = None
    user_id: str | None = None
    anonymous_id: str | None = None
    fate: EventFate | None = None
    since_ms: int | None = None
    """Received then or later."""
    until_ms: int | None = None
    """Received before."""


class DeliveryQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries; what isn't given doesn't matter."""

    event_id: str | None = None
    message_id: str | None = None
    source_id: str | None = None
    destination_id: str | None = None
    type: str | None = None
    name: str | None = None
    user_id: str | None = None
    state: State | None = None
    """Running ones stand as pending or retrying: the queue alone knows what runs."""
    code: str | None = None
    """The code of the latest attempt."""
    since_ms: int | None = None
    """Accepted then or later."""
    until_ms: int | None = None
    """Accepted before."""


class AttemptQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which attempts; what isn't given doesn't matter."""

    delivery_id: str | None = None
    event_id: str | None = None
    source_id: str | None = None
    destination_id: str | None = None
    outcome: Outcome | None = None
    code: str | None = None
    since_ms: int | None = None
    """Ended then or later."""
    until_ms: int | None = None
    """Ended before."""


EVERY_EVENT = EventQuery()
EVERY_DELIVERY = DeliveryQuery()
EVERY_ATTEMPT = AttemptQuery()


class DeliveryView(Struct, frozen=True, kw_only=True):
    """A delivery as it stands, made of the records so far."""

    id: str
    event_id: str
    tenant_id: str
    source_id: str
    destination_id: str
    accepted_at_ms: int
    state: State
    attempts: int
    """Those that count."""
    due_at_ms: int | None = None
    """When the next attempt is due; None where none is planned, or at once."""
    updated_at_ms: int
    code: str | None = None
    """Of the latest attempt, as `reason` is."""
    reason: str | None = None
    replay_of: str | None = None
    """The delivery that this one repeats."""
    message_id: str | None = None
    """The event's, as `type`, `name` and `user_id` are; None as well where its record isn't here yet."""
    type: str | None = None
    name: str | None = None
    user_id: str | None = None


class DeliveryLife(Struct, frozen=True, kw_only=True):
    """A delivery and all its attempts, the first first."""

    delivery: DeliveryView
    attempts: tuple[AttemptRecord, ...]
    left_out: int = 0
    """Later attempts that would make the answer too large; `Ledger.attempts` lists them."""


class Life(Struct, frozen=True, kw_only=True):
    """All that became of one event."""

    event: EventRecord
    has_payload: bool
    """Whether it can still be replayed; the payload itself is left out."""
    deliveries: tuple[DeliveryLife, ...]


class LogEntry(Struct, frozen=True, kw_only=True):
    """One line that a guest logged."""

    at_ms: int
    """Milliseconds since 1970."""
    level: LogLevel
    message: str
    attempt_id: str
    delivery_id: str
    event_id: str
    destination_id: str
    function: str
    attempt: int


class LogPage(Struct, frozen=True):
    """Log lines in the order in which their attempts were recorded."""

    entries: tuple[LogEntry, ...]
    cursor: str
    """Where to go on; always there, as more may come."""
    is_at_end: bool
    """Whether everything recorded so far was seen."""


class Swept(Struct, frozen=True, kw_only=True):
    """What a sweep removed."""

    events: int = 0
    deliveries: int = 0
    attempts: int = 0
    payloads: int = 0
    is_done: bool = True
    """False where the bound of one sweep was reached: sweep again."""
