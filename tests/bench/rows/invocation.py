"""Row 1: one invocation, fresh instance, suspended once, envelope encoded and decoded, against four ways to do less."""

from collections.abc import Sequence
from typing import Final

from tests.bench.contest import Entry, contest
from tests.bench.findings import Finding, Samples, costs, gains

SECONDS: Final = 300

_ENTRIES: Final = {
    "ours": Entry("guesthouse_invocation"),
    "ours, 16 in flight": Entry("guesthouse_invocation", ("16",), least=16),
    "bare fiber": Entry("bare"),
    "ours, 17 pages": Entry("guesthouse_invocation", ("1", "waiting_once", "17")),
    "bare fiber, 17 pages": Entry("bare", ("pooling", "17")),
    "Extism, fresh plugin": Entry("extism_plugin", ("fresh",)),
    "Extism, reused plugin": Entry("extism_plugin", ("reused",)),
    "wasmtime-py": Entry("wasmtime_py"),
}


def run(*, quick: bool) -> Sequence[Finding]:
    """Measure all of them in turn."""
    laps = contest(_ENTRIES, rounds=3 if quick else 21)
    walls = {name: lap.wall for name, lap in laps.items()}
    ours = walls["ours"]
    return (
        gains("invocation", "us", ours, "Extism, fresh plugin", walls["Extism, fresh plugin"], at_least=5),
        costs("invocation", "us", ours, "bare fiber", walls["bare fiber"], at_most=1.5),
        costs("invocation", "us", ours, "Extism, reused plugin", walls["Extism, reused plugin"], note="no isolation"),
        gains("invocation", "us", ours, "wasmtime-py", walls["wasmtime-py"], note="synchronous, public API"),
        costs("invocation, 16 in flight", "us", walls["ours, 16 in flight"], "bare fiber", walls["bare fiber"]),
        _with_17_pages(walls["ours, 17 pages"], walls["bare fiber, 17 pages"]),
        gains("invocation, CPU", "us", laps["ours"].cpu, "Extism, fresh plugin", laps["Extism, fresh plugin"].cpu),
        costs("invocation, CPU", "us", laps["ours"].cpu, "bare fiber", laps["bare fiber"].cpu),
    )


def _with_17_pages(ours: Samples, bare: Samples) -> Finding:
    return costs("invocation, memory of 17 pages, as the sketch's", "us", ours, "bare fiber", bare)
