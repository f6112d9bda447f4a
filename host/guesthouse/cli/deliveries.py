"""``guesthouse deliveries``: list deliveries as they stand."""

from argparse import Namespace

from guesthouse.cli.client import open_api, read_as
from guesthouse.cli.exits import Exit
from guesthouse.cli.output import print_json, print_lines
from guesthouse.cli.queries import delivery_query
from guesthouse.cli.tables import table, when
from guesthouse.ledger.values import DeliveryView

_HEADINGS = ("DELIVERY", "ACCEPTED", "EVENT", "DESTINATION", "STATE", "ATTEMPTS", "NEXT", "MESSAGE ID")


def execute(arguments: Namespace) -> Exit:
    """List them."""
    with open_api(arguments) as api:
        items = list(api.pages("/deliveries", arguments.limit, **delivery_query(arguments, api)))
        if arguments.json:
            print_json({"items": items})
            return Exit.WELL
        names = api.names("destinations", "sources")
    views = [read_as(DeliveryView, item) for item in items]
    rows = [
        (
            view.id,
            when(view.accepted_at_ms),
            view.name or view.type,
            names.get(view.destination_id, view.destination_id),
            view.state if view.code is None else f"{view.state}, {view.code}",
            view.attempts,
            when(view.due_at_ms),
            view.message_id,
        )
        for view in views
    ]
    print_lines(lambda ink: table(_HEADINGS, rows, ink))
    return Exit.WELL
