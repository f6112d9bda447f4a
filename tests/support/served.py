"""Hosts in processes of their own, over one data folder, with a client that notes what was promised to it.

What a client was told (200) is a promise; `Receiver` counts what arrived; `Estate.reckon` compares the two with the
queue and the ledger, once the host has stopped.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from tests.support.engines import LOOPBACK, PATIENCE_SECONDS
from tests.support.guests import ROOT
from tests.support.receiver import Received, Receiver, reply

from guesthouse.app import CACHE_FOLDER, DATABASE_FILE, QUEUE_FILE, open_host
from guesthouse.clock import SystemClock
from guesthouse.config import EngineConfig
from guesthouse.ids import new_ids
from guesthouse.ledger.sql import SqlLedger
from guesthouse.ledger.values import DeliveryLife, DeliveryQuery, DeliveryView
from guesthouse.model.delivery import State
from guesthouse.model.registry import DestinationChange
from guesthouse.queue.protocol import Depth
from guesthouse.queue.sqlite import open_queue
from guesthouse.registry.sql import SqlRegistry

OK = 200


@dataclass
class Process:
    """A running host."""

    process: asyncio.subprocess.Process
    url: str = ""

    async def kill(self) -> None:
        """Kill it (-9)."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> int:
        """Ask it to end; its exit code."""
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.process.wait()


