"""``guesthouse apply``: make a host's set-up what a file says, and show first what that changes."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path

from guesthouse.cli.changes import KINDS, State, Step, steps_of, take
from guesthouse.cli.client import Api, Refused, open_api
from guesthouse.cli.exits import Exit
from guesthouse.cli.manifest import Manifest, read_manifest
from guesthouse.cli.output import print_json, print_lines
from guesthouse.cli.text import Ink, count, one_line, plain
from guesthouse.errors import RejectedModule


def execute(arguments: Namespace) -> Exit:
    """Show the difference, then take its steps."""
    path = Path(arguments.file)
    manifest = read_manifest(path)
    with open_api(arguments) as api:
        state = State.read(api)
        steps = list(steps_of(manifest, path.parent, state))
        sure = [step for step in steps if step.is_sure]
        if not arguments.json:
            print_lines(lambda ink: difference(sure, manifest, state, ink))
        if arguments.dry_run:
            notes: list[str] = []
        else:
            notes = list(_perform(steps, manifest, state, api))
    _conclude(arguments, sure, notes)
    return Exit.FUNCTION if arguments.dry_run and sure else Exit.WELL


def difference(steps: Sequence[Step], manifest: Manifest, state: State, ink: Ink) -> Iterator[str]:
    """Tell what would be made and changed, and what is on the host and not in the file."""
    for kind in KINDS:
        mine = [step for step in steps if step.kind == kind]
        others = sorted({*state.items[kind]} - {*getattr(manifest, kind)})
        if not mine and not others:
            continue
        yield ink.bold(kind)
        for step in mine:
            mark = ink.good("+") if step.is_new else ink.mixed("~")
            yield f"  {mark} {one_line(step.name)}"
            yield from (f"      {one_line(line)}" for line in step.details)
        if others:
            yield ink.faint(f"  not in the file, left alone: {', '.join(map(one_line, others))}")
    yield f"{count(len(steps), 'change')}" if steps else "Nothing to change: the host is as the file says"


def _perform(steps: Sequence[Step], manifest: Manifest, state: State, api: Api) -> Iterator[str]:
    for made, step in enumerate(steps):
        where = f"{step.kind.removesuffix('s')} {step.name}"
        try:
            notes = take(step, manifest, state, api)
        except Refused as error:
            raise Refused(f"{where}: {error}{_cut_short(made)}") from None
        except RejectedModule as error:
            raise RejectedModule(f"{where}: {error}{_cut_short(made)}", error.problems) from None
        yield from (f"{where}: {note}" for note in notes)


def _cut_short(made: int) -> str:
    return "\nWhat was shown before it is made; applying again goes on from there" if made else ""


def _conclude(arguments: Namespace, sure: Sequence[Step], notes: Sequence[str]) -> None:
    if arguments.json:
        changes = [
            {"kind": step.kind.removesuffix("s"), "name": step.name, "is_new": step.is_new, "details": step.details}
            for step in sure
        ]
        print_json({"changes": changes, "notes": notes, "applied": not arguments.dry_run})
        return
    for note in notes:
        print(f"  {plain(note)}")
    if arguments.dry_run:
        print("Nothing was changed (--dry-run)")
    elif sure:
        print("Done")
