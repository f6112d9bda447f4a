"""The command line: which options there are, and what each may be."""

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Sequence
from importlib.metadata import version
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Final

from guesthouse.abi.contract import HANDLERS, MAX_NAME_LENGTH
from guesthouse.cli.exits import EXITS_OF_CHECK, EXITS_OF_RUN
from guesthouse.config import EngineConfig
from guesthouse.model.capability import Grant, Secret
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
        description="Try functions: WebAssembly modules that carry customer events to any API.",
        epilog="guesthouse COMMAND --help tells more.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"guesthouse {version('guesthouse')}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_check(commands)
    _add_run(commands)
    return parser.parse_args(argv)


def _add_check(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    check = _command(commands, "check", "say what a module is, and whether it can become a function", EXITS_OF_CHECK)
    check.add_argument("module", metavar="MODULE.wasm", help="the module")
    check.add_argument("--json", action="store_true", help="print JSON")


def _add_run(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    run = _command(commands, "run", "run a function once, on an event from a file", _EVENT_HELP + EXITS_OF_RUN)
    add = run.add_argument
    add("module", metavar="MODULE.wasm", help="the function's module")
    add("--event", required=True, metavar="FILE", help="JSON: an event, a list of events, or a request; - is stdin")
    add("--handler", choices=HANDLERS, metavar="NAME", help="such as onTrack; by default what the event is for")
    add("--settings", metavar="FILE", help="JSON object: the function's settings")
    add(
        "--secret",
        **_repeated(_secret, "NAME[=VALUE]"),
        help="a secret setting, masked in logs and requests; without =VALUE it is taken from the environment",
    )
    add("--allow", **_repeated(_grant, "URL"), help="let the function call https://api.example.com and below")
    add("--allow-private", **_repeated(_network, "CIDR"), help="let it reach private addresses, as in 127.0.0.0/8")
    for name, metavar, default, low, high, what in _LIMITS:
        text = f"{what}, {low:,} to {high:,} (default {default:,})"
        add(name, type=_whole_number(low, high), default=default, metavar=metavar, help=text)
    add("--json", action="store_true", help="print JSON, everything that is known; its shape is in the README")


def _command(commands: Any, name: str, summary: str, epilog: str) -> ArgumentParser:  # noqa: ANN401 - see above
    parser: ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=f"{summary[0].upper()}{summary[1:]}.",
        epilog=epilog,
        formatter_class=RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    return parser


def _repeated(kind: Callable[[str], object], metavar: str) -> dict[str, Any]:
    return {"action": "append", "default": [], "type": kind, "metavar": metavar}


def _whole_number(low: int, high: int) -> Callable[[str], int]:
    def parse_number(text: str) -> int:
        digits = text.replace("_", "").replace(",", "")
        is_number = digits.isascii() and digits.isdigit() and len(digits) <= len(str(high))
        if not is_number or not low <= int(digits) <= high:
            raise ArgumentTypeError(f"{text[:40]!r} isn't a whole number from {low:,} to {high:,}")
        return int(digits)

    return parse_number


def _grant(text: str) -> Grant:
    try:
        return Grant.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{error}; give a network such as 127.0.0.0/8") from None


def _secret(text: str) -> Secret:
    """Take ``NAME=VALUE``, or ``NAME`` for a variable of the environment; what is wrong is said without the value."""
    name, equals, value = text.partition("=")
    if not 0 < len(name) <= MAX_NAME_LENGTH:
        raise ArgumentTypeError("a secret is given as NAME=VALUE, or as NAME, which is then read from the environment")
    if not equals:
        found = os.environ.get(name)
        if found is None:
            raise ArgumentTypeError(f"there is no {name[:40]!r} in the environment; give NAME=VALUE")
        value = found
    return Secret(name=name, value=value)
