"""The queue's own clock: it never jumps, and all processes that share a file agree on it.

Within one boot of the machine it is the monotonic clock plus an offset, and the offset stands in the file: every
process on the machine reads the same monotonic clock, so all of them read the same time, before and after a restart,
whatever happens to the wall clock.

After a boot the monotonic clock starts anew. Then, once, the wall clock is asked how long the machine was off, and the
answer is believed only if it lies after the latest time that the file has seen. A new offset is written. A wall clock
that is behind at that moment makes the time off look like none (retries come late by it); one that is ahead makes what
waits due early.

Times of people's clock become times of this one by their distance from now.
"""

from pathlib import Path

from guesthouse.clock import Clock

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
LONGEST_DELAY_MS = 366 * 24 * 3_600_000
"""No wait is longer; what asks for more waits this long."""


def boot_id() -> str:
    """Name this boot of the machine; empty where the system doesn't say (a clock that starts anew tells, then)."""
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


class Ticks:
    """Milliseconds on the queue's clock, and the way to and from people's."""

    def __init__(self, clock: Clock, offset_ms: int) -> None:
        self._clock = clock
        self.offset_ms = offset_ms

    def now(self) -> int:
        """Milliseconds that only grow."""
        return int(self._clock.monotonic() * 1000) + self.offset_ms

    def wall(self) -> int:
        """People's time."""
        return self._clock.now_ms()

    def from_wall(self, at_ms: int | None) -> int:
        """Turn a time of people's clock into one of this; None and the past are now."""
        if at_ms is None:
            return self.now()
        return self.now() + min(max(at_ms - self.wall(), 0), LONGEST_DELAY_MS)

    def to_wall(self, ms: int) -> int:
        """Turn a time of this clock into one of people's, as that stands now."""
        return ms - self.now() + self.wall()


def anchored_offset(clock: Clock, boot: str, *, stored_boot: str, stored_offset_ms: int, seen_ms: int) -> int:
    """Choose the offset: the stored one within the same boot, otherwise a new one (see above)."""
    monotonic_ms = int(clock.monotonic() * 1000)
    if boot == stored_boot and monotonic_ms + stored_offset_ms >= seen_ms > 0:
        return stored_offset_ms
    return max(seen_ms, clock.now_ms()) - monotonic_ms
