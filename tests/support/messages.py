"""The golden messages that are well-formed, by kind and name."""

from typing import Any, Final

Messages = dict[str, dict[str, Any]]

_CONTEXT: Final = {
    "function": "fun_01hv0000000000000000000001",
    "version": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "source": "src_01hv0000000000000000000002",
    "destination": "dst_01hv0000000000000000000003",
    "attempt": 1,
    "deadline_ms": 5000,
}
_SOURCE_CONTEXT: Final = {**_CONTEXT, "destination": None}
_SETTINGS: Final = {
    "apiKey": "k-123",
    "region": "eu",
    "batch": True,
    "limit": 2.5,
    "tags": ["a", "b"],
    "map": {"x": "y"},
}

_EVENTS: Final[dict[str, dict[str, Any]]] = {
    "onTrack": {"type": "track", "event": "Order Completed", "properties": {"total": 99.5, "items": 3, "gift": False}},
    "onIdentify": {"type": "identify", "traits": {"email": "zoë@example.com", "name": "Zoë 🦊", "plan": None}},
    "onPage": {"type": "page", "name": "Home", "category": "Docs", "properties": {"url": "https://example.com/"}},
    "onScreen": {"type": "screen", "name": "Cart", "properties": {}},
    "onGroup": {"type": "group", "groupId": "g-1", "traits": {"employees": 70000}},
    "onAlias": {"type": "alias", "previousId": "anon-1"},
    "onDelete": {"type": "delete"},
    "onSet": {"type": "set", "collection": "orders", "id": "o-1", "properties": {"state": "paid"}},
}


def _event(handler: str) -> dict[str, Any]:
    stamps = {"messageId": "m-1", "timestamp": "2026-01-02T03:04:05.678Z", "userId": "u-1"}
    return {**_EVENTS[handler], **stamps}


def _call(handler: str, payload: object, context: dict[str, Any] = _CONTEXT) -> dict[str, Any]:
    return {"handler": handler, "payload": payload, "settings": _SETTINGS, "context": context}


_EVERY_ENCODING: Final = {
    "positive fixint": [0, 1, 127],
    "unsigned": [128, 255, 256, 65535, 65536, 4294967295, 4294967296, 9007199254740992, 18446744073709551615],
    "negative fixint": [-1, -32],
    "signed": [-33, -128, -129, -32768, -32769, -2147483648, -2147483649, -9223372036854775808],
    "floats": [0.0, -0.0, 1.5, -1e300, 5e-324, 3.141592653589793],
    "constants": [None, False, True],
    "fixstr": ["", "a", "x" * 31],
    "str 8": ["x" * 32, "x" * 255],
    "str 16": "x" * 256,
    "text": ["ä", "€", "🦊", "\x00", 'quote " and \\ backslash\n', "\u2028"],
    "empty": [[], {}],
    "fixarray": [0] * 15,
    "array 16": [0] * 16,
    "fixmap": {f"k{i:02}": i for i in range(15)},
    "map 16": {f"k{i:02}": i for i in range(16)},
    "deep": [[[[[[{"a": [{"b": {}}]}]]]]]],
    "k" * 32: "a key of 32 bytes",
}

_WEBHOOK: Final = {
    "method": "POST",
    "url": "https://hooks.example.com/in/orders?shop=7&shop=8&empty=",
    "headers": [["content-type", "application/json"], ["x-signature", "sha256=00ff"], ["via", "a"], ["via", "b"]],
    "query": [["shop", "7"], ["shop", "8"], ["empty", ""]],
    "body": b'{"id": 7, "note": "raw \xff bytes"}\r\n\x00',
}

_CALLS: Final[Messages] = {
    **{f"call/{handler}": _call(handler, _event(handler)) for handler in _EVENTS},
    "call/onBatch": _call("onBatch", [_event("onTrack"), _event("onIdentify"), _event("onTrack")]),
    "call/onRequest": _call("onRequest", _WEBHOOK, _SOURCE_CONTEXT),
    "call/onRequest_empty": _call(
        "onRequest",
        {"method": "GET", "url": "https://hooks.example.com/in/orders", "headers": [], "query": [], "body": b""},
        _SOURCE_CONTEXT,
    ),
    "call/onRequest_bin_16": _call("onRequest", {**_WEBHOOK, "body": bytes(range(256)) * 2}, _SOURCE_CONTEXT),
    "call/every_encoding": _call("onTrack", _EVERY_ENCODING),
}

