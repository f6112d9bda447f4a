"""A whole host for tests: real files, a real engine, a loopback receiver, and short ways to what tests do all the time.

Nothing here sleeps: whoever waits is woken when the ledger has learnt something.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tests.support.engines import PATIENCE_SECONDS, configured
from tests.support.guests import DESCRIPTION, behaviours, minimal
from tests.support.receiver import Receiver

from guesthouse.app import Host, open_host
from guesthouse.ids import new_id
from guesthouse.ledger.values import DeliveryLife, Life
from guesthouse.model.answers import Entry
from guesthouse.model.delivery import OPEN, State
from guesthouse.model.normalise import normalise_event
from guesthouse.model.normalise_frame import make_frame
from guesthouse.model.record import Record
from guesthouse.model.registry import Batching, Destination, DestinationInput, Function, Source, SourceInput
from guesthouse.model.retry import RetryPolicy
from guesthouse.pipeline.worker import WorkerConfig
from guesthouse.registry.protocol import TenantRegistry

QUICK_WORK = WorkerConfig(per_destination=8, beat_seconds=0.1, wait_seconds=0.2, fault_seconds=0.05, stop_seconds=2.0)
ONE_BY_ONE = Batching(events=1)
QUICK_RETRY = RetryPolicy(attempts=4, first_ms=20, factor=1.5)


@dataclass
class Rig:
    """A host at work, with one tenant and one source."""

    host: Host
    tenant: TenantRegistry
    source: Source
    receiver: Receiver
    learnt: asyncio.Event = field(default_factory=asyncio.Event)

    async def function(self, module: bytes | None = None, name: str | None = None) -> Function:
        """Deploy a module, by default that of all behaviours, as a function's active version."""
        made = await self.host.deployments.deploy(
            self.tenant.tenant_id, name or new_id("f"), None, module or behaviours(), activate=True
        )
        return made.function

    async def destination(
        self,
        behaviour: str = "done",
        *,
        function: Function | None = None,
        source: Source | None = None,
        **more: Any,  # noqa: ANN401 - fields of `DestinationInput`
    ) -> Destination:
        """Put a behaviour to work, listening to the source."""
        function = function or await self.function(name="behaviours")
        settings = {"behaviour": behaviour, "url": self.receiver.url("/api"), **more.pop("settings", {})}
        settings = {name: value for name, value in settings.items() if name not in more.get("secrets", {})}
        return await self.tenant.create_destination(
            DestinationInput(
                name=more.pop("name", None) or new_id("d"),
                function_id=function.id,
                source_ids=((source or self.source).id,),
                settings=settings,
                grants=more.pop("grants", (self.receiver.url("/"),)),
                batching=more.pop("batching", ONE_BY_ONE),
                **more,
            )
        )

    async def new_source(self, module: bytes | None = None, **more: Any) -> Source:  # noqa: ANN401 - fields of `SourceInput`
        """Make another source, perhaps with a source function."""
        function = await self.function(module) if module else None
        return await self.tenant.create_source(
            SourceInput(name=new_id("s"), function_id=function.id if function else None, **more)
        )

    async def send(self, *events: Mapping[str, object], source: Source | None = None) -> list[Entry]:
        """Let events come in through the door; what they lack is filled in."""
        source = source or self.source
        frame = make_frame(source_id=source.id, received_at_ms=time.time_ns() // 1_000_000)
        return await self.host.door.accept(source, [normalise_event({**track(), **one}, frame) for one in events])

    async def send_one(self, source: Source | None = None, **event: object) -> str:
        """Let one event in; its id."""
        (entry,) = await self.send(event, source=source)
        return entry.event_id

    async def until(self, is_so: Callable[[], Any]) -> Any:  # noqa: ANN401 - whatever the question answers
        """Ask whenever the ledger has learnt something, until the answer is true; give it."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                self.learnt.clear()
                answer = is_so()
                if asyncio.iscoroutine(answer):
                    answer = await answer
                if answer:
                    return answer
                await self.learnt.wait()

    async def life(self, event_id: str) -> Life | None:
        """Ask what became of an event so far."""
        lives = await self.host.ledger.explain(self.tenant.tenant_id, event_id)
        return lives[0] if lives else None

    async def ended(self, event_id: str, deliveries: int = 1) -> list[DeliveryLife]:
        """Wait until so many deliveries of an event are closed, and none is open."""

        async def closed() -> list[DeliveryLife] | None:
            life = await self.life(event_id)
            found = list(life.deliveries) if life else []
            is_over = len(found) >= deliveries and not any(one.delivery.state in OPEN for one in found)
            return found if is_over else None

        found: list[DeliveryLife] = await self.until(closed)
        return found

    async def ended_one(self, event_id: str) -> DeliveryLife:
        """Wait until the one delivery of an event is closed."""
        (found,) = await self.ended(event_id)
        return found

    async def attempted(self, event_id: str, attempts: int = 1) -> DeliveryLife:
        """Wait until the one delivery of an event has had so many attempts."""

        async def tried() -> DeliveryLife | None:
            life = await self.life(event_id)
            found = life.deliveries[0] if life and life.deliveries else None
            return found if found and len(found.attempts) >= attempts else None

        found: DeliveryLife = await self.until(tried)
        return found

    async def open_count(self) -> int:
        """Count what the queue still holds."""
        return sum(depth.open for depth in await self.host.queue.depths())


def track(**more: object) -> dict[str, object]:
    """Make a track event with a message id of its own."""
    return {"type": "track", "event": "Signup", "userId": "u1", "messageId": new_id("m"), **more}


def source_function(reply: object, **parts: Any) -> bytes:  # noqa: ANN401 - parts of `minimal`
    """Build a source function that always answers *reply*."""
    return minimal(reply=reply, description={**DESCRIPTION, "kind": "source", "handlers": ["onRequest"]}, **parts)


def states(lives: Sequence[DeliveryLife]) -> list[State]:
    """Give the deliveries' states."""
    return [life.delivery.state for life in lives]


@asynccontextmanager
async def rig_on(
    folder: Path, *, worker: WorkerConfig = QUICK_WORK, retry: RetryPolicy = QUICK_RETRY
) -> AsyncIterator[Rig]:
    """Open a host on a folder, with a receiver; the host works until the block is left."""
    worker = replace(worker, first_leases=worker.deliveries)  # as of one that has been at it for a moment
    async with Receiver() as receiver, open_host(folder, engine=configured(), worker=worker, retry=retry) as host:
        tenants = await host.registry.tenants()
        tenant = host.registry.within((tenants[0] if tenants else await host.registry.create_tenant("default")).id)
        sources = await tenant.sources()
        source = sources[0] if sources else await tenant.create_source(SourceInput(name="web"))
        rig = Rig(host, tenant, source, receiver)
        _listen(rig)
        yield rig


def _listen(rig: Rig) -> None:
    """Wake whoever waits each time that the ledger was appended to."""
    append = rig.host.ledger.append

    async def append_and_tell(records: Sequence[Record]) -> None:
        await append(records)
        rig.learnt.set()

    rig.host.ledger.append = append_and_tell  # type: ignore[method-assign] # a test listens in
