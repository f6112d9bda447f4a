"""Pointers and lengths that lie, for every import that takes any, and for what the guest itself returns."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgpack
import pytest
from tests.support.guests import host, literal, minimal, packed
from tests.support.hostile import Case, Gauntlet
from tests.support.wasi import wasi

from guesthouse.errors import BrokenContract, OutputTooLarge, Trapped
from guesthouse.runtime.wasm.wasi_signatures import WASI_SIGNATURES

pytestmark = pytest.mark.anyio

END = 65_536
"""The memory's size: one page, which its maximum keeps from growing."""
BEYOND = (END, END - 1, -1, -(1 << 31), (1 << 31) - 1)
"""Where two bytes or more aren't inside: behind, over the end, negative, and the sign's edges."""
LENGTHS = (END, -1, -(1 << 31), (1 << 31) - 1, 1 << 20)
"""Too many bytes for anywhere but the beginning of a larger memory; some overflow when added to a pointer."""
DONE = "(i64.const 0x4000000000e)"
SELECTED = "(i32.load8_u offset=28 (local.get $ptr))"
"""The payload's only number: what stands before it in the message is always as long."""


@dataclass(frozen=True, slots=True)
class Call:
    """An import's arguments with holes for what lies: ``{pointer}`` and ``{length}``."""

    text: str
    size: int
    """Bytes that it touches where the length has no hole."""
    names: str = ""
    """What the refusal names: the import, unless said otherwise."""
    before: str = ""
    """Done first."""
    honest: str = ""
    """Done before an honest call."""


READY = """(i32.store (i32.const 64) (call $cache_get (i32.const 16) (i32.const 7)))
(drop (call $wait (i32.const 64) (i32.const 1)))"""
"""Has a result of 15 bytes waiting, whose handle is at 64."""

CALLS: Mapping[str, Call] = {
    "log": Call("(call $log (i32.const 1) {pointer} {length})", 1),
    "http_send": Call("(drop (call $http_send {pointer} {length}))", 1),
    "wait": Call(
        "(drop (call $wait {pointer} (i32.const 1)))",
        4,
        honest="(i32.store (i32.const 65532) (call $cache_get (i32.const 16) (i32.const 7)))",
    ),
    "result_read": Call("(drop (call $result_read (i32.load (i32.const 64)) {pointer}))", 15, before=READY),
    "random": Call("(call $random {pointer} {length})", 1),
    "digest": Call("(drop (call $digest (i32.const 1) {pointer} {length} (i32.const 0)))", 1),
    "digest, where to": Call("(drop (call $digest (i32.const 4) (i32.const 0) (i32.const 1) {pointer}))", 32, "digest"),
    "hmac_sign": Call("(drop (call $hmac_sign {pointer} {length}))", 1),
    "hmac_verify": Call("(drop (call $hmac_verify {pointer} {length}))", 1),
    "cache_get": Call("(drop (call $cache_get {pointer} {length}))", 1),
    "cache_set": Call("(drop (call $cache_set {pointer} {length}))", 1),
    "cache_delete": Call("(drop (call $cache_delete {pointer} {length}))", 1),
    "clock_time_get": Call("(drop (call $clock_time_get (i32.const 0) (i64.const 0) {pointer}))", 8),
    "clock_res_get": Call("(drop (call $clock_res_get (i32.const 0) {pointer}))", 8),
    "random_get": Call("(drop (call $random_get {pointer} {length}))", 1),
    "fd_write, its vectors": Call("(drop (call $fd_write (i32.const 1) {pointer} (i32.const 1) (i32.const 0)))", 8),
    "fd_write, a vector": Call(
        "(drop (call $fd_write (i32.const 1) (i32.const 32) (i32.const 1) (i32.const 0)))",
        1,
        before="(i32.store (i32.const 32) {pointer}) (i32.store (i32.const 36) (i32.const 1))",
    ),
    "fd_write, the count": Call("(drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0) {pointer}))", 4),
    "fd_fdstat_get": Call("(drop (call $fd_fdstat_get (i32.const 1) {pointer}))", 24),
    "poll_oneoff, subscriptions": Call(
        "(drop (call $poll_oneoff {pointer} (i32.const 0) (i32.const 1) (i32.const 0)))", 48
    ),
    "poll_oneoff, events": Call("(drop (call $poll_oneoff (i32.const 256) {pointer} (i32.const 1) (i32.const 0)))", 32),
    "poll_oneoff, the count": Call(
        "(drop (call $poll_oneoff (i32.const 256) (i32.const 512) (i32.const 1) {pointer}))", 4
    ),
    "args_sizes_get": Call("(drop (call $args_sizes_get {pointer} (i32.const 0)))", 4, "sizes"),
    "environ_sizes_get": Call("(drop (call $environ_sizes_get (i32.const 0) {pointer}))", 4, "sizes"),
}


