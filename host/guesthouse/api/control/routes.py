"""All operations of the control API, as routes."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from guesthouse.api.control import deliveries, destinations, events, functions, sources, tokens
from guesthouse.api.control.endpoint import Endpoint, make_endpoint
from guesthouse.api.control.openapi import describe
from guesthouse.api.control.operation import Operation, Services
from guesthouse.clock import Clock

PREFIX: Final = "/api/v1"
OPERATIONS: Final[tuple[Operation, ...]] = (
    *functions.OPERATIONS,
    *sources.OPERATIONS,
    *destinations.OPERATIONS,
    *deliveries.OPERATIONS,
    *events.OPERATIONS,
    *tokens.OPERATIONS,
)


def control_routes(services: Services, clock: Clock) -> list[Route]:
    """Make the routes, one for each path, in the order of the table."""
    document = describe(OPERATIONS, PREFIX)

    async def show_document(_request: Request) -> Response:
        return Response(document, media_type="application/json")

    paths: dict[str, dict[str, Endpoint]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = make_endpoint(operation, services, clock)
    routes = [Route(PREFIX + path, _choose(by_method), methods=list(by_method)) for path, by_method in paths.items()]
    return [Route(f"{PREFIX}/openapi.json", show_document), *routes]


def _choose(by_method: dict[str, Endpoint]) -> Endpoint:
    """Make one endpoint of several, so that a path knows all its methods."""

    async def endpoint(request: Request) -> Response:
        # Starlette lets HEAD through where GET is.
        return await by_method["GET" if request.method == "HEAD" else request.method](request)

    return endpoint
