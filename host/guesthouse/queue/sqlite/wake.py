"""Waking other processes, and knowing that one has died: one named pipe for each queue object, beside the file.

A byte written to a process's pipe says "look again". The system closes the reader's end when the process dies, however
it dies, so a pipe that nobody reads is a host that is gone: its work is free at once, not only when its lease has run
out. Where there are no named pipes, both wait for the next beat.
"""

import asyncio
import errno
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import islice
from pathlib import Path

_READ_BYTES = 4096
_TIDIED = 1_000
_YOUNG_SECONDS = 60.0


class Pipe:
    """This queue object's pipe, and the way to the others'."""

    def __init__(self, path: Path, on_wake: Callable[[], None]) -> None:
        self._folder = path.with_name(f"{path.name}-pipes")
        self._on_wake = on_wake
        self._reader: int | None = None
        self.name = ""
        """For the table of hosts; empty where there are no pipes."""
        with suppress(OSError, AttributeError):
            self._open()

    def wake(self, name: str) -> None:
        """Tell another process to look again; one that can't be reached looks by itself."""
        with suppress(OSError):
            self._write(name)

    def is_dead(self, name: str) -> bool:
        """Tell whether it is certain that nobody is left to read a pipe."""
        if not name or name == self.name:
            return False
        try:
            os.close(os.open(self._folder / name, os.O_WRONLY | os.O_NONBLOCK))
        except OSError as error:
            return error.errno in {errno.ENXIO, errno.ENOENT}
        return False

    def close(self) -> None:
        """Close and remove the pipe."""
        if self._reader is None:
            return
        asyncio.get_running_loop().remove_reader(self._reader)
        os.close(self._reader)
        self._reader = None
        with suppress(OSError):
            (self._folder / self.name).unlink(missing_ok=True)

    def _open(self) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._tidy()
        name = f"{os.getpid()}-{secrets.token_hex(8)}"
        os.mkfifo(self._folder / name, mode=0o600)
        # For writing as well: a pipe without a writer would always be at its end, and so always readable.
        self._reader = os.open(self._folder / name, os.O_RDWR | os.O_NONBLOCK)
        asyncio.get_running_loop().add_reader(self._reader, self._read)
        self.name = name

    def _tidy(self) -> None:
        """Remove what killed processes left behind; a young pipe may be one whose reader isn't there yet."""
        for path in islice(self._folder.iterdir(), _TIDIED):
            if time.time() - path.stat().st_mtime > _YOUNG_SECONDS and self.is_dead(path.name):
                path.unlink(missing_ok=True)

    def _read(self) -> None:
        if self._reader is not None:
            with suppress(BlockingIOError):
                os.read(self._reader, _READ_BYTES)
        self._on_wake()

    def _write(self, name: str) -> None:
        writer = os.open(self._folder / name, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(writer, b"!")
        finally:
            os.close(writer)
