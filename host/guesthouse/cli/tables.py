"""Tables and times for people."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from guesthouse.cli.text import Ink, shortened

CELL_CHARS: Final = 100
_GOOD: Final = frozenset({"succeeded", "accepted", "done"})
_BAD: Final = frozenset({"dead", "refused", "fail"})


def table(headings: Sequence[str], rows: Sequence[Sequence[object]], ink: Ink) -> Iterator[str]:
    """Yield aligned lines; strangers' text in cells is made safe and short."""
    cells = [[shortened("" if cell is None else str(cell), CELL_CHARS) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    yield ink.bold(_aligned(headings, widths))
    yield from (_aligned(row, widths) for row in cells)


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def when(at_ms: int | None) -> str:
    """Write a time in UTC, to the second."""
    return "" if at_ms is None else f"{_time(at_ms):%Y-%m-%d %H:%M:%SZ}"


def moment(at_ms: int) -> str:
    """Write a time of the day in UTC, to the millisecond."""
    return _time(at_ms).isoformat(sep=" ", timespec="milliseconds")[11:23]


def _time(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1_000, UTC)


def coloured(word: str, ink: Ink) -> str:
    """Colour the name of a state, outcome or fate by what it means."""
    return ink.good(word) if word in _GOOD else ink.bad(word) if word in _BAD else ink.mixed(word)
