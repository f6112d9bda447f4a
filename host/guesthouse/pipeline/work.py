"""What people do about deliveries: replay, cancel, pause, resume."""

from collections.abc import Sequence

from msgspec import structs

from guesthouse.errors import NotFound
from guesthouse.ids import new_ids
from guesthouse.ledger.protocol import Ledger
from guesthouse.ledger.values import DeliveryQuery, DeliveryView
from guesthouse.model.answers import Replay
from guesthouse.model.delivery import Delivery
from guesthouse.model.event import Event
from guesthouse.model.record import EventRecord
from guesthouse.pipeline.hooks import WEBHOOK, SourceHooks
from guesthouse.queue.protocol import MAX_CANCELLED, Acceptance, Queue, Selector
from guesthouse.registry.protocol import Registry

PAUSED = "paused"


class DeliveryWork:
    """See `guesthouse.api.ports.Work`."""

    def __init__(self, registry: Registry, queue: Queue, ledger: Ledger, hooks: SourceHooks) -> None:
        """Take what exists, what must happen, what did, and what runs webhooks again."""
        self._registry = registry
        self._queue = queue
        self._ledger = ledger
        self._hooks = hooks

    async def replay(self, tenant_id: str, delivery_ids: Sequence[str]) -> Replay:
        """See `guesthouse.api.ports.Work.replay`."""
        lives = [await self._ledger.delivery(tenant_id, delivery_id) for delivery_id in delivery_ids]
        return await self._replay(tenant_id, [life.delivery for life in lives], None)

    async def replay_query(self, tenant_id: str, query: DeliveryQuery, *, cursor: str | None, limit: int) -> Replay:
        """See `guesthouse.api.ports.Work.replay_query`."""
        page = await self._ledger.deliveries(tenant_id, query, cursor=cursor, limit=limit)
        return await self._replay(tenant_id, page.items, page.next)

    async def _replay(self, tenant_id: str, views: Sequence[DeliveryView], cursor: str | None) -> Replay:
        events = await self._ledger.payloads(tenant_id, [view.event_id for view in views])
        known = [view for view in views if view.event_id in events]
        new = dict(zip((view.id for view in known), new_ids("dlv", len(known)), strict=True))
        batch = []
        for view in known:
            event = events[view.event_id]
            if event.type == WEBHOOK:
                source = await self._registry.within(tenant_id).source(event.source_id)
                await self._hooks.replay(source, event, new[view.id], view.id)
            else:
                batch.append(_again(event, view, new[view.id]))
        if batch:
            await self._queue.accept(batch, deduplicate=False)
        return Replay(
            deliveries=tuple(new.items()),
            without_payload=tuple(view.id for view in views if view.event_id not in events),
            cursor=cursor,
        )

    async def cancel(self, tenant_id: str, delivery_ids: Sequence[str], destination_id: str | None) -> int:
        """See `guesthouse.api.ports.Work.cancel`."""
        if not delivery_ids and destination_id is None:
            return 0
        selector = Selector(tenant_id=tenant_id, destination_id=destination_id, delivery_ids=tuple(delivery_ids))
        return await self._cancel_all(selector)

    async def _cancel_all(self, selector: Selector) -> int:
        cancelled = 0
        while True:
            now = await self._queue.cancel(selector)
            cancelled += now
            if now < MAX_CANCELLED:
                return cancelled

    async def pause(self, tenant_id: str, destination_id: str) -> None:
        """See `guesthouse.api.ports.Work.pause`."""
        await self._own(tenant_id, destination_id)
        await self._queue.hold(destination_id, None, PAUSED)

    async def resume(self, tenant_id: str, destination_id: str) -> None:
        """See `guesthouse.api.ports.Work.resume`."""
        await self._own(tenant_id, destination_id)
        await self._queue.release(destination_id, PAUSED)

    async def destination_deleted(self, tenant_id: str, destination_id: str) -> None:
        """See `guesthouse.api.ports.Work.destination_deleted`."""
        await self._cancel_all(Selector(tenant_id=tenant_id, destination_id=destination_id))

    async def _own(self, tenant_id: str, destination_id: str) -> None:
        destination = await self._registry.within(tenant_id).destination(destination_id)
        if destination.tenant_id != tenant_id:
            raise NotFound("destination", destination_id)


def _again(event: EventRecord, view: DeliveryView, delivery_id: str) -> Acceptance:
    """Make a delivery that repeats an old one, with the ledger's copy of its event."""
    return Acceptance(
        event=Event(
            id=event.event_id,
            tenant_id=event.tenant_id,
            source_id=event.source_id,
            message_id=event.message_id or event.event_id,
            type=event.type or "track",
            name=event.name,
            user_id=event.user_id,
            anonymous_id=event.anonymous_id,
            received_at_ms=event.received_at_ms,
            payload=event.payload,
        ),
        deliveries=(
            Delivery(
                id=delivery_id,
                event_id=event.event_id,
                tenant_id=event.tenant_id,
                destination_id=view.destination_id,
                replay_of=view.id,
            ),
        ),
        record=structs.replace(
            event, deliveries=((delivery_id, view.destination_id),), replays=((delivery_id, view.id),), passed_over=()
        ),
    )
