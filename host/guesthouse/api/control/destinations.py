"""Destinations: made, changed, paused, deleted."""

from guesthouse.api.control.operation import Call, Listing, Media, Operation
from guesthouse.model.registry import Destination, DestinationChange, DestinationInput


async def _found(call: Call) -> Destination:
    return await call.registry.destination(call.path["destination"])


async def list_destinations(call: Call) -> Listing[Destination]:
    """List the destinations, sorted by name."""
    return Listing(items=tuple(await call.registry.destinations()))


async def create_destination(call: Call) -> Destination:
    """Put a destination function to work."""
    made = await call.registry.create_destination(call.body)
    if made.is_paused:
        await call.services.work.pause(call.tenant_id, made.id)
    return made


async def show_destination(call: Call) -> Destination:
    """Show a destination, by id or name."""
    return await _found(call)


async def change_destination(call: Call) -> Destination:
    """Change what is given of a destination."""
    return await _change(call, call.body)


async def pause_destination(call: Call) -> Destination:
    """Let deliveries wait."""
    return await _change(call, DestinationChange(is_paused=True))


async def resume_destination(call: Call) -> Destination:
    """Let deliveries go on."""
    return await _change(call, DestinationChange(is_paused=False))


async def _change(call: Call, change: DestinationChange) -> Destination:
    found = await _found(call)
    changed = await call.registry.change_destination(found.id, change)
    if isinstance(change.is_paused, bool):
        # Told again where nothing changed, so that repeating the request mends one that was cut short in between.
        act = call.services.work.pause if change.is_paused else call.services.work.resume
        await act(call.tenant_id, changed.id)
    return changed


async def delete_destination(call: Call) -> None:
    """Delete a destination and cancel what is open for it."""
    found = await _found(call)
    await call.registry.delete_destination(found.id)
    await call.services.work.destination_deleted(call.tenant_id, found.id)


_ONE = "/destinations/{destination}"
OPERATIONS = (
    Operation(
        method="GET",
        path="/destinations",
        handler=list_destinations,
        summary="List destinations",
        gives=Listing[Destination],
    ),
    Operation(
        method="POST",
        path="/destinations",
        handler=create_destination,
        summary="Make a destination",
        media=Media.JSON,
        body=DestinationInput,
        gives=Destination,
        status=201,
        errors=(404, 409),
    ),
    Operation(
        method="GET",
        path=_ONE,
        handler=show_destination,
        summary="Show a destination",
        gives=Destination,
        errors=(404,),
    ),
    Operation(
        method="PATCH",
        path=_ONE,
        handler=change_destination,
        summary="Change a destination",
        media=Media.JSON,
        body=DestinationChange,
        gives=Destination,
        errors=(404, 409),
    ),
    Operation(
        method="DELETE",
        path=_ONE,
        handler=delete_destination,
        summary="Delete a destination",
        status=204,
        errors=(404,),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/pause",
        handler=pause_destination,
        summary="Pause a destination",
        gives=Destination,
        errors=(404,),
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/resume",
        handler=resume_destination,
        summary="Resume a destination",
        gives=Destination,
        errors=(404,),
    ),
)
