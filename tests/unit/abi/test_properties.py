"""What holds for whatever a guest writes, and for whatever the host says to it."""

import math
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.abi import DECODERS, arrived, written
from tests.support.vectors import Vector, vectors

from guesthouse.abi.bounds import check
from guesthouse.abi.call import CallContext, Webhook, encode_call
from guesthouse.abi.reply import decode_reply
from guesthouse.errors import BrokenContract

_integers = st.integers(-(1 << 63), (1 << 64) - 1)
_scalars = (
    st.none() | st.booleans() | _integers | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=40)
)


def _nest(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(values, max_size=20) | st.dictionaries(st.text(max_size=40), values, max_size=20)


_values = st.recursive(_scalars, _nest, max_leaves=40)
_events = st.dictionaries(st.text(max_size=20), _values, max_size=8)
_wild = st.recursive(
    _scalars | st.binary(max_size=20) | st.floats() | st.just(msgpack.ExtType(1, b"x")),
    lambda inner: (
        _nest(inner)
        | st.dictionaries(st.integers().filter(lambda n: abs(n) < 1 << 63) | st.binary(), inner, max_size=4)
    ),
    max_leaves=20,
)
_pairs = st.lists(
    st.tuples(
        st.from_regex(r"[a-z-]{1,10}", fullmatch=True),
        st.text(st.characters(codec="ascii", categories=["L", "N", "P"])),
    ).map(list),
    max_size=5,
)
_verdicts = st.sampled_from(["done", "retry", "fail", "drop", "unsupported"])
_item = {
    "message": st.none() | st.text(max_size=100),
    "code": st.none() | st.text(max_size=64),
    "retry_after_ms": st.none() | st.integers(0, 1 << 53),
}
_results = st.fixed_dictionaries({"verdict": _verdicts}, optional=_item)
_replies = st.fixed_dictionaries(
    {"verdict": _verdicts},
    optional={
        **_item,
        "results": st.none() | st.lists(_results, max_size=5),
        "events": st.none() | st.lists(_events, max_size=3),
        "event": st.none() | _events,
        "response": st.none()
        | st.fixed_dictionaries(
            {"status": st.integers(100, 599)},
            optional={"headers": _pairs, "body": st.binary()},
        ),
        "unknown": st.none() | _values | st.binary(),
    },
)


def _fault(name: str, data: bytes) -> str:
    """Decode; answer what was wrong, or what a fault would begin with."""
    try:
        DECODERS[name](data)
    except BrokenContract as fault:
        return str(fault)
    return name


def _decodes_or_breaks(name: str, data: bytes) -> None:
    fault = _fault(name, data)
    assert fault.startswith(name)
    assert len(fault) < 400


@pytest.mark.parametrize("name", DECODERS)
@given(data=st.binary(max_size=200))
def test_whatever_bytes_give_a_value_or_a_broken_contract(name: str, data: bytes) -> None:
    """No other exception leaves a decoder, and a fault begins with the message that it is in."""
    _decodes_or_breaks(name, data)


@pytest.mark.parametrize("name", DECODERS)
@given(message=_wild)
def test_whatever_messagepack_gives_a_value_or_a_broken_contract(name: str, message: object) -> None:
    """Extensions, keys of every kind, numbers that are none: all of it well-formed, none of it dangerous."""
    _decodes_or_breaks(name, msgpack.packb(message))


_MUTABLE = [vector for kind in ("reply", "description", "request") for vector in vectors(kind)]


@given(vector=st.sampled_from(_MUTABLE), value=_wild, choice=st.data())
def test_one_wrong_field_gives_a_value_or_a_broken_contract(
    vector: Vector, value: object, choice: st.DataObject
) -> None:
    """A golden message with anything at all in one of its fields."""
    key = choice.draw(st.sampled_from(sorted(vector.message)))
    data = msgpack.packb({**vector.message, key: value})
    for name in DECODERS:
        _decodes_or_breaks(name, data)


@given(message=_replies)
def test_every_good_reply_arrives(message: dict[str, Any]) -> None:
    """What the msgpack package wrote within the bounds is read without loss."""
    reply = decode_reply(msgpack.packb(message))
    message.pop("unknown", None)
    assert arrived(message, written(reply))
    assert list(reply.events) == (message.get("events") or [])
    assert reply.event == message.get("event")


@given(message=_replies, cut=st.integers(0, 1 << 20))
def test_no_good_reply_survives_a_cut(message: dict[str, Any], cut: int) -> None:
    """Every prefix of a message is cut short, and says so."""
    data = msgpack.packb(message)
    with pytest.raises(BrokenContract, match=r"^reply is cut short after"):
        decode_reply(data[: cut % len(data)])


@given(payload=_values | st.lists(_events) | st.binary(), told=_events)
def test_every_payload_reaches_the_guest(payload: object, told: dict[str, Any]) -> None:
    """What the host wrote is read by the msgpack package without loss."""
    data = encode_call("onTrack", payload, told, CallContext(deadline_ms=1))
    call = msgpack.unpackb(data)
    assert call["payload"] == payload
    assert call["settings"] == told


@given(body=st.binary(), pairs=st.lists(st.tuples(st.text(), st.text())))
def test_every_webhook_reaches_the_guest(body: bytes, pairs: list[tuple[str, str]]) -> None:
    """Bodies byte by byte, headers and parameters in order."""
    webhook = Webhook(method="POST", url="/", headers=tuple(pairs), query=tuple(pairs), body=body)
    told = msgpack.unpackb(encode_call("onRequest", webhook, {}, CallContext(deadline_ms=1)))["payload"]
    assert told["body"] == body
    assert told["headers"] == told["query"] == [list(pair) for pair in pairs]


def _is_plain(value: object) -> bool:
    match value:
        case dict():
            return all(isinstance(key, str) and _is_plain(item) for key, item in value.items())
        case list():
            return all(map(_is_plain, value))
        case float():
            return math.isfinite(value)
    return not isinstance(value, msgpack.ExtType | msgpack.Timestamp)


@settings(max_examples=300)
@given(message=st.dictionaries(st.text(max_size=5) | st.integers(0, 9), _wild, max_size=4))
def test_the_look_agrees_with_the_msgpack_package(message: dict[Any, Any]) -> None:
    """What passes is exactly what is plain: text as keys, finite numbers, no extension types."""
    data = msgpack.packb(message)
    try:
        check(data, "it", 10_000)
        passed = True
    except BrokenContract:
        passed = False
    assert passed == _is_plain(message)


@settings(max_examples=300)
@given(data=st.binary(max_size=60))
def test_whatever_passes_the_look_is_messagepack(data: bytes) -> None:
    """The msgpack package finds no fault in it either, but for text that is not UTF-8."""
    framed = b"\x81\xa1x" + data
    try:
        check(framed, "it", 10_000)
    except BrokenContract:
        return
    assert _is_plain(msgpack.unpackb(framed, unicode_errors="replace"))
