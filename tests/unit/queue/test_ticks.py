"""The clock that doesn't jump."""

from hypothesis import given
from hypothesis import strategies as st
from tests.support.queues import FakeClock

from guesthouse.queue.sqlite.ticks import LONGEST_DELAY_MS, Ticks, anchored_offset


def offset(clock: FakeClock, boot: str, *, seen_ms: int, stored: int = 0, stored_boot: str = "boot_1") -> int:
    """Anchor a clock."""
    return anchored_offset(clock, boot, stored_boot=stored_boot, stored_offset_ms=stored, seen_ms=seen_ms)


@given(st.integers(-(10**12), 10**12))
def test_the_wall_clock_is_not_looked_at_within_a_boot(jump_ms: int) -> None:
    """However the wall clock jumps, a process that starts later in the same boot reads the same time."""
    clock = FakeClock(monotonic_ms=5_000)
    first = Ticks(clock, offset(clock, "boot_1", seen_ms=0, stored_boot=""))
    clock.advance(1_000)
    clock.wall_ms += jump_ms
    second = Ticks(clock, offset(clock, "boot_1", seen_ms=first.now(), stored=first.offset_ms))
    assert second.now() == first.now()


def test_a_boot_asks_the_wall_clock_once() -> None:
    """After a boot the time that the machine was off has passed."""
    clock = FakeClock(monotonic_ms=3)
    seen = clock.now_ms() - 60_000
    assert Ticks(clock, offset(clock, "boot_2", seen_ms=seen)).now() == clock.now_ms()


def test_time_never_goes_back_over_a_boot() -> None:
    """A wall clock that is behind after a boot is not believed."""
    clock = FakeClock(monotonic_ms=3)
    seen = clock.now_ms() + 60_000
    assert Ticks(clock, offset(clock, "boot_2", seen_ms=seen)).now() == seen


def test_a_monotonic_clock_that_starts_anew_is_a_boot() -> None:
    """Where the system doesn't name its boots, a clock that is behind what was seen tells."""
    clock = FakeClock(monotonic_ms=3)
    seen = clock.now_ms() - 60_000
    anchored = offset(clock, "", seen_ms=seen, stored=seen - 1_000_000, stored_boot="")
    assert Ticks(clock, anchored).now() == clock.now_ms()


def test_times_of_people_become_distances() -> None:
    """A wall time is as far away on the queue's clock; the past and None are now, and no wait is endless."""
    clock = FakeClock()
    ticks = Ticks(clock, 77)
    assert ticks.from_wall(clock.now_ms() + 5) == ticks.now() + 5
    assert ticks.from_wall(clock.now_ms() - 5) == ticks.from_wall(None) == ticks.now()
    assert ticks.from_wall(1 << 62) == ticks.now() + LONGEST_DELAY_MS
    assert ticks.to_wall(ticks.now() + 5) == clock.now_ms() + 5
