"""A registry with one tenant, over every backend."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.clock import FakeClock
from tests.support.storage import BACKENDS, Place, copied, prepare

from guesthouse.registry.sql import SqlRegistry
from guesthouse.registry.sql_tenant import SqlTenantRegistry


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the database that tests copy."""
    return prepare(tmp_path_factory.mktemp("storage") / "empty")


@pytest.fixture(params=BACKENDS)
def place(request: pytest.FixtureRequest, empty: Path, tmp_path: Path) -> Place:
    """Give a database of the test's own."""
    return copied(empty, request.param, tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    """Give a clock that the test moves."""
    return FakeClock()


@pytest.fixture
async def registry(place: Place, clock: FakeClock) -> AsyncIterator[SqlRegistry]:
    """Open a registry."""
    async with place.registry(clock) as opened:
        yield opened


@pytest.fixture
async def tenant(registry: SqlRegistry) -> SqlTenantRegistry:
    """Make a tenant; its part."""
    return registry.within((await registry.create_tenant("acme")).id)


@pytest.fixture
async def stranger(registry: SqlRegistry) -> SqlTenantRegistry:
    """Make another tenant; its part."""
    return registry.within((await registry.create_tenant("rival")).id)
