"""``guesthouse run``: run a function once, on an event from a file."""

from argparse import Namespace

from guesthouse.cli.exits import BadInput, Exit
from guesthouse.cli.inputs import STDIN, read_json, read_module, read_object
from guesthouse.cli.loop import run_to_end
from guesthouse.cli.output import print_json, print_lines
from guesthouse.cli.payloads import payload_of
from guesthouse.cli.render import trial_lines
from guesthouse.cli.shapes import trial_shape
from guesthouse.cli.trial import Plan, carry_out
from guesthouse.model.capability import Capabilities, Secret
from guesthouse.model.limits import Limits


def execute(arguments: Namespace) -> Exit:
    """Run the function and print what came of it."""
    trial = run_to_end(carry_out(plan_of(arguments)))
    if arguments.json:
        print_json(trial_shape(arguments.module, trial))
    else:
        print_lines(lambda ink: trial_lines(trial, ink))
    return Exit.WELL if trial.went_well else Exit.FUNCTION


def plan_of(arguments: Namespace) -> Plan:
    """Read every file that the arguments name; `BadInput` says what is wrong with one, or with them together."""
    if [arguments.module, arguments.event, arguments.settings].count(STDIN) > 1:
        raise BadInput("only one file can come from stdin")
    document = read_json(arguments.event)
    try:
        handler, payload = payload_of(document, arguments.handler)
    except BadInput as error:
        raise BadInput(f"{arguments.event}: {error}") from None
    settings = read_object(arguments.settings, "settings") if arguments.settings else {}
    return Plan(
        wasm=read_module(arguments.module),
        handler=handler,
        payload=payload,
        settings=settings,
        capabilities=Capabilities(grants=tuple(arguments.allow), secrets=_distinct(arguments.secret, settings)),
        allow_private=tuple(arguments.allow_private),
        limits=Limits(fuel=arguments.fuel, memory_bytes=arguments.memory, deadline_ms=arguments.deadline),
    )


def _distinct(secrets: list[Secret], settings: dict[str, object]) -> tuple[Secret, ...]:
    names: set[str] = set()
    for secret in secrets:
        if secret.name in names or secret.name in settings:
            raise BadInput(f"{secret.name!r:.60} is given twice, as a secret and once more")
        names.add(secret.name)
    return tuple(secrets)
