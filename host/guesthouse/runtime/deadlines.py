"""Deadlines of many invocations on few timers: nearly all end in time, so setting one must cost next to nothing.

Deadlines are rounded up to the next step, and each step that has any is one timer of the loop.
"""

import asyncio
from math import ceil
from typing import Protocol

STEP_SECONDS = 0.01
"""A deadline is late by this much at most."""


class Expiring(Protocol):
    """Whatever has a deadline."""

    def expire(self) -> None:
        """End: the deadline has passed."""
        ...


class Deadlines:
    """Calls `Expiring.expire` when time is up, unless cancelled before."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Take the loop whose clock counts."""
        self._loop = loop
        self._steps: dict[int, set[Expiring]] = {}
        self._timers: dict[int, asyncio.TimerHandle] = {}

    def add(self, item: Expiring, seconds: float) -> int:
        """Set a deadline *seconds* from now; what `cancel` wants to know."""
        step = ceil((self._loop.time() + seconds) / STEP_SECONDS)
        items = self._steps.get(step)
        if items is None:
            self._steps[step] = {item}
            self._timers[step] = self._loop.call_at(step * STEP_SECONDS, self._expire, step)
        else:
            items.add(item)
        return step

    def cancel(self, item: Expiring, step: int) -> None:
        """Take the deadline of an item back, if it hasn't passed."""
        items = self._steps.get(step)
        if items is not None:
            items.discard(item)

    def close(self) -> None:
        """Forget all deadlines."""
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        self._steps.clear()

    def _expire(self, step: int) -> None:
        del self._timers[step]
        for item in self._steps.pop(step):
            item.expire()
