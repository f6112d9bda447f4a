"""The ledger: what did happen, append only. Every backend's promises; ``tests/contract/ledger`` holds them.

Records come from the queue's outbox, at least once and in any order; what the ledger answers doesn't depend on either.
Every question is asked on behalf of a tenant, to whom other tenants' records do not exist.

Raised everywhere: `StorageFault` where the database can't be used; nothing was changed then. Queries raise
`InvalidInput` for a cursor that isn't one and a limit that isn't from 1 to `MAX_LIMIT`.
"""

from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from guesthouse.ledger.values import (
    AttemptQuery,
    DeliveryLife,
    DeliveryQuery,
    DeliveryView,
    EventQuery,
    Life,
    LogPage,
    Page,
    Swept,
)
from guesthouse.model.record import AttemptRecord, EventRecord, Record
from guesthouse.model.report import LogLevel

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 500


class Ledger(Protocol):
    """See the module."""

    async def append(self, records: Sequence[Record]) -> None:
        """Keep records, durably when it returns; those that are here already change nothing."""
        ...

    async def event(self, tenant_id: str, event_id: str) -> EventRecord:
        """Give an event with its payload (empty where that was swept); raises `NotFound`."""
        ...

    async def events(
        self, tenant_id: str, query: EventQuery = ..., *, cursor: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[EventRecord]:
        """List events without payloads, the latest received first."""
        ...

    async def delivery(self, tenant_id: str, delivery_id: str) -> DeliveryLife:
        """Give a delivery with its attempts; raises `NotFound`."""
        ...

    async def deliveries(
        self, tenant_id: str, query: DeliveryQuery = ..., *, cursor: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[DeliveryView]:
        """List deliveries as they stand, the latest accepted first."""
        ...

    async def attempt(self, tenant_id: str, attempt_id: str) -> AttemptRecord:
        """Give an attempt; raises `NotFound`."""
        ...

    async def attempts(
        self, tenant_id: str, query: AttemptQuery = ..., *, cursor: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[AttemptRecord]:
        """List attempts, the latest ended first."""
        ...

    async def explain(self, tenant_id: str, message_id: str, *, limit: int = DEFAULT_LIMIT) -> Sequence[Life]:
        """Tell all that became of the events with a message id, the first received first.

        Several sources may have had it, and each time that a client sent it again is an event of its own (a
        duplicate). An event's id serves as well.
        """
        ...

    async def logs(
        self,
        tenant_id: str,
        *,
        destination_id: str | None = None,
        level: LogLevel = LogLevel.DEBUG,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> LogPage:
        """Give the log lines of up to *limit* attempts recorded after *cursor*, the oldest first.

        Without a cursor, those of the latest *limit* attempts. Asked again with the cursor of the answer, it goes on
        where it ended, and no line is skipped or given twice.
        """
        ...

    async def payloads(self, tenant_id: str, event_ids: Sequence[str]) -> Mapping[str, EventRecord]:
        """Give events with their payloads, for replay; those unknown or without payload are missing.

        At most `MAX_LIMIT` ids.
        """
        ...

    async def sweep(self, *, attempts_before_ms: int, payloads_before_ms: int, limit: int = 2_000) -> Swept:
        """Forget events with all that became of them, and payloads, that came in before; at most *limit* of each.

        Work that is still open keeps its event.
        """
        ...

    async def close(self) -> None:
        """Give files and threads back; closing twice does nothing."""
        ...
