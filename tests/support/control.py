"""A whole API on a real registry and ledger in a folder; what needs an engine or a queue is played."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry
from tests.support.door import HOOK_TOKEN, FakeDoor

from guesthouse.abi.call import Webhook
from guesthouse.api.app import Api, Ports
from guesthouse.api.control.operation import Services
from guesthouse.api.ports import Deployment, HookAnswer, Replay
from guesthouse.clock import SystemClock
from guesthouse.errors import NotFound, RejectedModule
from guesthouse.ledger.sql import SqlLedger
from guesthouse.ledger.values import DeliveryQuery
from guesthouse.model.registry import Kind, Role, Tenant
from guesthouse.model.reply import Description, Setting
from guesthouse.registry.protocol import Registry
from guesthouse.registry.sql import SqlRegistry

MODULE: Final = b"\x00asm\x01\x00\x00\x00"
BROKEN_MODULE: Final = b"\x00asm\x02\x00\x00\x00"
DESCRIPTION: Final = Description(
    abi=1,
    sdk="test",
    language="wat",
    kind="destination",
    handlers=("onTrack",),
    settings=(
        Setting(name="url", type="string", required=True),
        Setting(name="key", type="string", secret=True),
    ),
)


class FakeDeployer:
    """See `Deployer`; looks at nothing but the header."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def deploy(
        self, tenant_id: str, name: str, kind: Kind | None, module: bytes, *, activate: bool
    ) -> Deployment:
        """See `Deployer.deploy`."""
        if not module.startswith(MODULE):
            raise RejectedModule("the module is broken", ("its version is 2", "it has no memory"))
        registry = self._registry.within(tenant_id)
        try:
            function = await registry.function(name)
        except NotFound:
            function = await registry.create_function(name, kind or Kind.DESTINATION)
        digest = hashlib.sha256(module).hexdigest()
        is_new = digest not in {version.digest for version in await registry.versions(function.id)}
        version = await registry.add_version(function.id, module, DESCRIPTION)
        problems: tuple[str, ...] = ()
        if activate:
            activation = await registry.activate(function.id, digest)
            function, problems = activation.function, activation.problems
        return Deployment(function=function, version=version, is_new=is_new, problems=problems)


@dataclass
class FakeWork:
    """See `Work`; remembers what it was asked."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    failure: Exception | None = None

    def _note(self, *asked: object) -> None:
        if self.failure:
            raise self.failure
        self.asked.append(asked)

    async def replay(self, tenant_id: str, delivery_ids: Sequence[str]) -> Replay:
        """See `Work.replay`."""
        self._note("replay", tenant_id, tuple(delivery_ids))
        return Replay(deliveries=tuple((one, f"{one}_again") for one in delivery_ids))

    async def replay_query(self, tenant_id: str, query: DeliveryQuery, *, cursor: str | None, limit: int) -> Replay:
        """See `Work.replay_query`."""
        self._note("replay_query", tenant_id, query, cursor, limit)
        return Replay(deliveries=())

    async def cancel(self, tenant_id: str, delivery_ids: Sequence[str], destination_id: str | None) -> int:
        """See `Work.cancel`."""
        self._note("cancel", tenant_id, tuple(delivery_ids), destination_id)
        return len(delivery_ids)

    async def pause(self, tenant_id: str, destination_id: str) -> None:
        """See `Work.pause`."""
        self._note("pause", tenant_id, destination_id)

    async def resume(self, tenant_id: str, destination_id: str) -> None:
        """See `Work.resume`."""
        self._note("resume", tenant_id, destination_id)

    async def destination_deleted(self, tenant_id: str, destination_id: str) -> None:
        """See `Work.destination_deleted`."""
        self._note("destination_deleted", tenant_id, destination_id)


@dataclass
class FakeHooks:
    """See `Hooks`; knows one token and gives one answer."""

    answer: HookAnswer = field(default_factory=HookAnswer)
    failure: Exception | None = None
    received: list[tuple[Webhook, str | None]] = field(default_factory=list)

    async def receive(self, hook_token: str, webhook: Webhook, ip: str | None) -> HookAnswer:
        """See `Hooks.receive`."""
        if hook_token != HOOK_TOKEN:
            raise NotFound("webhook address", "")
        self.received.append((webhook, ip))
        if self.failure:
            raise self.failure
        return self.answer


@dataclass
class FakeHealth:
    """See `Health`."""

    wrong: list[str] = field(default_factory=list)

    async def problems(self) -> Sequence[str]:
        """See `Health.problems`."""
        return self.wrong


@dataclass(kw_only=True)
class Stage:
    """An API with everything behind it in reach."""

    api: Api
    registry: SqlRegistry
    ledger: SqlLedger
    door: FakeDoor
    hooks: FakeHooks
    work: FakeWork
    health: FakeHealth
    tenant: Tenant
    stranger: Tenant
    admin: dict[str, str]
    """Headers of whoever may do everything within `tenant`; the others likewise."""
    viewer: dict[str, str]
    foreign: dict[str, str]
    """Headers of the admin of `stranger`."""


@asynccontextmanager
async def _opened_storage(folder: Path) -> AsyncIterator[tuple[SqlRegistry, SqlLedger]]:
    url = f"sqlite:///{folder / 'guesthouse.db'}"
    async with AsyncExitStack() as closing:
        registry = await SqlRegistry.open(url, folder)
        closing.push_async_callback(registry.close)
        ledger = await SqlLedger.open(url)
        closing.push_async_callback(ledger.close)
        yield registry, ledger


async def make_storage(folder: Path) -> None:
    """Make an empty registry and ledger, for `opened_stage` to open in a copy of the folder."""
    async with _opened_storage(folder):
        pass


@asynccontextmanager
async def opened_stage(folder: Path) -> AsyncIterator[Stage]:
    """Open an API whose registry and ledger live in *folder*, with two tenants."""
    async with _opened_storage(folder) as (registry, ledger):
        yield await _set(registry, ledger)


async def _set(registry: SqlRegistry, ledger: SqlLedger) -> Stage:
    tenant, stranger = [await registry.create_tenant(name) for name in ("default", "stranger")]
    door, hooks, work, health = FakeDoor(), FakeHooks(), FakeWork(), FakeHealth()
    services = Services(registry=registry, ledger=ledger, deployer=FakeDeployer(registry), work=work)
    metrics = CollectorRegistry()
    clock = SystemClock()
    return Stage(
        api=Api(Ports(door=door, hooks=hooks, services=services, health=health, metrics=metrics, clock=clock)),
        registry=registry,
        ledger=ledger,
        door=door,
        hooks=hooks,
        work=work,
        health=health,
        tenant=tenant,
        stranger=stranger,
        admin=await _headers(registry, tenant, Role.ADMIN),
        viewer=await _headers(registry, tenant, Role.VIEWER),
        foreign=await _headers(registry, stranger, Role.ADMIN),
    )


async def _headers(registry: SqlRegistry, tenant: Tenant, role: Role) -> dict[str, str]:
    _, text = await registry.within(tenant.id).create_token(role, role)
    return {"Authorization": f"Bearer {text}"}


async def snapshot(stage: Stage) -> tuple[object, ...]:
    """Give all that a request could have changed."""
    parts = [stage.registry.within(tenant.id) for tenant in (stage.tenant, stage.stranger)]
    lists = [(one.functions(), one.sources(), one.destinations(), one.tokens()) for one in parts]
    found = await asyncio.gather(*(question for questions in lists for question in questions))
    return (*map(tuple, found), tuple(map(len, stage.door.calls)), tuple(stage.work.asked), len(stage.hooks.received))
