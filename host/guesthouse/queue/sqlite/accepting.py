"""Accepting: events, deliveries, message ids and records in one transaction. See `Queue.accept`."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec import msgpack, structs

from guesthouse.errors import TenantFull
from guesthouse.model.delivery import Delivery
from guesthouse.model.record import EventFate, EventRecord, Record
from guesthouse.queue.protocol import MAX_ACCEPTED, MAX_DELIVERIES, Acceptance, Receipt
from guesthouse.queue.sqlite.closing import queue_full_record
from guesthouse.queue.sqlite.destinations import Destination
from guesthouse.queue.sqlite.duplicates import message_key
from guesthouse.queue.sqlite.store import Store

SLICE = 200
"""Events handled between two looks at the event loop."""
_ROW_BYTES = 400
_encode = msgpack.Encoder().encode


@dataclass(slots=True, eq=False)
class Parcel:
    """An acceptance, made ready outside the transaction."""

    acceptance: Acceptance
    key: bytes
    body: bytes
    record: bytes | None


async def pack(batch: Sequence[Acceptance], *, deduplicate: bool) -> list[Parcel]:
    """Encode a batch, in slices, so that the transaction only writes."""
    if len(batch) > MAX_ACCEPTED or sum(len(one.deliveries) for one in batch) > MAX_DELIVERIES:
        raise ValueError(f"at most {MAX_ACCEPTED} events and {MAX_DELIVERIES} deliveries are accepted at once")
    parcels: list[Parcel] = []
    for start in range(0, len(batch), SLICE):
        if start:
            await asyncio.sleep(0)
        parcels += [_pack(one, deduplicate=deduplicate) for one in batch[start : start + SLICE]]
    return parcels


def weigh(parcels: Iterable[Parcel], records: Iterable[bytes]) -> int:
    """Say roughly how many bytes accepting will write."""
    events = sum(len(one.body) + len(one.record or b"") + _ROW_BYTES for one in parcels)
    return events + sum(len(record) for record in records)


def _pack(acceptance: Acceptance, *, deduplicate: bool) -> Parcel:
    event = acceptance.event
    return Parcel(
        acceptance,
        message_key(event.source_id, event.message_id) if deduplicate else b"",
        _encode(event) if acceptance.deliveries else b"",
        _encode(acceptance.record) if acceptance.record else None,
    )


class Acceptor:
    """One call of `Queue.accept`, inside the transaction. Its rows may wait for those of other calls."""

    def __init__(self, parcels: list[Parcel], records: list[bytes], *, deduplicate: bool) -> None:
        self._parcels = parcels
        self._records = records
        self._deduplicate = deduplicate

    async def __call__(self, store: Store) -> list[Receipt]:
        """Check everything, then add everything."""
        fresh = await self._fresh(store)
        _refuse_full(store, (one for one, is_fresh in zip(self._parcels, fresh, strict=True) if is_fresh))
        writer = _Writer(store)
        receipts: list[Receipt] = []
        for index, (parcel, is_fresh) in enumerate(zip(self._parcels, fresh, strict=True)):
            if index and index % SLICE == 0:
                await _breathe(store)
            receipts.append(writer.put(parcel) if is_fresh else writer.put_duplicate(parcel))
        writer.count()
        store.write_records(self._records)
        await _breathe(store)
        return receipts

    async def _fresh(self, store: Store) -> list[bool]:
        """Tell for each event whether it is new; looks in slices."""
        if not self._deduplicate:
            return [True] * len(self._parcels)
        keys = [parcel.key for parcel in self._parcels]
        seen, now = set(store.rows.keys.intersection(keys)), store.ticks.now()
        for start in range(0, len(keys), SLICE):
            if start:
                await asyncio.sleep(0)
            seen |= store.window.seen(store.connection, keys[start : start + SLICE], now)
        fresh: list[bool] = []
        for key in keys:
            fresh.append(key not in seen)
            seen.add(key)
        return fresh


async def _breathe(store: Store) -> None:
    """Write when many rows wait, and let the event loop go on."""
    if store.rows.is_full:
        store.flush()
        await asyncio.sleep(0)


def _refuse_full(store: Store, parcels: Iterable[Parcel]) -> None:
    config = store.config
    wanted = Counter(delivery.tenant_id for parcel in parcels for delivery in parcel.acceptance.deliveries)
    for tenant_id, count in wanted.items():
        if store.destinations.tenant_open(tenant_id) + count > config.tenant_bound:
            raise TenantFull(tenant_id, config.tenant_bound, config.full_retry_seconds)


class _Writer:
    """Turns parcels into rows."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = store.rows
        self._now = store.ticks.now()
        self._wall = store.ticks.wall()
        self._share = int(store.config.tenant_bound * store.config.destination_share)
        self._touched: dict[str, Destination] = {}

    def put(self, parcel: Parcel) -> Receipt:
        """Take a new event."""
        refused: tuple[str, ...] = ()
        if parcel.key:
            self._rows.add_key(parcel.key)
        if parcel.record is not None:
            self._store.write_record(parcel.record)
        if parcel.acceptance.deliveries:
            refused = self._put_deliveries(parcel)
        return Receipt(event_id=parcel.acceptance.event.id, refused=refused)

    def put_duplicate(self, parcel: Parcel) -> Receipt:
        """Take an event that was seen before: only its record."""
        event, record = parcel.acceptance.event, parcel.acceptance.record
        if record is not None:
            self._store.write_record(_encode(_as_duplicate(record)))
        return Receipt(event_id=event.id, is_duplicate=True)

    def count(self) -> None:
        """Count what was added, and say to whoever waits that it is due."""
        for destination in self._touched.values():
            self._store.destinations.touch(destination)
            self._store.stir(destination, self._now)

    def _put_deliveries(self, parcel: Parcel) -> tuple[str, ...]:
        head, event = self._store.head, parcel.acceptance.event
        first = head.next_seq
        refused: list[str] = []
        for delivery in parcel.acceptance.deliveries:
            destination = self._destination(delivery)
            if destination.open >= self._share:
                refused.append(delivery.id)
                self._store.write_record(_encode(queue_full_record(delivery, event, self._wall)))
                continue
            destination.pending += 1
            self._rows.add_delivery((head.next_seq, delivery.id, first, destination.key, delivery.replay_of, self._now))
            head.next_seq += 1
        if head.next_seq > first:
            self._rows.add_event((first, head.next_seq - 1, self._wall, self._now, parcel.body))
        return tuple(refused)

    def _destination(self, delivery: Delivery) -> Destination:
        found = self._touched.get(delivery.destination_id)
        if found is None:
            found = self._store.destination(delivery.destination_id, delivery.tenant_id)
            self._touched[delivery.destination_id] = found
        return found


def _as_duplicate(record: EventRecord) -> EventRecord:
    return structs.replace(record, fate=EventFate.DUPLICATE, reason=None, deliveries=(), passed_over=(), payload=b"")


def encode_records(records: Iterable[Record]) -> list[bytes]:
    """Encode records for the outbox."""
    return [_encode(record) for record in records]
