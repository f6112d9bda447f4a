"""The durable queue: what every backend promises, in one place.

A backend keeps deliveries and their states; `model.delivery` decides the states. The promises below are tests in
``tests/contract/queue``: a backend that passes them is done, and one that needs an exception found a bug in them.

Times. What is named ``*_at_ms`` or ``until_ms`` is on people's clock. A backend turns it into a delay at once and
measures the delay on a clock of its own that never jumps, so a wrong wall clock moves nothing that is already waiting.

Failures. Every method raises `errors.StorageFault` when the storage fails (full, read-only, corrupt, not answering).
Then nothing of that call was done, unless the fault struck in the act of committing: ``is_uncertain`` says so. The
queue works again by itself when the cause is gone. A call that is cancelled may still take effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from msgspec import Struct, field

from guesthouse.model.delivery import Delivery, Outcome, State
from guesthouse.model.event import Event
from guesthouse.model.record import EventRecord, Record

MAX_ACCEPTED = 2_500
"""Acceptances in one call; a batch of the ingestion API fits."""
MAX_DELIVERIES = 100_000
"""Deliveries in one call of `Queue.accept`."""
MAX_LEASED = 1_000
"""Leases that one call hands out at most, whatever its limit says."""
MAX_SETTLED = 5_000
MAX_DRAINED = 5_000
MAX_CANCELLED = 10_000
MAX_LOOKED = 10_000
MAX_HOLDS = 8
"""Reasons for which one destination may be held at once."""
MAX_SWEPT = 1_000
"""Lost leases that one sweep handles; the next sweep goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueConfig:
    """The queue's bounds."""

    tenant_bound: int = 1_000_000
    """Open deliveries of a tenant; past it `Queue.accept` raises TenantFull."""
    destination_share: float = 0.5
    """The part of its tenant's bound that one destination may fill."""
    lease_seconds: float = 90.0
    """How long leases and lanes outlive their host's last beat; above the ceiling of the deadline."""
    window_hours: int = 24
    """How long a message id counts as seen."""
    lanes: int = 64
    """Groups of destinations; fixed when the storage is made."""
    lost_leases: int = 3
    """Leases lost in a row that end a delivery as ``host_crashed``."""
    repeat_seconds: float = 600.0
    """How long a settlement can be repeated and answers the same."""
    full_retry_seconds: float = 5.0
    """What TenantFull tells the sender to wait."""


class Acceptance(Struct, frozen=True, kw_only=True):
    """One event at the door, with the deliveries that it makes."""

    event: Event
    deliveries: tuple[Delivery, ...] = ()
    record: EventRecord | None = None
    """What the ledger gets; None for a replay, whose event the ledger knows."""


class Receipt(Struct, frozen=True, kw_only=True):
    """What became of one acceptance."""

    event_id: str
    is_duplicate: bool = False
    refused: tuple[str, ...] = ()
    """Ids of the deliveries stored as dead because their destination had filled its share."""


class Lane(Struct, frozen=True, kw_only=True):
    """A group of destinations that one host works for."""

    number: int
    epoch: int
    """Grows with every change of owner."""


class Room(Struct, kw_only=True):
    """How many more leases a host has a place for. Live: a waiting `Queue.lease` reads it again at every try."""

    default: int = 64
    """For a destination that isn't named."""
    destinations: dict[str, int] = field(default_factory=dict)
    tenant_default: int = 64
    tenants: dict[str, int] = field(default_factory=dict)

    def for_destination(self, destination_id: str) -> int:
        """Places left for a destination."""
        return self.destinations.get(destination_id, self.default)

    def for_tenant(self, tenant_id: str) -> int:
        """Places left for all destinations of a tenant."""
        return self.tenants.get(tenant_id, self.tenant_default)


class Lease(Struct, frozen=True, kw_only=True):
    """A host's temporary claim on one delivery."""

    delivery: Delivery
    event: Event
    attempt: int
    """From 1; leases that were lost or given back don't count."""
    lost_leases: int
    """How many leases in a row were lost before this one."""
    token: int
    """Fencing: unlike any other token that was or will be handed out by this queue."""
    accepted_at_ms: int
    age_ms: int
    """How long ago the delivery was accepted, on the queue's own clock: for `RetryPolicy`."""


class Settlement(Struct, frozen=True, kw_only=True):
    """How an attempt ended for one delivery."""

    delivery_id: str
    token: int
    outcome: Outcome
    """SUCCEEDED, DISCARDED, DEAD close the delivery; RETRYING counts an attempt; GIVEN_BACK counts none."""
    due_at_ms: int | None = None
    """When it is due again, for RETRYING and GIVEN_BACK; None means at once."""
    record: Record | None = None
    """For the outbox; written exactly if the settlement takes effect."""


class Selector(Struct, frozen=True, kw_only=True):
    """Which deliveries are meant; what is None or empty doesn't narrow."""

    tenant_id: str | None = None
    destination_id: str | None = None
    delivery_ids: tuple[str, ...] = ()


class Depth(Struct, frozen=True, kw_only=True):
    """How much is open for one destination."""

    tenant_id: str
    destination_id: str
    pending: int
    running: int
    retrying: int
    """Waiting for another attempt, due or not."""
    oldest_due_at_ms: int | None
    """When the first of those not running was or will be due; None where nothing waits."""
    holds: tuple[str, ...] = ()
    """Why nothing is leased from it just now."""

    @property
    def open(self) -> int:
        """All that the destination's share counts."""
        return self.pending + self.running + self.retrying


