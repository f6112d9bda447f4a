"""Children of the benchmark: each is a module of it, run by the same interpreter, spoken to by lines over its pipes."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
_SECONDS_TO_END: Final = 30


class Child:
    """A process that answers each line with a line."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        """Take a process with pipes at its standard input and output."""
        self._process = process

    def ask(self, line: str) -> str:
        """Send a line and wait for the answer; RuntimeError where the child has ended instead."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()
        return self.listen()

    def listen(self) -> str:
        """Wait for the next line."""
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a process of the benchmark ended with status {self._process.wait(_SECONDS_TO_END)}")
        return answer.rstrip("\n")


@contextmanager
def child(module: str, *arguments: str) -> Iterator[Child]:
    """Start a module of the benchmark; on leaving its standard input ends, and so shall it."""
    command = (sys.executable, "-m", f"tests.bench.{module}", *arguments)
    process = subprocess.Popen(  # noqa: S603 - our own modules
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        yield Child(process)
    finally:
        try:
            process.communicate(timeout=_SECONDS_TO_END)
        finally:
            process.kill()
            process.wait()


def answer_of(module: str, *arguments: str, seconds: float) -> str:
    """Run a module of the benchmark to its end and give what it wrote; subprocess errors where it fails or hangs."""
    command = (sys.executable, "-m", f"tests.bench.{module}", *arguments)
    return subprocess.run(  # noqa: S603 - our own modules
        command, stdout=subprocess.PIPE, text=True, cwd=ROOT, check=True, timeout=seconds
    ).stdout
