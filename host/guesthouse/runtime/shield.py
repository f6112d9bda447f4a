"""Keeps signal handlers from raising inside a guest.

Python runs signal handlers between any two lines of the main thread, the first line of an engine callback included. A
handler that raises there (Python's own for Ctrl-C does) would leave the C library with a continuation that was never
set, and the library aborts the process. While a guest is running, SIGINT is therefore noted, and handled right after.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any


class SignalShield:
    """Wraps the SIGINT handler of the main thread while an engine lives."""

    def __init__(self, is_running: Callable[[], bool]) -> None:
        """Take whether a guest is running right now; elsewhere than in the main thread there is nothing to do."""
        self._is_running = is_running
        self._noted = False
        self._before: Any = None
        if threading.current_thread() is threading.main_thread():
            before = signal.getsignal(signal.SIGINT)
            if callable(before):
                self._before = before
                signal.signal(signal.SIGINT, self._handle)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._is_running():
            self._noted = True
        else:
            self._before(number, frame)

    def settle(self) -> None:
        """Handle a signal that came while a guest was running."""
        if self._noted:
            self._noted = False
            self._before(signal.SIGINT, None)

    def close(self) -> None:
        """Put the handler back, unless somebody else has put another in place."""
        if self._before is not None and signal.getsignal(signal.SIGINT) == self._handle:
            signal.signal(signal.SIGINT, self._before)