class Standing(Struct, frozen=True, kw_only=True):
    """Where one open delivery stands."""

    delivery: Delivery
    state: State
    """PENDING, RUNNING or RETRYING; a retry that is due is pending."""
    attempts: int
    lost_leases: int
    due_at_ms: int | None
    """None while it runs."""
    holds: tuple[str, ...] = ()


class Swept(Struct, frozen=True, kw_only=True):
    """What one sweep did."""

    lost: int = 0
    """Leases found lost whose deliveries are pending again."""
    crashed: int = 0
    """Deliveries ended as ``host_crashed``."""
    ids: int = 0
    """Message ids forgotten."""


class Queue(Protocol):
    """Deliveries that must still happen: the only truth about work. Safe to use from many tasks of one event loop."""

    async def accept(
        self, batch: Sequence[Acceptance], records: Sequence[Record] = (), *, deduplicate: bool = True
    ) -> list[Receipt]:
        """Make events, deliveries, message ids and records durable in one transaction, and answer for each event.

        When this returns, all of it survives the loss of power. An event whose (source, message id) was accepted within
        the window, or stands earlier in the batch, is a duplicate: no delivery is made and its record is kept as a
        ``duplicate`` one. *deduplicate* False (replays) neither looks at the window nor enters it. A delivery
        past its destination's share is not queued but recorded as dead, ``queue_full``. *records* are kept as they are.

        Raises TenantFull when the new deliveries don't fit a tenant's bound, ValueError past `MAX_ACCEPTED` or
        `MAX_DELIVERIES`; then nothing at all is written and the same ids may be sent again.
        """
        ...

    async def beat(self, host: str, want: int) -> list[Lane]:
        """Renew the host's lanes and all its leases, move towards *want* lanes, and answer those it owns.

        To be called about every second. *host* names one life of one process: a restarted process takes a new name.
        Lanes are shared evenly among the living hosts that want them; those of a host that stopped beating are free.
        """
        ...

    async def leave(self, host: str) -> None:
        """Give back the host's lanes and whatever it still leases, at once, counting no attempt and no lost lease."""
        ...

    async def lease(self, host: str, room: Room, *, limit: int, max_bytes: int, wait_seconds: float) -> list[Lease]:
        """Lease deliveries that are due from the host's lanes, fairest first; wait up to *wait_seconds* for the first.

        Never held ones, never more than *limit*, than a destination's or tenant's room, or (but for the first) than
        *max_bytes* of payload. Turns go round the tenants that have something due, within a tenant round its
        destinations, and the next call goes on where this one stopped. Within a destination, the longest due comes
        first. The time taken doesn't grow with the depth. Waiting ends at once when something is accepted or becomes
        due. A host without a current beat owns no lanes and so gets nothing. A call that is cancelled keeps no lease.
        """
        ...

    async def settle(self, items: Sequence[Settlement]) -> list[bool]:
        """Close, postpone or give back leased deliveries, each with its record, all in one durable transaction.

        Answers for each whether it took effect. A token whose lease was lost, cancelled or settled otherwise answers
        False and changes nothing. Repeating a settlement (within ``repeat_seconds``) answers the same and changes
        nothing. The event's payload goes with its last open delivery.
        """
        ...

    async def hold(self, destination_id: str, until_ms: int | None, reason: str) -> None:
        """Lease nothing from a destination until then (None: until released); visible to every host within a second.

        Each reason (``paused``, ``breaker`` ...) is a hold of its own: a destination is free when none is left. Holding
        again replaces the time. Raises ValueError past `MAX_HOLDS` reasons.
        """
        ...

    async def release(self, destination_id: str, reason: str) -> None:
        """End one reason's hold; nothing happens where there is none."""
        ...

    async def cancel(self, selector: Selector, limit: int = MAX_CANCELLED) -> int:
        """Close up to *limit* open deliveries as cancelled, each with a record, durably; answer how many.

        The settlement of one that was running is refused. An empty selector raises ValueError, and so do
        more than `MAX_CANCELLED` ids.
        """
        ...

    async def depths(self, selector: Selector | None = None) -> list[Depth]:
        """Answer what is open, for each destination that has anything; at most a second stale.

        ``delivery_ids`` doesn't narrow here.
        """
        ...

    async def look(self, delivery_ids: Sequence[str]) -> dict[str, Standing]:
        """Answer where these deliveries stand; closed and unknown ones are missing from the answer.

        Raises ValueError past `MAX_LOOKED`.
        """
        ...

    async def drain(self, limit: int, *, wait_seconds: float = 0.0) -> tuple[list[Record], int]:
        """Answer the oldest records of the outbox, in order, and a cursor for `drained`; ([], 0) when it is empty.

        Waits up to *wait_seconds* for the first; another process's may be noticed a second late. One drainer at a time
        suffices: the owner of lane 0.
        The same records come again until they are drained: at least once, keyed by event or attempt id.
        """
        ...

    async def drained(self, cursor: int) -> None:
        """Forget the records up to a cursor that `drain` gave."""
        ...

    async def sweep(self) -> Swept:
        """Do one bounded step of the housekeeping: lost leases, hosts that are gone, message ids past the window.

        A delivery whose lease is lost is pending again; the third lost in a row ends it dead, ``host_crashed``, with a
        record. To be called about every second, by any number of hosts.
        """
        ...

    async def close(self) -> None:
        """Commit what waits and close; calls after it raise StorageFault. A host that didn't leave is lost."""
        ...
