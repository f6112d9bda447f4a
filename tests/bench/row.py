"""The process of one row: ``python -m tests.bench.row NAME [--quick]`` writes its findings as JSON."""

import resource
import sys
from importlib import import_module

import msgspec


def main(name: str, *arguments: str) -> None:
    """Measure and write; whatever happens, this process and each of its children end by themselves."""
    row = import_module(f"tests.bench.rows.{name}")
    resource.setrlimit(resource.RLIMIT_CPU, (row.SECONDS, row.SECONDS))
    findings = row.run(quick="--quick" in arguments)
    sys.stdout.buffer.write(msgspec.json.encode(findings))


if __name__ == "__main__":
    main(*sys.argv[1:])