def constant(number: int) -> str:
    """Write a number of 32 bits."""
    return f"(i32.const {number})"


def variants(call: Call) -> list[str]:
    """Write every lie about one pointer, and about the length where it has one."""
    pairs = [(pointer, call.size) for pointer in BEYOND if pointer != END - call.size]
    if "{length}" in call.text:
        pairs = [(pointer, 2) for pointer in BEYOND] + [(END - 1, length) for length in LENGTHS]
    code = call.before + call.text
    return [code.format(pointer=constant(pointer), length=constant(length)) for pointer, length in pairs]


def liar(name: str) -> bytes:
    """Build the guest with every variant for one import; the event says which."""
    lies = variants(CALLS[name])
    functions = "".join(f"(func $lie{index} {lie})" for index, lie in enumerate(lies))
    names = " ".join(f"$lie{index}" for index in range(len(lies)))
    return build(name, f"(table funcref (elem {names})) {functions}", f"(call_indirect {SELECTED}) {DONE}")


REQUESTS: Mapping[str, bytes] = {
    "http_send": msgpack.packb({"method": "GET", "url": "https://example.com/"}),
    "hmac_sign": msgpack.packb({"secret": "k", "algorithm": "md5", "data": b""}),
    "hmac_verify": msgpack.packb({"secret": "k", "algorithm": "md5", "data": b"", "signature": b""}),
    "cache_get": msgpack.packb({"key": "k"}),
    "cache_set": msgpack.packb({"key": "k", "value": b"v", "ttl_ms": 1}),
    "cache_delete": msgpack.packb({"key": "k"}),
}
"""What must be in memory for an honest call."""


def honest(name: str) -> bytes:
    """Build the guest whose bytes end where the memory does."""
    call, request = CALLS[name], REQUESTS.get(name, b"")
    size = len(request) or call.size
    code = (call.honest + call.before + call.text).format(pointer=constant(END - size), length=constant(size))
    if request:
        code = f"(i32.store (i32.const 64) {code[6:-1]}) (drop (call $wait (i32.const 64) (i32.const 1)))"
    return build(name, f"(data (i32.const {END - size}) {literal(request)})", f"{code} {DONE}")


def build(name: str, extra: str, call: str) -> bytes:
    """Build a guest of one page with the import that *name* begins with."""
    function = name.split(",", maxsplit=1)[0]
    ours = {"cache_get", "wait", *({function} - WASI_SIGNATURES.keys())}
    imports = host(*sorted(ours)) + (wasi(function) if function in WASI_SIGNATURES else "")
    key = f"(data (i32.const 16) {literal(REQUESTS['cache_get'])})"
    return minimal(memory="1 1", imports=imports, extra=f"{key} {extra}", call=call)


REPLIES = (
    packed(END, 1),
    packed(END - 1, 2),
    packed(0xFFFFFFFF, 1),
    packed(0x80000000, 1),
    packed(1, END),
    packed(0, 0),
)
LARGE_REPLIES = (packed(0, (1 << 20) + 1), packed(0, 0xFFFFFFFF), packed(0xFFFFFFFF, 0xFFFFFFFF), packed(END, 1 << 31))


def replier(replies: tuple[int, ...]) -> bytes:
    """Build the guest that answers one of *replies*; the event says which."""
    functions = "".join(f"(func $reply{index} (result i64) (i64.const {reply}))" for index, reply in enumerate(replies))
    names = " ".join(f"$reply{index}" for index in range(len(replies)))
    extra = f"(table funcref (elem {names})) {functions}"
    return minimal(memory="1 1", extra=extra, call=f"(call_indirect (result i64) {SELECTED})")


def reply_at_the_end() -> bytes:
    """Build the guest whose reply is the memory's last bytes."""
    reply = msgpack.packb({"verdict": "done"})
    at = END - len(reply)
    extra = f"(data (i32.const {at}) {literal(reply)})"
    return minimal(memory="1 1", extra=extra, call=f"(i64.const {packed(at, len(reply))})")


