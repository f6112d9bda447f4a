"""The whole API as one ASGI app, built from values; nothing in it is global."""

from dataclasses import dataclass
from typing import Final

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.exceptions import HTTPException

from guesthouse.api.bodies import Receive, Scope, Send
from guesthouse.api.control.endpoint import refuse_route
from guesthouse.api.control.operation import Services
from guesthouse.api.control.routes import control_routes
from guesthouse.api.health import health_routes
from guesthouse.api.hooks import PREFIX as HOOKS_PREFIX
from guesthouse.api.hooks import HookEndpoint
from guesthouse.api.ingest import ENDPOINTS, Ingest
from guesthouse.api.ports import Door, Health, Hooks
from guesthouse.clock import Clock

_HTTP: Final = "http"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What stands behind the API."""

    door: Door
    hooks: Hooks
    services: Services
    health: Health
    metrics: CollectorRegistry
    clock: Clock


class Api:
    """The ASGI app: events and webhooks by the shortest way, everything else through starlette."""

    def __init__(self, ports: Ports) -> None:
        """Build it; whoever opened the ports closes them."""
        self._ingest = Ingest(ports.door, ports.clock)
        self._hooks = HookEndpoint(ports.hooks, ports.clock)
        self._rest = Starlette(
            routes=[*health_routes(ports.health, ports.metrics), *control_routes(ports.services, ports.clock)],
            exception_handlers={HTTPException: refuse_route},
        )
        self._rest.router.redirect_slashes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == _HTTP:
            path = scope["path"]
            if path in ENDPOINTS:
                await self._ingest(scope, receive, send)
                return
            if path.startswith(HOOKS_PREFIX):
                await self._hooks(scope, receive, send)
                return
        await self._rest(scope, receive, send)
