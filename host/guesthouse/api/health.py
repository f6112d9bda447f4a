"""How the host is: ``/healthz`` for whoever restarts it, ``/readyz`` for whoever sends it work, ``/metrics``."""

from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from guesthouse.api.ports import Health

_UNAVAILABLE: Final = 503


def health_routes(health: Health, metrics: CollectorRegistry) -> list[Route]:
    """Make the routes; none of them asks who is there."""

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        problems = await health.problems()
        if problems:
            return JSONResponse({"status": "not ready", "problems": list(problems)}, _UNAVAILABLE)
        return JSONResponse({"status": "ready"})

    async def show_metrics(_request: Request) -> Response:
        return Response(generate_latest(metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})

    return [Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", show_metrics)]
