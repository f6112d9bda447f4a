"""Whether a request is granted, and if not, why, in words for the function's author."""

import re
from collections.abc import Sequence
from typing import Final

from guesthouse.abi.results import Refusal
from guesthouse.model.capability import Grant
from guesthouse.model.target import Target
from guesthouse.runtime.outbound.failures import RefusedError

_METHOD: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,32}")
_NEVER: Final = frozenset({"CONNECT", "TRACE", "TRACK"})


def check_method(method: str) -> str:
    """Return the method in upper case; raises `RefusedError` for what is none, and for those that guests never use."""
    name = method.upper()
    if not _METHOD.fullmatch(method) or name in _NEVER:
        raise RefusedError(Refusal.BAD_REQUEST, "the method is not one that functions may use")
    return name


def check_grants(grants: Sequence[Grant], method: str, target: Target) -> None:
    """Return if a grant permits the request; else raise `RefusedError` with the reason nearest to permission."""
    for grant in grants:
        if grant.permits(method, target):
            return
    reached = [grant for grant in grants if grant.reaches(target)]
    if not reached:
        raise RefusedError(Refusal.DENIED_HOST, f"no grant covers {origin_text(target)}")
    if not any(grant.covers(target.path) for grant in reached):
        raise RefusedError(Refusal.DENIED_HOST, f"no grant for {origin_text(target)} covers this path")
    raise RefusedError(
        Refusal.DENIED_METHOD, f"no grant for {origin_text(target)} covers {method} requests to this path"
    )


def may_reveal_over_http(grants: Sequence[Grant], method: str, target: Target) -> bool:
    """Say whether a grant that permits the request lets secrets travel in plain http."""
    return any(grant.secrets_over_http and grant.permits(method, target) for grant in grants)


def origin_text(target: Target) -> str:
    """Write the target's scheme, host and port as in a URL."""
    return target.url[: len(target.url) - len(target.path) - len(target.query)]
