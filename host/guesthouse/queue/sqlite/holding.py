"""Holding, releasing and cancelling: people's and breakers' hands on the queue. See `Queue.hold` and `Queue.cancel`."""

from collections.abc import Iterator
from itertools import islice

from msgspec import msgpack

from guesthouse.model.event import Event
from guesthouse.queue.protocol import MAX_CANCELLED, MAX_HOLDS, Selector
from guesthouse.queue.sqlite.closing import cancelled_record, delivery_of, remove, texts
from guesthouse.queue.sqlite.destinations import FOREVER, Destination
from guesthouse.queue.sqlite.store import Store

_COLUMNS = """
SELECT d.seq, d.id, d.replay_of, d.destination, d.event, d.attempts, d.is_retrying, d.host IS NOT NULL, e.body
FROM delivery d CROSS JOIN event e ON e.seq = d.event WHERE
"""
_BY_ID = f"{_COLUMNS} d.id IN (SELECT value FROM json_each(?))"  # noqa: S608 - constant
_WAITING = f"{_COLUMNS} d.destination = ? AND d.host IS NULL LIMIT ?"
_RUNNING = f"{_COLUMNS} d.host IS NOT NULL AND d.destination = ? LIMIT ?"
_REASON_CHARACTERS = 100
_decode = msgpack.Decoder(Event).decode
_encode = msgpack.Encoder().encode
_Row = tuple[int, str, str | None, int, int, int, int, int, bytes]


class Holder:
    """One call of `Queue.hold` or, with a time that is past, of `Queue.release`."""

    def __init__(self, destination_id: str, reason: str, until_ms: int | None, *, is_release: bool = False) -> None:
        if not 0 < len(reason) <= _REASON_CHARACTERS:
            raise ValueError(f"a hold's reason has 1 to {_REASON_CHARACTERS} characters")
        self._destination_id = destination_id
        self._reason = reason
        self._until_ms = until_ms
        self._is_release = is_release

    async def __call__(self, store: Store) -> None:
        """Change the holds; ones that are over go, too."""
        now = store.ticks.now()
        destination = store.destination(self._destination_id, "")
        holds = {reason: until for reason, until in destination.holds.items() if until > now}
        holds.pop(self._reason, None)
        if not self._is_release:
            holds[self._reason] = FOREVER if self._until_ms is None else store.ticks.from_wall(self._until_ms)
        if len(holds) > MAX_HOLDS:
            raise ValueError(f"a destination is held for at most {MAX_HOLDS} reasons")
        destination.holds = holds
        store.destinations.touch(destination)
        store.stir(destination, now)


class Canceller:
    """One call of `Queue.cancel`, inside the transaction."""

    def __init__(self, selector: Selector, limit: int) -> None:
        if selector == Selector():
            raise ValueError("an empty selector would cancel everything")
        if len(selector.delivery_ids) > MAX_CANCELLED:
            raise ValueError(f"at most {MAX_CANCELLED} deliveries are cancelled at once")
        self._selector = selector
        self._limit = min(limit, MAX_CANCELLED)

    async def __call__(self, store: Store) -> int:
        """Close what is selected, each with its record."""
        rows = list(islice(self._select(store), max(self._limit, 0)))
        wall = store.ticks.wall()
        store.write_records([_record(store, row, wall) for row in rows])
        remove(store.connection, [row[0] for row in rows], [row[4] for row in rows])
        for row in rows:
            _count_out(store, row)
        return len(rows)

    def _select(self, store: Store) -> Iterator[_Row]:
        if self._selector.delivery_ids:
            ids = texts(self._selector.delivery_ids)
            rows: list[_Row] = store.connection.execute(_BY_ID, (ids,)).fetchall()
            yield from (row for row in rows if matches(store.destinations.by_key[row[3]], self._selector))
            return
        for destination in selected(store, self._selector):
            for query in (_WAITING, _RUNNING) if destination.open else ():
                yield from store.connection.execute(query, (destination.key, self._limit)).fetchall()


def selected(store: Store, selector: Selector) -> Iterator[Destination]:
    """Yield the destinations that a selector means."""
    if selector.destination_id is not None:
        found = store.destinations.by_id.get(selector.destination_id)
        every = [found] if found else []
    else:
        every = list(store.destinations.by_key.values())
    yield from (destination for destination in every if matches(destination, selector))


def matches(destination: Destination, selector: Selector) -> bool:
    """Tell whether a selector means a destination."""
    return selector.tenant_id in {None, destination.tenant_id} and selector.destination_id in {None, destination.id}


def _record(store: Store, row: _Row, wall: int) -> bytes:
    _, delivery_id, replay_of, key, _, attempts, _, _, body = row
    event, destination = _decode(body), store.destinations.by_key[key]
    delivery = delivery_of(delivery_id, event.id, destination, replay_of)
    return _encode(cancelled_record(delivery, event, wall, attempts))


def _count_out(store: Store, row: _Row) -> None:
    destination = store.destinations.by_key[row[3]]
    is_retrying, is_running = row[6], row[7]
    destination.move(running=-is_running, retrying=-is_retrying, pending=is_running + is_retrying - 1)
    store.destinations.touch(destination)
