"""Events at the door, what became of them, and what functions logged."""

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from guesthouse.api.control.operation import Call, Listing, Operation
from guesthouse.api.control.paging import EventList, Limit, listing, only
from guesthouse.api.control.views import EventView, view_event
from guesthouse.ledger.protocol import DEFAULT_LIMIT
from guesthouse.ledger.values import EventQuery, Life, LogPage
from guesthouse.model.record import EventRecord
from guesthouse.model.report import LogLevel


class Explanation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose story is told."""

    message_id: Annotated[str, Meta(min_length=1)]
    """A message id, or an event's own id."""
    limit: Limit = DEFAULT_LIMIT


class LogQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which log lines."""

    destination_id: str | None = None
    level: Literal["debug", "info", "warn", "error"] = "debug"
    """This and what is graver."""
    cursor: str | None = None
    limit: Limit = DEFAULT_LIMIT


async def list_events(call: Call) -> Listing[EventRecord]:
    """List events without payloads, the latest received first."""
    asked: EventList = call.query
    query = only(EventQuery, asked)
    return listing(await call.services.ledger.events(call.tenant_id, query, cursor=asked.cursor, limit=asked.limit))


async def show_event(call: Call) -> EventView:
    """Show an event with its payload."""
    return view_event(await call.services.ledger.event(call.tenant_id, call.path["event"]))


async def explain(call: Call) -> Listing[Life]:
    """Tell an event's whole life, for each time that it came in."""
    asked: Explanation = call.query
    return Listing(items=tuple(await call.services.ledger.explain(call.tenant_id, asked.message_id, limit=asked.limit)))


async def show_logs(call: Call) -> LogPage:
    """Give log lines, the oldest first; the cursor goes on."""
    asked: LogQuery = call.query
    return await call.services.ledger.logs(
        call.tenant_id,
        destination_id=asked.destination_id,
        level=LogLevel[asked.level.upper()],
        cursor=asked.cursor,
        limit=asked.limit,
    )


OPERATIONS: Final = (
    Operation(
        method="GET",
        path="/events",
        handler=list_events,
        summary="List events",
        query=EventList,
        gives=Listing[EventRecord],
    ),
    Operation(
        method="GET",
        path="/events/{event}",
        handler=show_event,
        summary="Show an event",
        gives=EventView,
        errors=(404,),
    ),
    Operation(
        method="GET",
        path="/explain",
        handler=explain,
        summary="Explain what became of an event",
        query=Explanation,
        gives=Listing[Life],
    ),
    Operation(
        method="GET",
        path="/logs",
        handler=show_logs,
        summary="Read what functions logged",
        query=LogQuery,
        gives=LogPage,
    ),
)
