"""Functions and their versions."""

from msgspec import Struct

from guesthouse.api.control.operation import Answer, Call, Listing, Media, Nothing, Operation
from guesthouse.api.ports import Deployment
from guesthouse.errors import Malformed
from guesthouse.model.registry import Activation, Function, Kind, Version

_MAGIC = b"\x00asm"


class Upload(Struct, frozen=True, forbid_unknown_fields=True):
    """How a module is taken in."""

    activate: bool = True
    """Whether it is run from now on."""
    kind: Kind | None = None
    """By default what the module itself says."""


async def list_functions(call: Call) -> Listing[Function]:
    """List the functions, sorted by name."""
    return Listing(items=tuple(await call.registry.functions()))


async def show_function(call: Call) -> Function:
    """Show a function, by id or name."""
    return await call.registry.function(call.path["function"])


async def delete_function(call: Call) -> None:
    """Delete a function that nothing runs."""
    function = await call.registry.function(call.path["function"])
    await call.registry.delete_function(function.id)


async def upload(call: Call) -> Answer:
    """Take a module in; the function is made where there is none of that name."""
    if not call.body.startswith(_MAGIC):
        raise Malformed("the body is not a WebAssembly module")
    asked: Upload = call.query
    deployment = await call.services.deployer.deploy(
        call.tenant_id, call.path["function"], asked.kind, call.body, activate=asked.activate
    )
    return Answer(201 if deployment.is_new else 200, deployment)


async def list_versions(call: Call) -> Listing[Version]:
    """List a function's versions, the newest first."""
    function = await call.registry.function(call.path["function"])
    return Listing(items=tuple(await call.registry.versions(function.id)))


async def show_version(call: Call) -> Version:
    """Show a version."""
    function = await call.registry.function(call.path["function"])
    return await call.registry.version(function.id, call.path["digest"])


async def activate(call: Call) -> Activation:
    """Run a version from the next attempt on."""
    function = await call.registry.function(call.path["function"])
    return await call.registry.activate(function.id, call.path["digest"])


async def roll_back(call: Call) -> Activation:
    """Run the version before."""
    function = await call.registry.function(call.path["function"])
    return await call.registry.roll_back(function.id)


_ONE = "/functions/{function}"
OPERATIONS = (
    Operation(
        method="GET", path="/functions", handler=list_functions, summary="List functions", gives=Listing[Function]
    ),
    Operation(method="GET", path=_ONE, handler=show_function, summary="Show a function", gives=Function, errors=(404,)),
    Operation(
        method="DELETE", path=_ONE, handler=delete_function, summary="Delete a function", status=204, errors=(404, 409)
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/versions",
        handler=upload,
        summary="Upload a module",
        query=Upload,
        media=Media.WASM,
        gives=Deployment,
        status=201,
        errors=(200, 404, 409),
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/versions",
        handler=list_versions,
        summary="List a function's versions",
        gives=Listing[Version],
        errors=(404,),
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/versions/{{digest}}",
        handler=show_version,
        summary="Show a version",
        gives=Version,
        errors=(404,),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/versions/{{digest}}/activate",
        handler=activate,
        summary="Activate a version",
        query=Nothing,
        gives=Activation,
        errors=(404, 409),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/roll-back",
        handler=roll_back,
        summary="Activate the version before",
        gives=Activation,
        errors=(404, 409),
    ),
)
