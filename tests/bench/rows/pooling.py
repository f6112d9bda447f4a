"""Row 5, second half: what the pooling allocator gains, measured on the bare prototype."""

from collections.abc import Sequence
from typing import Final

from tests.bench.contest import Entry, contest
from tests.bench.findings import Finding, gains

SECONDS: Final = 120


def run(*, quick: bool) -> Sequence[Finding]:
    """Measure the same engine with and without it, in turn."""
    laps = contest({name: Entry("bare", (name,)) for name in ("pooling", "on_demand")}, rounds=3 if quick else 15)
    return (gains("bare fiber, pooling", "us", laps["pooling"].wall, "on demand", laps["on_demand"].wall),)
