"""The clock of time slices: raises the engine's epoch when a guest has run for about a millisecond.

It is a watchdog rather than a clock: whoever runs guests puts the tick off before each, so that it comes only where one
runs long. No Python takes part in a tick: a POSIX timer calls the library's own function from a thread of the C
library's. (A Python thread that ticks must take the interpreter's lock a thousand times a second from the thread that
runs guests: seen to cost an invocation 13 of 57 microseconds; and guests would have to run without the lock.) Where
there are no POSIX timers, such a thread has to do.

Source: timer_create(2), sigevent(7); the layout of ``struct sigevent`` is that of 64-bit Linux.
"""

import asyncio
import ctypes
import os
import sys
import threading
from collections.abc import Callable
from ctypes import addressof, c_int, c_long, c_void_p
from time import perf_counter

TICK_SECONDS = 0.001
ARM_AGAIN_SECONDS = 0.0005
"""A tick that is farther away than the rest isn't put off again: each time is a system call."""
_MONOTONIC = 1
_SIGEV_THREAD = 2
_IDLE_SECONDS = 0.05
_LATEST_TICK_SECONDS = 0.1


class _SigEvent(ctypes.Structure):
    """``struct sigevent``, with the member of its union that SIGEV_THREAD uses."""

    _fields_ = (
        *(("value", c_void_p), ("signal", c_int), ("notify", c_int), ("function", c_void_p), ("attributes", c_void_p)),
        ("_rest", ctypes.c_char * 32),
    )


class _TimerSpec(ctypes.Structure):
    """``struct itimerspec``: interval, then time to the first tick."""

    _fields_ = (("seconds", c_long), ("nanoseconds", c_long), ("first_seconds", c_long), ("first_nanoseconds", c_long))


_PROCESS = ctypes.PyDLL(None)
_ONCE = _TimerSpec(0, 0, 0, int(TICK_SECONDS * 1e9))
_ONCE_ADDRESS = addressof(_ONCE)


class TimerTicker:
    """Ticks by a POSIX timer that calls *function* (the address of a C function) with *argument*."""

    def __init__(self, function: int, argument: int) -> None:
        """Create the timer. OSError where the system has no more timers."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        event = _SigEvent(value=argument, notify=_SIGEV_THREAD, function=function)
        self._timer = c_void_p()
        self._armed_at = 0.0
        self._settime = ctypes.PYFUNCTYPE(c_int, c_void_p, c_int, c_void_p, c_void_p)(("timer_settime", _PROCESS))
        if self._libc.timer_create(_MONOTONIC, c_void_p(addressof(event)), c_void_p(addressof(self._timer))):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def arm(self, now: float) -> None:
        """Tick once, a millisecond from *now* (perf_counter) or at most half of one earlier."""
        if now - self._armed_at > ARM_AGAIN_SECONDS:
            self._armed_at = now
            self._settime(self._timer, 0, _ONCE_ADDRESS, None)

    async def close(self) -> None:
        """Delete the timer, and give a tick that is under way the time to end: afterwards *argument* may be freed."""
        self._libc.timer_delete(self._timer)
        await asyncio.sleep(max(0.0, self._armed_at + _LATEST_TICK_SECONDS - perf_counter()))


class ThreadTicker:
    """Ticks by a Python thread; see `TimerTicker`."""

    def __init__(self, tick: Callable[[], None]) -> None:
        """Start the thread, which waits."""
        self._tick = tick
        self._until = 0.0
        self._is_wanted = threading.Event()
        self._is_closed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="guesthouse-ticker", daemon=True)
        self._thread.start()

    def arm(self, now: float) -> None:
        """See `TimerTicker.arm`; this one ticks every millisecond for a while."""
        self._until = now + _IDLE_SECONDS
        self._is_wanted.set()

    async def close(self) -> None:
        """Stop the thread and wait for its end."""
        self._is_closed.set()
        self._is_wanted.set()
        self._thread.join()

    def _run(self) -> None:
        while self._is_wanted.wait() and not self._is_closed.wait(TICK_SECONDS):
            self._tick()
            if perf_counter() > self._until:
                self._is_wanted.clear()


def open_ticker(function: int, argument: int, tick: Callable[[], None]) -> TimerTicker | ThreadTicker:
    """Give the best ticker of this system: by the C *function* and its *argument*, or else by *tick*."""
    if sys.platform == "linux" and sys.maxsize > 1 << 32:
        return TimerTicker(function, argument)
    return ThreadTicker(tick)
