"""The window of message ids and its trust in the filter."""

import sqlite3
from collections.abc import Iterator

import pytest

from guesthouse.queue.sqlite.duplicates import HOUR_MS, Window, message_key

NOON = 1_000 * HOUR_MS
KEYS = [message_key("src_1", str(number)) for number in range(50)]
OTHERS = [message_key("src_2", str(number)) for number in range(50)]


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    """Give a database with the table of hours."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE hour (hour INTEGER PRIMARY KEY, ids INTEGER NOT NULL)")
    yield connection
    connection.close()


def reopened(connection: sqlite3.Connection) -> Window:
    """Give the window as a process sees it that has just started."""
    window = Window(24)
    window.read(connection)
    return window


def test_what_this_process_added_needs_no_reading(connection: sqlite3.Connection) -> None:
    """A process knows the hours that it filled by itself, open or closed."""
    window = Window(24)
    window.add(connection, KEYS, NOON)
    window.add(connection, OTHERS, NOON + HOUR_MS)
    assert window.unsieved(NOON + HOUR_MS) is None
    assert window.seen(connection, KEYS + OTHERS, NOON + HOUR_MS) == {*KEYS, *OTHERS}


def test_closed_hours_are_read_once_after_a_start(connection: sqlite3.Connection) -> None:
    """A process that has just started reads closed hours slice by slice; what is seen is the same before and after."""
    Window(24).add(connection, KEYS, NOON)
    window = reopened(connection)
    window.add(connection, OTHERS, NOON + HOUR_MS)
    assert window.seen(connection, KEYS, NOON + HOUR_MS) == set(KEYS)
    hour = window.unsieved(NOON + HOUR_MS)
    assert hour == NOON // HOUR_MS
    assert len(list(window.sift(connection, hour, 20))) == 3
    assert window.unsieved(NOON + HOUR_MS) is None
    assert window.seen(connection, KEYS, NOON + HOUR_MS) == set(KEYS)


def test_an_hour_that_others_fill_is_not_trusted_to_the_filter(connection: sqlite3.Connection) -> None:
    """What another process adds to the same hour is seen, though the filter doesn't know it."""
    mine = Window(24)
    mine.add(connection, KEYS[:10], NOON)
    theirs = reopened(connection)
    theirs.add(connection, KEYS[10:], NOON)
    mine.read(connection)
    mine.add(connection, OTHERS[:1], NOON)
    assert mine.seen(connection, [*KEYS, *OTHERS], NOON) == {*KEYS, OTHERS[0]}


def test_an_open_hour_never_closes_behind_another(connection: sqlite3.Connection) -> None:
    """An id goes to the latest hour there is, so a closed hour never grows."""
    window = Window(24)
    window.add(connection, KEYS[:1], NOON + HOUR_MS)
    window.add(connection, KEYS[1:2], NOON)
    assert dict(connection.execute("SELECT hour, ids FROM hour")) == {NOON // HOUR_MS + 1: 2}


def test_an_hour_leaves_with_its_table(connection: sqlite3.Connection) -> None:
    """What left the window is forgotten, and its table is dropped."""
    window = Window(24)
    window.add(connection, KEYS, NOON)
    assert window.expire(connection, NOON + 24 * HOUR_MS) == 0
    assert window.expire(connection, NOON + 25 * HOUR_MS) == len(KEYS)
    assert window.expire(connection, NOON + 25 * HOUR_MS) == 0
    assert connection.execute("SELECT name FROM sqlite_schema WHERE name LIKE 'seen%'").fetchall() == []
    assert window.seen(connection, KEYS, NOON + 25 * HOUR_MS) == set()
