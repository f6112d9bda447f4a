"""A clock that stands still until it is told to move."""


class FakeClock:
    """See `guesthouse.clock.Clock`."""

    def __init__(self, now_ms: int = 0) -> None:
        """Start at a time."""
        self.time_ms = now_ms

    def now_ms(self) -> int:
        """See `Clock.now_ms`."""
        return self.time_ms

    def monotonic(self) -> float:
        """See `Clock.monotonic`."""
        return self.time_ms / 1_000

    def advance(self, milliseconds: int) -> None:
        """Let time pass."""
        self.time_ms += milliseconds
