"""The filter of hours."""

from hashlib import blake2b

from hypothesis import given, settings
from hypothesis import strategies as st

from guesthouse.queue.sqlite.sieve import HOURS, Sieve


def key(number: int) -> bytes:
    """Give a key as evenly distributed as real ones."""
    return blake2b(str(number).encode(), digest_size=16).digest()


@settings(max_examples=20)
@given(st.lists(st.tuples(st.integers(0, HOURS - 1), st.sets(st.integers(0, 999), max_size=50)), max_size=10))
def test_what_was_added_is_found(added: list[tuple[int, set[int]]]) -> None:
    """A key's own hours are always among the answer."""
    sieve = Sieve(largest=1 << 12)
    for hour, numbers in added:
        sieve.add(hour, [key(number) for number in numbers])
    assert all(sieve.hours(key(number)) >> hour & 1 for hour, numbers in added for number in numbers)


def test_what_was_not_added_is_hardly_ever_suspected() -> None:
    """False suspicions stay rare, also after the filter has grown."""
    sieve = Sieve()
    before = sieve.memory_bytes
    sieve.add(3, [key(number) for number in range(2_000)])
    suspected = sum(sieve.hours(key(number)) != 0 for number in range(10_000, 12_000))
    assert sieve.memory_bytes > before
    assert suspected < 200


def test_growth_keeps_what_was_known() -> None:
    """Growing forgets nothing."""
    sieve = Sieve()
    sieve.add(1, [key(number) for number in range(100)])
    sieve.add(2, [key(number) for number in range(1_000, 3_000)])
    assert all(sieve.hours(key(number)) & 0b10 for number in range(100))


def test_memory_is_bounded() -> None:
    """Past its largest size the filter only suspects more."""
    sieve = Sieve(largest=1 << 12)
    sieve.add(1, [key(number) for number in range(2_000)])
    assert sieve.memory_bytes == 4 << 12


def test_an_hour_can_be_forgotten() -> None:
    """Forgetting empties one hour, and no other; 32 hours later its place is another's."""
    sieve = Sieve()
    sieve.add(5, [key(1)])
    sieve.add(6, [key(1)])
    sieve.forget(5 + HOURS)
    assert sieve.hours(key(1)) == 1 << 6
