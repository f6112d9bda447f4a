"""``guesthouse serve``: take events in, deliver them, and answer the other commands."""

import logging
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guesthouse.cli.exits import Exit
from guesthouse.cli.loop import run_until_stopped
from guesthouse.cli.text import plain
from guesthouse.cli.workers import descriptors, mind, work
from guesthouse.logs import Style, close_logs, open_logs
from guesthouse.serving import ServeConfig, Started, serve


def execute(arguments: Namespace) -> Exit:
    """Serve until told to stop."""
    host, port = arguments.listen
    config = ServeConfig(data=Path(arguments.data), host=host, port=port, allow_private=tuple(arguments.allow_private))
    with _logging():
        if arguments.worker:
            run_until_stopped(lambda stop: work(config, descriptors(arguments.worker), stop))
            return Exit.WELL
        if arguments.workers > 1:
            run_until_stopped(lambda stop: mind(config, arguments, stop, _announce))
        else:
            run_until_stopped(lambda stop: serve(config, stop, _announce))
    print("Stopped: what was accepted and not delivered waits in the queue.")
    return Exit.WELL


def _announce(started: Started) -> None:
    token_file = plain(str(started.token_file))
    if started.is_token_new:
        print(f"Made the tenant 'default' and an administrator's token, which is in {token_file}")
    print(f"Guesthouse listens on {started.url}; Ctrl-C stops it", flush=True)


@contextmanager
def _logging() -> Iterator[None]:
    """Write the host's log to stderr, for people where one is looking; the HTTP server's complaints with it."""
    handler = open_logs(sys.stderr, Style.HUMAN if sys.stderr.isatty() else Style.JSON)
    server = logging.getLogger("uvicorn")
    server.addHandler(handler)
    server.setLevel(logging.WARNING)
    server.propagate = False
    try:
        yield
    finally:
        server.removeHandler(handler)
        server.propagate = True
        close_logs(handler)
