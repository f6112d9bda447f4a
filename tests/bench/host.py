"""The engine as every row has it: only its number of slots differs."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from ipaddress import ip_network
from typing import Final, NoReturn

import uvloop
from tests.bench.processes import ROOT

from guesthouse.config import EngineConfig
from guesthouse.model.report import Report
from guesthouse.runtime.engine import Engine

ARTEFACTS: Final = ROOT / "build" / "bench"
SLOTS: Final = 1_000


def configuration(slots: int = SLOTS) -> EngineConfig:
    """Give the one configuration: defaults, loopback allowed."""
    return EngineConfig(slots=slots, cache_folder=ARTEFACTS, allow_private=(ip_network("127.0.0.0/8"),))


@contextmanager
def opened_engine(slots: int = SLOTS) -> Iterator[tuple[asyncio.Runner, Engine]]:
    """Open an engine on a uvloop that runs only when the runner is asked to."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        engine = runner.run(stack.enter_async_context(Engine.open(configuration(slots))))
        try:
            yield runner, engine
        finally:
            runner.run(stack.aclose())


def check(report: Report) -> Report:
    """Refuse to measure what didn't work."""
    if report.error is not None:
        raise_broken(report.error)
    return report


def raise_broken(error: BaseException | None) -> NoReturn:
    """End the measurement with what went wrong."""
    raise RuntimeError("a guest of the benchmark failed") from error
