"""The registry on a SQL database, through SQLAlchemy Core."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from guesthouse.clock import Clock, SystemClock
from guesthouse.errors import NameTaken
from guesthouse.model.limits import Limits
from guesthouse.model.registry import CEILINGS, Source, Tenant, Token
from guesthouse.registry import hosts, keys
from guesthouse.registry.cache import AnswerCache, Changes
from guesthouse.registry.database import Database, DatabaseConfig
from guesthouse.registry.modules import ModuleFolder
from guesthouse.registry.sealing import Sealer
from guesthouse.registry.sql_tenant import Shared, SqlTenantRegistry
from guesthouse.registry.tables import HISTORY

T = TypeVar("T")


class SqlRegistry:
    """See `Registry`. Open it with `SqlRegistry.open`."""

    def __init__(self, shared: Shared) -> None:
        self._shared = shared
        self._database = shared.database
        self._cache = shared.cache

    @classmethod
    async def open(  # noqa: PLR0913 - all but two have defaults
        cls,
        url: str,
        folder: Path,
        *,
        clock: Clock | None = None,
        secret_key: str | None = None,
        ceilings: Limits = CEILINGS,
        config: DatabaseConfig | None = None,
    ) -> "SqlRegistry":
        """Open the database at *url*; *folder* keeps modules, and the secret key where *secret_key* isn't given.

        Raises `StorageFault`, and ``ValueError`` for an address or key that isn't one.
        """
        sealer = (
            await asyncio.to_thread(Sealer, secret_key) if secret_key else await asyncio.to_thread(Sealer.open, folder)
        )
        modules = await asyncio.to_thread(ModuleFolder, folder)
        database = await Database.open(url, HISTORY, config)
        clock = clock or SystemClock()

        async def changes(since: int) -> Changes:
            return await database.read(lambda connection: hosts.changes(connection, since))

        return cls(Shared(database, AnswerCache(changes, clock.monotonic), modules, sealer, clock, ceilings))

    def within(self, tenant_id: str) -> SqlTenantRegistry:
        """See `Registry.within`."""
        return SqlTenantRegistry(self._shared, tenant_id)

    async def tenants(self) -> Sequence[Tenant]:
        """See `Registry.tenants`."""
        return await self._database.read(hosts.every_tenant)

    async def tenant(self, id_or_name: str) -> Tenant:
        """See `Registry.tenant`."""
        return await self._database.read(lambda connection: hosts.tenant(connection, id_or_name))

    async def create_tenant(self, name: str) -> Tenant:
        """See `Registry.create_tenant`."""
        now_ms = self._shared.clock.now_ms()
        try:
            return await self._database.write(lambda connection: hosts.create_tenant(connection, name, now_ms))
        except IntegrityError:
            raise NameTaken("tenant", name) from None

    async def source_by_write_key(self, write_key: str) -> Source | None:
        """See `Registry.source_by_write_key`."""
        return await self._source_by_key("write", write_key)

    async def source_by_hook_token(self, hook_token: str) -> Source | None:
        """See `Registry.source_by_hook_token`."""
        return await self._source_by_key("hook", hook_token)

    async def authenticate(self, token: str) -> Token | None:
        """See `Registry.authenticate`."""
        if not keys.is_well_formed(token):
            return None

        def work(connection: Connection) -> tuple[str, Token] | None:
            known = hosts.token(connection, token)
            return None if known is None else (known.tenant_id, known)

        return await self._cached(("token", keys.hash_token(token)), work)

    def module_path(self, digest: str) -> Path:
        """See `Registry.module_path`."""
        return self._shared.modules.path(digest)

    async def module(self, digest: str) -> bytes:
        """See `Registry.module`."""
        return await asyncio.to_thread(self._shared.modules.read, digest)

    async def revision(self) -> int:
        """See `Registry.revision`."""
        await self._cache.refresh()
        return self._cache.revision

    async def close(self) -> None:
        """See `Registry.close`."""
        await self._database.close()

    async def _source_by_key(self, purpose: str, value: str) -> Source | None:
        known: tuple[Source, int | None] | None = self._cache.peek((purpose, value))
        if known is None and keys.is_well_formed(value):
            known = await self._look_up(purpose, value)
        if known is None or (known[1] is not None and known[1] <= self._shared.clock.now_ms()):
            return None
        return known[0]

    async def _look_up(self, purpose: str, value: str) -> tuple[Source, int | None] | None:
        def work(connection: Connection) -> tuple[str, tuple[Source, int | None]] | None:
            known = hosts.source_by_key(connection, purpose, value)
            return None if known is None else (known[0].tenant_id, known)

        return await self._cached((purpose, value), work)

    async def _cached(self, key: tuple[str, ...], work: Callable[[Connection], tuple[str, T] | None]) -> T | None:
        return await self._cache.answer(key, lambda: self._database.read(work))
