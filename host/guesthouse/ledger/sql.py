"""The ledger on a SQL database, through SQLAlchemy Core."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from guesthouse.errors import InvalidInput
from guesthouse.ledger import paging, reading, sweeping
from guesthouse.ledger.packing import Packer
from guesthouse.ledger.protocol import DEFAULT_LIMIT, MAX_LIMIT
from guesthouse.ledger.scope import TenantScope
from guesthouse.ledger.tables import HISTORY
from guesthouse.ledger.values import (
    EVERY_ATTEMPT,
    EVERY_DELIVERY,
    EVERY_EVENT,
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
from guesthouse.ledger.writing import Writer
from guesthouse.model.record import AttemptRecord, EventRecord, Record
from guesthouse.model.report import LogLevel
from guesthouse.registry.database import Database, DatabaseConfig

T = TypeVar("T")

_SLICE: Final = 256
"""Records taken apart in one turn of the event loop; some 2 us each."""


class SqlLedger:
    """See `Ledger`. Open it with `SqlLedger.open`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._writer = Writer(database.dialect)

    @classmethod
    async def open(cls, url: str, *, config: DatabaseConfig | None = None) -> "SqlLedger":
        """Open the database at *url*, the registry's or one of its own; raises `StorageFault` and ``ValueError``."""
        return cls(await Database.open(url, HISTORY, config))

    async def append(self, records: Sequence[Record]) -> None:
        """See `Ledger.append`."""
        packer = Packer()
        # Taken apart here, in slices: a thread that does Python's work beside the loop costs the loop more.
        for start in range(0, len(records), _SLICE):
            if start:
                await asyncio.sleep(0)
            packer.add(records[start : start + _SLICE])
        if records:
            rows = packer.rows()
            await self._database.write(lambda connection: self._writer.write(connection, rows))

    async def event(self, tenant_id: str, event_id: str) -> EventRecord:
        """See `Ledger.event`."""
        return await self._ask(tenant_id, lambda scope: reading.event(scope, event_id))

    async def events(
        self, tenant_id: str, query: EventQuery = EVERY_EVENT, *, cursor: str | None = None, limit: int = DEFAULT_LIMIT
    ) -> Page[EventRecord]:
        """See `Ledger.events`."""
        paging.check_limit(limit)
        return await self._ask(tenant_id, lambda scope: reading.event_page(scope, query, cursor, limit))

    async def delivery(self, tenant_id: str, delivery_id: str) -> DeliveryLife:
        """See `Ledger.delivery`."""
        return await self._ask(tenant_id, lambda scope: reading.delivery(scope, delivery_id))

    async def deliveries(
        self,
        tenant_id: str,
        query: DeliveryQuery = EVERY_DELIVERY,
        *,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[DeliveryView]:
        """See `Ledger.deliveries`."""
        paging.check_limit(limit)
        return await self._ask(tenant_id, lambda scope: reading.delivery_page(scope, query, cursor, limit))

    async def attempt(self, tenant_id: str, attempt_id: str) -> AttemptRecord:
        """See `Ledger.attempt`."""
        return await self._ask(tenant_id, lambda scope: reading.attempt(scope, attempt_id))

    async def attempts(
        self,
        tenant_id: str,
        query: AttemptQuery = EVERY_ATTEMPT,
        *,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> Page[AttemptRecord]:
        """See `Ledger.attempts`."""
        paging.check_limit(limit)
        return await self._ask(tenant_id, lambda scope: reading.attempt_page(scope, query, cursor, limit))

    async def explain(self, tenant_id: str, message_id: str, *, limit: int = DEFAULT_LIMIT) -> Sequence[Life]:
        """See `Ledger.explain`."""
        paging.check_limit(limit)
        return await self._ask(tenant_id, lambda scope: reading.explain(scope, message_id, limit))

    async def logs(
        self,
        tenant_id: str,
        *,
        destination_id: str | None = None,
        level: LogLevel = LogLevel.DEBUG,
        cursor: str | None = None,
        limit: int = DEFAULT_LIMIT,
    ) -> LogPage:
        """See `Ledger.logs`."""
        paging.check_limit(limit)
        return await self._ask(tenant_id, lambda scope: reading.logs(scope, destination_id, level, cursor, limit))

    async def payloads(self, tenant_id: str, event_ids: Sequence[str]) -> Mapping[str, EventRecord]:
        """See `Ledger.payloads`."""
        if len(event_ids) > MAX_LIMIT:
            raise InvalidInput((f"there are more than {MAX_LIMIT} events",))
        return await self._ask(tenant_id, lambda scope: reading.payloads(scope, event_ids))

    async def sweep(self, *, attempts_before_ms: int, payloads_before_ms: int, limit: int = 2_000) -> Swept:
        """See `Ledger.sweep`."""
        return await self._database.write(
            lambda connection: sweeping.sweep(connection, attempts_before_ms, payloads_before_ms, limit)
        )

    async def close(self) -> None:
        """See `Ledger.close`."""
        await self._database.close()

    async def _ask(self, tenant_id: str, question: Callable[[TenantScope], T]) -> T:
        return await self._database.read(lambda connection: question(TenantScope(connection, tenant_id)))
