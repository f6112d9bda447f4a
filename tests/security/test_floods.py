"""Too much of what each call alone may have: lines, randomness, hashes, signatures, the cache, host calls."""

from collections.abc import Callable

import msgpack
import pytest
from tests.support.guests import behaviours, host, literal, minimal
from tests.support.hostile import Case, Gauntlet
from tests.support.wasi import wasi

from guesthouse.errors import FuelExhausted
from guesthouse.model.capability import Capabilities, Secret
from guesthouse.model.limits import DEFAULT_LIMITS, Limits
from guesthouse.model.report import Report

pytestmark = pytest.mark.anyio

MIB = 1 << 20
DONE = "(i64.const 0x4000000000e)"
WAIT = "(drop (call $wait (i32.const 0) (i32.const 1)))"
FEWER = Limits(fuel=30_000_000)
"""A third of the default, which is as hostile and over sooner."""
MOST_CPU_MS = 1_000
"""For all the fuel that an invocation has by default; empty host calls took 8 s where they were free of charge."""


def for_ever(imports: str, step: str, extra: str = "") -> bytes:
    """Build a guest that repeats a step until it is stopped."""
    return minimal(imports=imports, memory="32", extra=extra, call=f"(loop $again {step} (br $again)) (unreachable)")


def is_cheap(report: Report) -> bool:
    """Say whether the whole fuel was burnt in bounded time."""
    return report.usage.cpu_ms < MOST_CPU_MS


def logged_within(limits: Limits, *, lines: int) -> Callable[[Report], bool]:
    """Say whether exactly so many lines were kept, within the limits, and others counted."""

    def check(report: Report) -> bool:
        size = sum(len(line.message.encode()) for line in report.logs)
        return len(report.logs) == lines and size <= 3 * limits.log_bytes and report.usage.log_lines_dropped > 0

    return check


def burst(name: str, message: dict[str, object], field: str, size: int, count: int) -> bytes:
    """Build a guest that starts *count* operations at once, each with *size* bytes in a field, and waits for one."""
    head = msgpack.packb({**message, field: bytes(size)})[:-size]
    start = f"(call ${name} (i32.const 65536) (i32.const {len(head) + size}))"
    return minimal(
        imports=host(name, "wait"),
        memory="32",
        extra=f"(data (i32.const 65536) {literal(head)})",
        call=f"(i32.store (i32.const 0) {start}) {f'(drop {start})' * count} {WAIT} {DONE}",
    )


SIGNING: dict[str, object] = {"secret": "key", "algorithm": "sha512"}
SECRETS = Capabilities(secrets=(Secret(name="key", value="of no worth"),))
LOG = host("log")
WRITE = wasi("fd_write")
VECTOR = """(data (i32.const 16) {0}) (start $fill)
(func $fill (memory.fill (i32.const 65536) (i32.const {1}) (i32.const 65536)))"""
"""One vector at 16, of 64 KiB that all hold the same byte."""
ALL_OF_IT = literal((65_536).to_bytes(4, "little") * 2)
PUT = "(drop (call $fd_write (i32.const 1) (i32.const {0}) (i32.const {1}) (i32.const 8)))"
SET = msgpack.packb({"key": "aaaa", "ttl_ms": 1 << 40, "value": bytes(200_000)})[:-200_000]
KEY_AT = 65_536 + SET.index(b"aaaa")

