"""What the end-to-end tests share: a data folder with a source and a destination, copied for each test."""

from collections.abc import AsyncIterator
from ipaddress import ip_network
from pathlib import Path

import pytest
from tests.support.guests import ROOT, build_c
from tests.support.served import Estate, estate_on

from guesthouse.app import CACHE_FOLDER, open_host
from guesthouse.config import EngineConfig
from guesthouse.model.registry import DestinationInput, SourceInput

POSTS = ROOT / "tests" / "integration" / "pipeline" / "busy.c"


@pytest.fixture(scope="module")
async def seed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the folder: one tenant, one source, one destination that posts each event."""
    data = tmp_path_factory.mktemp("seed") / "data"
    engine = EngineConfig(cache_folder=data / CACHE_FOLDER, allow_private=(ip_network("127.0.0.0/8"),))
    async with open_host(data, engine=engine) as host:
        tenant = await host.registry.create_tenant("default")
        made = await host.deployments.deploy(tenant.id, "posts", None, build_c(POSTS), activate=True)
        part = host.registry.within(tenant.id)
        source = await part.create_source(SourceInput(name="web"))
        await part.create_destination(
            DestinationInput(
                name="receiver",
                function_id=made.function.id,
                source_ids=(source.id,),
                settings={"url": "http://127.0.0.1:1/"},
            )
        )
    return data


@pytest.fixture
async def estate(seed: Path, tmp_path: Path) -> AsyncIterator[Estate]:
    """Give a copy of the folder, a receiver and a client."""
    async with estate_on(seed, tmp_path / "data") as made:
        yield made
