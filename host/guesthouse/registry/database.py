"""A database by its URL: connections, transactions, threads, and one way to report faults.

Work is a function of a connection, run whole on a thread: one thread writes, a few read. Such functions should be
short calls into C, since every line of Python there competes with the event loop.
"""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, IntegrityError, SQLAlchemyError

from guesthouse.errors import InvalidInput, QueryTooBroad, StorageFault
from guesthouse.registry.faults import is_interrupted, translate
from guesthouse.registry.migrate import History, migrate

T = TypeVar("T")

_READERS: Final = 2
_STEPS_BETWEEN_LOOKS: Final = 10_000
"""Of SQLite's machine; some hundred microseconds."""
_SWITCH_SECONDS: Final = 0.005
_WRITES: Final = "guesthouse_writes"
"""The execution option that marks connections whose transactions begin by taking the write lock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseConfig:
    """How SQLite is used; other databases have their own settings, at their server."""

    busy_seconds: float = 5.0
    """How long to wait for another process's write."""
    cache_kib: int = 32 * 1024
    """Pages kept by each connection."""
    read_seconds: float = 10.0
    """How long a question may take."""
    checkpoint_pages: int = 4_000
    """Length of the write-ahead log at which it is copied into the file."""


class Database:
    """Open it with `Database.open`.

    Every method raises `StorageFault` where the database can't be used, `InvalidInput` for texts that none can hold.
    """

    def __init__(self, engine: Engine, name: str, patience: "Patience") -> None:
        self.dialect: Final = engine.dialect
        self._patience = patience
        self._engine = engine
        self._writing_engine = engine.execution_options(**{_WRITES: True})
        self._name = name
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="database-write")
        self._readers = ThreadPoolExecutor(_READERS, thread_name_prefix="database-read")
        self._is_closed = False

    @classmethod
    async def open(cls, url: str, history: History, config: DatabaseConfig | None = None) -> "Database":
        """Open, making the file where it is missing and bringing the tables up to date."""
        database = cls(*_engine(url, config or DatabaseConfig()))
        try:
            await database.write(lambda connection: migrate(connection, history))
        except BaseException:
            await database.close()
            raise
        return database

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run *work* on one consistent state; raises `QueryTooBroad` where it takes too long."""
        return await self._run(self._readers, partial(self._read, work))

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run *work* in a transaction, durable when this returns; whatever it raises undoes everything.

        ``IntegrityError`` passes as it is: which rule was broken, *work* knows best.
        """
        return await self._run(self._writer, partial(self._write, work))

    async def close(self) -> None:
        """Wait for the work under way and close; further work is a `StorageFault`. Closing twice does nothing."""
        self._is_closed = True
        await asyncio.to_thread(self._shut)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        if self._is_closed:
            raise StorageFault(f"the database {self._name} is closed", reason="closed")
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except UnicodeEncodeError:
            raise InvalidInput(("a text holds half of a surrogate pair, which is no character",)) from None

    def _read(self, work: Callable[[Connection], T]) -> T:
        try:
            with self._engine.connect() as connection, self._patience:
                return work(connection)
        except SQLAlchemyError as error:
            if is_interrupted(error):
                raise QueryTooBroad(self._patience.seconds) from None
            raise self._fault(error) from error

    def _write(self, work: Callable[[Connection], T]) -> T:
        is_committing = False
        try:
            with self._writing_engine.connect() as connection, connection.begin():
                answer = work(connection)
                is_committing = True
        except IntegrityError:
            raise
        except SQLAlchemyError as error:
            raise self._fault(error, is_uncertain=is_committing) from error
        return answer

    def _fault(self, error: SQLAlchemyError, *, is_uncertain: bool = False) -> StorageFault:
        # What is open may be of a file that is gone or was replaced: begin anew.
        self._engine.dispose()
        return translate(error, self._name, is_uncertain=is_uncertain)

    def _shut(self) -> None:
        self._writer.shutdown()
        self._readers.shutdown()
        self._engine.dispose()


class Patience:
    """Ends what the entering thread asks of a connection when it takes too long."""

    def __init__(self, seconds: float) -> None:
        self.seconds: Final = seconds
        self._thread = threading.local()

    def __enter__(self) -> None:
        self._thread.until = time.monotonic() + self.seconds

    def __exit__(self, *_: object) -> None:
        self._thread.until = None

    def watch(self, raw: sqlite3.Connection) -> None:
        """Look at the clock while a connection works."""
        raw.set_progress_handler(self._is_over, _STEPS_BETWEEN_LOOKS)

    def _is_over(self) -> bool:
        until: float | None = getattr(self._thread, "until", None)
        return until is not None and time.monotonic() >= until


def _engine(url: str, config: DatabaseConfig) -> tuple[Engine, str, Patience]:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ValueError("the database's address is not written as sqlite:////path/to/guesthouse.db") from None
    if parsed.get_backend_name() != "sqlite":
        raise ValueError(f"databases of the kind {parsed.get_backend_name()!r} are not supported yet")
    if not parsed.database or parsed.database == ":memory:":
        raise ValueError("the database needs a file, as in sqlite:////path/to/guesthouse.db")
    path = Path(parsed.database)
    _touch(path)
    engine = create_engine(parsed, connect_args={"timeout": config.busy_seconds}, pool_size=_READERS + 1)
    patience = Patience(config.read_seconds)
    event.listen(engine, "connect", partial(_prepare, config, patience))
    event.listen(engine, "begin", _begin)
    return engine, path.name, patience


def _touch(path: Path) -> None:
    try:
        # Made before SQLite does: strangers on the machine may not read it, nor the files beside it.
        os.close(os.open(path, os.O_CREAT | os.O_RDONLY, 0o600))
    except OSError as error:
        fault = f"the database {path.name} can't be opened: {error.strerror}"
        raise StorageFault(fault, reason="unreachable") from None


def _prepare(config: DatabaseConfig, patience: Patience, raw: sqlite3.Connection, _: object) -> None:
    patience.watch(raw)
    raw.isolation_level = None  # transactions are ours alone: see `_begin`
    _write_ahead(raw, config.busy_seconds)
    for setting in (
        "synchronous=FULL",
        "foreign_keys=ON",
        "trusted_schema=OFF",
        "temp_store=MEMORY",
        f"cache_size=-{config.cache_kib}",
        f"wal_autocheckpoint={config.checkpoint_pages}",
        "journal_size_limit=67108864",
    ):
        raw.execute(f"PRAGMA {setting}").close()


def _write_ahead(raw: sqlite3.Connection, busy_seconds: float) -> None:
    # Two who switch a new file at once would wait for each other; SQLite tells one of them at once instead.
    until = time.monotonic() + busy_seconds
    while True:
        try:
            raw.execute("PRAGMA journal_mode=WAL").close()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() >= until:
                raise
            time.sleep(_SWITCH_SECONDS)
        else:
            return


def _begin(connection: Connection) -> None:
    # A transaction that begins by reading and then writes can't wait for another writer: it fails at once.
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
