"""Errors of whoever sent a request: answered 4xx."""

from typing import ClassVar

from guesthouse.errors.base import GuesthouseError


class CallerError(GuesthouseError):
    """The request is at fault; whoever sent it can mend it."""

    code = "bad_request"
    status: ClassVar[int] = 400
    """The HTTP status of the answer."""


class Malformed(CallerError):
    """What was sent can't be read."""

    code = "malformed"

    def __init__(self, fault: str) -> None:
        """Say what is wrong and where."""
        super().__init__(fault)
        self.fault = fault


class TooLarge(CallerError):
    """What was sent is larger than its limit."""

    code = "too_large"
    status = 413

    def __init__(self, what: str, limit: int, unit: str = "bytes") -> None:
        """Take what was too large and the limit."""
        super().__init__(f"{what} has more than the {limit:,} {unit} that are allowed")
        self.limit = limit


class TooSlow(CallerError):
    """The request took too long to arrive; a quicker one is welcome."""

    code = "too_slow"
    status = 408
    retryable = True

    def __init__(self, limit_seconds: float) -> None:
        """Take the time that it had."""
        super().__init__(f"the request had not arrived after {limit_seconds:g} seconds")


class WrongMedia(CallerError):
    """What was sent is of a type that isn't taken here."""

    code = "wrong_media_type"
    status = 415

    def __init__(self, wanted: str, got: str) -> None:
        """Take the type that is wanted and the one that was named."""
        super().__init__(f"this must be {wanted}, not {got!r:.100}")


class Unauthenticated(CallerError):
    """Who asks is unknown: a key or token is missing, wrong or revoked."""

    code = "unauthenticated"
    status = 401

    def __init__(self, what: str) -> None:
        """Take what was missing or wrong: ``write key`` or ``token``; never its text."""
        super().__init__(f"the {what} is missing or wrong")


class Forbidden(CallerError):
    """The bearer is known and may not do this."""

    code = "forbidden"
    status = 403

    def __init__(self, role: str) -> None:
        """Take what the bearer may be."""
        super().__init__(f"a token with the role {role!r:.40} may only read")


class InvalidInput(CallerError):
    """What was sent can't be stored; every problem is named."""

    code = "invalid_input"
    status = 422

    def __init__(self, problems: tuple[str, ...]) -> None:
        """Take the problems, at least one, each a sentence's worth."""
        super().__init__("; ".join(problems))
        self.problems = problems


class NotFound(CallerError):
    """There is no such thing, or it belongs to another tenant, which looks the same."""

    code = "not_found"
    status = 404

    def __init__(self, what: str, name: str) -> None:
        """Take what was looked for (``destination``) and the id or name that it was asked by."""
        super().__init__(f"there is no {what} {name!r:.120}")
        self.what = what
        self.name = name


class NameTaken(CallerError):
    """Another of its kind has the name; choose another or change the one there is."""

    code = "name_taken"
    status = 409

    def __init__(self, what: str, name: str) -> None:
        """Take what was to be named and the name."""
        super().__init__(f"there is a {what} named {name!r:.120} already")
        self.what = what
        self.name = name


class InUse(CallerError):
    """It can't be deleted while others need it."""

    code = "in_use"
    status = 409

    def __init__(self, what: str, name: str, users: tuple[str, ...]) -> None:
        """Take what was to be deleted, its name, and those that need it."""
        super().__init__(f"the {what} {name!r:.120} is in use by {', '.join(users)}")
        self.users = users


class NoEarlierVersion(CallerError):
    """There is nothing to roll back to."""

    code = "no_earlier_version"
    status = 409

    def __init__(self, function: str) -> None:
        """Take the function's name."""
        super().__init__(f"no version of {function!r:.120} was active before this one")


class QueryTooBroad(CallerError):
    """Answering would take too long."""

    code = "query_too_broad"
    status = 422

    def __init__(self, seconds: float) -> None:
        """Take how long was tried."""
        super().__init__(f"no answer was found within {seconds:g} seconds; narrow the query, by time first of all")


class QuotaReached(CallerError):
    """The tenant has as many of them as it may."""

    code = "quota_reached"
    status = 409

    def __init__(self, what: str, limit: int) -> None:
        """Take what there are too many of, and how many are allowed."""
        super().__init__(f"a tenant may have {limit:,} {what} and has them all")
        self.limit = limit


class TenantFull(CallerError):
    """The tenant's queue holds all that it may; nothing was accepted, and the same may be sent again later."""

    code = "tenant_full"
    status = 429
    retryable = True

    def __init__(self, tenant_id: str, bound: int, retry_after_seconds: float) -> None:
        """Take the tenant, its bound and when to try again."""
        super().__init__(f"{bound:,} deliveries wait already; try again in {retry_after_seconds:g} seconds")
        self.tenant_id = tenant_id
        self.bound = bound
        self.retry_after_seconds = retry_after_seconds
