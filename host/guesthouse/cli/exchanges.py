"""What a function did while it ran, line by line: what it logged, what it asked of APIs and got."""

from collections.abc import Iterator

from guesthouse.cli.text import Ink, body, one_line, plain, shortened
from guesthouse.model.report import HttpExchange, LogLevel, LogLine


def log_line(line: LogLine, ink: Ink) -> str:
    """Tell one line of a function's log."""
    level = f"{line.level.name.lower():<5}"
    mark = {LogLevel.ERROR: ink.bad, LogLevel.WARN: ink.mixed, LogLevel.DEBUG: ink.faint}.get(line.level, str)
    return f"  {line.at_ms:>5,} ms  {mark(level)}  " + plain(line.message).replace("\n", "\n" + " " * 19)


def exchange_lines(exchange: HttpExchange, ink: Ink) -> Iterator[str]:
    """Tell one request and what came of it."""
    yield f"  {exchange.started_ms:>5,} ms  {plain(exchange.method)} {shortened(exchange.url)}"
    yield f"{'':12}request   {body(exchange.request_body, exchange.request_bytes)}"
    yield from (f"{'':12}{line}" for line in _answer(exchange, ink))


def _answer(exchange: HttpExchange, ink: Ink) -> Iterator[str]:
    took = f"in {exchange.duration_ms:,} ms"
    if exchange.status is not None:
        mark = ink.good if exchange.status < 400 else ink.bad  # noqa: PLR2004 - errors begin here, in HTTP
        yield f"response  {mark(str(exchange.status))} {took}, {body(exchange.response_body, exchange.response_bytes)}"
    if exchange.error is not None:
        yield f"failed    {ink.bad(exchange.error)} {took}: {one_line(exchange.error_message or '')}"
