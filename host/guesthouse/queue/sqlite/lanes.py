"""Lanes and hosts: who works for which destinations, and who is still there. See `Queue.beat` and `Queue.leave`.

Every process computes the same fair share from the same table, and each gives up what it has above it, so lanes settle
within two beats of a change. Taking a lane needs its owner to be gone: marked so, or its last beat too old.
"""

from guesthouse.queue.protocol import Lane
from guesthouse.queue.sqlite.agenda import Agenda
from guesthouse.queue.sqlite.store import LocalHost, Store

_ALIVE = "is_gone = 0 AND beat_ms >= ?"


class Beater:
    """One call of `Queue.beat`, inside the transaction."""

    def __init__(self, name: str, want: int, pipe: str) -> None:
        self._name = name
        self._want = max(want, 0)
        self._pipe = pipe

    async def __call__(self, store: Store) -> list[Lane]:
        """Renew, then give up or take lanes."""
        now = store.ticks.now()
        host = self._renew(store, now)
        share = min(self._want, self._share(store, now))
        owned = _owned(store, host.key)
        if len(owned) > share:
            _give_up(store, owned[share:])
        elif len(owned) < share:
            _take(store, host.key, share - len(owned), now - store.lease_ms)
        lanes = _owned(store, host.key)
        _settle_in(store, host, frozenset(lane.number for lane in lanes))
        return lanes

    def _renew(self, store: Store, now: int) -> LocalHost:
        connection = store.connection
        host = store.hosts.get(self._name)
        update = "UPDATE host SET beat_ms = ?, want = ? WHERE key = ? AND is_gone = 0"
        if host and connection.execute(update, (now, self._want, host.key)).rowcount:
            host.beat_ms = now
            return host
        found = connection.execute("SELECT key FROM host WHERE name = ? AND is_gone = 0", (self._name,)).fetchone()
        key = found[0] if found else store.new_key()
        row = (key, self._name, now, self._want, 0, self._pipe)
        connection.execute("INSERT OR REPLACE INTO host VALUES (?, ?, ?, ?, ?, ?)", row)
        host = store.hosts[self._name] = LocalHost(key, self._name, now, host.agenda if host else Agenda())
        return host

    def _share(self, store: Store, now: int) -> int:
        """Divide the lanes among the living hosts; one that wants fewer leaves the rest to the others."""
        query = f"SELECT want FROM host WHERE {_ALIVE} ORDER BY want"  # noqa: S608 - constant
        wants = [want for (want,) in store.connection.execute(query, (now - store.lease_ms,))]
        lanes = store.head.lanes
        for index, want in enumerate(wants):
            share = -(-lanes // (len(wants) - index))
            if want >= share:
                return share
            lanes -= want
        return lanes


class Leaver:
    """One call of `Queue.leave`, inside the transaction."""

    def __init__(self, name: str) -> None:
        self._name = name

    async def __call__(self, store: Store) -> None:
        """Free the lanes and give back what runs."""
        host = store.hosts.pop(self._name, None)
        if host is None:
            return
        _give_up(store, _owned(store, host.key))
        give_back_all(store, host.key)
        store.connection.execute("DELETE FROM host WHERE key = ?", (host.key,))


def give_back_all(store: Store, key: int) -> None:
    """Make everything that a host runs pending again; its tokens are void."""
    connection = store.connection
    counts = connection.execute(
        "SELECT destination, count(*) FROM delivery WHERE host = ? GROUP BY destination", (key,)
    ).fetchall()
    connection.execute("UPDATE delivery SET host = NULL WHERE host = ?", (key,))
    for destination_key, count in counts:
        destination = store.destinations.by_key[destination_key]
        destination.move(running=-count, pending=count)
        store.destinations.touch(destination)
        store.stir(destination, 0)


def free_lanes(store: Store, key: int) -> None:
    """Free the lanes of a host that is gone."""
    store.connection.execute("UPDATE lane SET host = NULL WHERE host = ?", (key,))
    for host in store.hosts.values():
        if host.key == key:
            host.lanes = frozenset()


def _owned(store: Store, key: int) -> list[Lane]:
    rows = store.connection.execute("SELECT number, epoch FROM lane WHERE host = ? ORDER BY number", (key,))
    return [Lane(number=number, epoch=epoch) for number, epoch in rows]


def _give_up(store: Store, lanes: list[Lane]) -> None:
    store.connection.executemany("UPDATE lane SET host = NULL WHERE number = ?", ((lane.number,) for lane in lanes))


def _take(store: Store, key: int, count: int, oldest_beat_ms: int) -> None:
    store.connection.execute(
        f"""
        UPDATE lane SET host = ?, epoch = epoch + 1 WHERE number IN (
            SELECT number FROM lane
            WHERE host IS NULL OR host NOT IN (SELECT key FROM host WHERE {_ALIVE}) LIMIT ?)
        """,  # noqa: S608 - constant
        (key, oldest_beat_ms, count),
    )


def _settle_in(store: Store, host: LocalHost, lanes: frozenset[int]) -> None:
    new = lanes - host.lanes
    for other in store.hosts.values():
        other.lanes -= lanes
    host.lanes = lanes
    if new:
        store.stir_lanes(new)
