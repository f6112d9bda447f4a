"""``guesthouse check``: say what a module is, and whether it can become a function."""

from argparse import Namespace
from collections.abc import Iterator

from guesthouse.cli.exits import Exit
from guesthouse.cli.findings import Findings, InstanceCost, examine
from guesthouse.cli.inputs import read_module
from guesthouse.cli.loop import run_to_end
from guesthouse.cli.output import print_json, print_lines
from guesthouse.cli.shapes import findings_shape, rejection_shape
from guesthouse.cli.text import Ink, count, plain, row, size
from guesthouse.errors import RejectedModule
from guesthouse.model.reply import Setting
from guesthouse.runtime.wasm.inspect import Inspection
from guesthouse.runtime.wasm.shape import PAGE_BYTES


def execute(arguments: Namespace) -> Exit:
    """Check the module and print what was found."""
    name = arguments.module
    try:
        findings = run_to_end(examine(read_module(name)))
    except RejectedModule as error:
        rejection = error
    else:
        if arguments.json:
            print_json(findings_shape(name, findings))
        else:
            print_lines(lambda ink: accepted(name, findings, ink))
        return Exit.WELL
    if arguments.json:
        print_json(rejection_shape(name, rejection))
    else:
        print_lines(lambda ink: rejected(name, rejection, ink))
    return Exit.FUNCTION


def rejected(name: str, error: RejectedModule, ink: Ink) -> Iterator[str]:
    """Tell each problem of a rejected module."""
    yield f"{plain(name)}: {ink.bad('rejected')}"
    yield ""
    for problem in error.problems:
        yield "  - " + plain(problem).replace("\n", "\n    ")


def accepted(name: str, findings: Findings, ink: Ink) -> Iterator[str]:
    """Tell everything about an accepted module."""
    facts, description = findings.facts, findings.description
    yield f"{plain(name)}: {ink.good('accepted')}"
    yield ""
    made = f"{description.kind} function in {description.language}, by {description.sdk}"
    yield from row("contract", plain(f"version {description.abi}; {made}"))
    yield from row("handlers", ", ".join(description.handlers))
    yield from row("settings", *(_setting(setting) for setting in description.settings))
    yield from row("size", f"{facts.size_bytes:,} bytes, {count(facts.functions, 'function')}")
    yield from row("digest", findings.digest)
    yield from row("memory", _memory(facts))
    yield from row("table", _table(facts))
    yield from row("imports", *_imports(facts))
    yield from row("exports", plain(", ".join(facts.exports)))
    if facts.producers:
        yield from row("made by", *(plain(f"{item.name} {item.version} ({item.field})") for item in facts.producers))
    yield from row("snapshot", plain(_snapshot(findings)))
    yield from row("instantiation", plain(_cost(findings.cost)))


def _setting(setting: Setting) -> str:
    marks = [setting.type, *(mark for mark in ("required", "secret") if getattr(setting, mark))]
    texts = [text for text in (setting.label, setting.description) if text]
    return plain(f"{setting.name} ({', '.join(marks)}){': ' if texts else ''}{'. '.join(texts)}")


def _memory(facts: Inspection) -> str:
    most = facts.memory_max_pages
    highest = "no maximum of its own" if most is None else f"{size(most * PAGE_BYTES)} at most"
    return f"{size(facts.memory_min_pages * PAGE_BYTES)} at the start, {highest}"


def _table(facts: Inspection) -> str:
    if not facts.table_min and facts.table_max is None:
        return "none"
    highest = "no maximum of its own" if facts.table_max is None else f"{facts.table_max:,} at most"
    return f"{count(facts.table_min, 'element')} at the start, {highest}"


def _imports(facts: Inspection) -> Iterator[str]:
    for module in dict.fromkeys(module for module, _ in facts.imports):
        names = sorted({name for other, name in facts.imports if other == module})
        yield plain(f"{module}: {', '.join(names)}")


def _snapshot(findings: Findings) -> str:
    if findings.why_not_snapshotted:
        return f"no, so every event initialises anew: {findings.why_not_snapshotted}"
    if findings.initialises:
        return "yes: every event starts where the module's initialisation ended"
    return "not needed: the module has nothing to initialise"


def _cost(cost: InstanceCost | Exception) -> str:
    if isinstance(cost, InstanceCost):
        made = f"median of {count(cost.instances, 'fresh instance')}, made and given back"
        return f"{cost.median_us:,.1f} microseconds ({made}; the fastest {cost.fastest_us:,.1f})"
    return f"fails within the default limits, so every event will: {cost}"
