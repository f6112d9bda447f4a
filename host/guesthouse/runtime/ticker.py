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
AGAIN_SECONDS = 0.004
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
_ARMED = _TimerSpec(0, int(AGAIN_SECONDS * 1e9), 0, int(TICK_SECONDS * 1e9))
_DISARMED = _TimerSpec(0, 0, 0, 0)
_ARMED_ADDRESS, _DISARMED_ADDRESS = addressof(_ARMED), addressof(_DISARMED)
CallLater = Callable[[float, Callable[[], None]], object]


class TimerTicker:
    """Ticks by a POSIX timer that calls *function* (the address of a C function) with *argument*."""

    def __init__(self, function: int, argument: int, call_later: CallLater) -> None:
        """Create the timer; *call_later* is the event loop's. OSError where the system has no more timers."""
        self._libc = ctypes.CDLL(None, use_errno=True)
        event = _SigEvent(value=argument, notify=_SIGEV_THREAD, function=function)
        self._timer: c_void_p | None = c_void_p()
        self._armed_at = 0.0
        self._call_later = call_later
        self._is_watched = False
        self._settime = ctypes.PYFUNCTYPE(c_int, c_void_p, c_int, c_void_p, c_void_p)(("timer_settime", _PROCESS))
        if self._libc.timer_create(_MONOTONIC, c_void_p(addressof(event)), c_void_p(addressof(self._timer))):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))

    def arm(self, now: float) -> None:
        """Tick a millisecond from *now* (perf_counter), or half of one earlier; then now and then until armed again.

        The first tick may come before the guest has begun, if the system takes the processor away just then.
        """
        if now - self._armed_at > ARM_AGAIN_SECONDS:
            self._armed_at = now
            self._settime(self._timer, 0, _ARMED_ADDRESS, None)
            if not self._is_watched:
                self._is_watched = True
                self._call_later(_IDLE_SECONDS, self._watch)

    def _watch(self) -> None:
        """Stop the timer of an idle host; look again later at that of a busy one."""
        self._is_watched = perf_counter() - self._armed_at < _IDLE_SECONDS
        if self._timer is None:
            return
        if self._is_watched:
            self._call_later(_IDLE_SECONDS, self._watch)
        else:
            self._settime(self._timer, 0, _DISARMED_ADDRESS, None)

    async def close(self) -> None:
        """Delete the timer, and give a tick that is under way the time to end: afterwards *argument* may be freed."""
        timer, self._timer = self._timer, None
        self._libc.timer_delete(timer)
        if self._is_watched:
            await asyncio.sleep(_LATEST_TICK_SECONDS)


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


def open_ticker(
    function: int, argument: int, *, tick: Callable[[], None], call_later: CallLater
) -> TimerTicker | ThreadTicker:
    """Give the best ticker of this system: by the C *function* and its *argument*, or else by *tick*."""
    if sys.platform == "linux" and sys.maxsize > 1 << 32:
        return TimerTicker(function, argument, call_later)
    return ThreadTicker(tick)
