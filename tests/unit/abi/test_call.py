"""What guests are called with."""

import math

import msgpack
import msgspec
import pytest

from guesthouse.abi.call import CallContext, Webhook, encode_call

_CONTEXT = CallContext(function="fun_1", version="v", source="src_1", attempt=2, deadline_ms=5_000)
_TOLD = {
    "function": "fun_1",
    "version": "v",
    "source": "src_1",
    "destination": None,
    "attempt": 2,
    "deadline_ms": 5_000,
}


def test_a_call_has_four_parts() -> None:
    """Handler, payload, settings and context; a name that doesn't apply is nil."""
    data = encode_call("onTrack", {"event": "E"}, {"key": "k"}, _CONTEXT)
    expected = {"handler": "onTrack", "payload": {"event": "E"}, "settings": {"key": "k"}, "context": _TOLD}
    assert msgpack.unpackb(data) == expected


def test_an_encoded_payload_is_passed_through() -> None:
    """An event that is stored as MessagePack isn't decoded to be encoded again."""
    event = {"a": [1, "x", b"\x00"]}
    raw = msgspec.Raw(msgpack.packb(event))
    assert encode_call("onTrack", raw, {}, _CONTEXT) == encode_call("onTrack", event, {}, _CONTEXT)


def test_a_webhook_keeps_its_raw_body_and_its_repeats() -> None:
    """Signatures can be verified, and repeated headers and parameters are all there."""
    pairs = (("a", "1"), ("a", "2"))
    webhook = Webhook(method="POST", url="https://h.example.com/?a=1&a=2", headers=pairs, query=pairs, body=b"\xff\x00")
    told = msgpack.unpackb(encode_call("onRequest", webhook, {}, _CONTEXT))["payload"]
    repeats = [["a", "1"], ["a", "2"]]
    url = "https://h.example.com/?a=1&a=2"
    assert told == {"method": "POST", "url": url, "headers": repeats, "query": repeats, "body": b"\xff\x00"}


def test_numbers_beyond_64_bits_become_floats() -> None:
    """A stranger's JSON may hold them, and one of them must not cost the delivery."""
    event = {"big": 10**30, "small": -(10**30), "huge": 10**400, "tiny": -(10**400), "whole": 1 << 63, "yes": True}
    told = msgpack.unpackb(encode_call("onTrack", event, {}, _CONTEXT))["payload"]
    assert told == {"big": 1e30, "small": -1e30, "huge": math.inf, "tiny": -math.inf, "whole": 1 << 63, "yes": True}
    assert told["yes"] is True


def test_lone_surrogates_become_replacement_characters() -> None:
    """Text that isn't Unicode can't be MessagePack either; pairs and all other text stay."""
    told = msgpack.unpackb(encode_call("onTrack", {"a\ud800": ["x\udfffy", "🦊"], "b": (1,)}, {}, _CONTEXT))["payload"]
    assert told == {"a\ufffd": ["x\ufffdy", "🦊"], "b": [1]}


def _deep() -> list[object]:
    inner: list[object] = []
    for _ in range(5_000):
        inner = [inner]
    return inner


@pytest.mark.parametrize("payload", [object(), [10**30, object()], _deep(), [10**30, _deep()]])
def test_what_cannot_be_said_is_a_value_error(payload: object) -> None:
    """Whoever hands in something else learns so by one exception."""
    with pytest.raises(ValueError, match=r"^MessagePack can't hold this call"):
        encode_call("onTrack", payload, {}, _CONTEXT)
