"""The retry policy: exponential with full jitter, within attempts and a span."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.model.retry import RetryPolicy

POLICY = RetryPolicy()
HOUR_MS = 3_600_000


def delay(attempt: int, *, age_ms: int = 0, asked_ms: int | None = None, chance: float = 1.0) -> int | None:
    """Ask the default policy."""
    return POLICY.next_delay_ms(attempt, age_ms=age_ms, asked_ms=asked_ms, random=lambda: chance)


def test_the_waits_grow_until_the_longest() -> None:
    """Ten seconds, then two and a half times as long each time, at most an hour."""
    waits = [delay(attempt) for attempt in range(1, 10)]
    assert waits[:3] == [10_000, 25_000, 62_500]
    assert waits[-1] == HOUR_MS
    assert waits == sorted(waits, key=lambda wait: wait or 0)


def test_ten_attempts_take_about_four_hours_at_most() -> None:
    """The whole of it fits the span that the design names."""
    assert 1.5 * HOUR_MS < sum(delay(attempt) or 0 for attempt in range(1, 10)) <= 4 * HOUR_MS


def test_jitter_spreads_the_waits_but_never_to_nothing() -> None:
    """Destinations that come back aren't hit by all at once."""
    dice = random.Random(1)  # noqa: S311 - a repeatable test
    waits = [POLICY.next_delay_ms(1, age_ms=0, asked_ms=None, random=dice.random) or 0 for _ in range(1_000)]
    assert min(waits) >= 1_000
    assert max(waits) <= 10_000
    assert 5_000 < sum(waits) / 1_000 < 6_000


@pytest.mark.parametrize(("attempt", "age_ms"), [(10, 0), (11, 0), (1, 4 * HOUR_MS), (2, 10**12)])
def test_it_ends(attempt: int, age_ms: int) -> None:
    """After the last attempt or the span there is no other, whatever was asked for."""
    assert delay(attempt, age_ms=age_ms) is None
    assert delay(attempt, age_ms=age_ms, asked_ms=1) is None


@pytest.mark.parametrize(("asked", "given_ms"), [(0, 0), (5_000, 5_000), (-7, 0), (10**12, HOUR_MS)])
def test_what_is_asked_for_is_done_within_bounds(asked: int, given_ms: int) -> None:
    """The guest or the destination knows better, up to an hour."""
    assert delay(1, asked_ms=asked) == given_ms


@given(st.integers(1, 9), st.integers(0, 4 * HOUR_MS - 1), st.none() | st.integers(-(10**15), 10**15), st.floats(0, 1))
def test_every_wait_is_within_the_bounds(attempt: int, age_ms: int, asked_ms: int | None, chance: float) -> None:
    """Whatever comes in, the wait is from nothing to an hour."""
    wait = delay(attempt, age_ms=age_ms, asked_ms=asked_ms, chance=chance)
    assert wait is not None
    assert 0 <= wait <= HOUR_MS