_REPLIES: Final[Messages] = {
    "reply/done": {"verdict": "done"},
    "reply/retry": {"verdict": "retry", "message": "429 from the API", "code": "rate_limited", "retry_after_ms": 30000},
    "reply/retry_at_once": {"verdict": "retry", "retry_after_ms": 0},
    "reply/fail": {"verdict": "fail", "message": "the API key was refused", "code": "unauthorized"},
    "reply/drop": {"verdict": "drop", "message": "a test order"},
    "reply/unsupported": {"verdict": "unsupported", "message": "no onScreen here"},
    "reply/nulls": {
        "verdict": "done",
        "message": None,
        "code": None,
        "retry_after_ms": None,
        "results": None,
        "events": None,
        "response": None,
        "event": None,
    },
    "reply/unknown_keys": {"future": {"deeply": [1, {"unknown": b"\x00"}]}, "verdict": "done", "x": None},
    "reply/batch": {
        "verdict": "done",
        "results": [
            {"verdict": "done"},
            {"verdict": "retry", "message": "busy", "code": "busy", "retry_after_ms": 1500},
            {"verdict": "fail", "message": "invalid"},
            {"verdict": "drop"},
            {"verdict": "unsupported"},
        ],
    },
    "reply/batch_as_a_whole": {"verdict": "retry", "message": "the API is down"},
    "reply/source": {
        "verdict": "done",
        "events": [_event("onTrack"), _event("onSet")],
        "response": {"status": 202, "headers": [["content-type", "text/plain"]], "body": b"thanks\xff\x00"},
    },
    "reply/response_only": {"verdict": "done", "response": {"status": 204}},
    "reply/insert": {"verdict": "done", "event": _event("onIdentify")},
    "reply/event_of_every_encoding": {"verdict": "done", "event": _EVERY_ENCODING},
}

_DESCRIPTIONS: Final[Messages] = {
    "description/destination": {
        "abi": 1,
        "sdk": "guesthouse-c 1.0.0",
        "language": "c",
        "kind": "destination",
        "handlers": ["onTrack", "onIdentify", "onBatch"],
        "settings": [
            {"name": "apiKey", "type": "string", "label": "API key", "required": True, "secret": True},
            {"name": "region", "type": "string", "description": "Where your account lives"},
            {"name": "batch", "type": "boolean"},
            {"name": "limit", "type": "number"},
            {"name": "tags", "type": "array"},
            {"name": "map", "type": "map"},
        ],
    },
    "description/source": {
        "abi": 1,
        "sdk": "guesthouse-rust 1.0.0",
        "language": "rust",
        "kind": "source",
        "handlers": ["onRequest"],
        "settings": [],
    },
    "description/insert": {"abi": 1, "sdk": "none", "language": "wat", "kind": "insert", "handlers": ["onTrack"]},
}

_REQUESTS: Final[Messages] = {
    "request/http_send_get": {"method": "GET", "url": "https://api.example.com/v1/items?page=2"},
    "request/http_send_post": {
        "method": "POST",
        "url": "https://api.example.com/v1/items",
        "headers": [["content-type", "application/octet-stream"], ["x-tag", "a"], ["x-tag", "b"]],
        "body": b"\x00\xff raw",
        "timeout_ms": 2500,
        "redirect": False,
    },
    "request/hmac_sign": {"secret": "signingKey", "algorithm": "sha256", "data": b"signed \xff bytes"},
    "request/hmac_verify": {
        "secret": "signingKey",
        "algorithm": "sha1",
        "data": b"signed \xff bytes",
        "signature": bytes(range(20)),
    },
    "request/cache_get": {"key": "token"},
    "request/cache_set": {"key": "token", "value": b"\x00\x01 value", "ttl_ms": 60000},
    "request/cache_delete": {"key": "token"},
}

_RESULTS: Final[Messages] = {
    "result/http_response": {
        "status": 200,
        "headers": [["content-type", "application/json"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]],
        "body": b'{"ok": true}\xff',
        "url": "https://api.example.com/v1/items/7",
    },
    "result/http_empty": {"status": 204, "headers": [], "body": b"", "url": "https://api.example.com/"},
    "result/refusal": {"error": {"code": "denied_host", "message": "no grant covers https://example.org/"}},
    "result/refusal_late": {"error": {"code": "timed_out", "message": "no response within 2,500 ms"}},
    "result/signature": {"signature": bytes(range(32))},
    "result/valid": {"valid": True},
    "result/invalid": {"valid": False},
    "result/cached": {"found": True, "value": b"\x00\x01 value"},
    "result/cached_empty": {"found": True, "value": b""},
    "result/not_cached": {"found": False, "value": None},
    "result/done": {"ok": True},
}

MESSAGES: Final[Messages] = {**_CALLS, **_REPLIES, **_DESCRIPTIONS, **_REQUESTS, **_RESULTS}
