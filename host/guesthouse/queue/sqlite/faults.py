"""SQLite's errors in our words: the one place where they are translated."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from guesthouse.errors import StorageFault

_REASONS = {
    sqlite3.SQLITE_FULL: ("full", "the disk of the queue is full"),
    sqlite3.SQLITE_READONLY: ("read_only", "the queue's file can't be written"),
    sqlite3.SQLITE_PERM: ("read_only", "the queue's file may not be written"),
    sqlite3.SQLITE_CORRUPT: ("corrupt", "the queue's file is damaged"),
    sqlite3.SQLITE_NOTADB: ("corrupt", "the queue's file is not a database"),
    sqlite3.SQLITE_BUSY: ("busy", "another process keeps the queue's file locked"),
    sqlite3.SQLITE_LOCKED: ("busy", "another process keeps the queue's file locked"),
    sqlite3.SQLITE_CANTOPEN: ("unreachable", "the queue's file can't be opened"),
    sqlite3.SQLITE_IOERR: ("io", "the disk of the queue fails"),
    sqlite3.SQLITE_NOMEM: ("memory", "there is no memory left for the queue"),
}
_OF_A_STATEMENT = sqlite3.IntegrityError | sqlite3.ProgrammingError | sqlite3.InterfaceError | sqlite3.DataError
_PRIMARY = 0xFF


def fault(error: sqlite3.Error | OSError, *, is_uncertain: bool = False) -> StorageFault:
    """Translate any error of SQLite or of the file system."""
    if isinstance(error, OSError):
        return StorageFault(f"the queue's file can't be used: {error.strerror}", reason="unreachable")
    code = getattr(error, "sqlite_errorcode", None)
    if code is None and isinstance(error, sqlite3.ProgrammingError):
        return closed()
    reason, text = _REASONS.get((code or 0) & _PRIMARY, ("unavailable", "the queue's storage fails"))
    return StorageFault(f"{text} ({error})", reason=reason, is_uncertain=is_uncertain)


def closed() -> StorageFault:
    """Say that the queue is closed."""
    return StorageFault("the queue is closed", reason="closed")


def is_of_storage(error: BaseException) -> bool:
    """Tell a failing storage, which fails every call, from a statement that fails by itself."""
    return isinstance(error, sqlite3.Error) and not isinstance(error, _OF_A_STATEMENT)


@contextmanager
def translated() -> Iterator[None]:
    """Raise whatever SQLite or the file system raises inside as StorageFault."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise fault(error) from error
