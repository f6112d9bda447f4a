"""A trial as its author reads it: verdict, results, log, HTTP, cost, and what looks forgotten."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator

from guesthouse.cli.exchanges import exchange_lines, log_line
from guesthouse.cli.text import Ink, body, count, one_line, plain, row, shortened, size
from guesthouse.cli.trial import Trial
from guesthouse.errors import FunctionError, RejectedModule
from guesthouse.model.reply import ItemResult, Reply, WebhookResponse
from guesthouse.model.report import HttpExchange, Report
from guesthouse.model.verdict import Verdict

MOST_SHOWN = 20
"""Results and events that are shown; --json shows all."""


def trial_lines(trial: Trial, ink: Ink) -> Iterator[str]:
    """Tell everything, most important things first."""
    report = trial.report
    if report.error is not None:
        yield from _error(trial.handler, report.error, ink)
    if report.reply is not None:
        yield from _reply(trial.handler, report.reply, ink)
    yield from _logs(report, ink)
    yield from _http(report.http, ink)
    if trial.digest is not None:
        yield from _cost(trial, ink)
    if trial.notes:
        yield ""
        yield from (ink.mixed("Note: ") + plain(note) for note in trial.notes)


def _heading(text: str, ink: Ink) -> Iterator[str]:
    yield ""
    yield ink.bold(text)


def _error(handler: str, error: FunctionError, ink: Ink) -> Iterator[str]:
    reason = getattr(error, "reason", None)
    name = error.code if reason is None else f"{error.code}, {reason}"
    yield f"{handler}: {ink.bad(name)}"
    for text in error.problems if isinstance(error, RejectedModule) else (str(error),):
        yield "  " + plain(text).replace("\n", "\n  ")
    for frame in error.backtrace:
        place = "" if frame.offset is None else f" (byte {frame.offset:,} of the module)"
        yield f"    at {one_line(frame.function)}{ink.faint(place)}"


def _reply(handler: str, reply: Reply, ink: Ink) -> Iterator[str]:
    yield f"{handler}: {_verdict(reply, ink)}"
    if reply.results is not None:
        yield from _results(reply.results, ink)
    if reply.response is not None:
        yield from _response(reply.response, ink)
    if reply.events:
        yield from _heading(f"Emitted {count(len(reply.events), 'event')}", ink)
        yield from _first(f"  {shortened(_compact(event))}" for event in reply.events)
    if reply.event is not None:
        yield from _heading("Answered with an event", ink)
        yield f"  {shortened(_compact(reply.event))}"


def _verdict(judged: Reply | ItemResult, ink: Ink) -> str:
    wish = "" if judged.retry_after_ms is None else f"not before {judged.retry_after_ms:,} ms"
    facts = ", ".join(text for text in (f"code {one_line(judged.code)}" if judged.code else "", wish) if text)
    message = f": {one_line(judged.message)}" if judged.message else ""
    return f"{_inked(judged.verdict, ink)}{message}{f' ({facts})' if facts else ''}"


def _inked(verdict: Verdict, ink: Ink) -> str:
    match verdict:
        case Verdict.DONE:
            return ink.good(verdict)
        case Verdict.FAIL:
            return ink.bad(verdict)
    return ink.mixed(verdict)


def _results(results: tuple[ItemResult, ...], ink: Ink) -> Iterator[str]:
    totals = Counter(item.verdict for item in results)
    yield from _heading(f"Results: {', '.join(f'{times:,} {verdict}' for verdict, times in totals.items())}", ink)
    yield from _first(f"  {position:>5}  {_verdict(item, ink)}" for position, item in enumerate(results, 1))


def _response(response: WebhookResponse, ink: Ink) -> Iterator[str]:
    yield from _heading("Response to the sender", ink)
    yield from row("status", str(response.status))
    yield from row("headers", *(one_line(f"{name}: {value}") for name, value in response.headers))
    yield from row("body", body(response.body, len(response.body)))


def _first(lines: Iterable[str]) -> Iterator[str]:
    left_out = 0
    for position, line in enumerate(lines):
        if position < MOST_SHOWN:
            yield line
        else:
            left_out += 1
    if left_out:
        yield f"  ... and {left_out:,} more; --json shows them"


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _logs(report: Report, ink: Ink) -> Iterator[str]:
    dropped = report.usage.log_lines_dropped
    if not report.logs and not dropped:
        return
    yield from _heading("Log", ink)
    yield from (log_line(line, ink) for line in report.logs)
    if dropped:
        yield f"  {count(dropped, 'line')} beyond the limit left out"


def _http(exchanges: tuple[HttpExchange, ...], ink: Ink) -> Iterator[str]:
    if exchanges:
        yield from _heading("HTTP", ink)
    for exchange in exchanges:
        yield from exchange_lines(exchange, ink)


def _cost(trial: Trial, ink: Ink) -> Iterator[str]:
    usage, limits = trial.report.usage, trial.limits
    yield from _heading("Cost", ink)
    yield from row("fuel", f"{usage.fuel:,} of {limits.fuel:,}")
    yield from row("peak memory", f"{size(usage.peak_memory_bytes)} of {size(limits.memory_bytes)}")
    yield from row(
        "time", f"{usage.duration_ms:,.1f} ms of {limits.deadline_ms:,}, {usage.cpu_ms:,.1f} ms of it running"
    )
