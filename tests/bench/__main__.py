"""The benchmark: ``python -m tests.bench [--quick] [ROW ...]`` prints a table and writes ``bench-results.json``.

Every row runs in a process of its own, one after the other. ``--quick`` is for seeing that everything works: its
numbers mean little.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import import_module
from time import perf_counter
from typing import Final

import msgspec
from msgspec import Struct
from tests.bench.findings import Finding
from tests.bench.machine import Machine, describe
from tests.bench.processes import ROOT, answer_of
from tests.bench.table import heading, lines

ROWS: Final = (
    *("invocation", "waiting", "spinning", "compute", "snapshots", "pooling", "endurance", "host_calls"),
    "outbound",
)
RESULTS: Final = ROOT / "bench-results.json"


class Results(Struct, kw_only=True):
    """What the results file holds."""

    began_at: datetime
    is_quick: bool
    machine: Machine
    rows: dict[str, Sequence[Finding]]
    failed: dict[str, str]


def main() -> int:
    """Run the rows that were asked for; 1 where one of them couldn't be measured."""
    options = _parse()
    results = Results(began_at=datetime.now(UTC), is_quick=options.quick, machine=describe(), rows={}, failed={})
    print(heading(results.machine), flush=True)
    for name in options.rows or ROWS:
        began = perf_counter()
        try:
            results.rows[name] = _measure(name, is_quick=options.quick)
        except (subprocess.SubprocessError, msgspec.MsgspecError) as error:
            results.failed[name] = str(error)
        took = f"{name} ({perf_counter() - began:.0f} s)"
        print("\n".join(lines(took, results.rows.get(name, ()), results.failed.get(name))), flush=True)
    RESULTS.write_text(json.dumps(msgspec.to_builtins(results), indent=1), encoding="utf-8")
    print(f"\nEvery sample is in {RESULTS.name}.")
    return 1 if results.failed else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description="Measure Guesthouse against its peers.")
    parser.add_argument("rows", nargs="*", metavar="ROW", choices=(*ROWS, []), help=f"any of {', '.join(ROWS)}")
    parser.add_argument("--quick", action="store_true", help="see that everything works; the numbers mean little")
    return parser.parse_args()


def _measure(name: str, *, is_quick: bool) -> Sequence[Finding]:
    seconds = import_module(f"tests.bench.rows.{name}").SECONDS / (3 if is_quick else 1)
    answer = answer_of("row", name, *(["--quick"] if is_quick else []), seconds=seconds)
    return msgspec.json.decode(answer, type=tuple[Finding, ...])


if __name__ == "__main__":
    sys.exit(main())
