"""How many calls of one invocation may be under way at once."""

import asyncio
from collections import deque


class Room:
    """A semaphore that costs next to nothing until somebody has to wait; first come, first served."""

    __slots__ = ("_places", "_waiting")

    def __init__(self, places: int) -> None:
        self._places = places
        self._waiting: deque[asyncio.Future[None]] | None = None

    async def enter(self) -> None:
        """Take a place; wait until there is one."""
        if self._places:
            self._places -= 1
            return
        if self._waiting is None:
            self._waiting = deque()
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Give a place back, to whoever has waited for longest."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._places += 1
