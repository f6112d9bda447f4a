"""The table of DESIGN section 1: what the host makes of a guest's word, or of how it broke."""

from collections.abc import Sequence
from typing import Any

import pytest

from guesthouse.errors import (
    BrokenContract,
    CapabilityDenied,
    DeadlineExceeded,
    FuelExhausted,
    FunctionError,
    MemoryExhausted,
    OutputTooLarge,
    TooManyCalls,
    Trapped,
)
from guesthouse.model.delivery import Outcome
from guesthouse.model.reply import ItemResult, Reply
from guesthouse.model.report import HttpExchange, Report, Usage
from guesthouse.model.retry import RetryPolicy
from guesthouse.model.verdict import Verdict
from guesthouse.pipeline.judge import RETRIES_EXHAUSTED, Judge, Judgement, asked_delay_ms

NOW_MS = 1_800_000_000_000
"""2027-01-15T08:00:00Z"""
POLICY = RetryPolicy(attempts=3, first_ms=1_000, span_ms=60_000)
USAGE = Usage(fuel=0, peak_memory_bytes=0, duration_ms=0.0, cpu_ms=0.0)


def judge(report: Report, *, index: int = 0, attempt: int = 1, age_ms: int = 0) -> Judgement:
    """Judge with a die that always shows its highest face."""
    return Judge(POLICY, lambda: 1.0, lambda: NOW_MS).judge(report, index=index, attempt=attempt, age_ms=age_ms)


def said(verdict: Verdict, http: Sequence[HttpExchange] = (), **more: Any) -> Report:  # noqa: ANN401 - fields of Reply
    """Report a reply."""
    return Report(reply=Reply(verdict=verdict, **more), error=None, http=tuple(http), usage=USAGE)


def broke(error: FunctionError) -> Report:
    """Report a guest that broke."""
    return Report(reply=None, error=error, usage=USAGE)


def exchange(status: int | None, retry_after: str | None = None, name: str = "Retry-After") -> HttpExchange:
    """Make a response with or without the header."""
    return HttpExchange(
        method="POST",
        url="https://api.example.com/",
        request_headers=(),
        request_body=b"",
        request_bytes=0,
        started_ms=0,
        status=status,
        response_headers=() if retry_after is None else ((name, retry_after),),
    )


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        (Verdict.DONE, Outcome.SUCCEEDED),
        (Verdict.DROP, Outcome.DISCARDED),
        (Verdict.UNSUPPORTED, Outcome.DISCARDED),
        (Verdict.RETRY, Outcome.RETRYING),
        (Verdict.FAIL, Outcome.DEAD),
    ],
)
def test_each_verdict_has_its_outcome_and_keeps_what_the_guest_said(verdict: Verdict, outcome: Outcome) -> None:
    """Done succeeds, drop and unsupported discard, retry is retried, fail is dead; code and message come along."""
    judged = judge(said(verdict, code="teapot", message="short and stout"))
    assert (judged.outcome, judged.verdict) == (outcome, verdict)
    assert (judged.code, judged.reason) == ("teapot", "short and stout")
    assert (judged.delay_ms is not None) == (outcome is Outcome.RETRYING)


@pytest.mark.parametrize(
    "error",
    [
        Trapped("unreachable", "it trapped"),
        FuelExhausted(10),
        MemoryExhausted(10, 5),
        BrokenContract("it lied"),
        OutputTooLarge("the reply", 2, 1),
        TooManyCalls(3),
        CapabilityDenied(3),
    ],
    ids=lambda error: error.code,
)
def test_a_guest_that_broke_is_dead_with_its_reason(error: FunctionError) -> None:
    """The same would happen again, so it isn't tried again."""
    judged = judge(broke(error))
    assert judged == Judgement(outcome=Outcome.DEAD, code=error.code, reason=str(error))


def test_a_deadline_is_tried_again() -> None:
    """What the guest waited for may be quicker next time."""
    judged = judge(broke(DeadlineExceeded(50)))
    assert (judged.outcome, judged.code, judged.delay_ms) == (Outcome.RETRYING, "deadline_exceeded", 1_000)


@pytest.mark.parametrize(
    "report", [said(Verdict.RETRY, message="busy"), broke(DeadlineExceeded(5))], ids=["retry", "deadline"]
)
@pytest.mark.parametrize(("attempt", "age_ms"), [(3, 0), (4, 0), (1, 60_000)])
def test_the_last_retry_ends_dead(report: Report, attempt: int, age_ms: int) -> None:
    """Out of attempts or out of time: dead, ``retries_exhausted``, with the last reason."""
    judged = judge(report, attempt=attempt, age_ms=age_ms)
    assert (judged.outcome, judged.code, judged.delay_ms) == (Outcome.DEAD, RETRIES_EXHAUSTED, None)
    assert judged.reason


