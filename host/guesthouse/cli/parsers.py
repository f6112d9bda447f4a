"""How a command joins the command line."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import Any


def add_command(commands: Any, name: str, summary: str, epilog: str) -> ArgumentParser:  # noqa: ANN401 - argparse keeps the type to itself
    """Add a command; its help ends with *epilog*."""
    parser: ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return parser


def repeated(kind: Callable[[str], object], metavar: str) -> dict[str, Any]:
    """Give the arguments of an option that may come several times."""
    return {"action": "append", "default": [], "type": kind, "metavar": metavar}
