"""Whose turn it is: which destinations of a host's lanes have something due, fairest first. No I/O.

A destination is either *ripe* (it may have something due) and stands in its tenant's ring, or it is in the heap under
the time when that is next so. Times may be too early, never too late: looking at a destination in vain costs one lookup
and corrects its time. Rings turn: whoever was served goes to the end, so nobody is served twice before all others.
"""

import asyncio
import heapq
from collections import OrderedDict
from collections.abc import Iterator


class Agenda:
    """The turns of one host. Keys are the destinations' keys in the file."""

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        """Set whenever a destination may have become due earlier than was known."""
        self._heap: list[tuple[int, int, str]] = []
        self._due: dict[int, int] = {}
        self._rings: OrderedDict[str, OrderedDict[int, None]] = OrderedDict()
        self._ripe: dict[int, str] = {}

    def stir(self, key: int, tenant_id: str, due_ms: int) -> None:
        """Say that a destination has something due then, or perhaps earlier than was known."""
        if key in self._ripe or self._due.get(key, due_ms + 1) <= due_ms:
            return
        self._due[key] = due_ms
        heapq.heappush(self._heap, (due_ms, key, tenant_id))
        self.changed.set()

    def postpone(self, key: int, tenant_id: str, due_ms: int | None) -> None:
        """Say that a destination has nothing due before then; None: nothing at all."""
        self._unripe(key)
        self._due.pop(key, None)
        if due_ms is not None:
            self._due[key] = due_ms
            heapq.heappush(self._heap, (due_ms, key, tenant_id))

    def clear(self) -> None:
        """Forget every destination."""
        self._heap.clear()
        self._due.clear()
        self._rings.clear()
        self._ripe.clear()

    def ripen(self, now: int) -> None:
        """Bring everything that is due by *now* into its ring."""
        while self._heap and self._heap[0][0] <= now:
            due, key, tenant_id = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self._ripe[key] = tenant_id
                self._rings.setdefault(tenant_id, OrderedDict())[key] = None

    def next_due(self) -> int | None:
        """When the next destination that isn't ripe becomes so; None where there is none."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    @property
    def ripe(self) -> int:
        """How many destinations may have something due now."""
        return len(self._ripe)

    def turns(self, visits: int) -> Iterator[int]:
        """Yield up to *visits* ripe destinations in turn: round the tenants, within a tenant round its destinations."""
        for _ in range(visits):
            if not self._rings:
                return
            tenant_id, ring = next(iter(self._rings.items()))
            self._rings.move_to_end(tenant_id)
            key = next(iter(ring))
            ring.move_to_end(key)
            yield key

    def _unripe(self, key: int) -> None:
        tenant_id = self._ripe.pop(key, None)
        if tenant_id is None:
            return
        ring = self._rings[tenant_id]
        del ring[key]
        if not ring:
            del self._rings[tenant_id]
