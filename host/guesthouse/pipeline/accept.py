"""The door: events in, matched with the destinations that want them, durable before anybody is told so."""

from collections.abc import Sequence

from guesthouse.ids import new_ids
from guesthouse.model.answers import Entry
from guesthouse.model.delivery import Delivery
from guesthouse.model.event import Event
from guesthouse.model.normalise import Arrival, Normalised, Refused, is_switched_on
from guesthouse.model.record import EventFate, EventRecord
from guesthouse.model.registry import Route, Source
from guesthouse.queue.protocol import Acceptance, Queue
from guesthouse.registry.protocol import Registry

SWITCHED_OFF = "switched_off"
"""Why a destination didn't get an event whose ``integrations`` leave it out."""


class FrontDoor:
    """See `guesthouse.api.ports.Door`."""

    def __init__(self, registry: Registry, queue: Queue) -> None:
        """Take what says who listens, and where accepted work goes."""
        self._registry = registry
        self._queue = queue

    async def source(self, write_key: str) -> Source | None:
        """See `guesthouse.api.ports.Door.source`."""
        return await self._registry.source_by_write_key(write_key)

    async def accept(self, source: Source, arrivals: Sequence[Arrival]) -> list[Entry]:
        """See `guesthouse.api.ports.Door.accept`."""
        routes = await self._registry.within(source.tenant_id).routes(source.id)
        ids = new_ids("evt", len(arrivals))
        batch, records = [], []
        for event_id, arrival in zip(ids, arrivals, strict=True):
            if isinstance(arrival, Normalised):
                batch.append(admit(source, event_id, arrival, routes))
            else:
                records.append(_refusal(source, event_id, arrival))
        receipts = await self._queue.accept(batch, records)
        duplicates = {receipt.event_id for receipt in receipts if receipt.is_duplicate}
        fates = {acceptance.event.id: acceptance.record.fate for acceptance in batch if acceptance.record}
        return [
            Entry(event_id=event_id, fate=EventFate.REFUSED, reason=arrival.reason)
            if isinstance(arrival, Refused)
            else Entry(event_id=event_id, fate=EventFate.DUPLICATE if event_id in duplicates else fates[event_id])
            for event_id, arrival in zip(ids, arrivals, strict=True)
        ]


def admit(source: Source, event_id: str, arrival: Normalised, routes: Sequence[Route]) -> Acceptance:
    """Match one event with the destinations that listen to its source."""
    wanted, passed_over = [], []
    for route in routes:
        destination = route.destination
        why_not = route.why_not(arrival.type, arrival.name)
        if why_not is None and not is_switched_on(arrival.integrations, destination.name):
            why_not = SWITCHED_OFF
        if why_not is None:
            wanted.append(destination.id)
        else:
            passed_over.append((destination.id, why_not))
    pairs = tuple(zip(new_ids("dlv", len(wanted)), wanted, strict=True))
    tenant_id = source.tenant_id
    event = Event(
        id=event_id,
        tenant_id=tenant_id,
        source_id=source.id,
        message_id=arrival.message_id,
        type=arrival.type,
        name=arrival.name,
        user_id=arrival.user_id,
        anonymous_id=arrival.anonymous_id,
        received_at_ms=arrival.received_at_ms,
        payload=arrival.payload,
    )
    return Acceptance(
        event=event,
        deliveries=tuple(
            Delivery(id=delivery_id, event_id=event_id, tenant_id=tenant_id, destination_id=destination_id)
            for delivery_id, destination_id in pairs
        ),
        record=_record(event, pairs, tuple(passed_over)),
    )


def _record(event: Event, pairs: tuple[tuple[str, str], ...], passed_over: tuple[tuple[str, str], ...]) -> EventRecord:
    return EventRecord(
        event_id=event.id,
        tenant_id=event.tenant_id,
        source_id=event.source_id,
        message_id=event.message_id,
        type=event.type,
        name=event.name,
        user_id=event.user_id,
        anonymous_id=event.anonymous_id,
        received_at_ms=event.received_at_ms,
        fate=EventFate.ACCEPTED if pairs else EventFate.UNMATCHED,
        deliveries=pairs,
        passed_over=passed_over,
        payload=event.payload,
    )


def _refusal(source: Source, event_id: str, refused: Refused) -> EventRecord:
    return EventRecord(
        event_id=event_id,
        tenant_id=source.tenant_id,
        source_id=source.id,
        message_id=refused.message_id,
        type=refused.type,
        name=refused.name,
        user_id=refused.user_id,
        anonymous_id=refused.anonymous_id,
        received_at_ms=refused.received_at_ms,
        fate=EventFate.REFUSED,
        reason=refused.reason,
        payload=refused.payload,
    )
