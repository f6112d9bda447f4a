"""Reading without changing: the outbox, depths, where deliveries stand. On a connection that only reads."""

import sqlite3
from collections.abc import Sequence

from msgspec import Struct, msgpack

from guesthouse.model.delivery import State
from guesthouse.model.record import Record
from guesthouse.queue.protocol import MAX_DRAINED, Depth, Selector, Standing
from guesthouse.queue.sqlite.closing import delivery_of, texts
from guesthouse.queue.sqlite.destinations import Destination
from guesthouse.queue.sqlite.holding import selected
from guesthouse.queue.sqlite.store import Store

_DRAINED_BYTES = 8 << 20
_OUTBOX = "SELECT seq, body FROM outbox ORDER BY seq LIMIT ?"
_OLDEST = "SELECT min(due_ms) FROM delivery INDEXED BY delivery_ready WHERE destination = ? AND host IS NULL"
_STANDING = """
SELECT d.id, d.replay_of, d.destination, d.attempts, d.lost, d.is_retrying, d.due_ms, d.host IS NOT NULL, e.body
FROM delivery d CROSS JOIN event e ON e.seq = d.event WHERE d.id IN (SELECT value FROM json_each(?))
"""
_decode_record: msgpack.Decoder[Record] = msgpack.Decoder(Record)
_Row = tuple[str, str | None, int, int, int, int, int, int, bytes]


class _EventId(Struct):
    id: str


_decode_id = msgpack.Decoder(_EventId).decode


def outbox(reader: sqlite3.Connection, limit: int) -> tuple[list[Record], int]:
    """See `Queue.drain`; at most 8 MiB of records, but for the first."""
    records: list[Record] = []
    cursor = size = 0
    for seq, body in reader.execute(_OUTBOX, (min(limit, MAX_DRAINED),)):
        size += len(body)
        if records and size > _DRAINED_BYTES:
            break
        records.append(_decode_record.decode(body))
        cursor = seq
    return records, cursor


def depth_of(reader: sqlite3.Connection, store: Store, destination: Destination) -> Depth:
    """Describe one destination."""
    (due,) = reader.execute(_OLDEST, (destination.key,)).fetchone()
    return Depth(
        tenant_id=destination.tenant_id,
        destination_id=destination.id,
        pending=destination.pending,
        running=destination.running,
        retrying=destination.retrying,
        oldest_due_at_ms=None if due is None else store.ticks.to_wall(due),
        holds=destination.reasons(store.ticks.now()),
    )


def open_destinations(store: Store, selector: Selector) -> list[Destination]:
    """List the destinations meant that have anything open."""
    return [destination for destination in selected(store, selector) if destination.open]


def standings(reader: sqlite3.Connection, store: Store, delivery_ids: Sequence[str]) -> dict[str, Standing]:
    """See `Queue.look`."""
    rows: list[_Row] = reader.execute(_STANDING, (texts(delivery_ids),)).fetchall()
    return {row[0]: _standing(store, row) for row in rows}


def _standing(store: Store, row: _Row) -> Standing:
    delivery_id, replay_of, key, attempts, lost, is_retrying, due, is_running, body = row
    destination, now = store.destinations.by_key[key], store.ticks.now()
    state = State.RETRYING if is_retrying and due > now else State.PENDING
    return Standing(
        delivery=delivery_of(delivery_id, _decode_id(body).id, destination, replay_of),
        state=State.RUNNING if is_running else state,
        attempts=attempts,
        lost_leases=lost,
        due_at_ms=None if is_running else store.ticks.to_wall(due),
        holds=destination.reasons(now),
    )
