"""One tenant's part of the registry on a SQL database: each method is one transaction over a `TenantScope`."""

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from guesthouse.clock import Clock
from guesthouse.errors import NameTaken, NotFound
from guesthouse.model.limits import Limits
from guesthouse.model.registry import (
    Activation,
    Assignment,
    Destination,
    DestinationChange,
    DestinationInput,
    Function,
    Kind,
    Role,
    Route,
    Source,
    SourceChange,
    SourceInput,
    Token,
    Version,
)
from guesthouse.model.reply import Description
from guesthouse.registry import destinations, functions, sources, tokens
from guesthouse.registry.cache import AnswerCache
from guesthouse.registry.database import Database
from guesthouse.registry.holders import Terms
from guesthouse.registry.modules import ModuleFolder
from guesthouse.registry.scope import TenantScope
from guesthouse.registry.sealing import Sealer

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Shared:
    """What all parts of one registry share."""

    database: Database
    cache: AnswerCache
    modules: ModuleFolder
    sealer: Sealer
    clock: Clock
    ceilings: Limits


class SqlTenantRegistry:
    """See `TenantRegistry`."""

    def __init__(self, shared: Shared, tenant_id: str) -> None:
        """Made by `SqlRegistry.within`."""
        self._shared = shared
        self._tenant_id = tenant_id

    @property
    def tenant_id(self) -> str:
        """See `TenantRegistry.tenant_id`."""
        return self._tenant_id

    async def functions(self) -> Sequence[Function]:
        """See `TenantRegistry.functions`."""
        return await self._read(functions.every)

    async def function(self, id_or_name: str) -> Function:
        """See `TenantRegistry.function`."""
        return await self._read(lambda scope: functions.one(scope, id_or_name))

    async def create_function(self, name: str, kind: Kind) -> Function:
        """See `TenantRegistry.create_function`."""
        return await self._name("function", name, lambda scope: functions.create(scope, name, kind, self._now_ms()))

    async def delete_function(self, function_id: str) -> None:
        """See `TenantRegistry.delete_function`."""
        await self._change(lambda scope: functions.drop(scope, function_id))

    async def versions(self, function_id: str) -> Sequence[Version]:
        """See `TenantRegistry.versions`."""
        return await self._read(lambda scope: functions.every_version(scope, function_id))

    async def version(self, function_id: str, digest: str) -> Version:
        """See `TenantRegistry.version`."""
        return await self._read(lambda scope: functions.version(scope, function_id, digest))

    async def add_version(
        self,
        function_id: str,
        module: bytes,
        description: Description,
        *,
        language: str | None = None,
        why_not_snapshotted: str | None = None,
    ) -> Version:
        """See `TenantRegistry.add_version`."""
        wanted = Version(
            digest=(await asyncio.to_thread(hashlib.sha256, module)).hexdigest(),
            function_id=function_id,
            created_at_ms=self._now_ms(),
            size_bytes=len(module),
            language=language,
            description=description,
            why_not_snapshotted=why_not_snapshotted,
        )
        # Looked for first: nobody fills the disk by uploading to functions that don't exist. The file comes before
        # the row: a version never lacks its module.
        await self._read(lambda scope: functions.by_id(scope, function_id))
        await asyncio.to_thread(self._shared.modules.save, module)
        return await self._change(lambda scope: functions.add_version(scope, wanted))

    async def activate(self, function_id: str, digest: str) -> Activation:
        """See `TenantRegistry.activate`."""
        return await self._change(lambda scope: functions.activate(scope, function_id, digest, self._now_ms()))

    async def roll_back(self, function_id: str) -> Activation:
        """See `TenantRegistry.roll_back`."""
        return await self._change(lambda scope: functions.roll_back(scope, function_id))

    async def sources(self) -> Sequence[Source]:
        """See `TenantRegistry.sources`."""
        return await self._read(sources.every)

    async def source(self, id_or_name: str) -> Source:
        """See `TenantRegistry.source`."""
        return await self._read(lambda scope: sources.one(scope, id_or_name))

    async def create_source(self, wanted: SourceInput) -> Source:
        """See `TenantRegistry.create_source`."""
        return await self._name("source", wanted.name, lambda scope: sources.create(scope, self._terms(), wanted))

    async def change_source(self, source_id: str, change: SourceChange) -> Source:
        """See `TenantRegistry.change_source`."""
        return await self._adjust(
            "source", change.name, lambda scope: sources.change(scope, self._terms(), source_id, change)
        )

    async def rotate_write_key(self, source_id: str, *, overlap_ms: int = 0) -> Source:
        """See `TenantRegistry.rotate_write_key`."""
        return await self._change(lambda scope: sources.rotate(scope, self._now_ms(), source_id, "write", overlap_ms))

    async def rotate_hook_token(self, source_id: str, *, overlap_ms: int = 0) -> Source:
        """See `TenantRegistry.rotate_hook_token`."""
        return await self._change(lambda scope: sources.rotate(scope, self._now_ms(), source_id, "hook", overlap_ms))

    async def delete_source(self, source_id: str) -> None:
        """See `TenantRegistry.delete_source`."""
        await self._change(lambda scope: sources.drop(scope, source_id))

    async def destinations(self) -> Sequence[Destination]:
        """See `TenantRegistry.destinations`."""
        return await self._read(destinations.every)

    async def destination(self, id_or_name: str) -> Destination:
        """See `TenantRegistry.destination`."""
        return await self._read(lambda scope: destinations.one(scope, id_or_name))

    async def create_destination(self, wanted: DestinationInput) -> Destination:
        """See `TenantRegistry.create_destination`."""
        return await self._name(
            "destination", wanted.name, lambda scope: destinations.create(scope, self._terms(), wanted)
        )

    async def change_destination(self, destination_id: str, change: DestinationChange) -> Destination:
        """See `TenantRegistry.change_destination`."""
        return await self._adjust(
            "destination", change.name, lambda scope: destinations.change(scope, self._terms(), destination_id, change)
        )

    async def delete_destination(self, destination_id: str) -> None:
        """See `TenantRegistry.delete_destination`."""
        await self._change(lambda scope: destinations.drop(scope, destination_id))

    async def has_secret(self, holder_id: str, name: str, value: str) -> bool:
        """See `TenantRegistry.has_secret`."""
        sealer = self._shared.sealer
        return await self._read(lambda scope: destinations.has_secret(scope, sealer, holder_id, name, value))

    async def assignment(self, holder_id: str) -> Assignment:
        """See `TenantRegistry.assignment`."""
        known: Assignment | None = self._shared.cache.peek(("assignment", self._tenant_id, holder_id))
        if known is not None:
            return known
        sealer = self._shared.sealer
        return await self._cached(
            "assignment", holder_id, lambda scope: destinations.assignment(scope, sealer, holder_id)
        )

    async def routes(self, source_id: str) -> Sequence[Route]:
        """See `TenantRegistry.routes`."""
        known: tuple[Route, ...] | None = self._shared.cache.peek(("routes", self._tenant_id, source_id))
        if known is not None:
            return known
        return await self._cached("routes", source_id, lambda scope: destinations.routes(scope, source_id))

    async def tokens(self) -> Sequence[Token]:
        """See `TenantRegistry.tokens`."""
        return await self._read(tokens.every)

    async def create_token(self, name: str, role: Role) -> tuple[Token, str]:
        """See `TenantRegistry.create_token`."""
        return await self._name("token", name, lambda scope: tokens.create(scope, name, role, self._now_ms()))

    async def delete_token(self, token_id: str) -> None:
        """See `TenantRegistry.delete_token`."""
        await self._change(lambda scope: tokens.drop(scope, token_id))

    def _now_ms(self) -> int:
        return self._shared.clock.now_ms()

    def _terms(self) -> Terms:
        return Terms(self._shared.sealer, self._shared.ceilings, self._now_ms())

    async def _read(self, work: Callable[[TenantScope], T]) -> T:
        return await self._shared.database.read(lambda connection: work(TenantScope(connection, self._tenant_id)))

    async def _cached(self, what: str, id_: str, work: Callable[[TenantScope], T]) -> T:
        async def load() -> tuple[str, T]:
            return self._tenant_id, await self._read(work)

        answer = await self._shared.cache.answer((what, self._tenant_id, id_), load)
        if answer is None:
            raise NotFound(what, id_)
        return answer

    async def _change(self, work: Callable[[TenantScope], T]) -> T:
        return await self._write(lambda scope: (work(scope), True))

    async def _adjust(self, what: str, name: object, work: Callable[[TenantScope], tuple[T, bool]]) -> T:
        try:
            return await self._write(work)
        except IntegrityError:
            raise NameTaken(what, str(name)) from None

    async def _name(self, what: str, name: str, work: Callable[[TenantScope], T]) -> T:
        return await self._adjust(what, name, lambda scope: (work(scope), True))

    async def _write(self, work: Callable[[TenantScope], tuple[T, bool]]) -> T:
        def transaction(connection: Connection) -> T:
            scope = TenantScope(connection, self._tenant_id)
            scope.check_tenant()
            answer, is_changed = work(scope)
            if is_changed:
                scope.mark_changed()
            return answer

        try:
            return await self._shared.database.write(transaction)
        finally:
            # Even when it failed or was cancelled: it may have taken effect.
            self._shared.cache.forget(self._tenant_id)
