"""The guests of the benchmark, as WAT, and the one event that they all get."""

from pathlib import Path
from typing import Final

import msgpack
from tests.support.guests import DONE, WASI_FLAGS, build_c, host, literal, minimal, packed, wat

EVENT: Final[dict[str, object]] = {
    "type": "track",
    "event": "Order Completed",
    "userId": "u-123",
    "messageId": "m-1" * 8,
    "properties": {f"k{index}": "v" * 20 for index in range(20)},
    "context": {"ip": "1.2.3.4", "library": {"name": "x", "version": "1"}},
}
EVENT_BYTES: Final[bytes] = msgpack.packb(EVENT)
"""632 bytes."""
REPLY: Final = packed(1024, len(msgpack.packb(DONE)))
"""Where `minimal` keeps the reply."""
BODY: Final = b'{"a":"' + b"b" * 500 + b'"}'

_REQUEST_AT: Final = 64
_RESULT_AT: Final = 32_768


def plain() -> bytes:
    """Answer at once."""
    return minimal()


def waiting_once(pages: str = "1") -> bytes:
    """Suspend once, in ``wait``, then answer: the smallest guest that does."""
    call = """(i32.store (i32.const 0) (call $sleep (i32.const 0)))
(drop (call $wait (i32.const 0) (i32.const 1)))"""
    return minimal(memory=pages, imports=host("sleep", "wait"), call=f"{call} (i64.const {REPLY})")


def bare(pages: str = "1") -> bytes:
    """Suspend once in a host call that has no arguments, then answer."""
    imports = '(import "bare" "wait" (func $wait))'
    return minimal(memory=pages, imports=imports, call=f"(call $wait) (i64.const {REPLY})")


def posting(url: str) -> bytes:
    """POST half a KiB to *url*, wait for the response, read it, answer."""
    headers = [["content-type", "application/json"]]
    request = msgpack.packb({"method": "POST", "url": url, "headers": headers, "body": BODY})
    call = f"""(local $handle i32)
(local.set $handle (call $http_send (i32.const {_REQUEST_AT}) (i32.const {len(request)})))
(i32.store (i32.const 0) (local.get $handle))
(drop (call $wait (i32.const 0) (i32.const 1)))
(drop (call $result_read (local.get $handle) (i32.const {_RESULT_AT})))
(i64.const {REPLY})"""
    data = f"(data (i32.const {_REQUEST_AT}) {literal(request)})"
    return minimal(imports=host("http_send", "wait", "result_read"), call=call, extra=data)


def spinning() -> bytes:
    """Never end."""
    return minimal(call=f"(loop $again (br $again)) (i64.const {REPLY})")


def trapping() -> bytes:
    """Trap."""
    return minimal(call="(unreachable)")


def filling_in_bulk() -> bytes:
    """Fill 63 MiB by ``memory.fill``, over and over."""
    fill = "(memory.fill (i32.const 65536) (local.get $byte) (i32.const 66060288))"
    return _filling(f"(loop $again {_NEXT_BYTE} {fill} (br $again))")


def filling_by_stores() -> bytes:
    """Fill 63 MiB by one store after the other, over and over."""
    store = f"""(i64.store (local.get $at) (i64.extend_i32_u (local.get $byte)))
(local.set $at (i32.add (local.get $at) (i32.const 8)))
(br_if $store (i32.lt_u (local.get $at) (i32.const {64 << 20})))"""
    again = f"(loop $again {_NEXT_BYTE} (local.set $at (i32.const 65536)) (loop $store {store}) (br $again))"
    return _filling(again)


_NEXT_BYTE: Final = "(local.set $byte (i32.add (local.get $byte) (i32.const 1)))"


def _filling(loop: str) -> bytes:
    call = f"(local $byte i32) (local $at i32) (drop (memory.grow (i32.const 1023))) {loop} (i64.const {REPLY})"
    return minimal(call=call)


def counting(iterations: int) -> bytes:
    """Count to *iterations* in a loop as small as loops are."""
    return minimal(call=f"(local $left i32) {_repeated(iterations, '')} (i64.const {REPLY})")


