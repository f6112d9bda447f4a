"""Settling: outcome, next due time and record in one transaction. See `Queue.settle`."""

from collections.abc import Iterable, Sequence

from msgspec import msgpack

from guesthouse.model.delivery import Outcome
from guesthouse.queue.protocol import MAX_SETTLED, Settlement
from guesthouse.queue.sqlite.closing import numbers, remove
from guesthouse.queue.sqlite.leasing import MAX_LEASES, TOKEN_SHIFT
from guesthouse.queue.sqlite.store import Store

_ROW_BYTES = 200
_RUNNING = """
SELECT seq, id, event, destination, leases FROM delivery
WHERE seq IN (SELECT value FROM json_each(?)) AND host IS NOT NULL
"""
_REOPEN = "UPDATE delivery SET host = NULL, due_ms = ?, attempts = attempts + ?, is_retrying = ?"
_RETRY = f"{_REOPEN}, lost = 0 WHERE seq = ?"
_GIVE_BACK = f"{_REOPEN} WHERE seq = ?"
_TABLES = ("settled_even", "settled_odd")
_encode = msgpack.Encoder().encode
_Row = tuple[int, str, int, int, int]


def table(period: int) -> str:
    """Name the table that holds what was settled in a period; two take turns."""
    return _TABLES[period % 2]


def weigh(items: Sequence[Settlement], bodies: Iterable[bytes | None]) -> int:
    """Say roughly how many bytes settling will write."""
    return _ROW_BYTES * len(items) + sum(len(body) for body in bodies if body)


class Settler:
    """One call of `Queue.settle`; its records are encoded at once, outside the transaction."""

    def __init__(self, items: Sequence[Settlement]) -> None:
        if len(items) > MAX_SETTLED:
            raise ValueError(f"at most {MAX_SETTLED} deliveries are settled at once")
        if any(item.outcome is Outcome.CANCELLED for item in items):
            raise ValueError("a delivery is cancelled by Queue.cancel, not settled so")
        self._items = items
        self._bodies = [_encode(item.record) if item.record else None for item in items]
        self.weight = weigh(items, self._bodies)

    async def __call__(self, store: Store) -> list[bool]:
        """Settle what is still leased under its token; look up the others among what was settled before."""
        effective = self._effective(store)
        changes = _Changes(store)
        for index, row in effective.items():
            changes.put(self._items[index], row)
        changes.write()
        store.write_records([body for index in effective if (body := self._bodies[index]) is not None])
        for agenda in store.agendas():
            agenda.changed.set()
        if len(effective) == len(self._items):
            return [True] * len(self._items)
        settled = _settled(store, [item for index, item in enumerate(self._items) if index not in effective])
        return [
            (item.token, item.outcome.value) in settled or index in effective for index, item in enumerate(self._items)
        ]

    def _effective(self, store: Store) -> dict[int, _Row]:
        seqs = numbers(item.token >> TOKEN_SHIFT for item in self._items)
        running = {row[0]: row for row in store.connection.execute(_RUNNING, (seqs,))}
        effective: dict[int, _Row] = {}
        for index, item in enumerate(self._items):
            row = running.get(item.token >> TOKEN_SHIFT)
            if row and row[1] == item.delivery_id and row[4] & MAX_LEASES == item.token & MAX_LEASES:
                effective[index] = running.pop(row[0])
        return effective


class _Changes:
    """The rows of one call, by kind."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._closed: list[int] = []
        self._events: set[int] = set()
        self._retried: list[tuple[int, int, int, int]] = []
        self._given_back: list[tuple[int, int, int, int]] = []
        self._settled: list[tuple[int, str]] = []

    def put(self, item: Settlement, row: _Row) -> None:
        """Take one settlement and the delivery as it stands."""
        seq, _, event, key, _ = row
        destination = self._store.destinations.by_key[key]
        self._settled.append((item.token, item.outcome.value))
        if item.outcome in {Outcome.RETRYING, Outcome.GIVEN_BACK}:
            is_retry = item.outcome is Outcome.RETRYING
            due = self._store.ticks.from_wall(item.due_at_ms)
            rows = self._retried if is_retry else self._given_back
            rows.append((due, int(is_retry), int(is_retry), seq))
            destination.move(running=-1, retrying=int(is_retry), pending=int(not is_retry))
            self._store.stir(destination, due)
        else:
            self._closed.append(seq)
            self._events.add(event)
            destination.move(running=-1)
        self._store.destinations.touch(destination)

    def write(self) -> None:
        """Write them in bulk."""
        connection = self._store.connection
        connection.executemany(_RETRY, self._retried)
        connection.executemany(_GIVE_BACK, self._given_back)
        remove(connection, self._closed, self._events)
        into = table(self._store.head.settled_period)
        connection.executemany(f"INSERT OR REPLACE INTO {into} VALUES (?, ?)", self._settled)  # noqa: S608 - one of two constants


def _settled(store: Store, items: Iterable[Settlement]) -> set[tuple[int, str]]:
    tokens = numbers(item.token for item in items)
    found: set[tuple[int, str]] = set()
    for name in _TABLES:
        query = f"SELECT token, outcome FROM {name} WHERE token IN (SELECT value FROM json_each(?))"  # noqa: S608 - constant
        found.update(store.connection.execute(query, (tokens,)))
    return found
