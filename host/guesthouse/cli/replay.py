"""``guesthouse replay``: deliver again."""

from argparse import Namespace
from collections.abc import Iterator
from typing import Any, Final

from guesthouse.cli.client import Api, open_api, read_as
from guesthouse.cli.exits import BadInput, Exit
from guesthouse.cli.output import print_json
from guesthouse.cli.queries import delivery_query
from guesthouse.model.answers import Replay

MOST: Final = 500
"""Deliveries of one request."""


def execute(arguments: Namespace) -> Exit:
    """Make the deliveries anew, and name them."""
    with open_api(arguments) as api:
        query = delivery_query(arguments, api)
        if bool(arguments.deliveries) == bool(query):
            raise BadInput("replay takes either delivery ids, or options that say which: --state dead --destination D")
        replays = list(_replay_query(api, query) if query else _replay(api, arguments.deliveries))
    done = [pair for replay in replays for pair in replay.deliveries]
    gone = [delivery for replay in replays for delivery in replay.without_payload]
    if arguments.json:
        print_json({"deliveries": done, "without_payload": gone})
        return Exit.WELL
    for old, new in done:
        print(f"{old} -> {new}")
    for delivery in gone:
        print(f"{delivery}: its event is no longer kept, so it can't be replayed")
    print(f"{len(done):,} made anew")
    return Exit.WELL


def _replay(api: Api, ids: list[str]) -> Iterator[Replay]:
    for start in range(0, len(ids), MOST):
        yield read_as(Replay, api.post("/deliveries/replay", {"deliveries": ids[start : start + MOST]}))


def _replay_query(api: Api, query: dict[str, Any]) -> Iterator[Replay]:
    cursor = None
    while True:
        asked = {"query": query, "cursor": cursor, "limit": MOST}
        replay = read_as(Replay, api.post("/deliveries/replay", asked))
        yield replay
        cursor = replay.cursor
        if cursor is None:
            return
