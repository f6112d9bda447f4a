"""What tests of the API ask for."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from tests.support.asgi import client_of
from tests.support.control import Stage, make_storage, opened_stage


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make an empty registry and ledger once: creating their tables takes longer than a test."""
    folder = tmp_path_factory.mktemp("storage")
    asyncio.run(make_storage(folder))
    return folder


@pytest.fixture
async def stage(storage: Path, tmp_path: Path) -> AsyncIterator[Stage]:
    """Set up an API with two tenants."""
    folder = shutil.copytree(storage, tmp_path / "data")
    async with opened_stage(folder) as stage:
        yield stage


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[httpx.AsyncClient]:
    """Talk to it as nobody in particular."""
    async with client_of(stage.api) as client:
        yield client
