"""Identifiers sort by age and never repeat."""

import re

from guesthouse.ids import new_id, new_ids


def test_an_id_says_what_it_names() -> None:
    """A prefix and 26 characters that can be read out."""
    assert re.fullmatch(r"evt_[0-9abcdefghjkmnpqrstvwxyz]{26}", new_id("evt"))


def test_later_ids_sort_after_earlier_ones() -> None:
    """By their text, for two thousand years."""
    ids = [new_id("evt", now_ms=moment) for moment in (0, 1, 1_800_000_000_000, 1_800_000_000_001, 2**47)]
    assert ids == sorted(ids)


def test_ids_of_one_call_ascend_and_differ() -> None:
    """A batch keeps its order."""
    ids = new_ids("dlv", 2_500)
    assert ids == sorted(ids)
    assert len(set(ids)) == 2_500


def test_ids_of_one_millisecond_differ() -> None:
    """Chance tells calls of the same moment apart."""
    ids = {each for _ in range(200) for each in new_ids("dlv", 20, now_ms=7)}
    assert len(ids) == 4_000


def test_counting_up_never_reaches_the_time() -> None:
    """All ids of a call carry the time that they were made at, whatever chance gave."""
    for _ in range(200):
        assert {each[4:13] for each in new_ids("evt", 50, now_ms=2**47)} == {new_id("evt", now_ms=2**47)[4:13]}


def test_no_ids_are_none() -> None:
    """An empty batch asks for none."""
    assert new_ids("evt", 0) == []
