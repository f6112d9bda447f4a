"""The lines that one guest logs, within its limits; raw on the fiber, decoded and masked afterwards."""

from collections.abc import Callable

from guesthouse.model.limits import Limits
from guesthouse.model.report import LogLevel, LogLine

_STREAMS = {1: LogLevel.INFO, 2: LogLevel.WARN}


class Logbook:
    """Collects lines; what exceeds the limits is counted and dropped, and a line that is too long is cut."""

    __slots__ = ("_bytes_left", "_lines_left", "_partial", "_raw", "dropped")

    def __init__(self, limits: Limits) -> None:
        """Take the bounds of one invocation."""
        self._raw: list[tuple[LogLevel, bytes, int]] = []
        self._partial: dict[int, bytes] = {}
        self._bytes_left = limits.log_bytes
        self._lines_left = limits.log_lines
        self.dropped = 0

    def room(self, length: int) -> int | None:
        """Say how many bytes of a line of *length* are worth copying; None where it is dropped, which is counted."""
        if not self._lines_left or (length and not self._bytes_left):
            self.dropped += 1
            return None
        return min(length, self._bytes_left)

    def add(self, level: LogLevel, line: bytes, at_ms: int) -> None:
        """Keep a line, or what fits of it."""
        room = self.room(len(line))
        if room is not None:
            self._lines_left -= 1
            self._bytes_left -= room
            self._raw.append((level, line[:room], at_ms))

    def write(self, stream: int, data: bytes, at_ms: int) -> None:
        """Take bytes of stdout (1, info) or stderr (2, warn); each line of them becomes a log line."""
        *lines, rest = (self._partial.pop(stream, b"") + data).split(b"\n", self._lines_left)
        for line in lines:
            self.add(_STREAMS[stream], line, at_ms)
        if b"\n" in rest:  # no line is left; those that are lost are counted, but not looked at
            self.dropped += rest.count(b"\n")
            rest = rest.rpartition(b"\n")[2]
        if rest:
            # One byte more than fits, so that a line of which nothing fits is still counted.
            self._partial[stream] = rest[: self._bytes_left + 1]

    def lines(self, mask: Callable[[str], str], at_ms: int) -> tuple[LogLine, ...]:
        """Give all lines, unfinished ones included, decoded (bad UTF-8 replaced) and passed through *mask*."""
        for stream, rest in sorted(self._partial.items()):
            self.add(_STREAMS[stream], rest, at_ms)
        self._partial.clear()
        return tuple(LogLine(level, mask(raw.decode(errors="replace")), at) for level, raw, at in self._raw)
