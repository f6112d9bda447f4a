"""Rows that wait to be written: what many small calls of one transaction add goes into the file in a few statements.

They are written before any operation that could look for them, and before the commit.
"""

import sqlite3

from guesthouse.queue.sqlite.duplicates import Window

FLUSHED = 1_000
"""Rows of one kind after which they are written."""
EventRow = tuple[int, int, int, int, bytes]
DeliveryRow = tuple[int, str, int, int, str | None, int]


class Rows:
    """Events, deliveries, message ids and records of one transaction."""

    def __init__(self) -> None:
        self.added = 0
        """Grows with everything that is added."""
        self.forget()

    def forget(self) -> None:
        """Drop everything."""
        self.keys: set[bytes] = set()
        self._events: list[EventRow] = []
        self._deliveries: list[DeliveryRow] = []
        self._records: list[tuple[int, bytes]] = []

    def add_event(self, row: EventRow) -> None:
        """Add an event."""
        self._events.append(row)
        self.added += 1

    def add_delivery(self, row: DeliveryRow) -> None:
        """Add a delivery."""
        self._deliveries.append(row)
        self.added += 1

    def add_key(self, key: bytes) -> None:
        """Add the key of a message that was not seen before."""
        self.keys.add(key)
        self.added += 1

    def add_record(self, seq: int, body: bytes) -> None:
        """Add an encoded record."""
        self._records.append((seq, body))
        self.added += 1

    @property
    def is_full(self) -> bool:
        """Whether they should be written now, so that no statement takes long."""
        return max(len(self._records), len(self._deliveries)) >= FLUSHED

    def write(self, connection: sqlite3.Connection, window: Window, now: int) -> None:
        """Write everything."""
        if self._events:
            connection.executemany("INSERT INTO event VALUES (?, ?, ?, ?, ?)", self._events)
        if self._deliveries:
            connection.executemany("INSERT INTO delivery VALUES (?, ?, ?, ?, ?, 0, 0, 0, 0, ?, NULL)", self._deliveries)
        if self.keys:
            window.add(connection, self.keys, now)
        if self._records:
            connection.executemany("INSERT INTO outbox VALUES (?, ?)", self._records)
        self.forget()
