"""The commands for people: ``guesthouse check`` and ``guesthouse run``.

Whatever is wrong with what was typed, or with the files it names, ends in one sentence on stderr and an exit status of
`guesthouse.cli.exits.Exit`, never in a traceback. Strangers' text (logs, bodies, names in modules) never reaches a
terminal raw.
"""

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from guesthouse.cli.arguments import parse
from guesthouse.cli.exits import Exit
from guesthouse.cli.text import plain
from guesthouse.errors import CallerError, FunctionError, OperatorError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that *argv* (by default the process's own arguments) asks for; its exit status."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        status = _perform(argv)
        sys.stdout.flush()
    except BrokenPipeError:
        _forget_stdout()
        return Exit.FUNCTION
    return status


def _perform(argv: Sequence[str] | None) -> int:
    arguments = parse(argv)
    try:
        # Imported here, so that --help and a mistyped option needn't wait for the engine's libraries.
        command = import_module(f"guesthouse.cli.{arguments.command}")
        return int(command.execute(arguments))
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        return _complain("interrupted", Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001 - a sentence and a status for each, and none forgotten
        return _complain(*_judge(error))


def _judge(error: Exception) -> tuple[str, Exit]:
    """Say whose fault an error is."""
    match error:
        case CallerError():
            return str(error), Exit.USAGE
        case FunctionError():
            return str(error), Exit.FUNCTION
        case OperatorError():
            return f"the host is at fault ({error.code}): {error}", Exit.HOST
        case OSError() | MemoryError():
            return f"the host is at fault: {str(error) or 'out of memory'}", Exit.HOST
    if sys.flags.dev_mode:
        traceback.print_exception(error)
    return f"a bug in Guesthouse, please report it: {type(error).__name__}: {error}", Exit.HOST


def _complain(message: str, status: Exit) -> Exit:
    sys.stdout.flush()
    print(f"guesthouse: {plain(message)}", file=sys.stderr)
    return status


def _forget_stdout() -> None:
    """Let the interpreter's last flush go nowhere: whoever read our output has left."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
