"""Contenders measured in turn, A B A B, so that whatever else the machine does hits all of them alike.

Each contender is a process of its own (`tests.bench.contender`), since engines, peers and event loops leave traces in
theirs; all of them are set up before the first round, and idle while others run.
"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from statistics import median
from typing import Final

import msgspec
from msgspec import Struct
from tests.bench.processes import Child, child

BURST_SECONDS: Final = 0.25
_TRIALS: Final = 3


class Lap(Struct, frozen=True):
    """Time of one burst, in seconds."""

    wall: float
    cpu: float


class Laps(Struct):
    """Microseconds for each operation, one sample for each round."""

    wall: list[float] = msgspec.field(default_factory=list)
    cpu: list[float] = msgspec.field(default_factory=list)


class Entry(Struct, frozen=True):
    """A contender: a module of ``tests.bench.contenders`` with its arguments."""

    module: str
    arguments: tuple[str, ...] = ()
    least: int = 1
    """Operations in a burst are a multiple of this."""


def contest(entries: Mapping[str, Entry], *, rounds: int, seconds: float = BURST_SECONDS) -> Mapping[str, Laps]:
    """Let each contender work for about *seconds* in each round."""
    laps = {name: Laps() for name in entries}
    with ExitStack() as stack:
        runners = {name: stack.enter_context(child("contender", e.module, *e.arguments)) for name, e in entries.items()}
        for runner in runners.values():
            runner.listen()
        counts = {name: _calibrate(runners[name], entries[name].least, seconds) for name in entries}
        for number in range(rounds):
            for name in _order(list(entries), number):
                lap = _burst(runners[name], counts[name])
                laps[name].wall.append(lap.wall / counts[name] * 1e6)
                laps[name].cpu.append(lap.cpu / counts[name] * 1e6)
    return laps


def _order(names: Sequence[str], number: int) -> Sequence[str]:
    """Turn every other round around: nobody always follows the same one."""
    return names if number % 2 == 0 else names[::-1]


def _calibrate(runner: Child, least: int, seconds: float) -> int:
    """Find how many operations take about *seconds*; these first bursts are the warm-up as well."""
    count = least
    while (lap := _burst(runner, count)).wall < seconds / 8:
        count *= 2
    each = median([lap.wall / count, *(_burst(runner, count).wall / count for _ in range(_TRIALS))])
    return max(1, round(seconds / each / least)) * least


def _burst(runner: Child, count: int) -> Lap:
    return msgspec.json.decode(runner.ask(str(count)), type=Lap)
