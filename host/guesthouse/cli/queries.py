"""Which deliveries are meant, from the command line to the control API."""

import time
from argparse import Namespace
from typing import Any

from guesthouse.cli.client import Api


def delivery_query(arguments: Namespace, api: Api) -> dict[str, Any]:
    """Gather what is asked of deliveries; names become ids. Empty where nothing is asked."""
    asked: dict[str, Any] = {
        "message_id": arguments.message,
        "type": arguments.type,
        "name": arguments.event,
        "user_id": arguments.user,
        "state": arguments.state,
    }
    if arguments.source:
        asked["source_id"] = api.find("sources", arguments.source)["id"]
    if arguments.destination:
        asked["destination_id"] = api.find("destinations", arguments.destination)["id"]
    if arguments.since is not None:
        asked["since_ms"] = max(time.time_ns() // 1_000_000 - arguments.since, 0)
    return {name: value for name, value in asked.items() if value is not None}