CASES = (
    Case(
        "lines logged for ever",
        for_ever(LOG, "(call $log (i32.const 1) (i32.const 0) (i32.const 40))"),
        FuelExhausted,
        limits=FEWER,
        check=logged_within(FEWER, lines=500),
    ),
    Case(
        "empty lines logged for ever",
        for_ever(LOG, "(call $log (i32.const 3) (i32.const 0) (i32.const 0))"),
        FuelExhausted,
        limits=FEWER,
    ),
    Case(
        "a line as long as the memory, for ever",
        for_ever(LOG, "(call $log (i32.const 1) (i32.const 0) (i32.const 2097152))"),
        FuelExhausted,
        limits=FEWER,
        check=logged_within(FEWER, lines=1),
    ),
    Case(
        "lines that aren't UTF-8",
        for_ever(
            LOG,
            "(call $log (i32.const 1) (i32.const 65536) (i32.const 4096))",
            VECTOR.format('""', 255),
        ),
        FuelExhausted,
        limits=FEWER,
        check=logged_within(FEWER, lines=16),
    ),
    Case(
        "ten thousand lines by the C SDK",
        behaviours,
        None,
        limits=Limits(fuel=1_000_000_000),
        settings={"behaviour": "log_flood"},
        check=logged_within(DEFAULT_LIMITS, lines=500),
    ),
    Case(
        "stdout that is all newlines",
        for_ever(WRITE, PUT.format(16, 1), VECTOR.format(ALL_OF_IT, 10)),
        FuelExhausted,
        limits=FEWER,
        check=logged_within(FEWER, lines=500),
    ),
    Case(
        "stdout that never has a newline",
        for_ever(WRITE, PUT.format(16, 1), VECTOR.format(ALL_OF_IT, 65)),
        FuelExhausted,
        limits=FEWER,
        check=lambda report: len(report.logs) == 1 and len(report.logs[0].message) <= FEWER.log_bytes,
    ),
    Case(
        "stdout from a thousand vectors of nothing",
        for_ever(WRITE, PUT.format(131_072, 1_000)),
        FuelExhausted,
        limits=FEWER,
    ),
    Case(
        "stdout from more vectors than there may be",
        for_ever(WRITE, PUT.format(131_072, -1)),
        FuelExhausted,
        limits=FEWER,
    ),
    Case(
        "randomness for ever",
        for_ever(host("random"), "(call $random (i32.const 0) (i32.const 65536))"),
        FuelExhausted,
        check=is_cheap,
    ),
    Case(
        "WASI's randomness for ever",
        for_ever(wasi("random_get"), "(drop (call $random_get (i32.const 0) (i32.const 65536)))"),
        FuelExhausted,
        check=is_cheap,
    ),
    *(
        Case(
            f"a megabyte hashed over and over by {name}",
            for_ever(
                host("digest"),
                f"(drop (call $digest (i32.const {number}) (i32.const 0) (i32.const 1048576) (i32.const 0)))",
            ),
            FuelExhausted,
            check=is_cheap,
        )
        for number, name in ((1, "md5"), (6, "sha512"))
    ),
    Case(
        "nothing hashed over and over",
        for_ever(host("digest"), "(drop (call $digest (i32.const 6) (i32.const 0) (i32.const 0) (i32.const 0)))"),
        FuelExhausted,
        check=is_cheap,
    ),
    Case(
        "waits for a thousand handles, one of which is ready, for ever",
        for_ever(
            host("sleep", "wait"),
            "(if (i32.eqz (global.get $h)) (then (global.set $h (call $sleep (i32.const 0)))))"
            "(drop (call $wait (i32.const 65536) (i32.const 1024)))",
            f"(global $h (mut i32) (i32.const 0)) (data (i32.const 65536) {literal(bytes((1, 0, 0, 0)) * 1_024)})",
        ),
        FuelExhausted,
        check=is_cheap,
    ),
    Case(
        "empty host calls for ever",
        for_ever(host("now"), "(drop (call $now))"),
        FuelExhausted,
        check=is_cheap,
    ),
    Case(
        "clocks read for ever",
        for_ever(wasi("clock_time_get"), "(drop (call $clock_time_get (i32.const 1) (i64.const 0) (i32.const 0)))"),
        FuelExhausted,
        check=is_cheap,
    ),
    Case(
        "files opened for ever, whatever the answer",
        for_ever(wasi("fd_close"), "(drop (call $fd_close (i32.const 1)))"),
        FuelExhausted,
        check=is_cheap,
    ),
    Case(
        "sixty signatures over a megabyte at once",
        burst("hmac_sign", SIGNING, "data", MIB - 100, 60),
        None,
        capabilities=SECRETS,
    ),
    Case(
        "sixty values of a megabyte for the cache at once",
        burst("cache_set", {"key": "k", "ttl_ms": 1_000}, "value", MIB - 100, 60),
        None,
    ),
    Case(
        "sixty requests of a megabyte at once, none of them granted",
        burst("http_send", {"method": "POST", "url": "https://a.example/"}, "body", MIB - 100, 60),
        None,
    ),
    Case(
        "the cache filled with ever new keys",
        for_ever(
            host("cache_set", "wait", "result_read"),
            f"""(i32.store (i32.const 0) (call $cache_set (i32.const 65536) (i32.const {len(SET) + 200_000})))
            (i32.store (i32.const {KEY_AT}) (i32.or (i32.const 0x30303030) (call $next)))
            (drop (call $wait (i32.const 0) (i32.const 1)))
            (drop (call $result_read (i32.load (i32.const 0)) (i32.const 64)))""",
            f"""(data (i32.const 65536) {literal(SET)}) (global $n (mut i32) (i32.const 0))
            (func $next (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1)))
            (i32.and (global.get $n) (i32.const 0x0f0f0f0f)))""",
        ),
        FuelExhausted,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_floods_are_bounded(case: Case, gauntlet: Gauntlet) -> None:
    """Host calls cost fuel by what they cost the host, and what is kept has its limits."""
    await gauntlet.run(case)
