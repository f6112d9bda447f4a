"""Webhooks: any request to ``/v1/hooks/TOKEN`` as it came, and the source function's own answer, made harmless.

The answer is a stranger's HTML or script under our origin, so browsers are told to run and guess nothing, cookies
can't be set, and only headers that webhooks' handshakes need come through.
"""

import logging
import re
from typing import Final
from urllib.parse import parse_qsl

from guesthouse.abi.call import Webhook
from guesthouse.abi.contract import MAX_HEADERS
from guesthouse.api.answers import CLOSE, Header, answer, answer_problem
from guesthouse.api.bodies import Gone, Receive, Scope, Send, read_body
from guesthouse.api.ports import HookAnswer, Hooks
from guesthouse.api.problems import LOG, headers_of, problem_of, tell_error
from guesthouse.clock import Clock
from guesthouse.errors import NotFound, TooLarge, TooSlow
from guesthouse.logs import tell

PREFIX: Final = "/v1/hooks/"
MAX_BYTES: Final = 1 << 20
MAX_VALUE: Final = 4_096
"""Bytes of one header of an answer."""
BODY_SECONDS: Final = 30.0

ALLOWED: Final = frozenset(
    {
        "access-control-allow-headers",
        "access-control-allow-methods",
        "access-control-allow-origin",
        "access-control-max-age",
        "allow",
        "cache-control",
        "content-disposition",
        "content-language",
        "content-type",
        "etag",
        "expires",
        "last-modified",
        "retry-after",
        "vary",
        "webhook-allowed-origin",
        "webhook-allowed-rate",
        "www-authenticate",
        "x-hook-secret",
        "x-request-id",
    }
)
"""Headers of a function's answer that come through; in lower case."""
_HARMLESS: Final[tuple[Header, ...]] = (
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'; sandbox"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"no-referrer"),
)
_PLAIN: Final[Header] = (b"content-type", b"text/plain; charset=utf-8")
_TOKEN: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")
_VALUE: Final = re.compile(r"[\x20-\x7e\xa0-\xff]*")
_BODILESS: Final = frozenset({204, 205, 304})
_STATUSES: Final = range(200, 600)
_BAD_GATEWAY: Final = 502


class HookEndpoint:
    """An ASGI app for the paths below `PREFIX`."""

    def __init__(self, hooks: Hooks, clock: Clock, *, body_seconds: float = BODY_SECONDS) -> None:
        """Hand requests to *hooks*."""
        self._hooks = hooks
        self._clock = clock
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            given = await self._receive(scope, receive)
        except Gone:
            tell(LOG, logging.INFO, "hook.abandoned", client=_client(scope))
        except Exception as error:  # noqa: BLE001 - the tree's base and bugs: all are answered, bugs with 500
            # The path holds the token, which nobody may read in a log.
            tell_error(error, "hook.refused", path=PREFIX, method=scope["method"], client=_client(scope))
            headers = [*_HARMLESS, *headers_of(error, self._clock.now_ms())]
            if isinstance(error, TooLarge | TooSlow):
                headers.append(CLOSE)
            await answer_problem(send, problem_of(error), headers)
        else:
            await _pass_on(given, send)

    async def _receive(self, scope: Scope, receive: Receive) -> HookAnswer:
        token = scope["path"].removeprefix(PREFIX)
        if not _TOKEN.fullmatch(token):
            raise NotFound("webhook address", "")
        body = await read_body(scope, receive, "the webhook", limit=MAX_BYTES, seconds=self._body_seconds)
        return await self._hooks.receive(token, _read_webhook(scope, body), _client(scope))


def _read_webhook(scope: Scope, body: bytes) -> Webhook:
    if len(scope["headers"]) > MAX_HEADERS:
        raise TooLarge("the webhook", MAX_HEADERS, "headers")
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"])
    host = next((value for name, value in headers if name == "host"), "")
    query = scope["query_string"].decode("latin-1")
    return Webhook(
        method=scope["method"],
        url=f"{scope['scheme']}://{host}{scope['path']}{'?' if query else ''}{query}",
        headers=headers,
        query=tuple(parse_qsl(query, keep_blank_values=True)),
        body=body,
    )


async def _pass_on(given: HookAnswer, send: Send) -> None:
    status = given.status if given.status in _STATUSES else _BAD_GATEWAY
    headers = allowed_headers(given)
    if status in _BODILESS:
        await send({"type": "http.response.start", "status": status, "headers": [*headers, *_HARMLESS]})
        await send({"type": "http.response.body", "body": b""})
        return
    if given.body and not any(name == b"content-type" for name, _ in headers):
        headers.append(_PLAIN)
    await answer(send, status, given.body, [*headers, *_HARMLESS])


def allowed_headers(given: HookAnswer) -> list[Header]:
    """Give those headers of an answer that come through: allowed by name, and of what HTTP can carry."""
    return [
        (name.lower().encode(), value.encode("latin-1"))
        for name, value in given.headers
        if name.lower() in ALLOWED and len(value) <= MAX_VALUE and _VALUE.fullmatch(value)
    ]


def _client(scope: Scope) -> str | None:
    client = scope.get("client")
    return client[0] if client else None
