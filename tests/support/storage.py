"""Registries and ledgers for tests, over every database that there is; an empty one is made once and copied."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.clock import FakeClock

from guesthouse.clock import Clock
from guesthouse.ledger.sql import SqlLedger
from guesthouse.model.registry import DestinationInput, Function, Kind, SourceInput, Version
from guesthouse.model.reply import Description, Setting
from guesthouse.registry.database import DatabaseConfig
from guesthouse.registry.sql import SqlRegistry
from guesthouse.registry.sql_tenant import SqlTenantRegistry

BACKENDS = ("sqlite",)
"""Kinds of databases; a second one joins here and in `Place`."""
SECRET_KEY = "5e" * 32
STRANGE_TEXTS = (
    "'; DROP TABLE events; --",
    '" OR "1"="1',
    "x' UNION SELECT hash FROM tokens --",
    "%",
    "_%",
    "\\",
    "${jndi:ldap://x}",
    "{0}%s%(x)s",
    "line\nbreak\r\n",
    "\x1b[31mred",
    "null\0byte",
    "half \ud800 pair",
    "",
    "e\u0301",
    "x" * 5_000,
)
"""What strangers write into fields."""
MODULE = b"\0asm\1\0\0\0"


@dataclass(frozen=True)
class Place:
    """Where one test's database is."""

    backend: str
    folder: Path

    @property
    def file(self) -> Path:
        """The SQLite file."""
        return self.folder / "guesthouse.db"

    @property
    def url(self) -> str:
        """The database's address."""
        return f"{self.backend}:///{self.file}"

    @asynccontextmanager
    async def registry(
        self, clock: Clock | None = None, config: DatabaseConfig | None = None
    ) -> AsyncIterator[SqlRegistry]:
        """Open a registry on it."""
        registry = await SqlRegistry.open(
            self.url, self.folder, clock=clock or FakeClock(), secret_key=SECRET_KEY, config=config
        )
        try:
            yield registry
        finally:
            await registry.close()

    @asynccontextmanager
    async def ledger(self, config: DatabaseConfig | None = None) -> AsyncIterator[SqlLedger]:
        """Open a ledger on it."""
        ledger = await SqlLedger.open(self.url, config=config)
        try:
            yield ledger
        finally:
            await ledger.close()


def prepare(folder: Path) -> Path:
    """Make an empty database with all tables."""

    async def make() -> None:
        place = Place("sqlite", folder)
        async with place.registry(), place.ledger():
            pass

    folder.mkdir()
    asyncio.run(make())
    return folder / "guesthouse.db"


def copied(empty: Path, backend: str, folder: Path) -> Place:
    """Give a test its own copy of the empty database."""
    shutil.copy(empty, folder / "guesthouse.db")
    return Place(backend, folder)


def described(*settings: Setting, kind: str = "destination", handlers: tuple[str, ...] = ("onTrack",)) -> Description:
    """Describe a function."""
    return Description(abi=1, sdk="test", language="c", kind=kind, handlers=handlers, settings=settings)


async def deploy(
    tenant: SqlTenantRegistry, name: str = "poster", *settings: Setting, kind: Kind = Kind.DESTINATION
) -> tuple[Function, Version]:
    """Make a function with an active version."""
    function = await tenant.create_function(name, kind)
    handlers = ("onRequest",) if kind is Kind.SOURCE else ("onTrack",)
    description = described(*settings, kind=kind, handlers=handlers)
    version = await tenant.add_version(function.id, MODULE + name.encode(), description)
    return (await tenant.activate(function.id, version.digest)).function, version


async def wire(tenant: SqlTenantRegistry) -> tuple[str, str]:
    """Make a source and a destination that listens to it; their ids."""
    function, _ = await deploy(tenant)
    source = await tenant.create_source(SourceInput(name="web"))
    wanted = DestinationInput(name="crm", function_id=function.id, source_ids=(source.id,))
    return source.id, (await tenant.create_destination(wanted)).id
