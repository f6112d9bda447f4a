"""Deliveries and their attempts: asked for, replayed, cancelled."""

from typing import Annotated, Final

from msgspec import Meta, Struct

from guesthouse.api.control.operation import Call, Listing, Media, Operation
from guesthouse.api.control.paging import AttemptList, DeliveryFilter, DeliveryList, Limit, listing, only
from guesthouse.api.ports import Replay
from guesthouse.errors import InvalidInput
from guesthouse.ledger.protocol import MAX_LIMIT
from guesthouse.ledger.values import AttemptQuery, DeliveryLife, DeliveryQuery, DeliveryView
from guesthouse.model.record import AttemptRecord

_Id = Annotated[str, Meta(max_length=64)]
_Ids = Annotated[tuple[_Id, ...], Meta(max_length=MAX_LIMIT)]
_MAX_CURSOR: Final = 1_024


class ReplayRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which deliveries to make anew: those named, or up to *limit* of those that a query finds."""

    deliveries: _Ids | None = None
    query: DeliveryFilter | None = None
    cursor: Annotated[str, Meta(max_length=_MAX_CURSOR)] | None = None
    limit: Limit = MAX_LIMIT


class CancelRequest(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which open deliveries to cancel: those named, or all of a destination."""

    deliveries: _Ids | None = None
    destination_id: _Id | None = None


class Cancelled(Struct, frozen=True, kw_only=True):
    """How many were open and are cancelled."""

    cancelled: int


async def list_deliveries(call: Call) -> Listing[DeliveryView]:
    """List deliveries as they stand, the latest accepted first."""
    asked: DeliveryList = call.query
    query = only(DeliveryQuery, asked)
    return listing(await call.services.ledger.deliveries(call.tenant_id, query, cursor=asked.cursor, limit=asked.limit))


async def show_delivery(call: Call) -> DeliveryLife:
    """Show a delivery with all its attempts."""
    return await call.services.ledger.delivery(call.tenant_id, call.path["delivery"])


async def replay_delivery(call: Call) -> Replay:
    """Make a delivery anew."""
    return await call.services.work.replay(call.tenant_id, (call.path["delivery"],))


async def replay(call: Call) -> Replay:
    """Make many deliveries anew."""
    asked: ReplayRequest = call.body
    if (asked.deliveries is None) == (asked.query is None):
        raise InvalidInput(("give either deliveries or a query",))
    if asked.query is None:
        return await call.services.work.replay(call.tenant_id, asked.deliveries or ())
    query = only(DeliveryQuery, asked.query)
    work = call.services.work
    return await work.replay_query(call.tenant_id, query, cursor=asked.cursor, limit=asked.limit)


async def cancel_delivery(call: Call) -> Cancelled:
    """Cancel a delivery if it is open."""
    life = await call.services.ledger.delivery(call.tenant_id, call.path["delivery"])
    return Cancelled(cancelled=await call.services.work.cancel(call.tenant_id, (life.delivery.id,), None))


async def cancel(call: Call) -> Cancelled:
    """Cancel many deliveries."""
    asked: CancelRequest = call.body
    if not asked.deliveries and asked.destination_id is None:
        raise InvalidInput(("give deliveries, or a destination_id for all of its",))
    count = await call.services.work.cancel(call.tenant_id, asked.deliveries or (), asked.destination_id)
    return Cancelled(cancelled=count)


async def list_attempts(call: Call) -> Listing[AttemptRecord]:
    """List attempts, the latest ended first."""
    asked: AttemptList = call.query
    query = only(AttemptQuery, asked)
    return listing(await call.services.ledger.attempts(call.tenant_id, query, cursor=asked.cursor, limit=asked.limit))


async def show_attempt(call: Call) -> AttemptRecord:
    """Show an attempt: requests, responses, logs, costs."""
    return await call.services.ledger.attempt(call.tenant_id, call.path["attempt"])


OPERATIONS = (
    Operation(
        method="GET",
        path="/deliveries",
        handler=list_deliveries,
        summary="List deliveries",
        query=DeliveryList,
        gives=Listing[DeliveryView],
    ),
    Operation(
        method="POST",
        path="/deliveries/replay",
        handler=replay,
        summary="Replay deliveries",
        media=Media.JSON,
        body=ReplayRequest,
        gives=Replay,
        errors=(404, 429),
    ),
    Operation(
        method="POST",
        path="/deliveries/cancel",
        handler=cancel,
        summary="Cancel deliveries",
        media=Media.JSON,
        body=CancelRequest,
        gives=Cancelled,
        errors=(404,),
    ),
    Operation(
        method="GET",
        path="/deliveries/{delivery}",
        handler=show_delivery,
        summary="Show a delivery and its attempts",
        gives=DeliveryLife,
        errors=(404,),
    ),
    Operation(
        method="POST",
        path="/deliveries/{delivery}/replay",
        handler=replay_delivery,
        summary="Replay a delivery",
        gives=Replay,
        errors=(404, 429),
    ),
    Operation(
        method="POST",
        path="/deliveries/{delivery}/cancel",
        handler=cancel_delivery,
        summary="Cancel a delivery",
        gives=Cancelled,
        errors=(404,),
    ),
    Operation(
        method="GET",
        path="/attempts",
        handler=list_attempts,
        summary="List attempts",
        query=AttemptList,
        gives=Listing[AttemptRecord],
    ),
    Operation(
        method="GET",
        path="/attempts/{attempt}",
        handler=show_attempt,
        summary="Show an attempt",
        gives=AttemptRecord,
        errors=(404,),
    ),
)
