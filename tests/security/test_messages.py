"""MessagePack bombs and lies: in replies, in descriptions and in what guests ask of the host."""

import struct
from collections.abc import Mapping

import msgpack
import pytest
from tests.support.guests import DESCRIPTION, host, minimal
from tests.support.hostile import Case, Gauntlet, Upload

from guesthouse.errors import BrokenContract

pytestmark = pytest.mark.anyio

MIB = 1 << 20
CLAIMS = b"\xff\xff\xff\xff"
START = b"\x82\xa7verdict\xa4done\xa1x"
"""Of a reply that has one field more."""

PARSE = """(local $at i32) (local $size i32) (local $kind i32)
(local.set $kind (i32.sub (i32.load8_u offset=25 (local.get $ptr)) (i32.const 0xc4)))
(if (i32.eqz (local.get $kind))
  (then (local.set $size (i32.load8_u offset=26 (local.get $ptr))) (local.set $at (i32.const 27)))
  (else (if (i32.eq (local.get $kind) (i32.const 1))
    (then
      (local.set $size (i32.or (i32.shl (i32.load8_u offset=26 (local.get $ptr)) (i32.const 8))
                               (i32.load8_u offset=27 (local.get $ptr))))
      (local.set $at (i32.const 28)))
    (else
      (local.set $size (i32.or
        (i32.or (i32.shl (i32.load8_u offset=27 (local.get $ptr)) (i32.const 16))
                (i32.shl (i32.load8_u offset=28 (local.get $ptr)) (i32.const 8)))
        (i32.load8_u offset=29 (local.get $ptr))))
      (local.set $at (i32.const 30))))))
(local.set $at (i32.add (local.get $at) (local.get $ptr)))
"""
"""Find the payload, which is MessagePack's ``bin``, behind handler and key."""

PARROT = minimal(
    memory="64",
    call=f"""{PARSE} (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
    (i64.extend_i32_u (local.get $size)))""",
)
"""Answers its payload, whatever it is."""


def asking(name: str) -> bytes:
    """Build the guest that asks the host for its payload, whatever it is, and waits."""
    return minimal(
        memory="64",
        imports=host(name, "wait"),
        call=f"""{PARSE} (i32.store (i32.const 0) (call ${name} (local.get $at) (local.get $size)))
        (drop (call $wait (i32.const 0) (i32.const 1))) (i64.const 0x4000000000e)""",
    )


def filled(item: bytes, size: int = MIB) -> bytes:
    """Repeat *item* in an array until the reply is as large as it may be."""
    count = (size - 64) // len(item)
    return START + b"\xdd" + struct.pack(">I", count) + item * count


BOMBS: Mapping[str, tuple[bytes, str]] = {
    "a million empty maps": (filled(b"\x80"), "more values than"),
    "a million arrays inside one another": (START + b"\x91" * (MIB - 100), "more than 64 containers inside"),
    "an array that claims four billion values": (START + b"\xdd" + CLAIMS, "more values than"),
    "a map that claims four billion pairs": (b"\xdf" + CLAIMS, "more values than"),
    "a text that claims four gigabytes": (START + b"\xdb" + CLAIMS, "is cut short"),
    "binary data that claims four gigabytes": (START + b"\xc6" + CLAIMS, "is cut short"),
    "an extension that claims four gigabytes": (START + b"\xc9" + CLAIMS + b"\x01", "an extension type"),
    "keys that are numbers chosen to collide": (
        START
        + b"\xde\x75\x30"
        + b"".join(b"\xcf" + struct.pack(">Q", n % 8 * ((1 << 61) - 1)) + b"\x01" for n in range(30_000)),
        "a key that is not text",
    ),
    "a megabyte that isn't UTF-8": (
        b"\x82\xa7verdict\xa4done\xa7message\xdb\x00\x0f\x00\x00" + b"\xff" * 0xF0000,
        "UTF-8",
    ),
    "a number that is none": (START + b"\xcb\x7f\xf8" + bytes(6), "not finite"),
    "bytes behind the end": (msgpack.packb({"verdict": "done"}) + bytes(MIB - 100), "the message ends here"),
    "random bytes": (bytes(index * 151 % 256 for index in range(9_999)), "reply"),
}
AS_MANY_AS_ALLOWED = filled(b"\x01", 74_000)
"""Not a bomb but the heaviest honest message: 74,000 values, all of which must be looked at."""

