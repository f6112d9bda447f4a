"""What every test may ask for."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the host does; for the whole session, so that modules may share an engine."""
    return "asyncio"
