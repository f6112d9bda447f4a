"""What a process knows about the file, kept exact inside transactions.

`begin` is called when a transaction holds the write lock: whatever other processes changed since is read then. `finish`
is called before the commit and writes the numbers that changed. After a rollback everything is read anew.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

from guesthouse.clock import Clock
from guesthouse.queue.protocol import QueueConfig
from guesthouse.queue.sqlite.agenda import Agenda
from guesthouse.queue.sqlite.destinations import FOREVER, Destination, Destinations
from guesthouse.queue.sqlite.duplicates import Window
from guesthouse.queue.sqlite.rows import Rows
from guesthouse.queue.sqlite.ticks import Ticks, anchored_offset


@dataclass(slots=True)
class Head:
    """The file's own numbers: the one row of its table."""

    lanes: int
    boot: str
    offset_ms: int
    seen_ms: int
    next_seq: int
    next_record: int
    next_key: int
    change: int
    settled_period: int
    settled_since_ms: int


_HEAD = [column.name for column in fields(Head)]
_READ_HEAD = f"SELECT {', '.join(_HEAD)} FROM head"  # noqa: S608 - names of our own fields
_WRITE_HEAD = f"UPDATE head SET {', '.join(f'{name} = ?' for name in _HEAD)}"  # noqa: S608 - names of our own fields


@dataclass(slots=True, eq=False)
class LocalHost:
    """A host that beats through this queue object."""

    key: int
    name: str
    beat_ms: int
    agenda: Agenda
    lanes: frozenset[int] = frozenset()

    def read(self, connection: sqlite3.Connection) -> None:
        """Trust only what the file says: a beat may have been taken back."""
        beat = connection.execute("SELECT beat_ms FROM host WHERE key = ? AND is_gone = 0", (self.key,)).fetchone()
        self.beat_ms = beat[0] if beat else 0
        lanes = connection.execute("SELECT number FROM lane WHERE host = ?", (self.key,))
        self.lanes = frozenset(number for (number,) in lanes)


class Store:
    """The connection for writing and everything that is known about the file."""

    def __init__(self, connection: sqlite3.Connection, clock: Clock, config: QueueConfig, boot: str) -> None:
        self.connection = connection
        self.config = config
        self.head = self._read_head()
        self._anchor(clock, boot)
        self.ticks = Ticks(clock, self.head.offset_ms)
        self.destinations = Destinations(self.head.lanes)
        self.window = Window(config.window_hours)
        self.rows = Rows()
        self.hosts: dict[str, LocalHost] = {}
        self.foreign: set[int] = set()
        """Lanes of other processes that got something to do in this transaction."""
        self._flushed = 0
        self._version = -1
        self._is_stale = True
        self._written = astuple(self.head)

    @property
    def lease_ms(self) -> int:
        """How long leases outlive the last beat."""
        return int(self.config.lease_seconds * 1000)

    def begin(self) -> None:
        """Learn what others changed; the write lock is held."""
        (version,) = self.connection.execute("PRAGMA data_version").fetchone()
        if version == self._version and not self._is_stale:
            return
        since = 0 if self._is_stale else self.head.change
        if self._is_stale:
            self._forget()
        self.head = self._read_head()
        self.window.read(self.connection)
        for destination in self.destinations.read(self.connection, since):
            self.stir(destination, 0)
        self._version, self._is_stale, self._written = version, False, astuple(self.head)

    def finish(self) -> None:
        """Write the rows that wait and the numbers that changed; the commit follows."""
        self.flush()
        if self.destinations.is_dirty:
            self.head.change += 1
            self.destinations.write(self.connection, self.head.change)
        if astuple(self.head) != self._written:
            self.head.seen_ms = max(self.head.seen_ms, self.ticks.now())
            self._written = astuple(self.head)
            self.connection.execute(_WRITE_HEAD, self._written)

    def undo(self) -> None:
        """Trust nothing any more: the transaction was rolled back."""
        self.rows.forget()
        self._flushed = self.rows.added
        self._is_stale = True

    def stir(self, destination: Destination, due_ms: int) -> None:
        """Tell the host of a destination's lane that something is due then."""
        due_ms = max(due_ms, destination.held_until())
        if not destination.waiting or due_ms >= FOREVER:
            return
        for host in self.hosts.values():
            if destination.lane in host.lanes:
                host.agenda.stir(destination.key, destination.tenant_id, due_ms)
                return
        self.foreign.add(destination.lane)

    def stir_lanes(self, lanes: frozenset[int]) -> None:
        """Look at every destination of lanes that a host has just got."""
        for destination in self.destinations.by_key.values():
            if destination.lane in lanes:
                self.stir(destination, 0)

    def destination(self, destination_id: str, tenant_id: str) -> Destination:
        """Find a destination or make it known."""
        found = self.destinations.by_id.get(destination_id)
        if found is None:
            found = self.destinations.add(self.head.next_key, destination_id, tenant_id)
            self.head.next_key += 1
        elif tenant_id and found.tenant_id != tenant_id:
            found.tenant_id = tenant_id
        return found

    def new_key(self) -> int:
        """Give a number for a row that is known by one."""
        self.head.next_key += 1
        return self.head.next_key - 1

    def write_records(self, bodies: list[bytes]) -> None:
        """Put encoded records into the outbox."""
        for body in bodies:
            self.write_record(body)

    def write_record(self, body: bytes) -> None:
        """Put an encoded record into the outbox."""
        self.rows.add_record(self.head.next_record, body)
        self.head.next_record += 1

    def flush(self) -> None:
        """Write the rows that wait, so that statements see them."""
        if self.rows.added != self._flushed:
            self.rows.write(self.connection, self.window, self.ticks.now())
            self._flushed = self.rows.added

    def agendas(self) -> Iterator[Agenda]:
        """Yield the agenda of every local host."""
        return (host.agenda for host in self.hosts.values())

    def _read_head(self) -> Head:
        return Head(*self.connection.execute(_READ_HEAD).fetchone())

    def _anchor(self, clock: Clock, boot: str) -> None:
        head = self.head
        head.offset_ms = anchored_offset(
            clock, boot, stored_boot=head.boot, stored_offset_ms=head.offset_ms, seen_ms=head.seen_ms
        )
        head.boot, head.seen_ms = boot, int(clock.monotonic() * 1000) + head.offset_ms
        self.connection.execute(_WRITE_HEAD, astuple(head))

    def _forget(self) -> None:
        self.destinations = Destinations(self.head.lanes)
        self.window.forget()
        self.foreign.clear()
        for host in self.hosts.values():
            host.agenda.clear()
            host.read(self.connection)
