"""Runs one coroutine on a loop of its own, and ends it cleanly on Ctrl-C, a server on SIGTERM as well.

A signal becomes a callback of the loop, so no Python signal handler raises while an engine lives.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from guesthouse.cli.exits import Exit

T = TypeVar("T")


def run_to_end(work: Coroutine[Any, Any, T]) -> T:
    """Run *work*; its result. Ctrl-C cancels it, and is ``KeyboardInterrupt`` once the loop is closed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_interruptible(work))


def run_until_stopped(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    """Run what *work* makes of an event that SIGTERM or Ctrl-C sets; its result. The second Ctrl-C ends it at once."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_stoppable(work))


async def _stoppable(work: Callable[[asyncio.Event], Coroutine[Any, Any, T]]) -> T:
    loop, stop = asyncio.get_running_loop(), asyncio.Event()

    def interrupt() -> None:
        if stop.is_set():
            os._exit(Exit.INTERRUPTED)
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        return await work(stop)
    finally:
        loop.remove_signal_handler(signal.SIGTERM)
        loop.remove_signal_handler(signal.SIGINT)


async def _interruptible(work: Coroutine[Any, Any, T]) -> T:
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    interrupts: list[int] = []

    def interrupt() -> None:
        if interrupts:  # asked twice: what is still being tidied up isn't worth waiting for
            os._exit(Exit.INTERRUPTED)
        interrupts.append(signal.SIGINT)
        task.cancel()

    is_heard = signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    if is_heard:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    try:
        await asyncio.wait({task})
    finally:
        if is_heard:
            loop.remove_signal_handler(signal.SIGINT)
    if interrupts:
        # However the work ended: a child process dies of the same Ctrl-C and may be blamed first.
        task.cancelled() or task.exception()
        raise KeyboardInterrupt
    return task.result()


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    try:
        import uvloop  # noqa: PLC0415 - the command works without it, only more slowly
    except ImportError:
        return None
    return uvloop.new_event_loop
