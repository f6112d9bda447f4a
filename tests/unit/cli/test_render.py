"""A trial as its author reads it: what is shown, what is cut, and what is never sent to a terminal."""

from typing import Any

from guesthouse.cli.render import MOST_SHOWN, trial_lines
from guesthouse.cli.text import Ink
from guesthouse.cli.trial import Trial
from guesthouse.errors import Frame, RejectedModule, Trapped
from guesthouse.model.limits import DEFAULT_LIMITS
from guesthouse.model.reply import ItemResult, Reply, WebhookResponse
from guesthouse.model.report import HttpExchange, LogLevel, LogLine, Report, Usage
from guesthouse.model.verdict import Verdict

USAGE = Usage(fuel=12_345, peak_memory_bytes=65_536, duration_ms=2.5, cpu_ms=0.25)


def shown(*, is_colourful: bool = False, notes: tuple[str, ...] = (), **facts: Any) -> str:  # noqa: ANN401 - a report's
    """Render a trial whose report has these facts."""
    report = Report(**{"reply": Reply(verdict=Verdict.DONE), "error": None, "usage": USAGE, **facts})
    trial = Trial(handler="onTrack", limits=DEFAULT_LIMITS, report=report, digest="d", notes=notes)
    return "\n".join(trial_lines(trial, Ink(is_colourful)))


def sent(method: str, url: str, body: bytes = b"", *, started_ms: int, duration_ms: int) -> HttpExchange:
    """Make the record of a request, without what came of it."""
    return HttpExchange(
        method=method,
        url=url,
        request_headers=(),
        request_body=body,
        request_bytes=len(body),
        started_ms=started_ms,
        duration_ms=duration_ms,
    )


def test_the_smallest_trial_is_short() -> None:
    """Sections without anything in them aren't there."""
    assert shown().splitlines() == [
        *("onTrack: done", "", "Cost"),
        *("  fuel           12,345 of 100,000,000", "  peak memory    64 KiB of 64 MiB"),
        "  time           2.5 ms of 5,000, 0.2 ms of it running",
    ]


def test_a_verdict_is_told_with_all_it_carries() -> None:
    """Message, code and wish; on one line, whatever they hold."""
    reply = Reply(verdict=Verdict.RETRY, message="busy\n\x1b[2J", code="b", retry_after_ms=1_500)
    first = shown(reply=reply).splitlines()[0]
    assert first == "onTrack: retry: busy\\n\\x1b[2J (code b, not before 1,500 ms)"


def test_results_are_counted_and_only_the_first_are_shown() -> None:
    """A batch of thousands doesn't flood the terminal, and what is left out is said."""
    results = (*(ItemResult(verdict=Verdict.DONE) for _ in range(MOST_SHOWN)), ItemResult(verdict=Verdict.FAIL))
    text = shown(reply=Reply(verdict=Verdict.DONE, results=results))
    assert f"Results: {MOST_SHOWN} done, 1 fail" in text
    assert "  ... and 1 more; --json shows them" in text


def test_what_a_function_emits_and_answers_is_shown() -> None:
    """Events, its own HTTP answer, and an insert function's event, each cut where it is long."""
    response = WebhookResponse(status=202, headers=(("x-a", "1"),), body=b"ok")
    event = {"type": "track", "x": "y" * 1_000}
    text = shown(reply=Reply(verdict=Verdict.DONE, events=(event,), response=response, event={"a": 1}))
    for part in ("Emitted 1 event\n", "characters more)", "x-a: 1", "2 bytes: ok", '  {"a":1}'):
        assert part in text


def test_log_lines_are_aligned_and_losses_told() -> None:
    """A message of several lines keeps its place; lines beyond the limit are counted."""
    logs = (LogLine(LogLevel.INFO, "one\ntwo", 5), LogLine(LogLevel.ERROR, "\x1b]0;title\x07", 1_000))
    usage = Usage(fuel=1, peak_memory_bytes=0, duration_ms=1.0, cpu_ms=1.0, log_lines_dropped=2)
    lines = shown(logs=logs, usage=usage).splitlines()
    assert lines[2:7] == [
        "Log",
        "      5 ms  info   one",
        "                   two",
        "  1,000 ms  error  \\x1b]0;title\\x07",
        "  2 lines beyond the limit left out",
    ]


def test_requests_are_told_with_what_came_of_them() -> None:
    """A status with its body, or the reason why there is none."""
    answered = sent("GET", "http://x/\x1b", started_ms=1, duration_ms=20)
    answered.status, answered.response_body, answered.response_bytes = 500, b"\x1b[2J", 4
    failed = sent("PUT", "http://y/", b"{}", started_ms=30, duration_ms=4)
    failed.error, failed.error_message = "timed_out", "too slow"
    lines = shown(http=(answered, failed)).splitlines()
    assert lines[2:9] == [
        "HTTP",
        "      1 ms  GET http://x/\\x1b",
        "            request   0 bytes",
        "            response  500 in 20 ms, 4 bytes: \\x1b[2J",
        "     30 ms  PUT http://y/",
        "            request   2 bytes: {}",
        "            failed    timed_out in 4 ms: too slow",
    ]


def test_a_break_is_told_with_its_backtrace() -> None:
    """Code, reason, sentence, and the functions' names, escaped."""
    error = Trapped("unreachable", "the guest gave up")
    error.backtrace = (Frame("panic\x1b", 1_234), Frame("function 7", None))
    assert shown(reply=None, error=error).splitlines()[:4] == [
        "onTrack: trapped, unreachable",
        "  the guest gave up",
        "    at panic\\x1b (byte 1,234 of the module)",
        "    at function 7",
    ]


def test_a_rejection_is_told_problem_by_problem() -> None:
    """Each problem has its line."""
    text = shown(reply=None, error=RejectedModule("a; b", ("a", "b")))
    assert text.splitlines()[:3] == ["onTrack: rejected_module", "  a", "  b"]


def test_notes_come_last_and_colour_only_when_asked() -> None:
    """The last line is what to do next."""
    assert shown(notes=("do this",)).splitlines()[-1] == "Note: do this"
    assert "\x1b[1;32mdone\x1b[0m" in shown(is_colourful=True)
