"""A process that works on a queue, says each step on its output, and dies when it is told to. Run as a module.

Arguments: the folder, then steps. ``accept:NAME``, ``lease``, ``settle``, ``beat``, ``serve`` (lease and settle until
the input ends), ``die`` (SIGKILL), ``die-in-commit:NAME`` (SIGKILL inside the transaction that accepts NAME).
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from tests.support.queues import ANY_BYTES, acceptance, settlement

from guesthouse.queue.protocol import Lease, Queue, Room
from guesthouse.queue.sqlite import open_queue
from guesthouse.queue.sqlite.accepting import Acceptor, pack
from guesthouse.queue.sqlite.backend import SqliteQueue
from guesthouse.queue.sqlite.store import Store

HOST = f"hst_{os.getpid()}"
ROOM = Room(default=10_000, tenant_default=10_000)


def say(text: str) -> None:
    """Report a step that is done."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def die() -> None:
    """End like a process that somebody killed."""
    os.kill(os.getpid(), signal.SIGKILL)


async def accept(queue: Queue, name: str) -> None:
    """Accept one event."""
    await queue.accept([acceptance(f"dst_{name}", message_id=name)])
    say(f"accepted {name}")


async def lease(queue: Queue, wait_seconds: float = 0.0) -> list[Lease]:
    """Lease all that is due."""
    leases = await queue.lease(HOST, ROOM, limit=1_000, max_bytes=ANY_BYTES, wait_seconds=wait_seconds)
    for one in leases:
        say(f"leased {one.event.message_id}")
    return leases


async def settle(queue: Queue, leases: list[Lease]) -> None:
    """Settle leases as succeeded."""
    answers = await queue.settle([settlement(one) for one in leases])
    for one, is_settled in zip(leases, answers, strict=True):
        if is_settled:
            say(f"settled {one.event.message_id}")


async def die_in_commit(queue: SqliteQueue, name: str) -> None:
    """Die after the rows of an event are written, before they are committed."""
    acceptor = Acceptor(await pack([acceptance("dst_1", message_id=name)], deduplicate=True), [], deduplicate=True)

    async def accept_and_die(store: Store) -> None:
        await acceptor(store)
        die()

    await queue._run(accept_and_die, is_durable=True)


async def serve(queue: Queue) -> None:
    """Work like a host until the input ends: beat, lease, settle."""
    ended = asyncio.ensure_future(asyncio.to_thread(sys.stdin.read))
    while not ended.done():
        await queue.beat(HOST, 64)
        await settle(queue, await lease(queue, wait_seconds=0.2))
    await queue.leave(HOST)


async def main(folder: str, steps: list[str]) -> None:
    """Do the steps."""
    queue = await open_queue(Path(folder) / "queue.db")
    await queue.beat(HOST, 64)
    leases: list[Lease] = []
    for step in steps:
        verb, _, name = step.partition(":")
        match verb:
            case "accept":
                await accept(queue, name)
            case "lease":
                leases = await lease(queue)
            case "settle":
                await settle(queue, leases)
            case "serve":
                await serve(queue)
            case "die-in-commit":
                await die_in_commit(queue, name)
            case "die":
                die()
    await queue.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2:]))
