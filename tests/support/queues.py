"""Queues for tests: a clock that the test moves, events by the handful, and a queue with one host at work."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from guesthouse.ids import new_id
from guesthouse.model.delivery import Delivery, Outcome
from guesthouse.model.event import Event
from guesthouse.model.record import AttemptRecord, EventFate, EventRecord, Record
from guesthouse.queue.protocol import Acceptance, Lease, Queue, Receipt, Room, Settlement

START_MS = 1_800_000_000_000
HOST = "hst_1"
TENANT = "tnt_1"
SECOND_MS = 1_000
HOUR_MS = 3_600_000
ANY_BYTES = 1 << 30


class FakeClock:
    """A clock that stands still until it is moved. See `Clock`."""

    def __init__(self, monotonic_ms: int = 1_000_000) -> None:
        self.wall_ms = START_MS
        self.monotonic_ms = monotonic_ms

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return self.wall_ms

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self.monotonic_ms / 1000

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self.wall_ms += milliseconds
        self.monotonic_ms += milliseconds


def acceptance(
    *destinations: str,
    message_id: str | None = None,
    tenant_id: str = TENANT,
    source_id: str = "src_1",
    payload: bytes = b"payload",
) -> Acceptance:
    """Make an event with a delivery for each destination; a new message id unless one is given."""
    event = Event(
        id=new_id("evt"),
        tenant_id=tenant_id,
        source_id=source_id,
        message_id=message_id or new_id("msg"),
        type="track",
        name="Order Completed",
        received_at_ms=START_MS,
        payload=payload,
    )
    deliveries = tuple(
        Delivery(id=new_id("dlv"), event_id=event.id, tenant_id=tenant_id, destination_id=one) for one in destinations
    )
    return Acceptance(event=event, deliveries=deliveries, record=record_of(event, deliveries))


def record_of(event: Event, deliveries: Sequence[Delivery]) -> EventRecord:
    """Make the ledger's record of an accepted event."""
    return EventRecord(
        event_id=event.id,
        tenant_id=event.tenant_id,
        source_id=event.source_id,
        message_id=event.message_id,
        type=event.type,
        name=event.name,
        user_id=None,
        anonymous_id=None,
        received_at_ms=event.received_at_ms,
        fate=EventFate.ACCEPTED if deliveries else EventFate.UNMATCHED,
        deliveries=tuple((one.id, one.destination_id) for one in deliveries),
        payload=event.payload,
    )


def attempt_of(lease: Lease, outcome: Outcome) -> AttemptRecord:
    """Make the ledger's record of an attempt."""
    return AttemptRecord(
        attempt_id=new_id("att"),
        invocation_id=new_id("inv"),
        delivery_id=lease.delivery.id,
        event_id=lease.event.id,
        tenant_id=lease.delivery.tenant_id,
        source_id=lease.event.source_id,
        destination_id=lease.delivery.destination_id,
        function="fn_1",
        version="v",
        attempt=lease.attempt,
        started_at_ms=START_MS,
        ended_at_ms=START_MS,
        outcome=outcome,
        reason=None,
        code=None,
        verdict=None,
    )


def settlement(lease: Lease, outcome: Outcome = Outcome.SUCCEEDED, *, due_at_ms: int | None = None) -> Settlement:
    """Settle a lease, with a record."""
    record = attempt_of(lease, outcome)
    return Settlement(
        delivery_id=lease.delivery.id, token=lease.token, outcome=outcome, due_at_ms=due_at_ms, record=record
    )


@dataclass
class House:
    """A queue, its clock, and short ways to what tests do all the time."""

    queue: Queue
    clock: FakeClock
    room: Room = field(default_factory=lambda: Room(default=10_000, tenant_default=10_000))

    async def accept(self, *destinations: str, count: int = 1, tenant_id: str = TENANT) -> list[Acceptance]:
        """Accept new events, each for all the destinations."""
        batch = [acceptance(*destinations, tenant_id=tenant_id) for _ in range(count)]
        await self.queue.accept(batch)
        return batch

    async def accept_ids(self, *message_ids: str, source_id: str = "src_1") -> list[Receipt]:
        """Accept events with these message ids."""
        return await self.queue.accept(
            [acceptance("dst_1", message_id=one, source_id=source_id) for one in message_ids]
        )

    async def lease(
        self, *, host: str = HOST, limit: int = 1_000, max_bytes: int = ANY_BYTES, wait_seconds: float = 0.0
    ) -> list[Lease]:
        """Lease what is due."""
        return await self.queue.lease(host, self.room, limit=limit, max_bytes=max_bytes, wait_seconds=wait_seconds)

    async def lease_one(self, *, host: str = HOST) -> Lease:
        """Lease the one delivery that is due."""
        (lease,) = await self.lease(host=host)
        return lease

    async def settle(self, lease: Lease, outcome: Outcome = Outcome.SUCCEEDED, *, due_at_ms: int | None = None) -> bool:
        """Settle one lease."""
        (is_settled,) = await self.queue.settle([settlement(lease, outcome, due_at_ms=due_at_ms)])
        return is_settled

    async def lose_others(self) -> None:
        """Let the leases of every other host run out and sweep, while `HOST` goes on."""
        self.clock.advance(100 * SECOND_MS)
        await self.queue.beat(HOST, 64)
        await self.queue.sweep()
        await self.queue.beat(HOST, 64)

    async def records(self) -> list[Record]:
        """Take everything out of the outbox."""
        taken: list[Record] = []
        while True:
            records, cursor = await self.queue.drain(1_000)
            if not records:
                return taken
            taken += records
            await self.queue.drained(cursor)

    async def open_count(self) -> int:
        """Count what is open."""
        return sum(depth.open for depth in await self.queue.depths())
