"""``guesthouse destination``: make, list, pause and resume destinations."""

from argparse import Namespace
from typing import Any

from guesthouse.cli.client import Api, open_api
from guesthouse.cli.exits import Exit
from guesthouse.cli.output import print_json, print_lines
from guesthouse.cli.setups import setup_of
from guesthouse.cli.tables import table
from guesthouse.cli.text import one_line


def execute(arguments: Namespace) -> Exit:
    """Do what the action names."""
    with open_api(arguments) as api:
        match arguments.action:
            case "create":
                _tell(_create(api, arguments), "made", arguments)
            case "list":
                _list(api, arguments)
            case action:
                found = api.find("destinations", arguments.name)
                _tell(api.post(f"/destinations/{found['id']}/{action}"), f"{action}d", arguments)
    return Exit.WELL


def _create(api: Api, arguments: Namespace) -> dict[str, Any]:
    function = api.find("functions", arguments.function)
    wanted = {
        "name": arguments.name,
        "function_id": function["id"],
        "source_ids": [api.find("sources", name)["id"] for name in arguments.source],
        **setup_of(arguments, api, function),
    }
    made: dict[str, Any] = api.post("/destinations", wanted)
    return made


def _tell(destination: dict[str, Any], done: str, arguments: Namespace) -> None:
    if arguments.json:
        print_json(destination)
    else:
        print(f"{done} the destination {one_line(destination['name'])} ({destination['id']})")


def _list(api: Api, arguments: Namespace) -> None:
    destinations = api.every("destinations")
    if arguments.json:
        print_json({"items": destinations})
        return
    names = api.names("functions", "sources")
    rows = [
        (
            one["name"],
            one["id"],
            names.get(one["function_id"], one["function_id"]),
            ", ".join(names.get(source, source) for source in one["source_ids"]),
            "paused" if one["is_paused"] else "active",
            ", ".join(one["grants"]),
        )
        for one in destinations
    ]
    print_lines(lambda ink: table(("NAME", "ID", "FUNCTION", "SOURCES", "STATE", "MAY CALL"), rows, ink))
