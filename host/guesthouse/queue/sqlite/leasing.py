"""Leasing: who is next, and the claim on it. See `Queue.lease`."""

from msgspec import msgpack

from guesthouse.model.event import Event
from guesthouse.queue.protocol import Lease, Room
from guesthouse.queue.sqlite.closing import delivery_of, numbers
from guesthouse.queue.sqlite.destinations import FOREVER, Destination
from guesthouse.queue.sqlite.store import LocalHost, Store

TOKEN_SHIFT = 22
"""A token is a delivery's sequence number and, in this many bits, how often the delivery was leased."""
MAX_LEASES = (1 << TOKEN_SHIFT) - 1
_SPARE_VISITS = 64
_DUE = """
SELECT d.seq, d.id, d.replay_of, d.attempts, d.lost, d.leases, d.is_retrying, e.accepted_at_ms, e.entered_ms, e.body
FROM delivery d INDEXED BY delivery_ready CROSS JOIN event e ON e.seq = d.event
WHERE d.destination = ? AND d.host IS NULL AND d.due_ms <= ? ORDER BY d.due_ms LIMIT ?
"""
_NEXT = "SELECT min(due_ms) FROM delivery INDEXED BY delivery_ready WHERE destination = ? AND host IS NULL"
_CLAIM = """
UPDATE delivery SET host = ?, leases = leases + 1, is_retrying = 0 WHERE seq IN (SELECT value FROM json_each(?))
"""
_decode = msgpack.Decoder(Event).decode
_Row = tuple[int, str, str | None, int, int, int, int, int, int, bytes]


class Lessor:
    """One try of `Queue.lease`, inside the transaction."""

    def __init__(self, host: str, room: Room, limit: int, max_bytes: int) -> None:
        self._host = host
        self._room = room
        self._left = limit
        self._limit = limit
        self._bytes = max_bytes
        self._leases: list[Lease] = []
        self._tenants: dict[str, int] = {}
        self._places: dict[int, int] = {}
        self.visits = 0
        """How many destinations were looked at."""
        self.ripe = 0
        """How many there were to look at; more than were visited where too many had no place."""

    async def __call__(self, store: Store) -> list[Lease]:
        """Go round once or more, until nothing is left to take or no place for it."""
        host = store.hosts.get(self._host)
        now = store.ticks.now()
        if host is None or now - host.beat_ms > store.lease_ms:
            return []
        host.agenda.ripen(now)
        self._go_round(store, host, now)
        return self._leases

    def _go_round(self, store: Store, host: LocalHost, now: int) -> None:
        budget = 4 * self._limit + _SPARE_VISITS
        self.ripe = host.agenda.ripe
        while ripe := host.agenda.ripe:
            quantum = max(1, self._left // ripe)
            before = len(self._leases)
            for key in host.agenda.turns(min(ripe, budget - self.visits)):
                self.visits += 1
                self._visit(store, host, store.destinations.by_key[key], quantum, now)
                if not self._left:
                    return
            if len(self._leases) == before or self.visits >= budget:
                return

    def _visit(self, store: Store, host: LocalHost, destination: Destination, quantum: int, now: int) -> None:
        held_until = destination.held_until() if destination.lane in host.lanes else FOREVER
        if held_until > now:
            due = None if held_until >= FOREVER else held_until
            host.agenda.postpone(destination.key, destination.tenant_id, due)
            return
        count = min(quantum, self._left, self._place(destination))
        if count <= 0:
            return
        taken = self._take(store, host, destination, count, now)
        self._places[destination.key] -= taken
        self._tenants[destination.tenant_id] -= taken
        if taken < count and self._left:
            (due,) = store.connection.execute(_NEXT, (destination.key,)).fetchone()
            if due is None or due > now:
                host.agenda.postpone(destination.key, destination.tenant_id, due)

    def _place(self, destination: Destination) -> int:
        tenant_id = destination.tenant_id
        if tenant_id not in self._tenants:
            self._tenants[tenant_id] = self._room.for_tenant(tenant_id)
        if destination.key not in self._places:
            self._places[destination.key] = self._room.for_destination(destination.id)
        return min(self._places[destination.key], self._tenants[tenant_id])

    def _take(self, store: Store, host: LocalHost, destination: Destination, count: int, now: int) -> int:
        """Claim up to *count* deliveries; fewer where no more are due or the bytes are used up."""
        retrying = 0
        claimed: list[int] = []
        for row in store.connection.execute(_DUE, (destination.key, now, count)):
            size = len(row[-1])
            if self._leases and size > self._bytes:
                self._left = 0
                break
            self._bytes -= size
            claimed.append(row[0])
            self._leases.append(_lease(row, destination, now))
            retrying += row[6]
        self._left = max(0, self._left - len(claimed))
        if claimed:
            store.connection.execute(_CLAIM, (host.key, numbers(claimed)))
            destination.move(pending=retrying - len(claimed), running=len(claimed), retrying=-retrying)
            store.destinations.touch(destination)
        return len(claimed)


def _lease(row: _Row, destination: Destination, now: int) -> Lease:
    seq, delivery_id, replay_of, attempts, lost, leases, _, accepted_at_ms, entered_ms, body = row
    event = _decode(body)
    return Lease(
        delivery=delivery_of(delivery_id, event.id, destination, replay_of),
        event=event,
        attempt=attempts + 1,
        lost_leases=lost,
        token=seq << TOKEN_SHIFT | (leases + 1) & MAX_LEASES,
        accepted_at_ms=accepted_at_ms,
        age_ms=max(now - entered_ms, 0),
    )
