"""The clock of time slices: ticks once when a slice is long, and never after it was closed."""

import asyncio
import ctypes
import sys
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import perf_counter
from typing import ClassVar

import pytest

from guesthouse.runtime import ticker as ticker_module
from guesthouse.runtime.ticker import AGAIN_SECONDS, TICK_SECONDS, ThreadTicker, TimerTicker, open_ticker

pytestmark = pytest.mark.anyio
PATIENCE_SECONDS = 5.0


class Bell:
    """What a ticker rings: counts, and can be waited for."""

    kept: ClassVar[list["Bell"]] = []
    """All of them, for ever: a late tick must not call what is freed, though its test has failed."""

    def __init__(self) -> None:
        self.kept.append(self)
        self.rung = 0
        self.at = 0.0
        self._rang = threading.Event()
        self.callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.ring)
        self.address = ctypes.cast(self.callback, ctypes.c_void_p).value or 0
        self.arguments: list[int | None] = []

    def ring(self, argument: int | None = None) -> None:
        """Be rung."""
        self.arguments.append(argument)
        self.rung += 1
        self.at = perf_counter()
        self._rang.set()

    async def wait(self) -> None:
        """Wait until it rings again."""
        assert await asyncio.to_thread(self._rang.wait, PATIENCE_SECONDS), "no tick came"
        self._rang.clear()


Opener = Callable[[Bell], TimerTicker | ThreadTicker]
TICKERS: dict[str, Opener] = {
    "timer": lambda bell: TimerTicker(bell.address, 42, asyncio.get_running_loop().call_later),
    "thread": lambda bell: ThreadTicker(bell.ring),
}


@asynccontextmanager
async def opened(kind: str) -> AsyncIterator[tuple[Bell, TimerTicker | ThreadTicker]]:
    """Open a ticker with a bell, and close it."""
    bell = Bell()
    ticker = TICKERS[kind](bell)
    try:
        yield bell, ticker
    finally:
        await ticker.close()


@pytest.mark.parametrize("kind", TICKERS)
async def test_an_armed_ticker_ticks_after_a_slice(kind: str) -> None:
    """Not before a millisecond is over."""
    async with opened(kind) as (bell, ticker):
        began = perf_counter()
        ticker.arm(began)
        await bell.wait()
        assert bell.at - began >= TICK_SECONDS * 0.9


@pytest.mark.parametrize("kind", TICKERS)
async def test_it_ticks_each_time_that_it_is_armed(kind: str) -> None:
    """A guest that spins is stopped after each slice, not only after the first."""
    async with opened(kind) as (bell, ticker):
        for _ in range(5):
            ticker.arm(perf_counter())
            await bell.wait()


async def test_the_timer_hands_its_argument_to_the_function() -> None:
    """It is how the library knows whose epoch to raise."""
    async with opened("timer") as (bell, ticker):
        ticker.arm(perf_counter())
        await bell.wait()
        assert bell.arguments[0] == 42


async def test_a_timer_goes_on_ticking_in_case_the_first_tick_came_too_early() -> None:
    """Before the guest had begun, say; until it is armed again."""
    async with opened("timer") as (bell, ticker):
        ticker.arm(perf_counter())
        for _ in range(3):
            await bell.wait()


async def test_a_timer_rests_when_nobody_runs() -> None:
    """It is looked after by the loop, at once when it was armed and no more than once at a time; then it ticks anew."""
    watches: list[Callable[[], None]] = []
    bell = Bell()
    ticker = TimerTicker(bell.address, 0, lambda _seconds, watch: watches.append(watch))
    ticker.arm(perf_counter())
    ticker.arm(perf_counter() + 1)
    await bell.wait()
    assert len(watches) == 1
    ticker._armed_at = perf_counter()
    watches.pop()()
    assert len(watches) == 1, "it was armed a moment ago: look again later"
    ticker._armed_at -= 1
    watches.pop()()
    under_way = 0
    while bell._rang.wait(AGAIN_SECONDS * 3):
        bell._rang.clear()
        under_way += 1
        assert under_way <= 2, "it goes on and on"
    assert not watches
    ticker.arm(perf_counter())
    assert len(watches) == 1
    await bell.wait()
    await ticker.close()
    watches.pop()()


async def test_close_waits_out_a_tick_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """A timer that wasn't stopped may have ticked the moment before, however long ago it was armed."""
    waited: list[float] = []
    sleep = asyncio.sleep

    async def noted(seconds: float) -> None:
        waited.append(seconds)
        await sleep(0)

    bell = Bell()
    ticker = TimerTicker(bell.address, 0, lambda _seconds, _watch: None)
    ticker.arm(perf_counter())
    ticker._armed_at -= 0.09
    await bell.wait()
    monkeypatch.setattr(asyncio, "sleep", noted)
    await ticker.close()
    assert sum(waited) >= 0.05


async def test_arming_again_puts_the_tick_off() -> None:
    """Guests that each run briefly are never interrupted: the watchdog starts anew with each of them."""
    settings: list[float] = []
    async with opened("timer") as (_bell, ticker):
        assert isinstance(ticker, TimerTicker)
        ticker._settime = lambda *_: settings.append(0.0)  # type: ignore[assignment]  # counts instead of setting
        for milliseconds in (0.0, 0.4, 0.6, 1.0, 1.2):
            ticker.arm(1_000 + milliseconds / 1_000)
    assert len(settings) == 3, "armed at 0, put off at 0.6 and at 1.2; the tick was near enough at 0.4 and 1.0"


@pytest.mark.parametrize("kind", TICKERS)
async def test_after_close_no_tick_comes(kind: str) -> None:
    """Also none that was under way: what it would touch may be freed then."""
    async with opened(kind) as (bell, ticker):
        ticker.arm(perf_counter())
    rung = bell.rung
    assert not bell._rang.wait(TICK_SECONDS * 5) or bell.rung == rung


async def test_a_thread_rests_when_nobody_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It ticks for a while after the last slice, then waits without using any time."""
    monkeypatch.setattr(ticker_module, "_IDLE_SECONDS", 0.0)
    async with opened("thread") as (bell, ticker):
        assert isinstance(ticker, ThreadTicker)
        ticker.arm(perf_counter())
        await bell.wait()
        assert not bell._rang.wait(TICK_SECONDS * 20)
        assert not ticker._is_wanted.is_set()


async def test_linux_has_the_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """No Python takes part in a tick there; elsewhere a thread does."""
    bell = Bell()
    for platform, kind in (("linux", TimerTicker), ("darwin", ThreadTicker)):
        monkeypatch.setattr(sys, "platform", platform)
        ticker = open_ticker(bell.address, 0, tick=bell.ring, call_later=asyncio.get_running_loop().call_later)
        assert type(ticker) is kind
        await ticker.close()


async def test_without_a_timer_to_be_had_linux_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Guests hold the interpreter's lock there, so a Python thread would never tick: better no engine than that."""

    def none_left(_self: object, *_arguments: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(TimerTicker, "__init__", none_left)
    bell = Bell()
    with pytest.raises(OSError, match="temporarily unavailable"):
        open_ticker(bell.address, 0, tick=bell.ring, call_later=asyncio.get_running_loop().call_later)
