"""Talking to an ASGI app without a server."""

from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

App = Callable[..., Any]
Message = MutableMapping[str, Any]


@asynccontextmanager
async def client_of(app: App, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """Give a client whose requests all go to *app*, with these headers; what the app raises is raised here."""
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 4321))
    async with httpx.AsyncClient(transport=transport, base_url="http://host.example.com", headers=headers) as client:
        yield client
