"""What ``--event`` holds, as the handler that it is for and the payload that this takes."""

import base64
import binascii
import json
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from guesthouse.abi.call import Webhook
from guesthouse.abi.contract import HANDLERS, MAX_EVENT_BYTES, MAX_EVENTS, MAX_HEADERS
from guesthouse.cli.exits import BadInput
from guesthouse.cli.inputs import kind_of

BATCH: Final = "onBatch"
REQUEST: Final = "onRequest"
BY_TYPE: Final = {name[2:].lower(): name for name in HANDLERS if name not in (BATCH, REQUEST)}
"""The handler of each type of event."""

BATCH_BYTES: Final = 500 << 10
WEBHOOK_BYTES: Final = 1 << 20
_REQUEST_KEYS: Final = ("method", "url", "headers", "query", "body", "body_base64")


def payload_of(document: object, handler: str | None) -> tuple[str, object]:
    """Choose the handler (unless given) and build its payload.

    A list is a batch; an object is an event, or a request where *handler* is ``onRequest`` or where it has no ``type``
    but ``method`` and ``url``. `BadInput` says what is wrong.
    """
    if isinstance(document, list):
        return _batch(document, handler)
    if not isinstance(document, dict):
        raise BadInput(f"an event is a JSON object and a batch is a list of them; this is {kind_of(document)}")
    if handler == BATCH:
        raise BadInput(f"{BATCH} takes a list of events; this is an object")
    is_request = "type" not in document and "method" in document and "url" in document
    if handler == REQUEST or (handler is None and is_request):
        return REQUEST, webhook(document)
    _check_size(document, MAX_EVENT_BYTES, "the event")
    return handler or _handler_of(document), document


def _batch(events: list[Any], handler: str | None) -> tuple[str, object]:
    if handler not in (None, BATCH):
        raise BadInput(f"{handler} takes one JSON object; this is a list, which {BATCH} takes")
    if len(events) > MAX_EVENTS:
        raise BadInput(f"a batch of {len(events):,} events is too large; {MAX_EVENTS:,} are allowed")
    for position, event in enumerate(events, 1):
        if not isinstance(event, dict):
            raise BadInput(f"event {position} of the batch is {kind_of(event)}, not an object")
        _check_size(event, MAX_EVENT_BYTES, f"event {position} of the batch")
    _check_size(events, BATCH_BYTES, "the batch")
    return BATCH, events


def _handler_of(event: dict[str, Any]) -> str:
    kind = event.get("type")
    if isinstance(kind, str) and kind in BY_TYPE:
        return BY_TYPE[kind]
    known = ", ".join(BY_TYPE)
    fault = f"the event's type is {kind!r:.60}, none of {known}" if kind is not None else "the event has no type"
    raise BadInput(f"{fault}; mend it or name the handler with --handler")


def _check_size(value: object, limit_bytes: int, what: str) -> None:
    size = len(_json_bytes(value))
    if size > limit_bytes:
        raise BadInput(f"{what} is {size:,} bytes as JSON; {limit_bytes:,} are allowed")


def _json_bytes(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")


def webhook(document: dict[str, Any]) -> Webhook:
    """Build the payload of ``onRequest`` from ``{method, url, headers, query, body}``.

    All but ``url`` may be missing. A body that isn't a string is sent as its JSON; ``body_base64`` holds bytes. The
    query is taken from the URL unless it is given.
    """
    unknown = [key for key in document if key not in _REQUEST_KEYS]
    if unknown:
        raise BadInput(f"a request has no {unknown[0]!r:.60}; it has {', '.join(_REQUEST_KEYS)}")
    url = _string(document, "url")
    query = _pairs(document, "query") if "query" in document else _query_of(url)
    headers = tuple((name.lower(), value) for name, value in _pairs(document, "headers"))
    return Webhook(
        method=_string(document, "method", "POST"), url=url, headers=headers, query=query, body=_body(document)
    )


def _string(document: dict[str, Any], key: str, default: str | None = None) -> str:
    value = document.get(key, default)
    if not isinstance(value, str) or not value:
        raise BadInput(f"a request's {key} is a string that isn't empty, not {kind_of(value)}")
    return value


def _query_of(url: str) -> tuple[tuple[str, str], ...]:
    try:
        return tuple(parse_qsl(urlsplit(url).query, keep_blank_values=True, max_num_fields=MAX_HEADERS))
    except ValueError as error:
        raise BadInput(f"the request's url can't be read: {error}") from None


def _pairs(document: dict[str, Any], key: str) -> tuple[tuple[str, str], ...]:
    """Take ``{"name": "value"}`` or ``[["name", "value"]]``, which may repeat a name."""
    value = document.get(key, {})
    items = list(value.items()) if isinstance(value, dict) else value
    if not isinstance(items, list) or not all(_is_pair(item) for item in items):
        raise BadInput(f"a request's {key} are an object of strings, or a list of pairs of strings")
    if len(items) > MAX_HEADERS:
        raise BadInput(f"a request has {len(items):,} {key}; {MAX_HEADERS:,} are allowed")
    return tuple((name, text) for name, text in items)


def _is_pair(item: object) -> bool:
    return (
        isinstance(item, list | tuple) and len(item) == len(("name", "value")) and all(isinstance(x, str) for x in item)
    )


def _body(document: dict[str, Any]) -> bytes:
    if "body" in document and "body_base64" in document:
        raise BadInput("a request has a body or a body_base64, not both")
    body = _base64(document["body_base64"]) if "body_base64" in document else _text_body(document.get("body"))
    if len(body) > WEBHOOK_BYTES:
        raise BadInput(f"the request's body is {len(body):,} bytes; {WEBHOOK_BYTES:,} are allowed")
    return body


def _text_body(value: object) -> bytes:
    if value is None:
        return b""
    return value.encode("utf-8", "surrogatepass") if isinstance(value, str) else _json_bytes(value)


def _base64(value: object) -> bytes:
    try:
        return base64.b64decode(value if isinstance(value, str) else "?", validate=True)
    except (binascii.Error, ValueError):
        raise BadInput("the request's body_base64 isn't base64") from None
