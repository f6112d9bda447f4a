"""``guesthouse logs``: what functions log, as it comes in if asked."""

import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from typing import Final

from guesthouse.cli.client import Api, open_api, read_as
from guesthouse.cli.exits import Exit
from guesthouse.cli.output import print_json_line
from guesthouse.cli.tables import moment
from guesthouse.cli.text import Ink, one_line
from guesthouse.ledger.values import LogEntry
from guesthouse.model.report import LogLevel

PAUSE_SECONDS: Final = 0.5
"""Between two questions, when following."""


def execute(arguments: Namespace) -> Exit:
    """Print lines, the oldest first."""
    ink = Ink.for_stream(sys.stdout)
    with open_api(arguments) as api:
        names = api.names("destinations")
        for document in _entries(api, arguments):
            if arguments.json:
                print_json_line(document)
                continue
            entry = read_as(LogEntry, document)
            if entry.destination_id not in names:
                names |= api.names("destinations")
            print(_line(entry, names.get(entry.destination_id, entry.destination_id), ink), flush=True)
    return Exit.WELL


def _entries(api: Api, arguments: Namespace) -> Iterator[object]:
    destination = api.find("destinations", arguments.destination)["id"] if arguments.destination else None
    cursor = None
    while True:
        page = api.get("/logs", destination_id=destination, level=arguments.level, cursor=cursor, limit=arguments.limit)
        yield from page["entries"]
        cursor = page["cursor"]
        if page["is_at_end"]:
            if not arguments.follow:
                return
            time.sleep(PAUSE_SECONDS)


def _line(entry: LogEntry, destination: str, ink: Ink) -> str:
    mark = {LogLevel.ERROR: ink.bad, LogLevel.WARN: ink.mixed, LogLevel.DEBUG: ink.faint}.get(entry.level, str)
    level = mark(f"{entry.level.name.lower():<5}")
    where = ink.faint(f"{entry.delivery_id} attempt {entry.attempt}")
    return f"{moment(entry.at_ms)}  {level}  {one_line(destination)}  {where}  {one_line(entry.message)}"
