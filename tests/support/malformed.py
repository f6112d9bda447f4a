"""The golden messages that are malformed, by name: the kind of message, its fault and its bytes."""

import struct
from dataclasses import dataclass
from typing import Any, Final

import msgpack


@dataclass(frozen=True, slots=True)
class Malformed:
    """A message that no host may accept."""

    message: str
    """``reply``, ``description`` or the name of an import."""
    fault: str
    """What Guesthouse's host says; other hosts may use other words."""
    data: bytes


def _reply(fault: str, message: object) -> Malformed:
    return Malformed("reply", fault, message if isinstance(message, bytes) else msgpack.packb(message))


def _done(**fields: object) -> dict[str, Any]:
    return {"verdict": "done", **fields}


def _after_done(key: str, value: bytes) -> bytes:
    """Pack ``{"verdict": "done", key: value}`` where *value* is MessagePack, or pretends to be."""
    return b"\x82" + b"".join(map(msgpack.packb, ("verdict", "done", key))) + value


def _description(fault: str, **fields: object) -> Malformed:
    good = {"abi": 1, "sdk": "none", "language": "wat", "kind": "destination", "handlers": ["onTrack"], "settings": []}
    return Malformed("description", fault, msgpack.packb({**good, **fields}))


def _request(name: str, fault: str, **fields: object) -> Malformed:
    return Malformed(name, fault, msgpack.packb(fields))


_HMAC: Final = {"secret": "signingKey", "algorithm": "sha256"}
_TOO_MANY: Final = "more values than a message may hold"

_NOT_MESSAGEPACK: Final = {
    "empty": _reply("reply is cut short after 0 bytes", b""),
    "cut_short": _reply("reply is cut short after 12 bytes", msgpack.packb(_done())[:12]),
    "cut_short_in_a_key": _reply("reply is cut short after 4 bytes", b"\x81\xa7ve"),
    "more_behind": _reply(
        "reply, at byte 14: the message ends here, but not its bytes", msgpack.packb(_done()) + b"\xc0"
    ),
    "not_a_map": _reply("reply, at byte 0: a message is a map", ["done"]),
    "nil": _reply("reply, at byte 0: a message is a map", b"\xc0"),
    "never_used_byte": _reply("reply, at byte 16: a byte that MessagePack never uses", _after_done("x", b"\xc1")),
    "extension": _reply("reply, at byte 16: an extension type", _after_done("x", b"\xd4\x05\x00")),
    "timestamp": _reply("reply, at byte 16: an extension type", _after_done("x", b"\xd6\xff\x00\x00\x00\x01")),
    "not_a_number": _reply("reply, at byte 16: a number that is not finite", _done(x=float("nan"))),
    "infinity": _reply("reply, at byte 18: a number that is not finite", _done(x=[{}, float("-inf")])),
    "infinity_32": _reply(
        "reply, at byte 16: a number that is not finite", _after_done("x", b"\xca" + struct.pack(">f", float("inf")))
    ),
    "not_utf_8": _reply(r"reply: the text b'caf\xe9' is not UTF-8", _after_done("message", b"\xa4caf\xe9")),
    "surrogate": _reply(r"reply: the text b'\xed\xa0\x80' is not UTF-8", _after_done("message", b"\xa3\xed\xa0\x80")),
    "key_is_a_number": _reply("reply, at byte 14: a key that is not text", b"\x82\xa7verdict\xa4done\x01\x02"),
    "key_is_nil": _reply("reply, at byte 24: a key that is not text", _after_done("event", b"\x82\xa1a\xc0\xc0\x01")),
    "key_is_binary": _reply("reply, at byte 17: a key that is not text", _after_done("x", b"\x81\xc4\x01a\x01")),
}

_BOMBS: Final = {
    "deep_arrays": _reply(
        "reply, at byte 79: more than 64 containers inside one another", _after_done("x", b"\x91" * 64 + b"\xc0")
    ),
    "deep_maps": _reply(
        "reply, at byte 205: more than 64 containers inside one another", _after_done("x", b"\x81\xa1k" * 64 + b"\xc0")
    ),
    "array_claims_everything": _reply(f"reply, at byte 21: {_TOO_MANY}", _after_done("x", b"\xdd\xff\xff\xff\xff")),
    "map_claims_everything": _reply(f"reply, at byte 21: {_TOO_MANY}", _after_done("x", b"\xdf\xff\xff\xff\xff")),
    "message_claims_everything": _reply(f"reply, at byte 5: {_TOO_MANY}", b"\xdf\xff\xff\xff\xff"),
    "text_claims_everything": _reply("reply is cut short after 21 bytes", _after_done("x", b"\xdb\xff\xff\xff\xff")),
    "binary_claims_everything": _reply("reply is cut short after 21 bytes", _after_done("x", b"\xc6\xff\xff\xff\xff")),
    "too_many_values": _reply(f"reply, at byte 21: {_TOO_MANY}", _after_done("x", b"\xdd\x00\x01\x38\x80")),
}

