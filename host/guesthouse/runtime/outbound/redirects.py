"""Redirects as the host follows them: what the next request looks like, without any I/O.

The rules are those of browsers (WHATWG Fetch, section HTTP-redirect fetch), but for secrets: whatever might carry one
is dropped as soon as the origin changes, and never comes back.
"""

import re
from typing import Final, NamedTuple
from urllib.parse import urljoin

from guesthouse.abi.results import Refusal
from guesthouse.model.target import Target
from guesthouse.runtime.outbound.failures import RefusedError
from guesthouse.runtime.outbound.headers import HeaderPairs, is_sensitive
from guesthouse.runtime.secrets import Vault

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})

_FORBIDDEN: Final = re.compile(r"[\x00-\x20\x7f\\]")
_BODY_HEADERS: Final = frozenset({"content-encoding", "content-language", "content-location", "content-type"})


class Hop(NamedTuple):
    """One request, as the guest means it: tokens of secrets are still tokens."""

    method: str
    target: Target
    headers: HeaderPairs
    body: bytes


def next_hop(hop: Hop, status: int, location: str, vault: Vault) -> Hop:
    """Return the request that a redirect asks for; whether it is granted is for the caller to see.

    Raises `RefusedError` for a location that is no http URL, and where a body that holds a secret would go to another
    origin.
    """
    target = _resolve(hop.target, location)
    rewritten = _is_rewritten(status, hop.method)
    body = b"" if rewritten else hop.body
    headers = hop.headers
    if rewritten:
        headers = tuple(pair for pair in headers if pair[0].lower() not in _BODY_HEADERS)
    if target.origin != hop.target.origin:
        headers = tuple((name, value) for name, value in headers if not (is_sensitive(name) or vault.carries(value)))
        if vault.carries_bytes(body):
            raise RefusedError(Refusal.DENIED_HOST, "a redirect would carry a secret to another origin")
    return Hop("GET" if rewritten else hop.method, target, headers, body)


def _resolve(base: Target, location: str) -> Target:
    if _FORBIDDEN.search(location):
        raise RefusedError(Refusal.PROTOCOL_ERROR, "the host redirects to something that is not a URL")
    try:
        return Target.parse(urljoin(base.url, location))
    except ValueError as error:
        raise RefusedError(Refusal.PROTOCOL_ERROR, f"the host redirects to a bad URL: {error}") from None


def _is_rewritten(status: int, method: str) -> bool:
    if status == 303:  # noqa: PLR2004 - a status code is its own name
        return method not in ("GET", "HEAD")
    return status in (301, 302) and method == "POST"
