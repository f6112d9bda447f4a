"""The findings as a person reads them."""

from collections.abc import Iterator, Sequence

from tests.bench.findings import Finding, number
from tests.bench.machine import Machine

_WIDTHS = (52, 13, 36, 15, 18, 3)
_MARKS = {True: "yes", False: "NO", None: ""}


def heading(machine: Machine) -> str:
    """Say where this runs, and name the columns."""
    load = " ".join(f"{value:.2f}" for value in machine.load_average)
    packages = ", ".join(f"{name} {found}" for name, found in machine.packages.items())
    return (
        f"{machine.processor}, {machine.cores} cores, {machine.memory_mib:,} MiB, Linux {machine.kernel},"
        f" load {load}\nPython {machine.python}, {packages}\n\n"
        f"{_line(('', 'ours', 'peer', 'ours is', 'target', 'met'))}"
    )


def lines(title: str, findings: Sequence[Finding], failure: str | None) -> Iterator[str]:
    """Write one row of the benchmark: a title, and a line for each finding."""
    yield f"\n{title}"
    for finding in findings:
        yield _line(_cells(finding))
        if finding.note:
            yield f"      {finding.note}"
    if failure is not None:
        yield f"  could not be measured: {failure}"


def _cells(finding: Finding) -> tuple[str, ...]:
    peer = "" if finding.peer is None else f"{number(finding.peer)} {finding.unit}, {finding.peer_name}"
    ratio = "" if finding.ratio is None else f"{number(finding.ratio)}{finding.ratio_says}"
    ours = f"{number(finding.ours)} {finding.unit}"
    return f"  {finding.name}", ours, peer, ratio, finding.target or "", _MARKS[finding.is_met]


def _line(cells: Sequence[str]) -> str:
    return " ".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()