@dataclass
class Estate:
    """A data folder, who sends to it, and who receives from it."""

    data: Path
    receiver: Receiver
    write_key: str
    tenant_id: str
    destination_id: str
    client: aiohttp.ClientSession
    acknowledged: set[str] = field(default_factory=set)
    """Message ids that got their 200."""
    arrivals: list[tuple[str, int]] = field(default_factory=list)
    """Message id, and the generation of the host that sent it."""
    generation: int = 0
    running: list[Process] = field(default_factory=list)
    spare: dict[tuple[tuple[str, str], ...], Process] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """Where the hosts write what they log."""
        return self.data.parent / "log"

    async def start(self, **environment: str) -> Process:
        """Start a host and wait until it listens."""
        process = await self.prepare(**environment)
        self.spare.clear()
        assert process.process.stdout is not None
        assert process.process.stdin is not None
        process.process.stdin.write(b"go\n")
        async with asyncio.timeout(PATIENCE_SECONDS):
            process.url = (await process.process.stdout.readline()).decode().strip()
        assert process.url, "the host did not start; see its log"
        self.generation += 1
        return process

    async def prepare(self, **environment: str) -> Process:
        """Start a process that has everything imported by the time that it is wanted; `start` takes it."""
        key = tuple(sorted(environment.items()))
        if key in self.spare:
            return self.spare[key]
        with self.log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.e2e.house", str(self.data)),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                cwd=ROOT,
                env={**os.environ, **environment},
            )
        prepared = self.spare[key] = Process(process)
        self.running.append(prepared)
        return prepared

    async def send(self, url: str, message_ids: list[str], name: str = "Signup") -> bool:
        """Send a batch; whether it got its 200."""
        status, _ = await self.post(url, message_ids, name)
        return status == OK

    async def post(self, url: str, message_ids: list[str], name: str = "Signup") -> tuple[int, bytes]:
        """Send a batch; the answer's status (0 where none came) and body."""
        batch = [{"type": "track", "event": name, "userId": "u", "messageId": one} for one in message_ids]
        try:
            async with self.client.post(
                f"{url}/v1/batch", json={"batch": batch, "writeKey": self.write_key}
            ) as response:
                status, body = response.status, await response.read()
        except aiohttp.ClientError:
            return 0, b""
        if status == OK:
            self.acknowledged.update(message_ids)
        return status, body

    @property
    def copies(self) -> Counter[str]:
        """How often each message arrived."""
        return Counter(message_id for message_id, _ in self.arrivals)

    async def replay(self) -> list[str]:
        """Replay what is dead, and wait until that has arrived; the message ids."""
        dead = [view for view in await self.ledger() if view.state is State.DEAD]
        engine = EngineConfig(cache_folder=self.data / CACHE_FOLDER, allow_private=(LOOPBACK,))
        self.generation += 1
        async with open_host(self.data, engine=engine) as host:
            await host.work.replay(self.tenant_id, [view.id for view in dead])
            await self.arrived()
            await self.settled()
        return [view.message_id or "" for view in dead]

    async def arrived(self, message_ids: set[str] | None = None) -> None:
        """Wait until everything that was promised (or these) has arrived."""
        async with asyncio.timeout(2 * PATIENCE_SECONDS):
            while (self.acknowledged if message_ids is None else message_ids) - set(self.copies):
                self.receiver.arrived.clear()
                await self.receiver.arrived.wait()

    async def settled(self) -> None:
        """Wait until the queue holds nothing and the ledger has everything (another process's queue is looked into)."""
        queue = await open_queue(self.data / QUEUE_FILE)
        try:
            async with asyncio.timeout(2 * PATIENCE_SECONDS):
                while await queue.depths() or (await queue.drain(1))[0]:  # noqa: ASYNC110 - another's work: no signal
                    await asyncio.sleep(0.05)
        finally:
            await queue.close()

    async def depths(self) -> list[Depth]:
        """Look into the queue."""
        queue = await open_queue(self.data / QUEUE_FILE)
        try:
            return await queue.depths()
        finally:
            await queue.close()

    async def ledger(self) -> list[DeliveryView]:
        """Read all deliveries from the ledger."""
        ledger = await SqlLedger.open(f"sqlite:///{self.data / DATABASE_FILE}")
        try:
            views: list[DeliveryView] = []
            cursor = None
            while True:
                page = await ledger.deliveries(self.tenant_id, DeliveryQuery(), cursor=cursor, limit=500)
                views += page.items
                if (cursor := page.next) is None:
                    return views
        finally:
            await ledger.close()

    async def life(self, delivery_id: str) -> DeliveryLife:
        """Read a delivery's life."""
        ledger = await SqlLedger.open(f"sqlite:///{self.data / DATABASE_FILE}")
        try:
            return await ledger.delivery(self.tenant_id, delivery_id)
        finally:
            await ledger.close()

    async def reckon(self) -> list[DeliveryView]:
        """Hold the promises against what happened: nothing is missing, and queue, ledger and receiver agree."""
        views = await self.ledger()
        assert not await self.depths()
        copies, known = self.copies, Counter(view.message_id for view in views)
        dead = {view.message_id for view in views if view.state is State.DEAD}
        assert not self.acknowledged - set(copies) - dead, "acknowledged, and never arrived"
        assert not self.acknowledged - set(known), "acknowledged, and unknown to the ledger"
        assert set(known.values()) <= {1}, "one delivery for each message"
        assert {view.code for view in views if view.state is State.DEAD} <= {"host_crashed"}
        assert {view.state for view in views} <= {State.SUCCEEDED, State.DEAD}
        assert set(known) >= set(copies) >= set(known) - dead, "the ledger knows what arrived, and nothing else"
        assert {view.attempts for view in views} <= {1}, "a lost lease counts as no attempt"
        return views


def fresh_ids(count: int) -> list[str]:
    """Give new message ids."""
    return new_ids("m", count)


@asynccontextmanager
async def estate_on(seed: Path, data: Path) -> AsyncIterator[Estate]:
    """Use a copy of a folder in which the destination exists; every process that was started ends with the block."""
    await asyncio.to_thread(_copy, seed, data)
    async with Receiver() as receiver, aiohttp.ClientSession() as client:
        registry = await SqlRegistry.open(f"sqlite:///{data / DATABASE_FILE}", data, clock=SystemClock())
        (tenant,) = await registry.tenants()
        part = registry.within(tenant.id)
        (source,), (destination,) = await part.sources(), await part.destinations()
        change = DestinationChange(settings={"url": receiver.url("/")}, grants=(receiver.url("/"),))
        await part.change_destination(destination.id, change)
        await registry.close()
        estate = Estate(data, receiver, source.write_key, tenant.id, destination.id, client)

        def count(request: Received) -> bytes:
            estate.arrivals.append((json.loads(request.body)["messageId"], estate.generation))
            return reply()

        receiver.script = count
        try:
            yield estate
        finally:
            for one in estate.running:
                await one.kill()


def _copy(seed: Path, data: Path) -> None:
    shutil.copytree(seed, data)
