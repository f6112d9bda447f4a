"""The README, held to its word: every block of code in it is run, in order, as a new user would.

Only the port of its local receiver is another, so that nothing on the machine is in the way.
"""

import json
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from tests.support.guests import ROOT, missing

from guesthouse.model.limits import Limits

README = (ROOT / "README.md").read_text()
PORT = "8099"
"""The receiver's port in the README."""


def blocks(language: str) -> list[str]:
    """Give the README's code blocks in a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


BUILD, CHECK, RECEIVER, RUN = blocks("sh")
(PYTHON,) = blocks("python")


class Reader:
    """Somebody who follows the README in a folder that looks like a clone."""

    def __init__(self, folder: Path) -> None:
        """Take the folder; what is only read is linked into it."""
        self.folder = folder
        for name in ("guest-sdks", "examples"):
            (folder / name).symlink_to(ROOT / name)
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self.port = str(probe.getsockname()[1])
        settings = (ROOT / "examples/hello-c/settings.json").read_text()
        (folder / "settings.json").write_text(settings.replace(PORT, self.port))

    def command(self, block: str) -> str:
        """Take a block as it stands, but for this reader's folders and port."""
        here = block.replace(".venv/bin/", f"{Path(sys.executable).parent}/").replace(PORT, self.port)
        return here.replace("examples/hello-c/settings.json", "settings.json")

    def follow(self, block: str, *more: str) -> subprocess.CompletedProcess[str]:
        """Run a block of shell, with *more* arguments at its end."""
        line = " ".join([self.command(block).rstrip(), *more])
        shell = ("bash", "-euc", line)
        return subprocess.run(shell, cwd=self.folder, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603 - our own README


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    """Build the README's function as the README says."""
    reader = Reader(tmp_path_factory.mktemp("clone"))
    built = reader.follow(BUILD)
    if "No module named ziglang" in built.stderr:
        missing("ziglang (pip install ziglang)")
    assert built.returncode == 0, built.stderr
    return reader


@pytest.fixture
def receiver(reader: Reader) -> Iterator[subprocess.Popen[str]]:
    """Start what the README has one start in another terminal."""
    command = ("bash", "-c", f"exec {reader.command(RECEIVER)}")
    with subprocess.Popen(command, cwd=reader.folder, stdout=subprocess.PIPE, text=True) as running:  # noqa: S603 - see above
        assert running.stdout is not None
        assert running.stdout.readline().startswith("listening on ")
        yield running
        running.kill()


def test_the_source_is_the_examples_own() -> None:
    """The function that the README shows is the one that it has one build."""
    assert blocks("c") == [(ROOT / "examples/hello-c/hello.c").read_text()]


def test_make_run_builds_by_the_same_command() -> None:
    """``make run`` and the README build with the same flags."""
    words = re.sub(r"\\\n", " ", BUILD).split()
    shown = words[words.index("ziglang") : -1]
    script = (ROOT / "examples/run.py").read_text()
    assert [word for word in shown if f'"{word}"' not in script] == []


def test_check_accepts_the_function(reader: Reader) -> None:
    """The second command works as written."""
    checked = reader.follow(CHECK)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("build/hello.wasm: accepted\n")


def test_run_delivers_the_event(reader: Reader, receiver: subprocess.Popen[str]) -> None:
    """The third and fourth command work as written, print what the README shows, and the API gets the event."""
    ran = reader.follow(RUN)
    assert (ran.returncode, ran.stderr) == (0, "")
    (shown,) = blocks("text")
    assert _without_numbers(ran.stdout) == _without_numbers(shown)
    assert receiver.stdout is not None
    line = 'POST /events application/json {"event":"Order Completed","user":"ada"}\n'
    assert receiver.stdout.readline() == line


def _without_numbers(text: str) -> list[str]:
    return [" ".join(re.sub(r"[0-9][0-9,.]*", "0", line).split()) for line in text.splitlines()]


def test_without_the_receiver_it_asks_for_a_retry(reader: Reader) -> None:
    """As the README says: a retry, and status 1."""
    ran = reader.follow(RUN)
    assert ran.returncode == 1
    assert ran.stdout.startswith("onTrack: retry: ")


def test_the_python_api_works_as_shown(reader: Reader) -> None:
    """The README's program runs, type-checks, and the function learns that its request was denied."""
    (reader.folder / "program.py").write_text(reader.command(PYTHON))
    program = (sys.executable, "-W", "error", "program.py")
    ran = subprocess.run(program, cwd=reader.folder, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - see above
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout.startswith("fail Reply(verdict=<Verdict.FAIL: 'fail'>")
    assert "denied_host" in ran.stdout


def test_json_has_the_shape_that_is_told(reader: Reader, receiver: subprocess.Popen[str]) -> None:
    """Every key of both commands' JSON is in the README, with a value of the same kind, and no other is."""
    assert receiver.poll() is None
    run, check = (json.loads(block) for block in blocks("json"))
    assert _shape(json.loads(reader.follow(RUN, "--json").stdout)) == _shape(run)
    assert _shape(json.loads(reader.follow(CHECK, "--json").stdout)) == _shape(check)


def _shape(value: Any) -> Any:  # noqa: ANN401 - whatever JSON holds
    """Reduce JSON to its keys and kinds; a list to its first item."""
    match value:
        case dict():
            return {key: _shape(item) for key, item in value.items()}
        case list():
            return [_shape(item) for item in value[:1]]
        case float():
            return "number"
        case int() if not isinstance(value, bool):
            return "number"
    return type(value).__name__


def test_the_limits_are_those_of_the_code() -> None:
    """Each limit is in the README's table, in order, with its default."""
    rows = re.findall(r"^\| `(\w+)` \| ([0-9,]+) \|", README, re.MULTILINE)
    assert rows == [(field.name, f"{getattr(Limits(), field.name):,}") for field in fields(Limits)]
