"""Row 5, first half: what snapshots gain for a guest from C that fills a table of 1 MiB before its first call."""

from collections.abc import Sequence
from typing import Final

from tests.bench.contest import Entry, contest
from tests.bench.findings import Finding, gains

SECONDS: Final = 180


def run(*, quick: bool) -> Sequence[Finding]:
    """Measure it with a snapshot, and with an instruction that forbids one, in turn."""
    entries = {name: Entry("guesthouse_start", (name,)) for name in ("snapshot", "initialise")}
    laps = contest(entries, rounds=3 if quick else 15)
    return (
        gains(
            *("1 MiB filled at start, from its snapshot", "us", laps["snapshot"].wall),
            *("_initialize for each event", laps["initialise"].wall),
        ),
    )
