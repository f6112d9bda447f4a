"""Row 8: what a guest's POST costs end to end, against the same POST by aiohttp alone."""

from collections.abc import Sequence
from typing import Final

from tests.bench.contest import Entry, contest
from tests.bench.findings import Finding, costs
from tests.bench.receiver import receiver

SECONDS: Final = 180
_CONNECTIONS: Final = 64


def run(*, quick: bool) -> Sequence[Finding]:
    """Measure both against one receiver, in turn."""
    with receiver() as answering:
        arguments = (answering.url, str(_CONNECTIONS))
        entries = {
            "ours": Entry("guesthouse_post", arguments, least=_CONNECTIONS),
            "aiohttp": Entry("aiohttp_post", arguments, least=_CONNECTIONS),
        }
        laps = contest(entries, rounds=3 if quick else 15, seconds=0.5)
    ours, bare = laps["ours"], laps["aiohttp"]
    note = f"fresh instance, grants, address check and records included; {_CONNECTIONS} in flight"
    return (
        costs("a guest's POST, CPU", "us", ours.cpu, "aiohttp alone", bare.cpu, note=note),
        costs("a guest's POST, time for each", "us", ours.wall, "aiohttp alone", bare.wall),
    )
