"""Errors as answers: one place where the error tree becomes ``application/problem+json`` (RFC 9457)."""

import logging
import math
from typing import Final

from msgspec import Struct, json

from guesthouse.errors import CallerError, FunctionError, GuesthouseError, InvalidInput, RejectedModule, TenantFull
from guesthouse.logs import tell

LOG: Final = logging.getLogger("guesthouse.api")
MEDIA_TYPE: Final = b"application/problem+json"
_UNPROCESSABLE: Final = 422
_BUG: Final = 500
_UNAVAILABLE: Final = 503
_RETRY_SECONDS: Final = 1
"""What a client is told to wait when the host is at fault."""


class Problem(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The body of every answer that isn't a success."""

    type: str
    """``urn:guesthouse:`` and the code."""
    title: str
    status: int
    code: str
    """Stable, for programs."""
    detail: str
    """For people."""
    retryable: bool = False
    """Whether the same request may succeed later."""
    problems: tuple[str, ...] = ()
    """Each thing that is wrong, where there are several."""


def problem_of(error: Exception) -> Problem:
    """Say what an error means to whoever sent the request; a bug's own words stay in the log."""
    if not isinstance(error, GuesthouseError):
        return make_problem(_BUG, "internal_error", "Guesthouse failed; the fault is logged", retryable=True)
    status = _status_of(error)
    return make_problem(status, error.code, str(error), retryable=error.retryable, problems=_parts_of(error))


def make_problem(
    status: int, code: str, detail: str, *, retryable: bool = False, problems: tuple[str, ...] = ()
) -> Problem:
    """Make a problem of its parts."""
    return Problem(
        type=f"urn:guesthouse:{code}",
        title=code.replace("_", " ").capitalize(),
        status=status,
        code=code,
        detail=detail,
        retryable=retryable,
        problems=problems,
    )


def _status_of(error: GuesthouseError) -> int:
    if isinstance(error, CallerError):
        return error.status
    return _UNPROCESSABLE if isinstance(error, FunctionError) else _UNAVAILABLE


def _parts_of(error: GuesthouseError) -> tuple[str, ...]:
    return error.problems if isinstance(error, InvalidInput | RejectedModule) else ()


def headers_of(error: Exception, now_ms: int) -> list[tuple[bytes, bytes]]:
    """Say when to come back, where that is known: in seconds, and as seconds since 1970 for Segment's clients."""
    if isinstance(error, TenantFull):
        seconds = max(1, math.ceil(error.retry_after_seconds))
        reset = now_ms // 1_000 + seconds
        return [(b"retry-after", b"%d" % seconds), (b"x-ratelimit-reset", b"%d" % reset)]
    if problem_of(error).status == _UNAVAILABLE:
        return [(b"retry-after", b"%d" % _RETRY_SECONDS)]
    return []


def encode_problem(problem: Problem) -> bytes:
    """Encode as JSON."""
    return json.encode(problem)


def tell_error(error: Exception, event: str, **facts: object) -> None:
    """Log, once, a request that failed: bugs with traceback, the operator's faults loudly."""
    problem = problem_of(error)
    is_bug = not isinstance(error, GuesthouseError)
    level = logging.INFO if problem.status < _BUG else logging.ERROR
    tell(
        LOG,
        level,
        event,
        error=error if is_bug else None,
        status=problem.status,
        code=problem.code,
        detail=problem.detail,
        **facts,
    )