def test_the_guests_own_delay_comes_before_the_header() -> None:
    """``retry_after_ms`` is what the guest made of the answer; the header is not asked."""
    assert judge(said(Verdict.RETRY, [exchange(429, "9")], retry_after_ms=7_000)).delay_ms == 7_000


def test_a_delay_of_nothing_is_honoured() -> None:
    """A guest may ask to be tried again at once."""
    assert judge(said(Verdict.RETRY, [exchange(429, "9")], retry_after_ms=0)).delay_ms == 0


def test_the_header_counts_where_the_guest_gives_no_delay() -> None:
    """The guest need not read ``Retry-After`` itself."""
    assert judge(said(Verdict.RETRY, [exchange(503, "9")])).delay_ms == 9_000


def test_what_is_asked_for_is_capped() -> None:
    """Nobody may postpone a delivery for longer than an hour."""
    assert judge(said(Verdict.RETRY, [exchange(429, "999999")])).delay_ms == 3_600_000
    assert judge(said(Verdict.RETRY, retry_after_ms=10**9)).delay_ms == 3_600_000


def test_the_header_of_a_guest_that_is_done_means_nothing() -> None:
    """Only a retry waits."""
    assert judge(said(Verdict.DONE, [exchange(429, "9")])).delay_ms is None


@pytest.mark.parametrize(
    ("exchanges", "delay_ms"),
    [
        ([exchange(429, "120")], 120_000),
        ([exchange(503, " 5 ")], 5_000),
        ([exchange(429, "5", name="retry-after")], 5_000),
        ([exchange(429, "0")], 0),
        ([exchange(429, "Fri, 15 Jan 2027 08:00:30 GMT")], 30_000),
        ([exchange(429, "Fri, 15 Jan 2027 09:00:30 +0100")], 30_000),
        ([exchange(429, "Fri, 15 Jan 2027 07:00:00 GMT")], 0),
        ([exchange(429, "9" * 5_000)], 999_999_999_000),
        ([exchange(429, "1"), exchange(503, "2")], 2_000),
        ([exchange(429, "1"), exchange(200, "2")], 1_000),
        ([exchange(429, "1"), exchange(503)], None),
        ([exchange(500, "1")], None),
        ([exchange(None, "1")], None),
        ([exchange(429, "soon")], None),
        ([exchange(429, "-5")], None),
        ([exchange(429, "1.5")], None),
        ([exchange(429, "")], None),
        ([exchange(429, "²")], None),
        ([exchange(429, "Mon, 99 Foo 2027 99:99:99 GMT")], None),
        ([exchange(429, "Fri, 15 Jan 2027 08:00:30 -0000")], 30_000),
        ([exchange(429, "Fri, 15 Jan 2027 08:00:30 +9999999999999")], None),
        ([], None),
    ],
)
def test_retry_after_is_read_from_the_last_busy_answer(exchanges: list[HttpExchange], delay_ms: int | None) -> None:
    """Seconds and dates, of the last 429 or 503; what can't be read counts as absent, and nothing raises."""
    assert asked_delay_ms(exchanges, NOW_MS) == delay_ms


def test_each_event_of_a_batch_has_its_own_outcome() -> None:
    """Only those that ask for it are tried again."""
    results = (
        ItemResult(verdict=Verdict.DONE),
        ItemResult(verdict=Verdict.RETRY, retry_after_ms=5_000),
        ItemResult(verdict=Verdict.FAIL, code="bad"),
        ItemResult(verdict=Verdict.DROP, message="no"),
    )
    report = said(Verdict.DONE, results=results)
    judged = [judge(report, index=index) for index in range(4)]
    assert [one.outcome for one in judged] == [
        Outcome.SUCCEEDED,
        Outcome.RETRYING,
        Outcome.DEAD,
        Outcome.DISCARDED,
    ]
    assert (judged[1].delay_ms, judged[2].code, judged[3].reason) == (5_000, "bad", "no")


def test_a_batch_without_results_shares_one_verdict() -> None:
    """The guest may speak for the batch as a whole."""
    report = said(Verdict.FAIL, code="all")
    assert {judge(report, index=index).code for index in range(5)} == {"all"}


def test_results_for_a_single_event_cant_break_the_host() -> None:
    """A guest that answers an empty list of results to one event is taken at its verdict."""
    assert judge(said(Verdict.DONE, results=())).outcome is Outcome.SUCCEEDED
    assert judge(said(Verdict.DONE, results=(ItemResult(verdict=Verdict.DONE),)), index=3).outcome is Outcome.SUCCEEDED


def test_a_report_without_reply_and_error_is_a_bug() -> None:
    """It raises rather than closing a delivery without a reason."""
    with pytest.raises(ValueError, match="a reply or an error"):
        judge(Report(reply=None, error=None, usage=USAGE))
