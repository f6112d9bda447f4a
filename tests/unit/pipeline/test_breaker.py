"""A circuit breaker: opens after failures in a row, probes, waits longer each time, closes on the first success."""

from guesthouse.pipeline.breaker import CLOSED, OPEN, PROBING, BreakerPolicy, Breakers

POLICY = BreakerPolicy(failures=3, first_ms=100, longest_ms=400)


def opened() -> Breakers:
    """Give breakers of which that of ``dst_1`` has just opened."""
    breakers = Breakers(POLICY)
    assert [breakers.failed("dst_1") for _ in range(3)] == [None, None, 100]
    return breakers


def test_it_opens_after_so_many_failures_in_a_row() -> None:
    """The last of them says for how long to hold the destination."""
    assert opened().state("dst_1") == OPEN


def test_a_success_starts_the_count_anew() -> None:
    """Only failures in a row count."""
    breakers = Breakers(POLICY)
    for _ in range(5):
        breakers.failed("dst_1")
        breakers.failed("dst_1")
        breakers.succeeded("dst_1")
    assert breakers.state("dst_1") == CLOSED


def test_failures_that_come_late_do_not_open_it_again() -> None:
    """Attempts that ran when it opened end afterwards; they don't prolong the hold."""
    breakers = opened()
    assert [breakers.failed("dst_1") for _ in range(10)] == [None] * 10


def test_what_is_leased_after_the_hold_is_a_probe() -> None:
    """An open circuit probes once something is leased; a closed one doesn't."""
    breakers = opened()
    assert breakers.probe("dst_1")
    assert breakers.state("dst_1") == PROBING
    assert not breakers.probe("dst_2")


def test_a_failed_probe_opens_it_for_twice_as_long_up_to_a_bound() -> None:
    """One failure suffices, and the wait doubles until it is the longest."""
    breakers = opened()
    waits = []
    for _ in range(4):
        breakers.probe("dst_1")
        waits.append(breakers.failed("dst_1"))
    assert waits == [200, 400, 400, 400]


def test_the_wait_never_overflows() -> None:
    """A destination that is dead for years waits the longest, no longer."""
    breakers = opened()
    for _ in range(10_000):
        breakers.probe("dst_1")
        assert breakers.failed("dst_1") in {200, 400}


def test_a_probe_that_succeeds_closes_it() -> None:
    """And the count starts from nothing."""
    breakers = opened()
    breakers.probe("dst_1")
    breakers.succeeded("dst_1")
    assert breakers.state("dst_1") == CLOSED
    assert breakers.failed("dst_1") is None


def test_destinations_do_not_share_a_circuit() -> None:
    """One that is dead says nothing of another."""
    breakers = opened()
    assert breakers.state("dst_2") == CLOSED
    assert breakers.failed("dst_2") is None


def test_working_destinations_are_not_kept() -> None:
    """Memory is bounded by the destinations that fail."""
    breakers = opened()
    breakers.succeeded("dst_1")
    breakers.succeeded("dst_2")
    assert not breakers._circuits
