"""The host's log: one wide line for each unit of work, as JSON for programs or plain for people.

A line is an event named ``noun.past`` and its facts: ``tell(LOG, INFO, "call.refused", status=400, path=...)``. Facts
come from strangers too, so neither form lets them forge a line or speak to a terminal.
"""

import json
import logging
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, TextIO

ROOT: Final = "guesthouse"
MAX_FACT: Final = 1_000
"""Characters of one fact; longer ones are cut."""
_FACTS: Final = "facts"


class Style(StrEnum):
    """How lines are written."""

    JSON = "json"
    HUMAN = "human"


def tell(
    log: logging.Logger,
    level: int,
    event: str,
    /,
    *,
    error: BaseException | None = None,
    **facts: object,
) -> None:
    """Log one unit of work; *error* adds a traceback, for bugs. Facts that are None are left out."""
    if log.isEnabledFor(level):
        log.log(level, event, extra={_FACTS: facts}, exc_info=error)


def open_logs(stream: TextIO, style: Style, level: int = logging.INFO) -> logging.Handler:
    """Write what Guesthouse logs to *stream*; hand the answer to `close_logs`."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines() if style is Style.JSON else HumanLines())
    log = logging.getLogger(ROOT)
    log.addHandler(handler)
    log.setLevel(level)
    log.propagate = False
    return handler


def close_logs(handler: logging.Handler) -> None:
    """Write to it no more."""
    log = logging.getLogger(ROOT)
    log.removeHandler(handler)
    log.propagate = True
    handler.close()


class JsonLines(logging.Formatter):
    """One JSON object in ASCII on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        line: dict[str, Any] = {
            "at": _time(record).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            "logger": record.name,
        }
        for name, value in _facts(record):
            line.setdefault(name, value if isinstance(value, int | float) else _cut(str(value)))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class HumanLines(logging.Formatter):
    """Time, level, event, and ``name=value`` for each fact; what isn't printable is escaped."""

    def format(self, record: logging.LogRecord) -> str:
        """See `logging.Formatter.format`."""
        facts = "".join(f"  {name}={_plain(value)}" for name, value in _facts(record))
        clock = _time(record).strftime("%H:%M:%S")
        line = f"{clock} {record.levelname:<7} {_escape(record.getMessage())}{facts}"
        if record.exc_info:
            line += f"\n{self.formatException(record.exc_info)}"
        return line


def _facts(record: logging.LogRecord) -> list[tuple[str, object]]:
    facts: dict[str, object] = getattr(record, _FACTS, {})
    return [(name, value) for name, value in facts.items() if value is not None]


def _time(record: logging.LogRecord) -> datetime:
    return datetime.fromtimestamp(record.created, UTC)


def _plain(value: object) -> str:
    text = _cut(str(value))
    return text if text and text.isprintable() and " " not in text else repr(text)


def _escape(text: str) -> str:
    return text if text.isprintable() else repr(text)


def _cut(text: str) -> str:
    return text if len(text) <= MAX_FACT else f"{text[: MAX_FACT - 3]}..."
