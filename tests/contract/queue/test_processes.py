"""What the queue promises when processes die, and when several share it."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process
from collections import Counter
from pathlib import Path

import pytest
from tests.support.queues import HOST, House, acceptance

from guesthouse.queue.sqlite import SqliteQueue, open_queue

pytestmark = pytest.mark.anyio
ROOT = Path(__file__).parents[3]
PATIENCE_SECONDS = 30.0


async def start(folder: Path, *steps: str) -> Process:
    """Start a process that does the steps; see `tests.support.queue_crash`."""
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.queue_crash", str(folder), *steps, stdin=PIPE, stdout=PIPE, cwd=ROOT
    )


async def run(folder: Path, *steps: str) -> list[str]:
    """Let a process do the steps and answer what it said."""
    process = await start(folder, *steps)
    output, _ = await asyncio.wait_for(process.communicate(), PATIENCE_SECONDS)
    return output.decode().splitlines()


async def reopen(folder: Path) -> tuple[SqliteQueue, House]:
    """Open the queue as a host that sweeps up after another."""
    queue = await open_queue(folder / "queue.db")
    await queue.sweep()
    await queue.beat(HOST, 64)
    return queue, House(queue, None)  # type: ignore[arg-type] # these tests live in real time


@pytest.mark.parametrize(
    ("steps", "open_ids", "records"),
    [
        (["accept:a", "accept:b", "die"], {"a", "b"}, 2),
        (["accept:a", "die-in-commit:b"], {"a"}, 1),
        (["accept:a", "lease", "die"], {"a"}, 1),
        (["accept:a", "lease", "settle", "accept:b", "die"], {"b"}, 3),
        (["accept:a", "accept:b", "lease", "accept:c", "die"], {"a", "b", "c"}, 3),
    ],
    ids=["accepted", "in-commit", "leased", "settled", "leased-and-accepted"],
)
async def test_a_killed_process_loses_nothing(
    tmp_path: Path, steps: list[str], open_ids: set[str], records: int
) -> None:
    """Killed between any two steps: what was answered is kept, what wasn't left no trace, work goes on at once."""
    said = await run(tmp_path, *steps)
    assert sum(line.startswith("accepted") for line in said) == sum(step.startswith("accept:") for step in steps)
    queue, house = await reopen(tmp_path)
    try:
        assert {lease.event.message_id for lease in await house.lease()} == open_ids
        assert len(await house.records()) == records
        assert not (await house.accept_ids("never"))[0].is_duplicate
    finally:
        await queue.close()


async def test_an_event_without_its_answer_may_be_sent_again(tmp_path: Path) -> None:
    """Killed inside the transaction, the event's id isn't taken: sent again, it is new."""
    await run(tmp_path, "die-in-commit:a")
    queue, house = await reopen(tmp_path)
    try:
        assert not (await house.accept_ids("a"))[0].is_duplicate
    finally:
        await queue.close()


async def test_a_kill_counts_as_a_lost_lease(tmp_path: Path) -> None:
    """What ran in a process that died says so when it comes again; the third time it is dead."""
    await run(tmp_path, "accept:a", "lease", "die")
    for _ in range(2):
        queue, _ = await reopen(tmp_path)
        await queue.leave(HOST)
        await queue.close()
        await run(tmp_path, "lease", "die")
    queue, house = await reopen(tmp_path)
    try:
        assert await house.open_count() == 0
        assert [getattr(record, "code", None) for record in await house.records()] == [None, "host_crashed"]
    finally:
        await queue.close()


async def _collect(workers: list[Process], wanted: int) -> list[Counter[str]]:
    """Read what the workers say until they have settled as many as wanted; end them; answer what each settled."""
    counts = [Counter[str]() for _ in workers]

    async def read(worker: Process, count: Counter[str]) -> None:
        assert worker.stdout
        assert worker.stdin
        async for line in worker.stdout:
            verb, _, name = line.decode().strip().partition(" ")
            if verb == "settled":
                count[name] += 1
            if sum(one.total() for one in counts) >= wanted:
                for each in workers:
                    each.stdin.close() if each.stdin else None

    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*(read(worker, count) for worker, count in zip(workers, counts, strict=True)))
    return counts


async def test_processes_share_the_work(tmp_path: Path) -> None:
    """Two processes and one queue: everything that a third accepts is done, exactly once."""
    queue = await open_queue(tmp_path / "queue.db")
    workers = [await start(tmp_path, "serve") for _ in range(2)]
    try:
        batch = [acceptance(f"dst_{number}", message_id=f"m{number}") for number in range(300)]
        for begin in range(0, 300, 50):
            await queue.accept(batch[begin : begin + 50])
        counts = await _collect(workers, 300)
        assert sum(counts, Counter()) == Counter(one.event.message_id for one in batch)
        assert await queue.depths() == []
    finally:
        await _end(workers)
        await queue.close()


async def test_a_survivor_takes_over(tmp_path: Path) -> None:
    """Of two processes one is killed: the other does all the work, also what the dead one had leased."""
    queue, house = await reopen(tmp_path)
    workers: list[Process] = []
    try:
        await run(tmp_path, "accept:a", "accept:b", "die")
        await queue.leave(HOST)
        await run(tmp_path, "accept:c", "lease", "die")
        workers.append(await start(tmp_path, "serve"))
        await queue.sweep()
        (count,) = await _collect(workers, 3)
        assert set(count) == {"a", "b", "c"}
        assert await house.open_count() == 0
    finally:
        await _end(workers)
        await queue.close()


async def test_another_process_is_woken(tmp_path: Path) -> None:
    """What one process accepts, another that waits gets at once: no beat, no polling in between."""
    queue, house = await reopen(tmp_path)
    try:
        waiting = asyncio.ensure_future(house.lease(wait_seconds=PATIENCE_SECONDS))
        said = await run(tmp_path, "accept:a")
        assert said == ["accepted a"]
        (lease,) = await asyncio.wait_for(waiting, 5)
        assert lease.event.message_id == "a"
    finally:
        await queue.close()


async def _end(workers: list[Process]) -> None:
    for worker in workers:
        if worker.returncode is None:
            worker.kill()
        await worker.communicate()
