"""The host operations of one invocation: numbers that the guest holds, results that it will read."""

from guesthouse.abi.contract import NOT_READY, TOO_MANY_HANDLES
from guesthouse.errors import BrokenContract, TooManyCalls

REFUSALS = 1_000
"""Refused openings after which a guest that goes on is ended."""


class Handles:
    """Open handles and their results; numbers start at 1 and are never used twice."""

    __slots__ = ("_last", "_limit", "_refused", "_results")

    def __init__(self, limit: int) -> None:
        """Allow *limit* handles to be open at once."""
        self._results: dict[int, bytes | None] = {}
        self._limit = limit
        self._last = 0
        self._refused = 0

    def open(self, *, is_full: bool = False) -> int:
        """Give a new handle, or `TOO_MANY_HANDLES`; a guest that ignores this ends with `TooManyCalls`.

        *is_full* refuses it whatever the number of handles.
        """
        if is_full or len(self._results) >= self._limit:
            self._refused += 1
            if self._refused > REFUSALS:
                raise TooManyCalls(REFUSALS)
            return TOO_MANY_HANDLES
        self._last += 1
        self._results[self._last] = None
        return self._last

    def complete(self, handle: int, result: bytes) -> None:
        """Store the result for a handle that is still open."""
        if handle in self._results:
            self._results[handle] = result

    def first_ready(self, handles: tuple[int, ...]) -> int | None:
        """Index of the first of *handles* whose result is there; `BrokenContract` for one that isn't open."""
        results = self._results
        for handle in handles:
            if handle not in results:
                raise BrokenContract(f"wait: handle {handle} isn't open")
        return next((index for index, handle in enumerate(handles) if results[handle] is not None), None)

    def size(self, handle: int) -> int:
        """Size of the result, or `NOT_READY`; `BrokenContract` for a handle that isn't open."""
        result = self._result("result_size", handle)
        return NOT_READY if result is None else len(result)

    def peek(self, handle: int) -> bytes | None:
        """Give the result to ``result_read``, which closes the handle once the bytes are in the guest's memory."""
        return self._result("result_read", handle)

    def close(self, handle: int) -> None:
        """Forget a handle whose result has been read."""
        del self._results[handle]

    def _result(self, who: str, handle: int) -> bytes | None:
        try:
            return self._results[handle]
        except KeyError:
            raise BrokenContract(f"{who}: handle {handle} isn't open") from None