_REPLIES: Final = {
    "verdict_unknown": _reply("reply.verdict: 'maybe' is not a verdict", {"verdict": "maybe"}),
    "verdict_missing": _reply("reply.verdict is missing", {"message": "hello"}),
    "verdict_not_text": _reply("reply.verdict: expected str, got int", {"verdict": 1}),
    "result_verdict_unknown": _reply(
        "reply.results[3].verdict: 'maybe' is not a verdict",
        _done(results=[{"verdict": "done"}] * 3 + [{"verdict": "maybe"}]),
    ),
    "result_verdict_missing": _reply("reply.results[0].verdict is missing", _done(results=[{}])),
    "too_many_results": _reply("reply.results: expected array of length <= 2500", _done(results=[{}] * 2501)),
    "code_too_long": _reply("reply.code: expected str of length <= 64", _done(code="x" * 65)),
    "retry_after_negative": _reply("reply.retry_after_ms: expected int >= 0", _done(retry_after_ms=-1)),
    "retry_after_too_large": _reply(
        "reply.retry_after_ms: expected int <= 9007199254740992", _done(retry_after_ms=(1 << 53) + 1)
    ),
    "retry_after_a_float": _reply("reply.retry_after_ms: expected int | null, got float", _done(retry_after_ms=1.5)),
    "too_many_events": _reply("reply.events: expected array of length <= 2500", _done(events=[{}] * 2501)),
    "event_not_a_map": _reply("reply.events[1]: expected map, got str", _done(events=[{}, "track"])),
    "event_too_large": _reply("reply.event is 32,774 bytes; 32,768 are allowed", _done(event={"a": "x" * 32_768})),
    "binary_in_an_event": _reply("reply, at byte 23: binary data, which an event can't hold", _done(event={"a": b"x"})),
    "status_too_small": _reply("reply.response.status: expected int >= 100", _done(response={"status": 99})),
    "status_too_large": _reply("reply.response.status: expected int <= 599", _done(response={"status": 600})),
    "status_missing": _reply("reply.response.status is missing", _done(response={"body": b""})),
    "body_not_binary": _reply(
        "reply.response.body: expected bytes | null, got str", _done(response={"status": 200, "body": "text"})
    ),
    "header_not_a_pair": _reply(
        "reply.response.headers[0]: expected array of length 2, got 1",
        _done(response={"status": 200, "headers": [["a"]]}),
    ),
    "header_name_with_a_line_break": _reply(
        r"reply.response.headers[1]: 'a\r\nb' is not a header's name",
        _done(response={"status": 200, "headers": [["a", "b"], ["a\r\nb", "c"]]}),
    ),
    "header_value_with_a_line_break": _reply(
        "reply.response.headers[0]: a control character in the value of 'a'",
        _done(response={"status": 200, "headers": [["a", "b\r\nset-cookie: c"]]}),
    ),
    "header_value_with_nul": _reply(
        "reply.response.headers[0]: a control character in the value of 'a'",
        _done(response={"status": 200, "headers": [["a", "b\x00"]]}),
    ),
}

_DESCRIPTIONS: Final = {
    "abi_unknown": _description("description.abi: 2 is not the version that this host speaks, 1", abi=2),
    "kind_unknown": _description("description.kind: 'worker' is not a kind", kind="worker"),
    "handler_unknown": _description(
        "description.handlers[1]: 'onClick' is not a handler", handlers=["onTrack", "onClick"]
    ),
    "handler_twice": _description("description.handlers: 'onTrack' comes twice", handlers=["onTrack", "onTrack"]),
    "setting_type_unknown": _description(
        "description.settings[0].type: 'colour' is not a type", settings=[{"name": "a", "type": "colour"}]
    ),
    "setting_without_a_name": _description("description.settings[0].name is missing", settings=[{"type": "string"}]),
    "setting_twice": _description(
        "description.settings: 'a' comes twice",
        settings=[{"name": "a", "type": "string"}, {"name": "a", "type": "map"}],
    ),
}

_REQUESTS: Final = {
    "http_send_without_url": _request("http_send", "http_send.url is missing", method="GET"),
    "http_send_body_as_text": _request(
        "http_send",
        "http_send.body: expected bytes | null, got str",
        method="POST",
        url="https://example.com/",
        body="x",
    ),
    "http_send_headers_as_map": _request(
        *("http_send", "http_send.headers: expected array | null, got map"),
        method="GET",
        url="https://example.com/",
        headers={"accept": "*/*"},
    ),
    "hmac_sign_data_as_text": _request("hmac_sign", "hmac_sign.data: expected bytes, got str", **_HMAC, data="x"),
    "hmac_verify_without_signature": _request("hmac_verify", "hmac_verify.signature is missing", **_HMAC, data=b"x"),
    "cache_get_key_not_text": _request("cache_get", "cache_get.key: expected str, got int", key=7),
    "cache_set_ttl_negative": _request(
        "cache_set", "cache_set.ttl_ms: expected int >= 0", key="a", value=b"x", ttl_ms=-1
    ),
    "cache_delete_without_key": _request("cache_delete", "cache_delete.key is missing"),
}

MALFORMED: Final[dict[str, Malformed]] = {**_NOT_MESSAGEPACK, **_BOMBS, **_REPLIES, **_DESCRIPTIONS, **_REQUESTS}