OVERLAPS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "a digest written over what it is made of": (
        ("digest",),
        "(drop (call $digest (i32.const 6) (i32.const 0) (i32.const 100) (i32.const 10)))",
    ),
    "a result written over the list of handles that was waited for": (
        ("cache_get", "wait", "result_read"),
        f"{READY} (drop (call $result_read (i32.load (i32.const 64)) (i32.const 60)))",
    ),
    "a request overwritten before the host looks at it": (
        ("cache_get", "wait"),
        """(i32.store (i32.const 64) (call $cache_get (i32.const 16) (i32.const 7)))
        (memory.fill (i32.const 0) (i32.const 255) (i32.const 60)) (drop (call $wait (i32.const 64) (i32.const 1)))""",
    ),
    "randomness written over the whole memory": (("random",), "(call $random (i32.const 0) (i32.const 65536))"),
}


def overlapping(names: tuple[str, ...], code: str) -> bytes:
    """Build the guest that does *code* and answers from memory that it grew afterwards."""
    reply = msgpack.packb({"verdict": "done"})
    stores = "".join(f"(i32.store8 (i32.const {END + at}) (i32.const {byte}))" for at, byte in enumerate(reply))
    key = f"(data (i32.const 16) {literal(REQUESTS['cache_get'])})"
    call = f"{code} (drop (memory.grow (i32.const 1))) {stores} (i64.const {packed(END, len(reply))})"
    return minimal(imports=host(*names), extra=key, call=call)


CASES = (
    *(Case(f"{name}: the last bytes of the memory, which are the guest's", honest(name), None) for name in CALLS),
    *(Case(hazard, overlapping(*parts), None) for hazard, parts in OVERLAPS.items()),
    Case("a reply in the last bytes of the memory", reply_at_the_end(), None),
    Case(
        "guesthouse_alloc answers the end of the memory",
        minimal(memory="1 1", alloc=f"(i32.const {END})"),
        BrokenContract,
        "guesthouse_alloc's answer: ",
    ),
    Case(
        "guesthouse_alloc answers a negative pointer",
        minimal(memory="1 1", alloc="(i32.const -1)"),
        BrokenContract,
        "bytes at 4,294,967,295 reach beyond",
    ),
    Case(
        "guesthouse_alloc answers room that ends with the memory",
        minimal(memory="1 1", alloc=f"(i32.sub (i32.const {END}) (local.get $size))"),
        None,
    ),
    Case(
        "guesthouse_alloc answers a page that it has only just got",
        minimal(memory="1 2", alloc="(drop (memory.grow (i32.const 1))) (i32.const 65536)"),
        None,
    ),
    Case(
        "the guest itself reads beyond its memory",
        minimal(call=f"(drop (i64.load (i32.const {END - 7}))) {DONE}"),
        Trapped,
        reason="memory_out_of_bounds",
    ),
    Case(
        "the guest itself writes four gigabytes away",
        minimal(call=f"(i64.store offset=4294967295 (i32.const -1) (i64.const 1)) {DONE}"),
        Trapped,
        reason="memory_out_of_bounds",
    ),
    Case(
        "the guest itself copies by a length that overflows",
        minimal(call=f"(memory.copy (i32.const 16) (i32.const 32) (i32.const -1)) {DONE}"),
        Trapped,
        reason="memory_out_of_bounds",
    ),
)
LIARS = tuple(CALLS)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_memory_ends_where_it_ends(case: Case, gauntlet: Gauntlet) -> None:
    """To the last byte everything works; from there on nothing does."""
    await gauntlet.run(case)


@pytest.mark.parametrize("name", LIARS)
async def test_a_bad_pointer_ends_the_attempt_by_name(name: str, gauntlet: Gauntlet) -> None:
    """Behind the end, over the end, negative, overflowing: each names the import, and the host touches nothing."""
    module = await gauntlet.load(liar(name))
    named = CALLS[name].names or name.split(",", maxsplit=1)[0]
    lies = len(variants(CALLS[name]))

    async def attack() -> None:
        for lie in range(lies):
            report = await module.invoke("onTrack", {"n": lie})
            assert type(report.error) is BrokenContract, (lie, report.error)
            assert str(report.error).startswith(f"{named}: "), report.error

    await gauntlet.survive(attack)


@pytest.mark.parametrize(
    ("replies", "error", "says"),
    [(REPLIES, BrokenContract, "reply"), (LARGE_REPLIES, OutputTooLarge, "1,048,576 are allowed")],
    ids=["outside the memory, or nothing", "longer than the limit"],
)
async def test_a_reply_that_is_nowhere(
    replies: tuple[int, ...], error: type[BrokenContract], says: str, gauntlet: Gauntlet
) -> None:
    """What is returned is bounded before it is read."""
    module = await gauntlet.load(replier(replies))

    async def attack() -> None:
        for index in range(len(replies)):
            report = await module.invoke("onTrack", {"n": index})
            assert type(report.error) is error, (index, report.error)
            assert says in str(report.error)

    await gauntlet.survive(attack)
