"""Sweeping: what hosts that are gone left behind, and what is too old to keep. See `Queue.sweep`."""

from collections.abc import Callable

from msgspec import msgpack

from guesthouse.model.event import Event
from guesthouse.queue.protocol import MAX_SWEPT, Swept
from guesthouse.queue.sqlite.closing import crashed_record, delivery_of, numbers, remove
from guesthouse.queue.sqlite.destinations import Destination
from guesthouse.queue.sqlite.lanes import free_lanes
from guesthouse.queue.sqlite.settling import table
from guesthouse.queue.sqlite.store import Store

_RUNNING = """
SELECT d.seq, d.id, d.replay_of, d.destination, d.event, d.attempts, d.lost, e.body
FROM delivery d CROSS JOIN event e ON e.seq = d.event WHERE d.host = ? LIMIT ?
"""
_LOSE = """
UPDATE delivery SET host = NULL, lost = lost + 1, due_ms = ?
WHERE seq IN (SELECT value FROM json_each(?))
"""
_decode = msgpack.Decoder(Event).decode
_encode = msgpack.Encoder().encode
_Row = tuple[int, str, str | None, int, int, int, int, bytes]


class Sweeper:
    """One call of `Queue.sweep`, inside the transaction. *is_dead* tells of a host's pipe that nobody reads it."""

    def __init__(self, is_dead: Callable[[str], bool]) -> None:
        self._is_dead = is_dead
        self._lost = self._crashed = 0

    async def __call__(self, store: Store) -> Swept:
        """Do one bounded step of each kind."""
        now = store.ticks.now()
        self._mark_gone(store, now)
        gone = [key for (key,) in store.connection.execute("SELECT key FROM host WHERE is_gone = 1")]
        for key in gone:
            if self._lost + self._crashed < MAX_SWEPT:
                self._recover(store, key, now)
        _turn_settled(store, now)
        return Swept(lost=self._lost, crashed=self._crashed, ids=store.window.expire(store.connection, now))

    def _mark_gone(self, store: Store, now: int) -> None:
        rows = store.connection.execute("SELECT key, beat_ms, pipe FROM host WHERE is_gone = 0").fetchall()
        gone = [key for key, beat_ms, pipe in rows if now - beat_ms > store.lease_ms or self._is_dead(pipe)]
        store.connection.executemany("UPDATE host SET is_gone = 1 WHERE key = ?", ((key,) for key in gone))

    def _recover(self, store: Store, key: int, now: int) -> None:
        rows: list[_Row] = store.connection.execute(_RUNNING, (key, MAX_SWEPT)).fetchall()
        crashed = [row for row in rows if row[6] + 1 >= store.config.lost_leases]
        lost = [row for row in rows if row[6] + 1 < store.config.lost_leases]
        self._lose(store, lost, now)
        self._end(store, crashed)
        if len(rows) < MAX_SWEPT:
            free_lanes(store, key)
            store.connection.execute("DELETE FROM host WHERE key = ?", (key,))

    def _lose(self, store: Store, rows: list[_Row], now: int) -> None:
        store.connection.execute(_LOSE, (now, numbers(row[0] for row in rows)))
        for row in rows:
            destination = _leave_running(store, row)
            destination.move(pending=1)
            store.stir(destination, now)
        self._lost += len(rows)

    def _end(self, store: Store, rows: list[_Row]) -> None:
        wall = store.ticks.wall()
        records = []
        for row in rows:
            _, delivery_id, replay_of, _, _, attempts, lost, body = row
            destination, event = _leave_running(store, row), _decode(body)
            delivery = delivery_of(delivery_id, event.id, destination, replay_of)
            records.append(_encode(crashed_record(delivery, event, wall, attempts + 1, lost + 1)))
        store.write_records(records)
        remove(store.connection, [row[0] for row in rows], [row[4] for row in rows])
        self._crashed += len(rows)


def _leave_running(store: Store, row: _Row) -> Destination:
    destination = store.destinations.by_key[row[3]]
    destination.move(running=-1)
    store.destinations.touch(destination)
    return destination


def _turn_settled(store: Store, now: int) -> None:
    """Empty the older of the two tables once a period; the younger then becomes the older."""
    head = store.head
    if now - head.settled_since_ms < store.config.repeat_seconds * 1000:
        return
    head.settled_period += 1
    head.settled_since_ms = now
    store.connection.execute(f"DELETE FROM {table(head.settled_period)}")  # noqa: S608 - one of two constants
