"""The destinations of the file, mirrored in memory: what is open for each, and what holds it.

The mirror is exact inside a transaction: other processes' changes are read at its beginning (each row carries the
number of the change that wrote it last), our own are written at its end, once for all the calls in it.
"""

import sqlite3
import zlib
from dataclasses import dataclass, field

from msgspec import json

FOREVER = 1 << 62
_COLUMNS = "key, id, tenant, lane, pending, running, retrying, holds"
_WRITE = f"""
INSERT INTO destination ({_COLUMNS}, change) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET tenant = excluded.tenant, pending = excluded.pending, running = excluded.running,
    retrying = excluded.retrying, holds = excluded.holds, change = excluded.change
"""  # noqa: S608 - the columns are the constant above
_Row = tuple[int, str, str, int, int, int, int, str]


@dataclass(slots=True, eq=False)
class Destination:
    """One destination's numbers."""

    key: int
    id: str
    tenant_id: str
    lane: int
    pending: int = 0
    running: int = 0
    retrying: int = 0
    holds: dict[str, int] = field(default_factory=dict)
    """Until when, on the queue's clock, for each reason."""

    @property
    def open(self) -> int:
        """Deliveries that are not closed."""
        return self.pending + self.running + self.retrying

    @property
    def waiting(self) -> int:
        """Deliveries that could be leased, now or later."""
        return self.pending + self.retrying

    def held_until(self) -> int:
        """When the last hold ends; 0 where there is none."""
        return max(self.holds.values(), default=0)

    def reasons(self, now: int) -> tuple[str, ...]:
        """Name the holds that last."""
        return tuple(sorted(reason for reason, until in self.holds.items() if until > now))

    def move(self, *, pending: int = 0, running: int = 0, retrying: int = 0) -> None:
        """Count deliveries in or out of the states."""
        self.pending += pending
        self.running += running
        self.retrying += retrying

    def row(self) -> _Row:
        """Give the columns as they are written."""
        holds = json.encode(self.holds).decode() if self.holds else ""
        return (self.key, self.id, self.tenant_id, self.lane, self.pending, self.running, self.retrying, holds)


class Destinations:
    """All destinations that the file knows, by key and by id, and what is open for each tenant."""

    def __init__(self, lanes: int) -> None:
        self._lanes = lanes
        self._open: dict[str, int] = {}
        self._dirty: dict[int, Destination] = {}
        self._counted: dict[int, tuple[str, int]] = {}
        self.by_key: dict[int, Destination] = {}
        self.by_id: dict[str, Destination] = {}

    def tenant_open(self, tenant_id: str) -> int:
        """How much is open for a tenant, in all."""
        for destination in self._dirty.values():
            self._count(destination)
        return self._open.get(tenant_id, 0)

    def add(self, key: int, destination_id: str, tenant_id: str) -> Destination:
        """Make a destination known."""
        lane = zlib.crc32(destination_id.encode()) % self._lanes
        return self._put(Destination(key, destination_id, tenant_id, lane))

    def touch(self, destination: Destination) -> None:
        """Say that its numbers or holds change in this transaction, at whose end they are written."""
        self._dirty[destination.key] = destination

    def read(self, connection: sqlite3.Connection, since: int) -> list[Destination]:
        """Read what was changed after change number *since*."""
        rows = connection.execute(f"SELECT {_COLUMNS} FROM destination WHERE change > ?", (since,))  # noqa: S608 - constant
        return [self._read_row(row) for row in rows]

    def write(self, connection: sqlite3.Connection, change: int) -> None:
        """Write what was touched, as change number *change*."""
        for destination in self._dirty.values():
            self._count(destination)
        connection.executemany(_WRITE, [(*destination.row(), change) for destination in self._dirty.values()])
        self._dirty.clear()

    @property
    def is_dirty(self) -> bool:
        """Whether anything is to be written."""
        return bool(self._dirty)

    def _read_row(self, row: _Row) -> Destination:
        holds = row[-1]
        known = self.by_key.get(row[0])
        destination = known or self._put(Destination(*row[:4]))
        destination.tenant_id, destination.pending, destination.running, destination.retrying = (
            row[2], row[4], row[5], row[6],
        )  # fmt: skip
        destination.holds = json.decode(holds, type=dict[str, int]) if holds else {}
        self._count(destination)
        return destination

    def _put(self, destination: Destination) -> Destination:
        self.by_key[destination.key] = self.by_id[destination.id] = destination
        return destination

    def _count(self, destination: Destination) -> None:
        tenant_id, counted = self._counted.get(destination.key, (destination.tenant_id, 0))
        self._add(tenant_id, -counted)
        self._add(destination.tenant_id, destination.open)
        self._counted[destination.key] = (destination.tenant_id, destination.open)

    def _add(self, tenant_id: str, count: int) -> None:
        total = self._open.get(tenant_id, 0) + count
        if total:
            self._open[tenant_id] = total
        else:
            self._open.pop(tenant_id, None)
