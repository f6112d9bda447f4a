"""``guesthouse source``: make and list sources."""

from argparse import Namespace
from typing import Any

from guesthouse.cli.client import Api, open_api
from guesthouse.cli.exits import Exit
from guesthouse.cli.output import print_json, print_lines
from guesthouse.cli.setups import setup_of
from guesthouse.cli.tables import table
from guesthouse.cli.text import row


def execute(arguments: Namespace) -> Exit:
    """Make one, or list them."""
    with open_api(arguments) as api:
        if arguments.action == "create":
            _create(api, arguments)
        else:
            _list(api, arguments)
    return Exit.WELL


def _create(api: Api, arguments: Namespace) -> None:
    function = api.find("functions", arguments.function) if arguments.function else None
    wanted = {"name": arguments.name, **setup_of(arguments, api, function)}
    if function:
        wanted["function_id"] = function["id"]
    source = api.post("/sources", wanted)
    if arguments.json:
        print_json(source)
        return
    print_lines(lambda ink: [f"{ink.good('made')} the source {source['name']}", *_rows(source)])


def _rows(source: dict[str, Any]) -> list[str]:
    return [
        *row("id", source["id"]),
        *row("write key", source["write_key"]),
        *row("webhooks", source["hook_url"]),
    ]


def _list(api: Api, arguments: Namespace) -> None:
    sources = api.every("sources")
    if arguments.json:
        print_json({"items": sources})
        return
    functions = api.names("functions")
    rows = [
        (one["name"], one["id"], one["write_key"], functions.get(one["function_id"]), one["hook_url"])
        for one in sources
    ]
    print_lines(lambda ink: table(("NAME", "ID", "WRITE KEY", "FUNCTION", "WEBHOOKS"), rows, ink))
