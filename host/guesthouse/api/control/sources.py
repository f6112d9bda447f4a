"""Sources and their keys."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from guesthouse.api.control.operation import Call, Listing, Media, Operation
from guesthouse.api.control.views import SourceView, view_source
from guesthouse.model.registry import Source, SourceChange, SourceInput

_LONGEST_OVERLAP_MS: Final = 30 * 24 * 3_600_000


class Rotation(Struct, frozen=True, forbid_unknown_fields=True):
    """How a key is replaced."""

    overlap_ms: Annotated[int, Meta(ge=0, le=_LONGEST_OVERLAP_MS)] = 0
    """How long the old one is good for as well."""


def _view(call: Call, source: Source) -> SourceView:
    return view_source(source, call.base_url, with_keys=call.may_see_keys)


async def _found(call: Call) -> Source:
    return await call.registry.source(call.path["source"])


async def list_sources(call: Call) -> Listing[SourceView]:
    """List the sources, sorted by name."""
    return Listing(items=tuple(_view(call, source) for source in await call.registry.sources()))


async def create_source(call: Call) -> SourceView:
    """Make a source with fresh keys."""
    return _view(call, await call.registry.create_source(call.body))


async def show_source(call: Call) -> SourceView:
    """Show a source, by id or name."""
    return _view(call, await _found(call))


async def change_source(call: Call) -> SourceView:
    """Change what is given of a source."""
    source = await _found(call)
    return _view(call, await call.registry.change_source(source.id, call.body))


async def delete_source(call: Call) -> None:
    """Delete a source with its keys."""
    source = await _found(call)
    await call.registry.delete_source(source.id)


async def rotate_write_key(call: Call) -> SourceView:
    """Give a source a new write key."""
    source = await _found(call)
    return _view(call, await call.registry.rotate_write_key(source.id, overlap_ms=call.query.overlap_ms))


async def rotate_hook_token(call: Call) -> SourceView:
    """Give a source a new webhook address."""
    source = await _found(call)
    return _view(call, await call.registry.rotate_hook_token(source.id, overlap_ms=call.query.overlap_ms))


_ONE = "/sources/{source}"
OPERATIONS = (
    Operation(method="GET", path="/sources", handler=list_sources, summary="List sources", gives=Listing[SourceView]),
    Operation(
        method="POST",
        path="/sources",
        handler=create_source,
        summary="Make a source",
        media=Media.JSON,
        body=SourceInput,
        gives=SourceView,
        status=201,
        errors=(404, 409),
    ),
    Operation(method="GET", path=_ONE, handler=show_source, summary="Show a source", gives=SourceView, errors=(404,)),
    Operation(
        method="PATCH",
        path=_ONE,
        handler=change_source,
        summary="Change a source",
        media=Media.JSON,
        body=SourceChange,
        gives=SourceView,
        errors=(404, 409),
    ),
    Operation(
        method="DELETE", path=_ONE, handler=delete_source, summary="Delete a source", status=204, errors=(404, 409)
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/rotate-write-key",
        handler=rotate_write_key,
        summary="Replace a write key",
        query=Rotation,
        gives=SourceView,
        errors=(404,),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/rotate-hook-token",
        handler=rotate_hook_token,
        summary="Replace a webhook address",
        query=Rotation,
        gives=SourceView,
        errors=(404,),
    ),
)
