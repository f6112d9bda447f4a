"""SQLAlchemy's and the database's exceptions become `StorageFault` here and nowhere else."""

import sqlite3
from types import MappingProxyType
from typing import Final

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from guesthouse.errors import StorageFault

_LOCKED: Final = ("locked", "is locked by another process; find out which one holds it")
_CORRUPT: Final = ("corrupt", "is damaged or isn't a Guesthouse database; restore it from a backup")
_FULL: Final = ("full", "can't grow: the disk is full, or a limit of file sizes is reached")
_BROKEN: Final = ("io", "can't be read or written: the disk or its file system reports an error")
_SHUT: Final = ("unreachable", "can't be opened; does its folder exist, and may this user write there?")
_REASONS: Final = MappingProxyType(
    {
        sqlite3.SQLITE_BUSY: _LOCKED,
        sqlite3.SQLITE_LOCKED: _LOCKED,
        sqlite3.SQLITE_READONLY: ("read_only", "is read-only; it, its folder and its file system must be writable"),
        sqlite3.SQLITE_CORRUPT: _CORRUPT,
        sqlite3.SQLITE_NOTADB: _CORRUPT,
        sqlite3.SQLITE_FULL: _FULL,
        sqlite3.SQLITE_IOERR: _BROKEN,
        sqlite3.SQLITE_CANTOPEN: _SHUT,
        sqlite3.SQLITE_PERM: _SHUT,
    }
)
_PRIMARY_CODE: Final = 0xFF
"""SQLite's extended result codes keep the primary one in their lowest byte."""


def is_interrupted(error: SQLAlchemyError) -> bool:
    """Say whether we ended a question ourselves."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT


def translate(error: SQLAlchemyError, name: str, *, is_uncertain: bool = False) -> StorageFault:
    """Say of the database called *name* what an exception means to its operator."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    unknown = ("unavailable", f"can't be used ({type(cause).__name__})")
    reason, fault = unknown if code is None else _REASONS.get(code & _PRIMARY_CODE, unknown)
    return StorageFault(f"the database {name} {fault}", reason=reason, is_uncertain=is_uncertain)
