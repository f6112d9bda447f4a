"""The window of message ids: one table for each hour, keyed by 16-byte hashes.

An id enters the table of the hour in which it was accepted and is looked for in all tables of the window: so it counts
as seen for at least the window, at most an hour longer. A table whose hour has left the window is emptied in slices and
dropped. One table for all would spread each new id over an ever larger index; most lookups in closed hours are spared
by the `Sieve`, which knows a closed hour once all of its ids were read.
"""

import sqlite3
from collections.abc import Collection, Iterator, Sequence
from hashlib import blake2b
from itertools import islice

from guesthouse.queue.sqlite.sieve import HOURS, KEY_BYTES, Sieve

HOUR_MS = 3_600_000
_PROBED = 500
FORGOTTEN = 20_000
"""Ids that one slice forgets."""
_NO_KEY = b""


def message_key(source_id: str, message_id: str) -> bytes:
    """Hash what makes a message the same; ids hold no line feed, so no two pairs make one text."""
    return blake2b(f"{source_id}\n{message_id}".encode(errors="surrogatepass"), digest_size=KEY_BYTES).digest()


def _table(hour: int) -> str:
    return f"seen_{int(hour)}"


class Window:
    """Which message ids were seen."""

    def __init__(self, hours: int) -> None:
        self._hours = min(hours, HOURS - 4)
        self._sieve = Sieve()
        self._ids: dict[int, int] = {}
        self._known: dict[int, int] = {}

    def read(self, connection: sqlite3.Connection) -> None:
        """Learn what other processes added."""
        self._ids = dict(connection.execute("SELECT hour, ids FROM hour"))

    def forget(self) -> None:
        """Trust no filter of an hour that may still have been growing."""
        self._known = {hour: known for hour, known in self._known.items() if hour < self._latest()}

    def seen(self, connection: sqlite3.Connection, keys: Sequence[bytes], now: int) -> set[bytes]:
        """Answer which of the keys are in the window; one write lock must be held from here to `add`."""
        first = now // HOUR_MS - self._hours
        probed: dict[int, Sequence[bytes]] = dict(self._suspects(keys, first))
        probed.update({hour: keys for hour in self._ids if hour >= first and not self._is_sieved(hour)})
        found: set[bytes] = set()
        for hour, suspects in probed.items():
            found.update(_present(connection, hour, suspects))
        return found

    def add(self, connection: sqlite3.Connection, keys: Collection[bytes], now: int) -> None:
        """Note keys, none of which is in the window, as seen now."""
        hour = max(now // HOUR_MS, self._latest())
        if hour not in self._ids:
            self._open(connection, hour)
        # In order, neighbours share pages.
        connection.executemany(f"INSERT INTO {_table(hour)} VALUES (?)", ((key,) for key in sorted(keys)))  # noqa: S608 - a number
        was_sieved = self._is_sieved(hour)
        self._ids[hour] += len(keys)
        connection.execute("UPDATE hour SET ids = ? WHERE hour = ?", (self._ids[hour], hour))
        if was_sieved:
            self._sieve.add(hour, keys)
            self._known[hour] = self._ids[hour]

    def unsieved(self, now: int) -> int | None:
        """Name a closed hour whose ids the filter doesn't know yet."""
        hours = (hour for hour in sorted(self._ids, reverse=True) if not self._is_sieved(hour))
        return next((hour for hour in hours if now // HOUR_MS - self._hours <= hour < self._latest()), None)

    def sift(self, reader: sqlite3.Connection, hour: int, slice_ids: int) -> Iterator[None]:
        """Read a closed hour into the filter, yielding after each slice; trusted only when it was read whole."""
        self._sieve.forget(hour)
        self._known.pop(hour, None)
        read, last = 0, _NO_KEY
        while hour in self._ids:
            query = f"SELECT id FROM {_table(hour)} WHERE id > ? ORDER BY id LIMIT ?"  # noqa: S608 - a number
            keys = [key for (key,) in reader.execute(query, (last, slice_ids))]
            if not keys:
                break
            self._sieve.add(hour, keys)
            read, last = read + len(keys), keys[-1]
            yield
        if self._ids.get(hour) == read:
            self._known[hour] = read

    def expire(self, connection: sqlite3.Connection, now: int) -> int:
        """Forget up to `FORGOTTEN` ids of an hour that left the window; answer how many."""
        old = min((hour for hour in self._ids if hour < now // HOUR_MS - self._hours), default=None)
        if old is None:
            return 0
        table = _table(old)
        gone = connection.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} ORDER BY id LIMIT ?)",  # noqa: S608 - a number
            (FORGOTTEN,),
        ).rowcount
        if gone < FORGOTTEN:
            connection.execute(f"DROP TABLE {table}")
            connection.execute("DELETE FROM hour WHERE hour = ?", (old,))
            del self._ids[old]
            self._known.pop(old, None)
        return gone

    def _latest(self) -> int:
        return max(self._ids, default=-1)

    def _is_sieved(self, hour: int) -> bool:
        return self._known.get(hour, -1) == self._ids.get(hour)

    def _open(self, connection: sqlite3.Connection, hour: int) -> None:
        connection.execute(f"CREATE TABLE {_table(hour)} (id BLOB PRIMARY KEY) WITHOUT ROWID")
        connection.execute("INSERT INTO hour VALUES (?, 0)", (hour,))
        self._sieve.forget(hour)
        self._ids[hour] = self._known[hour] = 0

    def _suspects(self, keys: Sequence[bytes], first: int) -> dict[int, list[bytes]]:
        sieved = {hour % HOURS: hour for hour in self._ids if hour >= first and self._is_sieved(hour)}
        mask = sum(1 << slot for slot in sieved)
        found: dict[int, list[bytes]] = {}
        for key in keys:
            bits = self._sieve.hours(key) & mask
            while bits:
                lowest = bits & -bits
                found.setdefault(sieved[lowest.bit_length() - 1], []).append(key)
                bits ^= lowest
        return found


def _present(connection: sqlite3.Connection, hour: int, keys: Sequence[bytes]) -> Iterator[bytes]:
    rest = iter(keys)
    while chunk := list(islice(rest, _PROBED)):
        places = ",".join("?" * len(chunk))
        query = f"SELECT id FROM {_table(hour)} WHERE id IN ({places})"  # noqa: S608 - a number, question marks
        yield from (key for (key,) in connection.execute(query, chunk))
