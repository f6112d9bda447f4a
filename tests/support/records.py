"""Records for the ledger, by the handful."""

from typing import TYPE_CHECKING, Any

from guesthouse.ids import new_id
from guesthouse.model.delivery import Outcome
from guesthouse.model.record import AttemptRecord, EventFate, EventRecord
from guesthouse.model.report import HttpExchange, LogLevel, LogLine, Usage

if TYPE_CHECKING:
    from guesthouse.ledger.values import Page

TENANT = "tnt_1"
STRANGER = "tnt_2"
START_MS = 1_800_000_000_000
_PAGES = 100


def event_record(number: int = 0, *destinations: str, **fields: Any) -> EventRecord:  # noqa: ANN401 - a record's fields
    """Record an event with a delivery to each destination; *number* is in its ids and its time."""
    facts: dict[str, Any] = {
        "event_id": f"evt_{number}",
        "tenant_id": TENANT,
        "source_id": "src_1",
        "message_id": f"msg-{number}",
        "type": "track",
        "name": "Order Completed",
        "user_id": "user-1",
        "anonymous_id": None,
        "received_at_ms": START_MS + number,
        "fate": EventFate.ACCEPTED if destinations else EventFate.UNMATCHED,
        "deliveries": tuple((f"dlv_{number}_{destination}", destination) for destination in destinations),
        "payload": b"\x81\xa1a\x01",
    }
    return EventRecord(**facts | fields)


def attempt_record(event: EventRecord, attempt: int = 1, index: int = 0, **fields: Any) -> AttemptRecord:  # noqa: ANN401 - see above
    """Record an attempt for the delivery of an event at *index*; by default it succeeds."""
    delivery_id, destination_id = event.deliveries[index]
    facts: dict[str, Any] = {
        "attempt_id": new_id("att"),
        "invocation_id": new_id("inv"),
        "delivery_id": delivery_id,
        "event_id": event.event_id,
        "tenant_id": event.tenant_id,
        "source_id": event.source_id,
        "destination_id": destination_id,
        "function": "fn_1",
        "version": "ab" * 32,
        "attempt": attempt,
        "started_at_ms": event.received_at_ms + 1_000 * attempt,
        "ended_at_ms": event.received_at_ms + 1_000 * attempt + 20,
        "outcome": Outcome.SUCCEEDED,
        "reason": None,
        "code": None,
        "verdict": "done",
    }
    return AttemptRecord(**facts | fields)


def retrying(event: EventRecord, attempt: int = 1, **fields: Any) -> AttemptRecord:  # noqa: ANN401 - see above
    """Record an attempt that failed for now."""
    due_at_ms = event.received_at_ms + 60_000 * attempt
    facts = {"outcome": Outcome.RETRYING, "verdict": "retry", "reason": "busy", "code": "http_503"}
    return attempt_record(event, attempt, **{**facts, "due_at_ms": due_at_ms, **fields})


FULL: dict[str, Any] = {
    "backtrace": ("inner", "outer"),
    "logs": (LogLine(LogLevel.INFO, "hello", 3), LogLine(LogLevel.ERROR, "oh\0no", 5)),
    "http": (
        HttpExchange(
            method="POST",
            url="https://api.example.com/v1",
            request_headers=(("content-type", "application/json"),),
            request_body=b"\xff{}",
            request_bytes=3,
            started_ms=1,
            duration_ms=9,
            status=503,
            response_headers=(("retry-after", "5"),),
            response_body=b"busy",
            response_bytes=4,
        ),
    ),
    "usage": Usage(fuel=5, peak_memory_bytes=65_536, duration_ms=1.5, cpu_ms=0.5, http_calls=1),
}
"""What an attempt may bring along."""


async def read_all(ask: Any, limit: int) -> list[Any]:  # noqa: ANN401 - one of the ledger's lists
    """Read a list of the tenant's page by page; a list that doesn't end fails."""
    items: list[Any] = []
    cursor = None
    for _ in range(_PAGES):
        page: Page[Any] = await ask(TENANT, cursor=cursor, limit=limit)
        assert len(page.items) <= limit
        items += page.items
        cursor = page.next
        if cursor is None:
            return items
    raise AssertionError(f"the list goes on after {_PAGES} pages")
