"""SIGINT while a guest runs: noted, and handled right after; ``test_rules.py`` shows what happens without."""

import signal
import threading
from collections.abc import Callable, Iterator

import pytest

from guesthouse.runtime.shield import SignalShield

Handler = Callable[[int, object], None]


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """Install a handler that counts, in the place of Python's own."""
    calls: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _frame: calls.append(number))
    yield calls
    signal.signal(signal.SIGINT, before)


def test_while_no_guest_runs_a_signal_is_handled_at_once(handled: list[int]) -> None:
    """Ctrl-C works as ever."""
    shield = SignalShield(lambda: False)
    signal.raise_signal(signal.SIGINT)
    assert handled == [signal.SIGINT]
    shield.close()


def test_while_a_guest_runs_a_signal_waits_for_the_end_of_the_turn(handled: list[int]) -> None:
    """It isn't lost, isn't handled twice, and several are handled as one."""
    shield = SignalShield(lambda: True)
    signal.raise_signal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    assert handled == []
    shield.settle()
    shield.settle()
    assert handled == [signal.SIGINT]
    shield.close()


def test_closing_puts_the_handler_back(handled: list[int]) -> None:
    """As if there had been no engine."""
    before = signal.getsignal(signal.SIGINT)
    SignalShield(lambda: True).close()
    assert signal.getsignal(signal.SIGINT) is before
    assert handled == []


@pytest.mark.usefixtures("handled")
def test_closing_leaves_a_newer_handler_alone() -> None:
    """Somebody else's handler stays in place."""

    def newer(_number: int, _frame: object) -> None: ...

    shield = SignalShield(lambda: False)
    signal.signal(signal.SIGINT, newer)
    shield.close()
    assert signal.getsignal(signal.SIGINT) is newer


def test_two_engines_shield_and_unshield_in_turn(handled: list[int]) -> None:
    """Closed in the opposite order, as nested engines are, they leave what they found."""
    before = signal.getsignal(signal.SIGINT)
    outer_runs = [True]
    outer = SignalShield(lambda: outer_runs[0])
    inner = SignalShield(lambda: False)
    signal.raise_signal(signal.SIGINT)
    assert handled == []
    outer.settle()
    assert handled == [signal.SIGINT]
    inner.close()
    outer.close()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.usefixtures("handled")
def test_an_ignored_signal_stays_ignored() -> None:
    """Where nobody wants to know of Ctrl-C, there is nothing to shield."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    shield = SignalShield(lambda: True)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    shield.settle()
    shield.close()


def test_outside_the_main_thread_nothing_is_touched() -> None:
    """Signals are handled in the main thread only, so an engine elsewhere needs no shield, and may not set one."""
    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=lambda: SignalShield(lambda: True).close())
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
