"""From what a guest said, or how it broke, to what becomes of its deliveries (the table of DESIGN section 1)."""

from collections.abc import Callable, Iterable
from datetime import UTC
from email.utils import parsedate_to_datetime

from msgspec import Struct

from guesthouse.model.delivery import Outcome
from guesthouse.model.reply import ItemResult, Reply
from guesthouse.model.report import HttpExchange, Report
from guesthouse.model.retry import RetryPolicy
from guesthouse.model.verdict import Verdict

RETRIES_EXHAUSTED = "retries_exhausted"
_BUSY = frozenset({429, 503})


class Judgement(Struct, frozen=True, kw_only=True):
    """What becomes of one delivery."""

    outcome: Outcome
    verdict: Verdict | None = None
    code: str | None = None
    reason: str | None = None
    delay_ms: int | None = None
    """How long to wait for the next attempt, for RETRYING."""


class Judge:
    """Applies the retry policy."""

    def __init__(self, policy: RetryPolicy, random: Callable[[], float], now_ms: Callable[[], int]) -> None:
        """Take chance and the wall clock, which a Retry-After date is read against."""
        self._policy = policy
        self._random = random
        self._now_ms = now_ms

    def judge(self, report: Report, *, index: int, attempt: int, age_ms: int) -> Judgement:
        """Judge the delivery at *index* of a batch (0 for a single one) after its attempt number *attempt*."""
        error = report.error
        if error is not None:
            if error.retryable:
                return self._again(None, error.code, str(error), None, attempt=attempt, age_ms=age_ms)
            return Judgement(outcome=Outcome.DEAD, code=error.code, reason=str(error))
        if report.reply is None:
            raise ValueError("a report has a reply or an error")
        said = _said(report.reply, index)
        match said.verdict:
            case Verdict.DONE:
                return Judgement(outcome=Outcome.SUCCEEDED, verdict=said.verdict, code=said.code, reason=said.message)
            case Verdict.DROP | Verdict.UNSUPPORTED:
                return Judgement(outcome=Outcome.DISCARDED, verdict=said.verdict, code=said.code, reason=said.message)
            case Verdict.FAIL:
                return Judgement(outcome=Outcome.DEAD, verdict=said.verdict, code=said.code, reason=said.message)
            case Verdict.RETRY:
                asked = said.retry_after_ms
                if asked is None:
                    asked = asked_delay_ms(report.http, self._now_ms())
                return self._again(said.verdict, said.code, said.message, asked, attempt=attempt, age_ms=age_ms)

    def _again(  # noqa: PLR0913 - the facts of one judgement
        self,
        verdict: Verdict | None,
        code: str | None,
        reason: str | None,
        asked_ms: int | None,
        *,
        attempt: int,
        age_ms: int,
    ) -> Judgement:
        delay = self._policy.next_delay_ms(attempt, age_ms=age_ms, asked_ms=asked_ms, random=self._random)
        if delay is None:
            return Judgement(outcome=Outcome.DEAD, verdict=verdict, code=RETRIES_EXHAUSTED, reason=reason)
        return Judgement(outcome=Outcome.RETRYING, verdict=verdict, code=code, reason=reason, delay_ms=delay)


def _said(reply: Reply, index: int) -> ItemResult | Reply:
    # Only a batch's results were checked against their number; a single event may come with any.
    return reply if not reply.results or index >= len(reply.results) else reply.results[index]


def asked_delay_ms(exchanges: Iterable[HttpExchange], now_ms: int) -> int | None:
    """Read ``Retry-After`` from the last 429 or 503 that the guest saw; None where there is none that can be read."""
    for exchange in reversed(list(exchanges)):
        if exchange.status in _BUSY:
            found = next((value for name, value in exchange.response_headers if name.lower() == "retry-after"), None)
            return None if found is None else _delay_ms(found.strip(), now_ms)
    return None


def _delay_ms(value: str, now_ms: int) -> int | None:
    if value.isascii() and value.isdigit():
        return int(value[:9]) * 1000
    try:
        date = parsedate_to_datetime(value)
        if date.tzinfo is None:  # written with -0000: UTC, whatever zone this machine is in
            date = date.replace(tzinfo=UTC)
        return max(0, int(date.timestamp() * 1000) - now_ms)
    except (ValueError, OverflowError):
        return None
