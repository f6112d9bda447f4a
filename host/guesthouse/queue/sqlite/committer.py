"""Group commit: one transaction, and one wait for the disk, for all the calls that arrive while the last one commits.

Statements run on the event loop's thread, because there they have the interpreter to themselves: a helper thread would
wait for it after every statement, up to 5 ms each time while guests keep it busy. What takes long without needing the
interpreter goes to a thread: the commit with its fdatasync, waiting for another process's lock, moving the log into
the file. While a commit is under way, new calls gather for the next.

A transaction in which nothing must survive the loss of power (leases, beats) is committed without waiting for the disk;
the next durable commit flushes the log, with all that is in it, in order.

A call that fails before it changed anything fails alone. One that fails later takes the transaction back, and the other
calls run again without it.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from guesthouse.errors import StorageFault
from guesthouse.queue.sqlite.accepting import Acceptor
from guesthouse.queue.sqlite.faults import closed, fault, is_of_storage
from guesthouse.queue.sqlite.schema import connect
from guesthouse.queue.sqlite.store import Store

T = TypeVar("T")
MAX_WEIGHT = 4 << 20
"""Bytes written by the calls of one transaction, roughly; the first call always fits."""
MAX_WAITING = 10_000
"""Calls that may wait for a transaction."""
_LOCK_TIMEOUT_MS = 10_000
_LOG_BYTES = 16 << 20
"""Bytes committed, roughly, after which the log is moved into the file."""
CALL_WEIGHT = 4096
"""What a call writes that writes little."""


@dataclass(slots=True, eq=False)
class _Call(Generic[T]):
    operation: Callable[[Store], Awaitable[T]]
    is_durable: bool
    weight: int
    future: asyncio.Future[T]
    answer: Any = None


class Committer:
    """Runs operations on the store, several in each transaction, and answers when they are committed."""

    def __init__(self, store: Store, path: Path, *, on_commit: Callable[[], None]) -> None:
        self._store = store
        self._connection = store.connection
        self._path = path
        self._on_commit = on_commit
        self._calls: deque[_Call[Any]] = deque()
        self._wanted = asyncio.Event()
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="queue-commit")
        self._mover = ThreadPoolExecutor(1, thread_name_prefix="queue-move")
        self._moving: asyncio.Future[None] | None = None
        self._was_moved = False
        self._logged = 0
        self._is_flushing = True
        self._is_closed = False
        self._connection.execute("PRAGMA busy_timeout = 0")
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def run(
        self, operation: Callable[[Store], Awaitable[T]], *, is_durable: bool, weight: int = CALL_WEIGHT
    ) -> T:
        """Run an operation inside a transaction and answer what it answers once that is committed."""
        if self._is_closed:
            raise closed()
        if len(self._calls) >= MAX_WAITING:
            raise fault(OSError(0, f"{MAX_WAITING} calls wait for it"))
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._calls.append(_Call(operation, is_durable, weight, future))
        self._wanted.set()
        return await future

    async def close(self) -> None:
        """Commit what waits, then end; the connection is left open."""
        self._is_closed = True
        self._wanted.set()
        await self._task
        if self._moving:
            await asyncio.wait([self._moving])
        self._executor.shutdown()
        self._mover.shutdown()

    async def _run(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            while self._calls:
                await self._commit(self._take())
            if self._is_closed:
                return

    def _take(self) -> list[_Call[Any]]:
        group, weight = [self._calls.popleft()], 0
        while self._calls and (weight := weight + group[-1].weight) < MAX_WEIGHT:
            group.append(self._calls.popleft())
        return group

    async def _commit(self, group: list[_Call[Any]]) -> None:
        group = [call for call in group if not call.future.done()]
        while group:
            failed = None
            try:
                await self._begin(is_durable=any(call.is_durable for call in group))
                failed = await self._operate(group)
                if not failed:
                    await self._end(group)
            except Exception as error:  # noqa: BLE001 - translated for whoever waits
                self._undo()
                if len(group) > 1 and not isinstance(error, StorageFault) and not is_of_storage(error):
                    await self._commit_each(group)
                else:
                    _fail(group, error)
                return
            group = [call for call in group if not call.future.done()] if failed else []

    async def _commit_each(self, group: list[_Call[Any]]) -> None:
        """Find the call whose rows can't be written: each gets a transaction of its own."""
        for call in group:
            await self._commit([call])

    async def _begin(self, *, is_durable: bool) -> None:
        if self._was_moved:
            self._was_moved = False
            with suppress(sqlite3.Error):
                await self._in_thread("PRAGMA wal_checkpoint(PASSIVE)")
        if is_durable != self._is_flushing:
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")
            self._is_flushing = is_durable
        try:
            self._connection.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            await self._wait_for_lock()
        self._store.begin()

    async def _wait_for_lock(self) -> None:
        self._connection.execute(f"PRAGMA busy_timeout = {_LOCK_TIMEOUT_MS}")
        try:
            await self._in_thread("BEGIN IMMEDIATE")
        finally:
            self._connection.execute("PRAGMA busy_timeout = 0")

    async def _operate(self, group: list[_Call[Any]]) -> bool:
        """Run the operations; True when one of them failed after it had changed something, and all was taken back."""
        for call in group:
            if call.future.done():
                continue
            before = (self._connection.total_changes, self._store.rows.added)
            try:
                if not isinstance(call.operation, Acceptor):
                    self._store.flush()
                call.answer = await call.operation(self._store)
            except Exception as error:
                if isinstance(error, sqlite3.Error):
                    raise
                _fail([call], error)
                if before != (self._connection.total_changes, self._store.rows.added):
                    self._undo()
                    return True
        return False

    async def _end(self, group: list[_Call[Any]]) -> None:
        self._store.finish()
        try:
            if self._is_flushing:
                await self._in_thread("COMMIT")
            else:
                self._connection.execute("COMMIT")
        except sqlite3.Error as error:
            # What the disk holds now is unknown; the log starts anew behind what is surely there.
            self._was_moved = True
            raise fault(error, is_uncertain=True) from error
        for call in group:
            if not call.future.done():
                call.future.set_result(call.answer)
        self._on_commit()
        self._logged += sum(call.weight for call in group)
        if self._logged > _LOG_BYTES and not self._moving:
            self._move_log()

    def _undo(self) -> None:
        with suppress(sqlite3.Error):
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        self._store.undo()

    async def _in_thread(self, statement: str) -> None:
        await asyncio.get_running_loop().run_in_executor(self._executor, _execute, self._connection, statement)

    def _move_log(self) -> None:
        """Move the log into the file, beside the loop, when it has grown.

        The commits meanwhile lengthen it; moving that rest before the next transaction lets the log start anew.
        """
        self._logged = 0
        self._moving = asyncio.get_running_loop().run_in_executor(self._mover, _move, self._path)
        self._moving.add_done_callback(self._moved)

    def _moved(self, moving: "asyncio.Future[None]") -> None:
        self._moving = None
        # A disk that fails here fails the next commit too, whose caller hears of it.
        self._was_moved = moving.exception() is None


def _execute(connection: sqlite3.Connection, statement: str) -> None:
    # A statement that isn't read to its end would keep the transaction open.
    connection.execute(statement).fetchall()


def _move(path: Path) -> None:
    connection = connect(path)
    try:
        _execute(connection, "PRAGMA wal_checkpoint(PASSIVE)")
    finally:
        connection.close()


def _fail(group: list[_Call[Any]], error: Exception) -> None:
    translated = fault(error) if isinstance(error, sqlite3.Error | OSError) else error
    for call in group:
        if not call.future.done():
            call.future.set_exception(translated)
