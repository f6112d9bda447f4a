"""The command line of a host: serving, and everything that asks a running one."""

from argparse import SUPPRESS, ArgumentParser
from typing import Any, Final

from guesthouse.cli import kinds
from guesthouse.cli.exits import EXITS_OF_APPLY, EXITS_OF_HOST, EXITS_OF_SERVE
from guesthouse.cli.parsers import add_command, repeated

DATA_FOLDER: Final = "guesthouse-data"
LISTEN: Final = ("127.0.0.1", 8080)
MAX_WORKERS: Final = 64
MAX_ROWS: Final = 100_000
STATES: Final = ("pending", "running", "retrying", "succeeded", "discarded", "dead", "cancelled")
LEVELS: Final = ("debug", "info", "warn", "error")

_WHERE: Final = """\
which host is asked:
  the one that GUESTHOUSE_URL and GUESTHOUSE_TOKEN name; else, or with --data,
  the one that serves this data folder on this machine.

"""


def add_host_commands(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type to itself
    """Add them all."""
    _add_serve(commands)
    _add_apply(commands)
    _add_deploy(commands)
    _add_source(commands)
    _add_destination(commands)
    _add_deliveries(commands)
    _add_explain(commands)
    _add_logs(commands)
    _add_replay(commands)


def _add_serve(commands: Any) -> None:  # noqa: ANN401 - see above
    add = add_command(commands, "serve", "take events in and deliver them, until stopped", EXITS_OF_SERVE).add_argument
    add("--data", default=DATA_FOLDER, metavar="DIR", help=f"where everything is kept (default ./{DATA_FOLDER})")
    default = ":".join(map(str, LISTEN))
    add(
        "--listen",
        type=kinds.address,
        default=LISTEN,
        metavar="HOST:PORT",
        help=f"where to listen (default {default}); port 0 takes any that is free",
    )
    add(
        "--allow-private", **repeated(kinds.network, "CIDR"), help="let functions reach private addresses in this range"
    )
    add("--workers", type=kinds.whole_number(1, MAX_WORKERS), default=1, metavar="N", help="processes (default 1)")
    add("--worker", help=SUPPRESS)  # descriptors that `guesthouse.cli.workers` hands to the processes it starts


def _asking(commands: Any, name: str, summary: str, epilog: str = EXITS_OF_HOST) -> ArgumentParser:  # noqa: ANN401 - see above
    parser = add_command(commands, name, summary, _WHERE + epilog)
    parser.add_argument("--data", metavar="DIR", help=f"the host's data folder (default ./{DATA_FOLDER})")
    parser.add_argument("--json", action="store_true", help="print JSON, as the control API gives it")
    return parser


def _group(commands: Any, name: str, summary: str) -> Any:  # noqa: ANN401 - see above
    parser = add_command(commands, name, summary, f"guesthouse {name} COMMAND --help tells more.")
    return parser.add_subparsers(dest="action", metavar="COMMAND", required=True)


def _add_apply(commands: Any) -> None:  # noqa: ANN401 - see above
    parser = _asking(commands, "apply", "make a host's set-up what a file says", EXITS_OF_APPLY)
    parser.add_argument("file", metavar="guesthouse.toml", help="functions, sources and destinations; see the README")
    parser.add_argument("--dry-run", action="store_true", help="show the difference and change nothing")


def _add_deploy(commands: Any) -> None:  # noqa: ANN401 - see above
    parser = _asking(commands, "deploy", "upload a function and run it from now on")
    parser.add_argument(
        "module", metavar="MODULE.wasm|FOLDER", help="a module, or a folder with one or a function.toml"
    )
    parser.add_argument("--name", help="the function's name; by default the file's, folder's or function.toml's")


def _add_source(commands: Any) -> None:  # noqa: ANN401 - see above
    group = _group(commands, "source", "make and list sources, where events come in")
    create = _asking(group, "create", "make a source with fresh keys")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--function", metavar="F", help="the source function that gets its webhooks")
    _add_setup(create)
    _asking(group, "list", "list the sources with their keys")


def _add_setup(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--set",
        **repeated(kinds.setting, "NAME=VALUE"),
        help="a setting; JSON where it isn't a string",
        dest="settings",
    )
    add("--secret", **repeated(kinds.secret, "NAME[=VALUE]"), help="a secret; without =VALUE from the environment")
    add("--allow", **repeated(kinds.grant_text, "URL_PREFIX"), help="let it call https://api.example.com and below")


def _add_destination(commands: Any) -> None:  # noqa: ANN401 - see above
    group = _group(commands, "destination", "make, list, pause and resume destinations, where events go")
    create = _asking(group, "create", "put a destination function to work")
    create.add_argument("name", metavar="NAME")
    create.add_argument("--function", required=True, metavar="F", help="the destination function")
    create.add_argument("--source", **repeated(str, "S"), help="a source that it listens to")
    _add_setup(create)
    _asking(group, "list", "list the destinations")
    for name, summary in (("pause", "let deliveries wait"), ("resume", "let deliveries go on")):
        _asking(group, name, summary).add_argument("name", metavar="NAME")


def _add_deliveries(commands: Any) -> None:  # noqa: ANN401 - see above
    parser = _asking(commands, "deliveries", "list deliveries, the latest first")
    _add_query(parser)
    rows = kinds.whole_number(1, MAX_ROWS)
    parser.add_argument("--limit", type=rows, default=50, metavar="N", help="how many at most (default 50)")


def _add_query(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--source", metavar="S", help="of this source")
    add("--destination", metavar="D", help="to this destination")
    add("--state", choices=STATES, metavar="STATE", help=", ".join(STATES))
    add("--event", metavar="NAME", help="of events with this name, such as 'Order Completed'")
    add("--type", metavar="TYPE", help="of events of this type, such as track")
    add("--user", metavar="ID", help="of events of this user")
    add("--message", metavar="ID", help="of the event with this message id")
    add("--since", type=kinds.age, metavar="AGE", help="accepted within the last 90s, 15m, 2h, 3d")


def _add_explain(commands: Any) -> None:  # noqa: ANN401 - see above
    parser = _asking(commands, "explain", "tell all that became of an event")
    parser.add_argument("message", metavar="MESSAGE_ID", help="the message id that its sender gave it, or its evt_ id")


def _add_logs(commands: Any) -> None:  # noqa: ANN401 - see above
    parser = _asking(commands, "logs", "print what functions log")
    add = parser.add_argument
    add("--follow", action="store_true", help="go on until Ctrl-C")
    add("--destination", metavar="D", help="of this destination")
    add("--level", choices=LEVELS, default="debug", metavar="LEVEL", help=f"{', '.join(LEVELS)}: this and graver ones")
    rows = kinds.whole_number(1, 500)
    add("--limit", type=rows, default=50, metavar="N", help="begin with those of the latest N attempts (default 50)")


def _add_replay(commands: Any) -> None:  # noqa: ANN401 - see above
    parser = _asking(commands, "replay", "deliver again: the deliveries named, or all that a query finds")
    parser.add_argument("deliveries", nargs="*", metavar="DELIVERY_ID", help="dlv_ ids")
    _add_query(parser)
