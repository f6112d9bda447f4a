"""A failing disk: a clear error, nothing lost, and work goes on when the cause is gone. For the SQLite backend."""

import asyncio
import resource
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from msgspec import structs
from tests.support.queues import HOST, SECOND_MS, FakeClock, House, acceptance, settlement

from guesthouse.errors import StorageFault
from guesthouse.queue.sqlite import SqliteQueue, committer, open_queue
from guesthouse.queue.sqlite.store import Store

pytestmark = pytest.mark.anyio


@pytest.fixture
async def queue(tmp_path: Path, clock: FakeClock) -> AsyncIterator[SqliteQueue]:
    """Give an open queue with one host."""
    queue = await open_queue(tmp_path / "queue.db", clock=clock, boot="boot_1")
    await queue.beat(HOST, 64)
    yield queue
    await queue.close()


@contextmanager
def full_disk(queue: SqliteQueue) -> Iterator[None]:
    """Let no file grow past what the log has now: it is the commit that fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = queue._committer._path.with_name("queue.db-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 1_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def full_file(queue: SqliteQueue) -> Iterator[None]:
    """Let the database not grow: it is a statement that fails."""
    connection = queue._store.connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    try:
        yield
    finally:
        connection.execute("PRAGMA max_page_count = 1000000000").fetchall()


@contextmanager
def read_only(queue: SqliteQueue) -> Iterator[None]:
    """Let nothing be written, as on a file system that was mounted anew for reading."""
    queue._store.connection.execute("PRAGMA query_only = ON")
    try:
        yield
    finally:
        queue._store.connection.execute("PRAGMA query_only = OFF")


Fault = Callable[[SqliteQueue], AbstractContextManager[None]]
FAULTS: dict[Fault, set[str]] = {full_disk: {"io", "full"}, full_file: {"full"}, read_only: {"read_only"}}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_a_failing_disk_loses_nothing(queue: SqliteQueue, fault: Fault) -> None:
    """While the disk fails, every change raises StorageFault with its reason; afterwards the same calls work."""
    house = House(queue, FakeClock())
    await house.accept("dst_1", count=2)
    first, _ = await house.lease()
    batch = [acceptance("dst_2", message_id=f"m{number}", payload=bytes(30_000)) for number in range(20)]
    with fault(queue):
        for _ in range(3):
            with pytest.raises(StorageFault) as caught:
                await queue.accept(batch)
            assert caught.value.reason in FAULTS[fault]
            assert caught.value.retryable
        assert len((await queue.drain(100))[0]) == 2
    assert not any(receipt.is_duplicate for receipt in await queue.accept(batch))
    assert await queue.settle([settlement(first)]) == [True]
    assert len(await house.lease()) == 20
    assert await house.open_count() == 21
    assert len(await house.records()) == 23


async def test_a_beat_that_was_not_committed_gives_no_lanes(queue: SqliteQueue, clock: FakeClock) -> None:
    """A host whose beat failed owns nothing, even if it had been about to take another's lanes."""
    house = House(queue, clock)
    await house.accept("dst_1")
    clock.advance(100 * SECOND_MS)
    with full_disk(queue), pytest.raises(StorageFault):
        await queue.beat("hst_2", 64)
    assert await house.lease(host="hst_2") == []
    await queue.beat(HOST, 64)
    assert len(await house.lease()) == 1


async def test_what_cannot_be_written_fails_alone(queue: SqliteQueue) -> None:
    """Rows that SQLite can't take fail their own call with the very error, and no other in the same commit."""
    broken = structs.replace(acceptance("dst_1").deliveries[0], id="dlv_\ud800")
    calls = [acceptance("dst_1"), structs.replace(acceptance("dst_1"), deliveries=(broken,)), acceptance("dst_1")]
    calls[1] = structs.replace(calls[1], record=None)
    results = await asyncio.gather(*(queue.accept([one]) for one in calls), return_exceptions=True)
    assert [type(result) for result in results] == [list, UnicodeEncodeError, list]
    assert sum(depth.open for depth in await queue.depths()) == 2


