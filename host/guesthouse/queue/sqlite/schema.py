"""The file: its tables, and connections to it.

Sequence numbers (``seq``) are never used twice. The deliveries of an event have the numbers from the event's own up to
its ``last``, so whether any is still open is a look at a range, and no event row is ever rewritten.

A delivery is running exactly while ``host`` names the host that leased it. The two partial indexes divide the
deliveries between them: what is ready or waiting, by destination and time, and what runs, by host.
"""

import os
import sqlite3
from pathlib import Path

from guesthouse.errors import StorageFault

VERSION = 1
_APPLICATION_ID = 0x67684A71
_OPEN_TIMEOUT_SECONDS = 10.0
_CACHE_KIB = 64 * 1024

_TABLES = """
CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    lanes INTEGER NOT NULL, boot TEXT NOT NULL, offset_ms INTEGER NOT NULL, seen_ms INTEGER NOT NULL,
    next_seq INTEGER NOT NULL, next_record INTEGER NOT NULL, next_key INTEGER NOT NULL, change INTEGER NOT NULL,
    settled_period INTEGER NOT NULL, settled_since_ms INTEGER NOT NULL
);
CREATE TABLE destination (
    key INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, lane INTEGER NOT NULL,
    pending INTEGER NOT NULL, running INTEGER NOT NULL, retrying INTEGER NOT NULL,
    holds TEXT NOT NULL, change INTEGER NOT NULL
);
CREATE INDEX destination_change ON destination (change);
CREATE TABLE event (
    seq INTEGER PRIMARY KEY, last INTEGER NOT NULL,
    accepted_at_ms INTEGER NOT NULL, entered_ms INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE TABLE delivery (
    seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, event INTEGER NOT NULL, destination INTEGER NOT NULL,
    replay_of TEXT, attempts INTEGER NOT NULL, lost INTEGER NOT NULL, leases INTEGER NOT NULL,
    is_retrying INTEGER NOT NULL, due_ms INTEGER NOT NULL, host INTEGER
);
CREATE INDEX delivery_ready ON delivery (destination, due_ms) WHERE host IS NULL;
CREATE INDEX delivery_running ON delivery (host) WHERE host IS NOT NULL;
CREATE TABLE outbox (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE hour (hour INTEGER PRIMARY KEY, ids INTEGER NOT NULL);
CREATE TABLE settled_even (token INTEGER PRIMARY KEY, outcome TEXT NOT NULL);
CREATE TABLE settled_odd (token INTEGER PRIMARY KEY, outcome TEXT NOT NULL);
CREATE TABLE host (
    key INTEGER PRIMARY KEY, name TEXT NOT NULL, beat_ms INTEGER NOT NULL, want INTEGER NOT NULL,
    is_gone INTEGER NOT NULL, pipe TEXT NOT NULL
);
CREATE TABLE lane (number INTEGER PRIMARY KEY, host INTEGER, epoch INTEGER NOT NULL);
"""


def connect(path: Path) -> sqlite3.Connection:
    """Open a connection for use by one thread at a time; no statement begins or ends a transaction by itself."""
    connection = sqlite3.connect(
        path, timeout=_OPEN_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    try:
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",
            # The committer moves the log into the file, beside the loop; SQLite would do it within a commit.
            "wal_autocheckpoint = 0",
            "journal_size_limit = 67108864",
            f"cache_size = -{_CACHE_KIB}",
            "temp_store = MEMORY",
            # Some builds overwrite what is deleted; twice the writing, and no promise of ours.
            "secure_delete = OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def create(path: Path) -> None:
    """Make the file, empty, readable by its owner only; nothing happens where it exists."""
    path.parent.mkdir(parents=True, exist_ok=True)
    os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))


def prepare(connection: sqlite3.Connection, lanes: int) -> None:
    """Make the tables where there are none; to be called inside a transaction."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version == VERSION:
        return
    if version or connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
        raise StorageFault(f"the queue's file has format {version}; this version reads {VERSION}", reason="unfit")
    for statement in _TABLES.split(";\n"):
        connection.execute(statement)
    connection.execute("INSERT INTO head VALUES (1, ?, '', 0, 0, 1, 1, 1, 1, 0, 0)", (lanes,))
    connection.executemany("INSERT INTO lane VALUES (?, NULL, 0)", ((number,) for number in range(lanes)))
    connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {VERSION}")
