"""The functions' shared cache, in memory: all instances of a function within a tenant see the same entries.

Each scope has its own quota, so that one function can't push out another's entries; past it, its own entry that was
used longest ago goes.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from guesthouse.abi.results import Refusal

Scope = tuple[str, str]
"""Tenant and function."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """Bounds of one scope."""

    key_bytes: int = 1_024
    value_bytes: int = 256 * 1024
    scope_bytes: int = 4 << 20
    scopes: int = 1_000


class _Entry(NamedTuple):
    value: bytes
    until: float
    size_bytes: int


class MemoryCache:
    """Keeps values until their time is over, their quota is used up, or the process ends."""

    def __init__(self, monotonic: Callable[[], float], quota: Quota | None = None) -> None:
        """Take a clock in seconds."""
        self._monotonic = monotonic
        self._quota = quota or Quota()
        self._scopes: OrderedDict[Scope, OrderedDict[str, _Entry]] = OrderedDict()
        self._used: dict[Scope, int] = {}

    def get(self, scope: Scope, key: str) -> bytes | None:
        """Give the value, or None where there is none or its time is over."""
        entries = self._scopes.get(scope)
        entry = entries.get(key) if entries else None
        if entries is None or entry is None:
            return None
        if entry.until <= self._monotonic():
            self.delete(scope, key)
            return None
        entries.move_to_end(key)
        self._scopes.move_to_end(scope)
        return entry.value

    def set(self, scope: Scope, key: str, value: bytes, ttl_ms: int) -> tuple[Refusal, str] | None:
        """Store a value for *ttl_ms*; a refusal and its reason where it is too large."""
        quota, key_bytes = self._quota, len(key.encode())
        largest = min(quota.value_bytes, quota.scope_bytes - key_bytes)
        if key_bytes > quota.key_bytes or len(value) > largest:
            allowed = f"keys of {quota.key_bytes:,} and values of {largest:,} bytes are allowed"
            return Refusal.VALUE_TOO_LARGE, f"the cache refused {key_bytes + len(value):,} bytes; {allowed}"
        self.delete(scope, key)
        entry = _Entry(value, self._monotonic() + ttl_ms / 1000, key_bytes + len(value))
        entries = self._scopes.setdefault(scope, OrderedDict())
        entries[key] = entry
        self._used[scope] = self._used.get(scope, 0) + entry.size_bytes
        self._make_room(scope)
        return None

    def delete(self, scope: Scope, key: str) -> None:
        """Forget a key, if it is there."""
        entries = self._scopes.get(scope)
        entry = entries.pop(key, None) if entries else None
        if entry is not None:
            self._used[scope] -= entry.size_bytes
            if not entries:
                del self._scopes[scope], self._used[scope]

    def _make_room(self, scope: Scope) -> None:
        while self._used[scope] > self._quota.scope_bytes:
            self.delete(scope, next(iter(self._scopes[scope])))
        self._scopes.move_to_end(scope)
        while len(self._scopes) > self._quota.scopes:
            oldest, _ = self._scopes.popitem(last=False)
            del self._used[oldest]
