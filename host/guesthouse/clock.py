"""Time as a value that is handed in: nothing else in Guesthouse reads a clock."""

import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks: one for people, one for durations."""

    def now_ms(self) -> int:
        """Milliseconds since 1970, UTC; may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that only grow, from an arbitrary start."""
        ...


class SystemClock:
    """The machine's clocks. See `Clock`."""

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return time.monotonic()
