"""Messages that are small to send and would be costly to read: bounded in time and memory, whatever they claim."""

import struct
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

import msgpack
import pytest
from tests.support.abi import DECODERS, Decoder

from guesthouse.abi.contract import MAX_REPLY_VALUES
from guesthouse.errors import BrokenContract

MIB: Final = 1 << 20
_SECONDS: Final = 0.05
"""For the machine on which the bounds were chosen; others are measured first."""
_YARDSTICK_SECONDS: Final = 0.008
"""What `_yardstick` takes there."""
_BYTES: Final = 12 * MIB
_START: Final = b"\x82\xa7verdict\xa4done"


def _fill(item: bytes, size: int = MIB) -> bytes:
    """Repeat *item* in one array until the message is full."""
    count = (size - 32) // len(item)
    return _START + b"\xa1x\xdd" + struct.pack(">I", count) + item * count


def _fit(item: bytes, cost: int, key: bytes = b"events") -> bytes:
    """Repeat *item*, which costs as many values, as often as the look allows, in events as large as allowed."""
    total = (MAX_REPLY_VALUES - 5_000) // cost
    per_event = min(total, 30_000 // len(item))
    count = min(total // per_event, (MIB - 32) // (per_event * len(item)))
    event = b"\x81\xa1a\xdd" + struct.pack(">I", per_event) + item * per_event
    return _START + bytes([0xA0 + len(key)]) + key + b"\xdc" + struct.pack(">H", count) + event * count


def _repeat_field(field: bytes, value: bytes) -> bytes:
    count = min(60_000, MIB // (len(field) + len(value)))
    return b"\xde" + struct.pack(">H", count) + (field + value) * count


_TINY: Final = {
    "integers": (b"\x01", 1),
    "nil": (b"\xc0", 1),
    "empty maps": (b"\x80", 2),
    "empty arrays": (b"\x90", 2),
    "long-winded empty maps": (b"\xdf\x00\x00\x00\x00", 2),
    "maps of one": (b"\x81\xa0\x01", 4),
    "arrays of one": (b"\x91\x01", 3),
    "stairs": (b"\x91" * 20 + b"\x90", 42),
    "floats": (b"\xca\x3f\x80\x00\x00", 1),
    "doubles": (b"\xcb\x3f\xf1\x00\x00\x00\x00\x00\x01", 1),
    "texts": (b"\xa3abc", 1),
    "long-winded texts": (b"\xdb\x00\x00\x00\x01a", 1),
    "long-winded keys": (b"\x81\xda\x00\x01a\xd9\x01b", 4),
}

BOMBS: Final[dict[str, bytes]] = {
    **{f"1 MiB of {name}": _fill(item) for name, (item, _) in _TINY.items()},
    **{f"events of as many {name} as are allowed": _fit(item, cost) for name, (item, cost) in _TINY.items()},
    **{f"as many {name} as are allowed, in an unknown field": _fit(i, cost, b"x") for name, (i, cost) in _TINY.items()},
    "a million arrays in one another": _START + b"\xa1x" + b"\x91" * MIB,
    "a million maps in one another": _START + b"\xa1x" + b"\x81\xa0" * (MIB // 2),
    "arrays that claim four billion values each": _START + b"\xa1x" + b"\xdd\xff\xff\xff\xff" * (MIB // 5),
    "an array that claims all that is allowed": _START + b"\xa1x\xdd" + struct.pack(">I", MAX_REPLY_VALUES - 9),
    "a text that claims 4 GiB": _START + b"\xa1x\xdb\xff\xff\xff\xff" + b"a" * MIB,
    "binary data that claims 4 GiB": _START + b"\xa1x\xc6\xff\xff\xff\xff" + b"a" * MIB,
    "an extension that claims 4 GiB": _START + b"\xa1x\xc9\xff\xff\xff\xff\x01" + b"a" * MIB,
    "one field again and again": _repeat_field(b"\xa6events", b"\xdc\x09\xc4" + b"\x80" * 2_500),
    "another field again and again": _repeat_field(b"\xa7results", b"\xdc\x01\x00" + b"\x81\xa7verdict\xa4done" * 256),
    "keys that collide as numbers": _START
    + b"\xa5event\xde\xff\xff"
    + b"".join(b"\xcf" + struct.pack(">Q", 7 * ((1 << 61) - 1)) + b"\x01" for _ in range(65_535)),
    "a verdict of 1 MiB": msgpack.packb({"verdict": "x" * MIB}),
    "a message of 1 MiB that is not UTF-8": _START + b"\xa7message\xdb\x00\x10\x00\x00" + b"\xff" * MIB,
    "a message of 1 MiB": msgpack.packb({"verdict": "done", "message": "🦊" * (MIB // 4)}),
    "an event of 1 MiB": msgpack.packb({"verdict": "done", "event": {"a": "x" * MIB}}),
    "a header of 1 MiB": msgpack.packb({"verdict": "done", "response": {"status": 200, "headers": [["a" * MIB, ""]]}}),
    "a value of 1 MiB": msgpack.packb({"verdict": "done", "response": {"status": 200, "headers": [["a", "b" * MIB]]}}),
    "1 MiB of nothing": bytes(MIB),
    "1 MiB of 0xff": b"\xff" * MIB,
}


def _try(decode: Decoder, data: bytes) -> None:
    with suppress(BrokenContract):
        decode(data)


def _seconds(work: Callable[[], object]) -> float:
    """CPU time of one run."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


def _yardstick() -> None:
    for _ in range(3):
        [{"a": i, "b": (i,)} for i in range(10_000)]


@pytest.fixture(scope="module")
def allowed_seconds() -> float:
    """Allow slower machines more, and never less than promised."""
    return _SECONDS * max(1.0, min(_seconds(_yardstick) for _ in range(3)) / _YARDSTICK_SECONDS)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_little_time(name: str, allowed_seconds: float) -> None:
    """1 MiB, whatever is in it, is decoded or refused within 50 ms of CPU; one quick run of five shows it."""
    for decode in (DECODERS["reply"], DECODERS["http_send"]):
        work = partial(_try, decode, BOMBS[name])
        assert any(_seconds(work) < allowed_seconds for _ in range(5))


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_takes_little_memory(name: str) -> None:
    """Decoding takes no more than 12 MiB, however much is claimed."""
    data = BOMBS[name]
    tracemalloc.start()
    try:
        _try(DECODERS["reply"], data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < _BYTES
