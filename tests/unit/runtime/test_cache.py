"""The functions' shared cache: time, quotas and who goes first."""

import pytest

from guesthouse.abi.results import Refusal
from guesthouse.runtime.cache import MemoryCache, Quota

ONE, TWO = ("tenant", "one"), ("tenant", "two")
MINUTE = 60_000


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Stand at some time."""
    return Clock()


def small(clock: Clock) -> MemoryCache:
    """Open a cache with room for 20 bytes in each of two scopes."""
    return MemoryCache(clock, Quota(key_bytes=4, value_bytes=10, scope_bytes=20, scopes=2))


def test_a_value_lives_until_its_time_is_over(clock: Clock) -> None:
    """To the instant, and no longer."""
    cache = MemoryCache(clock)
    cache.set(ONE, "key", b"value", 1_500)
    clock.now += 1.499
    assert cache.get(ONE, "key") == b"value"
    clock.now += 0.001
    assert cache.get(ONE, "key") is None


def test_looking_does_not_prolong_a_life(clock: Clock) -> None:
    """Only setting does."""
    cache = MemoryCache(clock)
    cache.set(ONE, "key", b"value", 1_000)
    clock.now += 0.9
    cache.get(ONE, "key")
    clock.now += 0.1
    assert cache.get(ONE, "key") is None


def test_no_time_at_all_stores_nothing(clock: Clock) -> None:
    """A TTL of 0 is allowed, and over at once."""
    cache = MemoryCache(clock)
    assert cache.set(ONE, "key", b"value", 0) is None
    assert cache.get(ONE, "key") is None


def test_the_longest_time_of_the_contract_is_accepted(clock: Clock) -> None:
    """2^53 milliseconds."""
    cache = MemoryCache(clock)
    cache.set(ONE, "key", b"value", 1 << 53)
    clock.now += 1e9
    assert cache.get(ONE, "key") == b"value"


def test_setting_again_replaces_value_and_time(clock: Clock) -> None:
    """The last one counts."""
    cache = MemoryCache(clock)
    cache.set(ONE, "key", b"old", MINUTE)
    cache.set(ONE, "key", b"new", 1_000)
    assert cache.get(ONE, "key") == b"new"
    clock.now += 1
    assert cache.get(ONE, "key") is None


def test_deleting_forgets_and_deleting_what_is_not_there_is_fine(clock: Clock) -> None:
    """As the contract says."""
    cache = MemoryCache(clock)
    cache.set(ONE, "key", b"value", MINUTE)
    cache.delete(ONE, "key")
    cache.delete(ONE, "key")
    cache.delete(TWO, "key")
    assert cache.get(ONE, "key") is None


def test_scopes_do_not_see_each_other(clock: Clock) -> None:
    """Neither another function of the tenant, nor the same one of another tenant."""
    cache = MemoryCache(clock)
    cache.set(ONE, "key", b"value", MINUTE)
    assert cache.get(TWO, "key") is None
    assert cache.get(("other", "one"), "key") is None
    cache.delete(TWO, "key")
    assert cache.get(ONE, "key") == b"value"


@pytest.mark.parametrize(("key", "value"), [("fünf", b""), ("k", b"eleven byte")])
def test_too_large_a_key_or_value_is_refused_by_code(clock: Clock, key: str, value: bytes) -> None:
    """Keys are measured as UTF-8; what was there before stays."""
    cache = small(clock)
    cache.set(ONE, "k", b"before", MINUTE)
    refusal = cache.set(ONE, key, value, MINUTE)
    assert refusal is not None
    assert refusal[0] is Refusal.VALUE_TOO_LARGE
    assert cache.get(ONE, "k") == b"before"


def test_past_its_quota_a_scope_loses_what_it_used_longest_ago(clock: Clock) -> None:
    """Looking counts as use."""
    cache = small(clock)
    cache.set(ONE, "a", b"123456", MINUTE)
    cache.set(ONE, "b", b"123456", MINUTE)
    cache.get(ONE, "a")
    cache.set(ONE, "c", b"123456", MINUTE)
    assert [cache.get(ONE, key) for key in "abc"] == [b"123456", None, b"123456"]


def test_a_scope_cannot_push_out_anothers_entries(clock: Clock) -> None:
    """Each has a quota of its own."""
    cache = small(clock)
    cache.set(TWO, "key", b"value", MINUTE)
    for number in range(100):
        cache.set(ONE, str(number), b"123456", MINUTE)
    assert cache.get(TWO, "key") == b"value"


def test_replacing_and_deleting_give_their_bytes_back(clock: Clock) -> None:
    """Otherwise the quota would leak away."""
    cache = small(clock)
    cache.set(ONE, "keep", b"123456", MINUTE)
    for _ in range(100):
        cache.set(ONE, "k", b"123456789", MINUTE)
        cache.set(ONE, "k", b"1", MINUTE)
        cache.delete(ONE, "k")
    assert cache.get(ONE, "keep") == b"123456"
    assert cache._used == {ONE: 10}


def test_scopes_are_bounded_and_the_one_used_longest_ago_goes(clock: Clock) -> None:
    """A stranger who uploads thousands of functions doesn't fill the host."""
    cache = small(clock)
    three = ("tenant", "three")
    cache.set(ONE, "key", b"1", MINUTE)
    cache.set(TWO, "key", b"2", MINUTE)
    cache.get(ONE, "key")
    cache.set(three, "key", b"3", MINUTE)
    assert [cache.get(scope, "key") for scope in (ONE, TWO, three)] == [b"1", None, b"3"]


def test_an_empty_scope_takes_no_place(clock: Clock) -> None:
    """Deleting its last entry forgets it, and so does the end of its time."""
    cache = small(clock)
    cache.set(ONE, "key", b"1", MINUTE)
    cache.delete(ONE, "key")
    cache.set(TWO, "key", b"1", 1)
    clock.now += 1
    cache.get(TWO, "key")
    assert (dict(cache._scopes), cache._used) == ({}, {})


def test_a_value_larger_than_the_whole_quota_is_refused(clock: Clock) -> None:
    """Operators may choose quotas in any proportion; nothing breaks."""
    cache = MemoryCache(clock, Quota(value_bytes=100, scope_bytes=50))
    refusal = cache.set(ONE, "key", bytes(60), MINUTE)
    assert refusal is not None
    assert cache.get(ONE, "key") is None
