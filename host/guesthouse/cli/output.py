"""What goes to stdout: JSON for programs, lines for people."""

import json
import sys
from collections.abc import Callable, Iterable

from guesthouse.cli.text import Ink


def print_json(shape: object) -> None:
    """Print a shape."""
    print(json.dumps(shape, indent=2))


def print_json_line(shape: object) -> None:
    """Print a shape on a line of its own, now."""
    print(json.dumps(shape), flush=True)


def print_lines(lines: Callable[[Ink], Iterable[str]]) -> None:
    """Print lines, in the ink that suits where they go."""
    print("\n".join(lines(Ink.for_stream(sys.stdout))))