async def test_a_call_that_fails_halfway_is_taken_back(queue: SqliteQueue) -> None:
    """What a call had changed before it failed is undone; the calls beside it are done."""

    async def change_and_fail(store: Store) -> None:
        store.connection.execute("DELETE FROM outbox")
        raise LookupError

    house = House(queue, FakeClock())
    await house.accept("dst_1")
    failing = queue._run(change_and_fail)
    results = await asyncio.gather(house.accept("dst_1"), failing, house.accept("dst_1"), return_exceptions=True)
    assert [type(result) for result in results] == [list, LookupError, list]
    assert len(await house.records()) == await house.open_count() == 3


async def test_all_calls_of_a_failed_commit_hear_of_it(queue: SqliteQueue) -> None:
    """Calls that share a commit that fails all raise; none is answered as if it were durable."""
    with full_disk(queue):
        calls = [queue.accept([acceptance("dst_1", payload=bytes(30_000))]) for _ in range(10)]
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, StorageFault) for result in results)
    assert await queue.depths() == []


@pytest.mark.parametrize("content", [b"not a database at all" * 500, b"SQLite format 3\0" + bytes(5_000)])
async def test_a_damaged_file_is_refused(tmp_path: Path, content: bytes) -> None:
    """A file that isn't a database is an error at the start, and is left as it is."""
    path = tmp_path / "queue.db"
    path.write_bytes(content)
    with pytest.raises(StorageFault) as caught:
        await open_queue(path)
    assert caught.value.reason in {"corrupt", "unfit"}
    assert path.read_bytes() == content


async def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    """A file of another version of Guesthouse is refused by name, not guessed at."""
    with sqlite3.connect(tmp_path / "queue.db") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StorageFault, match="format 99"):
        await open_queue(tmp_path / "queue.db")


async def test_a_folder_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    """A path that can't be a file says so."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageFault):
        await open_queue(tmp_path / "file" / "queue.db")


async def test_a_lock_is_waited_for(queue: SqliteQueue, tmp_path: Path) -> None:
    """While another process writes, calls wait without holding up the event loop, and then succeed."""
    other = sqlite3.connect(tmp_path / "queue.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(queue.accept([acceptance("dst_1")]))
    await asyncio.wait([waiting], timeout=0.05)
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()
    assert len(await asyncio.wait_for(waiting, 10)) == 1


async def test_a_lock_for_ever_is_a_fault(queue: SqliteQueue, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock that isn't given back raises StorageFault, ``busy``, and nothing is written."""
    monkeypatch.setattr(committer, "_LOCK_TIMEOUT_MS", 10)
    other = sqlite3.connect(tmp_path / "queue.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageFault) as caught:
        await queue.accept([acceptance("dst_1")])
    assert caught.value.reason == "busy"
    other.close()
    assert await queue.depths() == []


async def test_the_file_is_for_its_owner_only(queue: SqliteQueue, tmp_path: Path) -> None:
    """Nobody else may read the events."""
    await queue.accept([acceptance("dst_1")])
    names = ("queue.db", "queue.db-wal", "queue.db-shm", "queue.db-pipes")
    assert [(tmp_path / name).stat().st_mode & 0o077 for name in names] == [0] * 4


async def test_the_log_is_moved_into_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is written, the log stays within bounds: it is moved into the file and starts anew."""
    monkeypatch.setattr(committer, "_LOG_BYTES", 100_000)
    queue = await open_queue(tmp_path / "queue.db")
    house = House(queue, FakeClock())
    await queue.beat(HOST, 64)
    for _ in range(200):
        await queue.accept([acceptance("dst_1", payload=bytes(5_000)) for _ in range(5)])
        for lease in await house.lease():
            await house.settle(lease)
        await house.records()
    assert (tmp_path / "queue.db-wal").stat().st_size < 5_000_000
    await queue.close()
