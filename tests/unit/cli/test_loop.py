"""The loop that a command runs on, and who hears Ctrl-C."""

import asyncio
import signal

import pytest

from guesthouse.cli.loop import run_to_end


def test_the_result_comes_back() -> None:
    """What the work returns, or raises, whoever started it gets."""

    async def work() -> str:
        await asyncio.sleep(0)
        return "done"

    async def broken() -> None:
        raise LookupError

    assert run_to_end(work()) == "done"
    with pytest.raises(LookupError):
        run_to_end(broken())


def test_no_signal_handler_raises_while_work_is_under_way() -> None:
    """An exception inside an engine's callback aborts the process, so it never raises, not even when asked twice."""

    async def work() -> str:
        handler = signal.getsignal(signal.SIGINT)
        assert callable(handler)
        for _ in range(3):
            handler(signal.SIGINT, None)
        await asyncio.sleep(0)
        return "undisturbed"

    assert run_to_end(work()) == "undisturbed"


def test_ctrl_c_cancels_and_is_told_afterwards() -> None:
    """The work can tidy up; then Ctrl-C is Python's own exception, and its handler is Python's own again."""
    tidied = []

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            tidied.append(True)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_to_end(work())
    assert tidied
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_outranks_whatever_else_went_wrong() -> None:
    """A child dies of the same Ctrl-C: its failure isn't what people are told."""

    async def work() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            raise LookupError

    with pytest.raises(KeyboardInterrupt):
        run_to_end(work())


def test_an_ignored_signal_stays_ignored() -> None:
    """Under nohup, or in a shell's background, Ctrl-C is meant for somebody else."""

    async def work() -> str:
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(0)
        return "undisturbed"

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert run_to_end(work()) == "undisturbed"
    finally:
        signal.signal(signal.SIGINT, before)