def calling(iterations: int, *imports: str, body: str) -> bytes:
    """Do *body*, which calls some of *imports*, so many times; the second page is free."""
    return minimal(
        imports=host(*imports),
        memory="2",
        call=f"(local $left i32) (local $handle i32) {_repeated(iterations, body)} (i64.const {REPLY})",
        extra=f"(data (i32.const {_REQUEST_AT}) {literal(_REFUSED)})",
    )


_REFUSED: Final = msgpack.packb({"method": "GET", "url": "https://refused.example/"})
REFUSED_REQUEST: Final = f"(i32.const {_REQUEST_AT}) (i32.const {len(_REFUSED)})"
"""Arguments of an ``http_send`` that no grant covers, within `calling`."""


def _repeated(iterations: int, body: str) -> str:
    if not iterations:
        return ""
    return f"""(local.set $left (i32.const {iterations}))
(loop $again {body}
(br_if $again (local.tee $left (i32.sub (local.get $left) (i32.const 1)))))"""


SIEVE_BYTES: Final = 1_000_000
SIEVE_PAGES: Final = 16
_SIEVE: Final = """
(func $sieve (export "sieve") (param $n i32) (result i32) (local $i i32) (local $j i32) (local $count i32)
  (memory.fill (i32.const 0) (i32.const 0) (local.get $n))
  (local.set $i (i32.const 2))
  (loop $candidates
    (if (i32.eqz (i32.load8_u (local.get $i)))
      (then
        (local.set $count (i32.add (local.get $count) (i32.const 1)))
        (local.set $j (i32.shl (local.get $i) (i32.const 1)))
        (block $struck
          (loop $strike
            (br_if $struck (i32.ge_u (local.get $j) (local.get $n)))
            (i32.store8 (local.get $j) (i32.const 1))
            (local.set $j (i32.add (local.get $j) (local.get $i)))
            (br $strike)))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br_if $candidates (i32.lt_u (local.get $i) (local.get $n))))
  (local.get $count))"""


def sieve() -> bytes:
    """Export the sieve of Eratosthenes, for whoever calls it without the contract."""
    return wat(f'(module (memory (export "memory") {SIEVE_PAGES}) {_SIEVE})')


def sieving() -> bytes:
    """Run the sieve for an event, then answer."""
    # The sieve strikes out what `minimal` keeps: the reply is written again.
    reply = msgpack.packb(DONE)
    rewrite = f"(memory.init $reply (i32.const 1024) (i32.const 0) (i32.const {len(reply)}))"
    call = f"(drop (call $sieve (i32.const {SIEVE_BYTES}))) {rewrite} (i64.const {REPLY})"
    return minimal(memory=str(SIEVE_PAGES), call=call, extra=f"(data $reply {literal(reply)}) {_SIEVE}")


def heavy_start(*, is_snapshotted: bool) -> bytes:
    """Fill 1 MiB before the first call; built from C."""
    flags = (*WASI_FLAGS, "-mreference-types", *([] if is_snapshotted else ["-DUNSNAPSHOTTED"]))
    return build_c(_HEAVY_START, flags=flags)


_HEAVY_START: Final = Path(__file__).parent / "guests_c" / "heavy_start.c"


def extism() -> bytes:
    """Copy the input to the output, by Extism's own imports."""
    imports = "".join(
        f'(import "extism:host/env" "{name}" (func ${name} {signature}))'
        for name, signature in (
            ("input_length", "(result i64)"),
            ("alloc", "(param i64) (result i64)"),
            ("input_load_u64", "(param i64) (result i64)"),
            ("store_u64", "(param i64 i64)"),
            ("output_set", "(param i64 i64)"),
        )
    )
    return wat(f"""(module {imports} (memory (export "memory") 1)
(func (export "handle") (result i32) (local $size i64) (local $output i64) (local $at i64)
  (local.set $size (call $input_length))
  (local.set $output (call $alloc (local.get $size)))
  (block $copied (loop $copy
    (br_if $copied (i64.ge_u (local.get $at) (local.get $size)))
    (call $store_u64 (i64.add (local.get $output) (local.get $at)) (call $input_load_u64 (local.get $at)))
    (local.set $at (i64.add (local.get $at) (i64.const 8)))
    (br $copy)))
  (call $output_set (local.get $output) (local.get $size))
  (i32.const 0)))""")
