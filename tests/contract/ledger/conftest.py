"""An empty ledger, over every backend."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.storage import BACKENDS, Place, copied, prepare

from guesthouse.ledger.sql import SqlLedger


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make the database that tests copy."""
    return prepare(tmp_path_factory.mktemp("storage") / "empty")


@pytest.fixture(params=BACKENDS)
def place(request: pytest.FixtureRequest, empty: Path, tmp_path: Path) -> Place:
    """Give a database of the test's own."""
    return copied(empty, request.param, tmp_path)


@pytest.fixture
async def ledger(place: Place) -> AsyncIterator[SqlLedger]:
    """Open a ledger."""
    async with place.ledger() as opened:
        yield opened
