"""Cutting leases into batches, by number and by bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.queues import acceptance

from guesthouse.model.registry import Batching
from guesthouse.pipeline.worker import batches
from guesthouse.queue.protocol import Lease


def lease(size: int, token: int) -> Lease:
    """Lease an event with a payload of so many bytes."""
    made = acceptance("dst_1", payload=bytes(size))
    return Lease(
        delivery=made.deliveries[0],
        event=made.event,
        attempt=1,
        lost_leases=0,
        token=token,
        accepted_at_ms=0,
        age_ms=0,
    )


def cut(sizes: list[int], *, events: int = 100, most: int = 1_000) -> list[list[int]]:
    """Cut leases of these sizes; the sizes in each batch."""
    leases = [lease(size, token) for token, size in enumerate(sizes)]
    made = batches(leases, Batching(events=events, bytes=most))
    assert [each.token for batch in made for each in batch] == list(range(len(sizes)))
    return [[len(each.event.payload) for each in batch] for batch in made]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([1], [[1]]),
        ([1] * 3, [[1, 1, 1]]),
        ([1] * 7, [[1, 1, 1], [1, 1, 1], [1]]),
        ([600, 400, 1], [[600, 400], [1]]),
        ([600, 401], [[600], [401]]),
        ([5, 5_000, 5], [[5], [5_000], [5]]),
        ([5_000], [[5_000]]),
        ([0, 0], [[0, 0]]),
    ],
)
def test_a_batch_ends_at_its_number_of_events_or_bytes(sizes: list[int], expected: list[list[int]]) -> None:
    """Order is kept, and an event larger than a batch stands alone."""
    assert cut(sizes, events=3) == expected


@given(st.lists(st.integers(0, 1_500), max_size=20), st.integers(1, 6))
def test_no_batch_is_over_its_bounds(sizes: list[int], events: int) -> None:
    """But for a single event that is too large by itself."""
    for batch in cut(sizes, events=events):
        assert 1 <= len(batch) <= events
        assert sum(batch) <= 1_000 or len(batch) == 1
