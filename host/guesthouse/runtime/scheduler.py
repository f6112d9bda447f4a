"""The one scheduler: who runs next on the event loop's thread, and for how long.

A guest that just started or just got what it waited for is *fresh*; one whose time slice ran out is *spent*. In each
turn of the event loop fresh guests run first, up to half of the budget while spent ones wait, then spent ones: so an
honest guest needn't queue behind those that spin, and those that compute still get on. Within both, tenants take
turns, then destinations of a tenant. A guest that waits for the world is in neither queue.
"""

from collections import deque
from collections.abc import Callable
from time import perf_counter
from typing import Generic, Protocol, TypeVar


class Runnable(Protocol):
    """What the scheduler runs."""

    lane: tuple[str, str]
    """Tenant and destination."""
    slice_began: float
    """When its present slice began, by ``perf_counter``; the scheduler writes it."""

    def advance(self) -> bool:
        """Run for one slice at most; whether it wants another at once (False: it waits, or has ended).

        One that was ended from outside while it was queued does nothing.
        """
        ...


R = TypeVar("R", bound=Runnable)


class FairQueue(Generic[R]):
    """First come, first served within a destination; destinations of a tenant, and tenants, take turns."""

    __slots__ = ("_tenants",)

    def __init__(self) -> None:
        """Start empty."""
        self._tenants: dict[str, dict[str, deque[R]]] = {}

    def __bool__(self) -> bool:
        """Whether anybody waits."""
        return bool(self._tenants)

    def push(self, item: R) -> None:
        """Append to the queue of the item's destination."""
        tenant, destination = item.lane
        self._tenants.setdefault(tenant, {}).setdefault(destination, deque()).append(item)

    def pop(self) -> R:
        """Take the next; its tenant and destination go to the end of their lines. KeyError when empty."""
        tenant = next(iter(self._tenants), None)
        if tenant is None:
            raise KeyError("empty")
        destinations = self._tenants.pop(tenant)
        destination = next(iter(destinations))
        queue = destinations.pop(destination)
        item = queue.popleft()
        if queue:
            destinations[destination] = queue
        if destinations:
            self._tenants[tenant] = destinations
        return item


class Scheduler(Generic[R]):
    """Runs guests on the event loop, for at most *turn_seconds* in each of its turns."""

    def __init__(
        self,
        call_soon: Callable[[Callable[[], None]], object],
        *,
        turn_seconds: float,
        before_slice: Callable[[float], None] = lambda _now: None,
        after_turn: Callable[[], None] = lambda: None,
    ) -> None:
        """Take the loop's ``call_soon``, the budget of one turn, and what to do before each slice and after a turn."""
        self._call_soon = call_soon
        self._before_slice = before_slice
        self._after_turn = after_turn
        self._turn_seconds = turn_seconds
        self._left = turn_seconds
        self._fresh: FairQueue[R] = FairQueue()
        self._spent: FairQueue[R] = FairQueue()
        self._is_scheduled = False

    def wake(self, guest: R) -> None:
        """Let a guest run that has just started, or whose wait is over.

        It runs here and now where nobody else wants to and the turn's budget allows; nothing of it may be running.
        """
        if self._left > 0 and not self._fresh and not self._spent:
            self._slice(guest)
        else:
            self._fresh.push(guest)
        if not self._is_scheduled:
            self._is_scheduled = True
            self._call_soon(self.turn)

    def turn(self) -> None:
        """Begin a turn of the event loop with a whole budget: run guests until it is used or nobody wants to run."""
        self._is_scheduled = False
        self._left = self._turn_seconds
        if self._fresh or self._spent:
            kept = self._turn_seconds / 2 if self._spent else 0.0
            self._serve(self._fresh, kept)
            self._serve(self._spent, 0.0)
            if self._fresh or self._spent:
                self._is_scheduled = True
                self._call_soon(self.turn)
        self._after_turn()

    def _serve(self, queue: FairQueue[R], kept: float) -> None:
        while queue and self._left > kept:
            self._slice(queue.pop())

    def _slice(self, guest: R) -> None:
        guest.slice_began = began = perf_counter()
        self._before_slice(began)
        if guest.advance():
            self._spent.push(guest)
        self._left -= perf_counter() - began
