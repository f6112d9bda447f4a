"""Many deadlines on few timers."""

import heapq
from collections.abc import Callable
from typing import Any

from guesthouse.runtime.deadlines import STEP_SECONDS, Deadlines


class FakeLoop:
    """The three methods of a loop that deadlines need, on a clock that a test moves."""

    def __init__(self) -> None:
        self.now = 50.0
        self.timers: list[tuple[float, int, FakeTimer]] = []

    def time(self) -> float:
        """Tell the time."""
        return self.now

    def call_at(self, when: float, callback: Callable[[int], None], argument: int) -> "FakeTimer":
        """Keep a timer."""
        timer = FakeTimer(callback, argument)
        heapq.heappush(self.timers, (when, len(self.timers), timer))
        return timer

    def move_to(self, now: float) -> None:
        """Let time pass."""
        self.now = now
        while self.timers and self.timers[0][0] <= now:
            timer = heapq.heappop(self.timers)[2]
            if not timer.is_cancelled:
                timer.callback(timer.argument)


class FakeTimer:
    """See `FakeLoop.call_at`."""

    def __init__(self, callback: Callable[[int], None], argument: int) -> None:
        self.callback, self.argument, self.is_cancelled = callback, argument, False

    def cancel(self) -> None:
        """Take it back."""
        self.is_cancelled = True


class Job:
    """Something with a deadline."""

    def __init__(self) -> None:
        self.expired = 0

    def expire(self) -> None:
        """Count."""
        self.expired += 1


def deadlines() -> tuple[FakeLoop, Deadlines]:
    """Make deadlines on a fake loop."""
    loop = FakeLoop()
    fake: Any = loop
    return loop, Deadlines(fake)


def test_a_deadline_passes_once_never_early_and_at_most_a_step_late() -> None:
    """Rounded up, never down."""
    loop, kept = deadlines()
    job = Job()
    kept.add(job, 1.003)
    loop.move_to(51.0029)
    assert job.expired == 0
    loop.move_to(51.003 + STEP_SECONDS)
    loop.move_to(60.0)
    assert job.expired == 1


def test_a_deadline_that_was_taken_back_never_passes() -> None:
    """The others of the same step pass all the same."""
    loop, kept = deadlines()
    taken_back, other = Job(), Job()
    step = kept.add(taken_back, 1.0)
    kept.add(other, 1.0)
    kept.cancel(taken_back, step)
    loop.move_to(60.0)
    assert (taken_back.expired, other.expired) == (0, 1)


def test_taking_a_deadline_back_after_it_passed_changes_nothing() -> None:
    """Whoever ended in the same instant needn't know."""
    loop, kept = deadlines()
    job = Job()
    step = kept.add(job, 1.0)
    loop.move_to(60.0)
    kept.cancel(job, step)
    assert job.expired == 1


def test_deadlines_of_one_step_share_a_timer() -> None:
    """A thousand invocations a second cost a hundred timers, not a thousand."""
    loop, kept = deadlines()
    jobs = [Job() for _ in range(1_000)]
    for number, job in enumerate(jobs):
        kept.add(job, 1.0 + number * 1e-6)
    assert len(loop.timers) == 1 + 1
    loop.move_to(60.0)
    assert all(job.expired == 1 for job in jobs)


def test_a_job_may_take_deadlines_back_while_others_expire() -> None:
    """One that expires may end others of the same step; nothing breaks and each expires at most once."""
    loop, kept = deadlines()
    other = Job()
    steps: list[int] = []

    class Ender(Job):
        def expire(self) -> None:
            super().expire()
            kept.cancel(other, steps[0])

    ender = Ender()
    kept.add(ender, 1.0)
    steps.append(kept.add(other, 1.0))
    loop.move_to(60.0)
    assert ender.expired == 1
    assert other.expired <= 1


def test_after_close_nothing_expires() -> None:
    """Timers are taken back, so that a closed engine is left alone."""
    loop, kept = deadlines()
    job = Job()
    kept.add(job, 1.0)
    kept.close()
    loop.move_to(60.0)
    assert job.expired == 0