LIES: Mapping[str, tuple[object, str]] = {
    "a verdict that nobody knows": ({"verdict": "maybe"}, "reply.verdict: 'maybe' is not a verdict"),
    "a verdict of a megabyte": ({"verdict": "x" * (MIB - 100)}, "reply.verdict: 'xxx"),
    "no verdict": ({"message": "all is well"}, "reply.verdict is missing"),
    "ten thousand results": ({"verdict": "done", "results": [{"verdict": "done"}] * 10_000}, "length <= 2500"),
    "an event of a megabyte": ({"verdict": "done", "event": {"a": "x" * 999_999}}, "32,768 are allowed"),
    "a delay of minus a second": ({"verdict": "retry", "retry_after_ms": -1_000}, "reply.retry_after_ms"),
    "a delay beyond all numbers": ({"verdict": "retry", "retry_after_ms": (1 << 64) - 1}, "reply.retry_after_ms"),
    "a header that ends the headers": (
        {"verdict": "done", "response": {"status": 200, "headers": [["a", "b\r\n\r\n<script>"]]}},
        "a control character",
    ),
}


REQUESTS: Mapping[str, tuple[str, bytes, str]] = {
    "a request whose headers claim four billion": (
        "http_send",
        b"\x83\xa6method\xa3GET\xa3url\xa4http\xa7headers\xdd" + CLAIMS,
        "http_send, at byte",
    ),
    "a request of ten thousand headers": (
        "http_send",
        msgpack.packb({"method": "GET", "url": "http://a/", "headers": [["a", "b"]] * 10_000}),
        "more values than",
    ),
    "a request of a thousand arrays inside one another": (
        "http_send",
        b"\x81\xa1x" + b"\x91" * 1_000,
        "more than 64 containers",
    ),
    "a request that is nothing": ("http_send", b"", "cut short after 0 bytes"),
    "a request of a megabyte and more": ("http_send", bytes(MIB + (65 << 10)), "are allowed"),
    "a value for the cache that claims four gigabytes": (
        "cache_set",
        b"\x83\xa3key\xa1k\xa6ttl_ms\x01\xa5value\xc6" + CLAIMS,
        "cut short",
    ),
    "a key for the cache that isn't text": ("cache_set", msgpack.packb({"key": 7, "value": b"", "ttl_ms": 1}), ".key:"),
    "a signature over a megabyte and more": ("hmac_sign", bytes(MIB + 1), "are allowed"),
}

CASES = (
    *(Case(f"a reply: {name}", PARROT, BrokenContract, says, payload=data) for name, (data, says) in BOMBS.items()),
    *(
        Case(f"a reply: {name}", PARROT, BrokenContract, says, payload=msgpack.packb(reply))
        for name, (reply, says) in LIES.items()
    ),
    Case("a reply: as many values as are allowed", PARROT, None, payload=AS_MANY_AS_ALLOWED),
    *(
        Case(f"{name}: {hazard}", asking(name), BrokenContract, says, payload=data)
        for hazard, (name, data, says) in REQUESTS.items()
    ),
    Upload("a description: nothing", minimal(describe="(i64.const 0)"), "description is cut short after 0 bytes"),
    Upload("a description: beyond the memory", minimal(describe="(i64.const 0xffffffff00000001)"), "reach beyond"),
    Upload("a description: of four gigabytes", minimal(describe="(i64.const 0xffffffff)"), "are allowed"),
    Upload("a description: a map that claims all", minimal(description=b"\xdf" + CLAIMS), "more values than"),
    Upload(
        "a description: arrays inside one another", minimal(description=b"\x81\xa1x" + b"\x91" * 99), "more than 64"
    ),
    Upload("a description: another version", minimal(description={**DESCRIPTION, "abi": 2}), "2 is not the version"),
    Upload(
        "a description: a thousand settings",
        minimal(description={**DESCRIPTION, "settings": [{"name": f"s{n}", "type": "string"} for n in range(1_000)]}),
        "length <= 256",
    ),
    Upload("a description: a reply in its place", minimal(description={"verdict": "done"}), "is missing"),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_messages_are_looked_at_before_they_are_read(case: Case | Upload, gauntlet: Gauntlet) -> None:
    """What is malformed ends the attempt, or the upload, as a broken contract that names the fault."""
    await gauntlet.run(case)
