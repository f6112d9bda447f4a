"""Answers kept until something of their tenant changes, in this process or another.

Every change of a tenant's things stamps the tenant with a growing number. Twice a second at most, whoever asks for a
cached answer first asks which tenants were stamped since; in this process the change itself says so at once.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Final, NamedTuple, TypeVar

T = TypeVar("T")
Key = tuple[str, ...]
Changes = tuple[int, list[str]]
"""The number of the latest change, and the tenants that changed after the one asked about."""

_STALE_SECONDS: Final = 0.5
_ENTRIES: Final = 50_000


class _Entry(NamedTuple):
    tenant_id: str
    stamp: int
    answer: Any


class AnswerCache:
    """Bounded; what was asked for longest ago goes first."""

    def __init__(
        self, changes: Callable[[int], Awaitable[Changes]], monotonic: Callable[[], float], *, entries: int = _ENTRIES
    ) -> None:
        """Take the question for changes after a number, and a clock in seconds."""
        self._changes = changes
        self._monotonic = monotonic
        self._limit = entries
        self._entries: OrderedDict[Key, _Entry] = OrderedDict()
        self._stamp = 0
        self._changed: dict[str, int] = {}
        self._fresh_until = float("-inf")
        self._asking = asyncio.Lock()
        self.revision = -1
        """The number of the latest change known here."""

    def peek(self, key: Key) -> Any:  # noqa: ANN401 - whatever was kept under the key
        """Give the answer kept under *key* where it is known to hold; None otherwise. The quick way on the hot path."""
        entry = self._entries.get(key)
        if entry is None or self._monotonic() >= self._fresh_until:
            return None
        return entry.answer if entry.stamp >= self._changed.get(entry.tenant_id, 0) else None

    async def answer(self, key: Key, load: Callable[[], Awaitable[tuple[str, T] | None]]) -> T | None:
        """Give the answer kept under *key*, or load it: with the tenant whose changes end it, None being kept never."""
        if self._monotonic() >= self._fresh_until:
            await self.refresh()
        entry = self._entries.get(key)
        if entry is not None and entry.stamp >= self._changed.get(entry.tenant_id, 0):
            self._entries.move_to_end(key)
            answer: T = entry.answer
            return answer
        # Stamped before it is loaded: a change that happens meanwhile ends it.
        stamp = self._stamp
        loaded = await load()
        if loaded is None:
            self._entries.pop(key, None)
            return None
        self._keep(key, _Entry(loaded[0], stamp, loaded[1]))
        return loaded[1]

    def forget(self, tenant_id: str) -> None:
        """End all answers that depend on a tenant."""
        self._stamp += 1
        self._changed[tenant_id] = self._stamp

    async def refresh(self) -> None:
        """Learn what other processes changed, unless somebody just did."""
        async with self._asking:
            asked_at = self._monotonic()
            if asked_at < self._fresh_until:
                return
            self.revision, tenants = await self._changes(self.revision)
            for tenant_id in tenants:
                self.forget(tenant_id)
            self._fresh_until = asked_at + _STALE_SECONDS

    def _keep(self, key: Key, entry: _Entry) -> None:
        self._entries[key] = entry
        self._entries.move_to_end(key)
        if len(self._entries) > self._limit:
            self._entries.popitem(last=False)
