"""What the hostile cases share."""

from collections.abc import AsyncIterator

import pytest
from tests.support.hostile import Gauntlet, opened


@pytest.fixture(scope="module")
async def gauntlet(request: pytest.FixtureRequest) -> AsyncIterator[Gauntlet]:
    """One engine for each file, with the guests of its ``CASES`` loaded."""
    async with opened() as gauntlet:
        await gauntlet.prepare(getattr(request.module, "CASES", ()))
        yield gauntlet
