"""The numbers that a guest holds for host operations."""

import pytest

from guesthouse.abi.contract import NOT_READY, TOO_MANY_HANDLES
from guesthouse.errors import BrokenContract, TooManyCalls
from guesthouse.runtime.handles import REFUSALS, Handles


def test_handles_count_from_one_and_are_never_used_twice() -> None:
    """Also after they were closed."""
    handles = Handles(1)
    seen = []
    for _ in range(3):
        handle = handles.open()
        seen.append(handle)
        handles.complete(handle, b"")
        handles.close(handle)
    assert seen == [1, 2, 3]


def test_a_result_is_not_ready_then_readable_until_closed() -> None:
    """Reading sizes closes nothing; after closing, the number is as unknown as one that never was."""
    handles = Handles(4)
    handle = handles.open()
    assert (handles.size(handle), handles.peek(handle)) == (NOT_READY, None)
    handles.complete(handle, b"result")
    assert (handles.size(handle), handles.size(handle), handles.peek(handle)) == (6, 6, b"result")
    handles.close(handle)
    with pytest.raises(BrokenContract, match="result_size: handle 1 isn't open"):
        handles.size(handle)
    with pytest.raises(BrokenContract, match="result_read: handle 1 isn't open"):
        handles.peek(handle)


def test_an_empty_result_is_a_result() -> None:
    """A timer gives zero bytes: ready, and not the same as not being ready."""
    handles = Handles(4)
    handle = handles.open()
    handles.complete(handle, b"")
    assert handles.size(handle) == 0
    assert handles.first_ready((handle,)) == 0


def test_a_result_that_comes_after_closing_is_dropped() -> None:
    """What nobody holds any more is not kept."""
    handles = Handles(4)
    handles.complete(7, b"late")
    with pytest.raises(BrokenContract):
        handles.size(7)


@pytest.mark.parametrize("forged", [0, -1, 2, 1 << 30])
def test_forged_handles_break_the_contract(forged: int) -> None:
    """Only what was given can be waited for, and the message names the number."""
    handles = Handles(4)
    handle = handles.open()
    with pytest.raises(BrokenContract, match=f"wait: handle {forged} isn't open"):
        handles.first_ready((handle, forged))


def test_the_first_ready_is_the_lowest_index_not_the_earliest_completion() -> None:
    """As the contract says; the same handle may stand there twice."""
    handles = Handles(4)
    one, two, three = handles.open(), handles.open(), handles.open()
    assert handles.first_ready((one, two, three)) is None
    handles.complete(three, b"")
    handles.complete(two, b"")
    assert handles.first_ready((one, two, three)) == 1
    assert handles.first_ready((three, one, three)) == 0


def test_past_the_limit_a_handle_is_refused_and_closing_one_makes_room() -> None:
    """A refusal is a status that the guest can treat."""
    handles = Handles(2)
    first = handles.open()
    handles.open()
    assert handles.open() == TOO_MANY_HANDLES
    handles.close(first)
    assert handles.open() == 3


def test_a_guest_that_ignores_refusals_is_ended() -> None:
    """A bound on how long a guest may go on trying, counted over the whole invocation."""
    handles = Handles(1)
    handles.open()
    for _ in range(REFUSALS):
        assert handles.open() == TOO_MANY_HANDLES
    with pytest.raises(TooManyCalls):
        handles.open()
