"""One host for each module of tests; each test takes sources and destinations of its own."""

from collections.abc import AsyncIterator

import pytest
from tests.support.hosts import Rig, rig_on
from tests.support.receiver import reply


@pytest.fixture(scope="module")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    """Open a host for the module."""
    async with rig_on(tmp_path_factory.mktemp("host") / "data") as rig:
        yield rig


@pytest.fixture
async def rig(house: Rig) -> Rig:
    """Give the host with a fresh source and a receiver that says yes and has heard nothing."""
    house.source = await house.new_source()
    house.receiver.script = lambda _: reply()
    house.receiver.requests.clear()
    house.receiver.arrived.clear()
    return house
