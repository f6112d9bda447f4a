"""When to try again: exponential, with full jitter, within a number of attempts and a span of time."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """The default spreads ten attempts over four hours (DESIGN section 8)."""

    attempts: int = 10
    first_ms: int = 10_000
    factor: float = 2.5
    longest_ms: int = 3_600_000
    span_ms: int = 4 * 3_600_000
    honoured_ms: int = 3_600_000
    """The longest wait that a guest or a Retry-After may ask for."""

    def next_delay_ms(
        self, attempt: int, *, age_ms: int, asked_ms: int | None, random: Callable[[], float]
    ) -> int | None:
        """Say how long to wait after attempt number *attempt* (from 1) failed; None when it was the last.

        *age_ms* is how long ago the delivery was accepted, *asked_ms* what the guest or the destination asked for,
        *random* gives numbers from 0 to 1.
        """
        if attempt >= self.attempts or age_ms >= self.span_ms:
            return None
        if asked_ms is not None:
            return min(max(asked_ms, 0), self.honoured_ms)
        ceiling = min(self.longest_ms, self.first_ms * self.factor ** (attempt - 1))
        # Never at once: a jitter of zero would be no wait at all.
        return int(ceiling * (0.1 + 0.9 * random()))
