"""``guesthouse explain``: all that became of an event, as its owner would ask for it."""

from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence

from guesthouse.cli.client import Refused, open_api, read_as
from guesthouse.cli.exchanges import exchange_lines, log_line
from guesthouse.cli.exits import Exit
from guesthouse.cli.output import print_json, print_lines
from guesthouse.cli.tables import coloured, moment, when
from guesthouse.cli.text import Ink, count, one_line, plain, size
from guesthouse.ledger.values import DeliveryLife, DeliveryView, Life
from guesthouse.model.delivery import State
from guesthouse.model.record import AttemptRecord, EventFate, EventRecord
from guesthouse.model.report import Usage

Names = Mapping[str, str]
_WHY = {
    "filtered_type": "its filter leaves out events of this type",
    "filtered_name": "its filter leaves out events of this name",
    "no_handler": "its function has no handler for events of this type",
    "no_active_version": "its function has no active version",
    "switched_off": "the sender's integrations leave it out",
}


def execute(arguments: Namespace) -> Exit:
    """Tell the story of each event that had the id."""
    with open_api(arguments) as api:
        document = api.get("/explain", message_id=arguments.message)
        if not document["items"]:
            later = "one that was just sent may take a second to be found"
            raise Refused(f"no event with the message id {arguments.message!r:.120} came in; {later}")
        if arguments.json:
            print_json(document)
            return Exit.WELL
        names = api.names("sources", "destinations", "functions")
    lives = [read_as(Life, item) for item in document["items"]]
    print_lines(lambda ink: stories(lives, names, ink))
    return Exit.WELL


def stories(lives: Sequence[Life], names: Names, ink: Ink) -> Iterator[str]:
    """Tell each, a blank line between them."""
    for position, life in enumerate(lives):
        if position:
            yield ""
        yield from story(life, names, ink)


def story(life: Life, names: Names, ink: Ink) -> Iterator[str]:
    """Tell what came in, who didn't want it and why, and what each delivery came to."""
    yield from _event(life.event, names, ink)
    for destination, reason in life.event.passed_over:
        yield ""
        yield f"{_name(destination, names, ink)}: not sent: {plain(_WHY.get(reason, reason))}"
    for delivery in life.deliveries:
        yield ""
        yield from _delivery(delivery, names, ink)
    if not life.has_payload and life.event.fate is EventFate.ACCEPTED:
        yield ""
        yield "Its payload is no longer kept, so it can't be replayed."


def _event(event: EventRecord, names: Names, ink: Ink) -> Iterator[str]:
    name = f" {one_line(event.name)!r}" if event.name else ""
    yield ink.bold(f"{one_line(event.type or 'event')}{name}")
    source = one_line(names.get(event.source_id, event.source_id))
    yield f"  {coloured(event.fate, ink)} {when(event.received_at_ms)} from {source}{_fate(event)}"
    facts = (("message id", event.message_id), ("event id", event.event_id), ("user", event.user_id))
    known = [*facts, ("anonymous id", event.anonymous_id)]
    yield "  " + ", ".join(f"{label} {one_line(value)}" for label, value in known if value)


def _fate(event: EventRecord) -> str:
    match event.fate:
        case EventFate.DUPLICATE:
            return ": the message id came in before, within 24 hours"
        case EventFate.UNMATCHED:
            return ": no destination wanted it"
    return f": {one_line(event.reason)}" if event.reason else ""


def _name(id_: str, names: Names, ink: Ink) -> str:
    return ink.bold(one_line(names.get(id_, id_)))


def _delivery(life: DeliveryLife, names: Names, ink: Ink) -> Iterator[str]:
    delivery = life.delivery
    state = coloured(delivery.state, ink)
    yield f"{_name(delivery.destination_id, names, ink)}: {state} after {count(delivery.attempts, 'attempt')}"
    yield f"  {delivery.id}{f', again for {delivery.replay_of}' if delivery.replay_of else ''}"
    for attempt in life.attempts:
        yield from (f"  {line}".rstrip() for line in _attempt(attempt, names, ink))
    if life.left_out:
        yield f"  ... and {count(life.left_out, 'attempt')} more"
    if waiting := _waiting(delivery):
        yield f"  {waiting}"


def _waiting(delivery: DeliveryView) -> str | None:
    match delivery.state:
        case State.RETRYING if delivery.due_at_ms is not None:
            return f"waits for its next attempt at {when(delivery.due_at_ms)}"
        case State.PENDING | State.RUNNING | State.RETRYING:
            return "waits for its turn, or is running"
        case State.DEAD:
            return f"guesthouse replay {delivery.id} tries again"
    return None


def _attempt(attempt: AttemptRecord, names: Names, ink: Ink) -> Iterator[str]:
    took = f"{attempt.ended_at_ms - attempt.started_at_ms:,} ms"
    reason = ": ".join(one_line(part) for part in (attempt.code, attempt.reason) if part)
    yield f"attempt {attempt.attempt} at {moment(attempt.started_at_ms)}, {took}: {_outcome(attempt, reason, ink)}"
    function = one_line(names.get(attempt.function, attempt.function))
    yield f"  function {function} {attempt.version[:12]}{_cost(attempt.usage)}"
    for line in attempt.logs:
        yield log_line(line, ink)
    for exchange in attempt.http:
        yield from exchange_lines(exchange, ink)
    for frame in attempt.backtrace:
        yield f"    at {one_line(frame)}"


def _outcome(attempt: AttemptRecord, reason: str, ink: Ink) -> str:
    said = f" (the function said {attempt.verdict})" if attempt.verdict else ""
    next_try = f"; next attempt {when(attempt.due_at_ms)}" if attempt.due_at_ms is not None else ""
    return f"{coloured(attempt.outcome, ink)}{said}{f': {reason}' if reason else ''}{next_try}"


def _cost(usage: Usage | None) -> str:
    if usage is None:
        return ""
    return f", {usage.fuel:,} fuel, {size(usage.peak_memory_bytes)}, {usage.cpu_ms:,.1f} ms running"
