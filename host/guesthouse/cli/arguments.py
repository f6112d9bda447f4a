"""The command line: all commands; the options of those that work without a host, and what each may be."""

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any, Final

from guesthouse.abi.contract import HANDLERS
from guesthouse.cli import kinds
from guesthouse.cli.arguments_host import add_host_commands
from guesthouse.cli.exits import EXITS_OF_CHECK, EXITS_OF_RUN
from guesthouse.cli.parsers import add_command, repeated
from guesthouse.config import EngineConfig
from guesthouse.model.limits import DEFAULT_LIMITS

MAX_FUEL: Final = 1_000_000_000_000
MAX_DEADLINE_MS: Final = 60_000
MIN_MEMORY_BYTES: Final = 64 << 10
MAX_MEMORY_BYTES: Final = EngineConfig().memory_ceiling_bytes
"""The engine's own ceiling."""

_LIMITS: Final = (
    ("--fuel", "N", DEFAULT_LIMITS.fuel, 1, MAX_FUEL, "instruction budget"),
    ("--memory", "BYTES", DEFAULT_LIMITS.memory_bytes, MIN_MEMORY_BYTES, MAX_MEMORY_BYTES, "memory it may have"),
    ("--deadline", "MS", DEFAULT_LIMITS.deadline_ms, 1, MAX_DEADLINE_MS, "milliseconds it may take"),
)
"""Option, its metavar, default, lowest and highest value, and what it bounds."""

_EVENT_HELP = """\
event.json holds an event ({"type": "track", ...}), a list of events, which
onBatch gets, or a request for onRequest: {"url": ..., "method": "POST",
"headers": {...}, "body": "..."} (body_base64 for bytes).

"""


def parse(argv: Sequence[str] | None) -> Namespace:
    """Parse the arguments; ``SystemExit`` with status 2 where they are wrong."""
    parser = ArgumentParser(
        prog="guesthouse",
        description="Carry customer events to any API by functions: small WebAssembly modules.",
        epilog="guesthouse COMMAND --help tells more.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"guesthouse {version('guesthouse')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_check(commands)
    _add_run(commands)
    add_host_commands(commands)
    return parser.parse_args(argv)


def _add_check(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    check = add_command(commands, "check", "say what a module is, and whether it can become a function", EXITS_OF_CHECK)
    check.add_argument("module", metavar="MODULE.wasm", help="the module")
    check.add_argument("--json", action="store_true", help="print JSON")


def _add_run(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    run = add_command(commands, "run", "run a function once, on an event from a file", _EVENT_HELP + EXITS_OF_RUN)
    add = run.add_argument
    add("module", metavar="MODULE.wasm", help="the function's module")
    add("--event", required=True, metavar="FILE", help="JSON: an event, a list of events, or a request; - is stdin")
    add("--handler", choices=HANDLERS, metavar="NAME", help="such as onTrack; by default what the event is for")
    add("--settings", metavar="FILE", help="JSON object: the function's settings")
    add(
        "--secret",
        **repeated(kinds.secret, "NAME[=VALUE]"),
        help="a secret setting, masked in logs and requests; without =VALUE it is taken from the environment",
    )
    add("--allow", **repeated(kinds.grant, "URL"), help="let the function call https://api.example.com and below")
    add("--allow-private", **repeated(kinds.network, "CIDR"), help="let it reach private addresses, as in 127.0.0.0/8")
    for name, metavar, default, low, high, what in _LIMITS:
        text = f"{what}, {low:,} to {high:,} (default {default:,})"
        add(name, type=kinds.whole_number(low, high), default=default, metavar=metavar, help=text)
    add("--json", action="store_true", help="print JSON, everything that is known; its shape is in the README")
