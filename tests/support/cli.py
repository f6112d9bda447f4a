"""The commands as people type them, and a host for them to ask: a real process on a port and folder of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest

from guesthouse.cli import main

ANNOUNCED = " listens on "
STOP_SECONDS = 60


class Result(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - a document
        """What it printed, parsed."""
        return json.loads(self.out)


Command = Callable[..., Result]


def command_in(capsys: pytest.CaptureFixture[str]) -> Command:
    """Run commands in this process."""

    def run(*arguments: object) -> Result:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse's own way out
            status = int(str(stop.code))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Result(status, out, err)

    return run


def process(*arguments: object, **options: Any) -> "subprocess.Popen[str]":  # noqa: ANN401 - Popen's own
    """Start a command as a process of its own."""
    command = (sys.executable, "-m", "guesthouse.cli", *map(str, arguments))
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)  # noqa: S603 - our own command


@dataclass(frozen=True)
class Served:
    """A host that answers."""

    process: "subprocess.Popen[str]"
    data: Path
    url: str
    said: tuple[str, ...]
    """The lines that it printed until it was ready."""

    def track(self, write_key: str, event: Mapping[str, object]) -> None:
        """Send an event as clients do."""
        sent = httpx.post(f"{self.url}/v1/track", json=event, auth=(write_key, ""), trust_env=False)
        assert (sent.status_code, sent.json()) == (200, {"success": True})

    def stop(self) -> tuple[int, str]:
        """Stop it as an operator does; its status and its last words."""
        self.process.terminate()
        out, _ = self.process.communicate(timeout=STOP_SECONDS)
        return self.process.returncode, out


@contextmanager
def serving(data: Path, *options: object) -> Iterator[Served]:
    """Serve a data folder on a free port; what the host logs goes to ``host.log`` beside it."""
    arguments = ("serve", "--data", data, "--listen", "127.0.0.1:0", *options)
    with data.with_name("host.log").open("a") as log, process(*arguments, stderr=log) as host:
        try:
            assert host.stdout is not None
            said: list[str] = []
            for line in host.stdout:
                said.append(line.rstrip())
                if ANNOUNCED in line:
                    break
            assert said, data.with_name("host.log").read_text()
            assert ANNOUNCED in said[-1], said
            yield Served(host, data, said[-1].partition(ANNOUNCED)[2].partition(";")[0], tuple(said))
        finally:
            if host.poll() is None:
                host.terminate()
                host.communicate(timeout=STOP_SECONDS)
