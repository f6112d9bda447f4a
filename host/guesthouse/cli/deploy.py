"""``guesthouse deploy``: upload a function and run it from now on."""

from argparse import Namespace

from guesthouse.cli.client import open_api
from guesthouse.cli.exits import Exit
from guesthouse.cli.folders import find_module
from guesthouse.cli.inputs import read_module
from guesthouse.cli.output import print_json
from guesthouse.cli.text import one_line, plain


def execute(arguments: Namespace) -> Exit:
    """Upload, and say what it came to."""
    found = find_module(arguments.module)
    name = arguments.name or found.name
    with open_api(arguments) as api:
        deployment = api.upload(name, read_module(found.path))
    if arguments.json:
        print_json(deployment)
        return Exit.WELL
    function, version = deployment["function"], deployment["version"]
    news = "deployed" if deployment["is_new"] else "was there already, and is active"
    print(f"{one_line(function['name'])} ({function['kind']}): {version['digest'][:12]} {news}")
    for problem in deployment["problems"]:
        print(f"  but {plain(problem)}")
    return Exit.WELL
