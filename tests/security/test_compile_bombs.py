"""Modules that are small to send and dear to compile: refused by a count, or stopped by the child's limits."""

from collections.abc import AsyncIterator, Callable, Mapping

import pytest
from tests.support.guests import host, minimal
from tests.support.hostile import EVENT, Gauntlet, Upload, opened
from tests.support.wasm_modules import body, module, section

from guesthouse.config import MIB, CompilerConfig
from guesthouse.errors import RejectedModule
from guesthouse.model.verdict import Verdict
from guesthouse.runtime.wasm import bounds
from guesthouse.runtime.wasm.binary import encode_name, encode_unsigned

pytestmark = pytest.mark.anyio

STRICT = CompilerConfig(cpu_seconds=2, wall_seconds=20, memory_bytes=512 * MIB, init_fuel=2_000_000_000)
HEADER = b"\0asm\1\0\0\0"
SIZE = 2 << 20
"""Of a function that is as large as it may be, about."""


@pytest.fixture(scope="module")
async def gauntlet(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Gauntlet]:
    """Compile with tighter limits than the default, so that bombs are over sooner; what compiles isn't kept."""
    async with opened(tmp_path_factory.mktemp("artefacts"), STRICT) as gauntlet:
        yield gauntlet


def counted(code: int, count: int, item: bytes) -> Callable[[], bytes]:
    """Build a module of one section with *count* items."""
    return lambda: module(section(code, encode_unsigned(count) + item * count))


def functions(count: int, code: bytes) -> Callable[[], bytes]:
    """Build a guest with *count* equal functions of type ``() -> ()`` more."""
    return lambda: grown(minimal(extra="(func)"), count, body(code))


def grown(guest: bytes, count: int, code: bytes) -> bytes:
    """Repeat a guest's last function, whose code *code* takes the place of."""
    sections, at = {}, 8
    order = []
    while at < len(guest):
        number, size, start = guest[at], 0, at + 1
        for shift in range(0, 35, 7):
            byte = guest[start]
            start += 1
            size |= (byte & 0x7F) << shift
            if byte < 0x80:
                break
        sections[number] = guest[start : start + size]
        order.append(number)
        at = start + size
    types, code_section = sections[3], sections[10]
    more = types[0] - 1 + count
    sections[3] = encode_unsigned(more) + types[1:-1] + types[-1:] * count
    sections[10] = encode_unsigned(more) + code_section[1:-3] + code * count
    return HEADER + b"".join(section(number, sections[number]) for number in order)


def function(code: bytes, local_groups: bytes = b"\0") -> Callable[[], bytes]:
    """Build a guest with one function more."""
    return lambda: grown(minimal(extra="(func)"), 1, body(code, local_groups))


def noisy_start() -> bytes:
    """Build a guest that fills 48 MiB with noise before its first event: all of it would be the snapshot."""
    return minimal(
        imports=host("random"),
        memory="768",
        initialize="""(local $at i32) (local.set $at (i32.const 65536)) (loop $again
        (call $random (local.get $at) (i32.const 65536))
        (local.set $at (i32.add (local.get $at) (i32.const 65536)))
        (br_if $again (i32.lt_u (local.get $at) (i32.const 50331648))))""",
    )


def locals_in_loops() -> bytes:
    """Build a guest whose function sets many locals in many loops: the engine joins each of them at each loop."""
    names = encode_unsigned(1) + encode_unsigned(4_000) + b"\x7f"
    opened_loops = b"".join(
        b"\x03\x40" + b"\x20" + encode_unsigned(n) + b"\x41\1\x6a\x21" + encode_unsigned(n) for n in range(999)
    )
    closed = b"\x20\0\x0d\0\x0b" * 999
    return grown(minimal(extra="(func)"), 1, body(opened_loops + closed, names))


CASES = (
    Upload("200 MB of code", lambda: HEADER + section(10, bytes(200_000_000)), "33,554,432 are allowed"),
    Upload("a module one byte too large", lambda: HEADER + bytes(32 * MIB - 7), "33,554,433 bytes"),
    Upload("a million functions", lambda: grown(minimal(extra="(func)"), 1_000_000, body(b"")), "functions"),
    Upload(
        "functions declared without bodies", module(section(1, b"\1\x60\0\0"), section(3, b"\5\0\0\0\0\0")), "bodies"
    ),
    Upload("a count of four billion functions", module(section(3, b"\xff\xff\xff\xff\x0f")), "functions"),
    Upload("a million types", counted(1, 1_000_000, b"\x60\0\0"), "types"),
    Upload(
        "a type of a million parameters",
        lambda: module(section(1, b"\1\x60" + encode_unsigned(1_000_000) + b"\x7f" * 1_000_000 + b"\0")),
        "parameters",
    ),
    Upload("a million imports", counted(2, 1_000_000, b"\1a\1b\0\0"), "imports"),
    Upload("a million exports", counted(7, 1_000_000, b"\1a\0\0"), "exports"),
    Upload("a million globals", counted(6, 1_000_000, b"\x7f\0\x41\0\x0b"), "globals"),
    Upload("a million element segments", counted(9, 1_000_000, b"\1\0\0"), "element segments"),
    Upload("a million custom sections", lambda: minimal() + section(0, b"\1a") * 1_000_000, "custom sections"),
    Upload("a hundred thousand loops inside one another", function(b"\x03\x40" * 100_000 + b"\x0b" * 100_000), "loops"),
    Upload("half a million blocks inside one another", function(b"\x02\x40" * 500_000 + b"\x0b" * 500_000), "blocks"),
    Upload("a function of four megabytes", function(b"\x01" * (4 << 20)), "bytes"),
    Upload(
        "a branch table of a million labels",
        function(b"\x41\0\x0e" + encode_unsigned(1_000_000) + b"\0" * 1_000_001),
        "exceeds the implementation limit",
    ),
    Upload("four billion locals", function(b"", b"\1\xff\xff\xff\xff\x0f\x7f"), "locals"),
    Upload("a hundred thousand locals in two groups", function(b"", b"\2\xd0\x86\3\x7f\xd0\x86\3\x7e"), "locals"),
    Upload("blocks that are never closed", function(b"\x02\x40" * 10_000), "isn't valid WebAssembly"),
)

EITHER: Mapping[str, Callable[[], bytes]] = {
    "as many empty functions as may be": functions(bounds.FUNCTIONS - 10, b""),
    "a branch table of as many labels as the engine takes": function(
        b"\x41\0\x0e" + encode_unsigned(65_520) + b"\0" * 65_521
    ),
    "a thousand branch tables of a thousand labels over a hundred blocks": function(
        b"\x02\x40" * 100
        + (b"\x02\x40\x41\0\x0e\xe8\7" + bytes(n % 100 for n in range(1_001)) + b"\x0b") * 1_000
        + b"\x0b" * 100
    ),
    "a function of two megabytes without a branch": function(b"\x41\1" * (SIZE // 3) + b"\x1a" * (SIZE // 3)),
    "a function of half a million calls": function(b"\x10\x03" * 500_000),
    "four thousand locals changed in a thousand loops inside one another": locals_in_loops,
    "blocks as deep as they may be": function(b"\x02\x40" * 49_000 + b"\x0b" * 49_000),
    "loops as deep as they may be, fifty times": functions(50, b"\x03\x40" * 999 + b"\x0b" * 999),
    "as many locals as may be, all of them vectors": function(b"", b"\1\xd0\x86\3\x7b"),
    "thirty megabytes of data": lambda: minimal(memory="600", extra=f'(data (i32.const 65536) "{"z" * 30_000_000}")'),
    "a section of names that is noise": lambda: minimal() + section(0, encode_name("name") + bytes(range(256)) * 9_999),
    "an _initialize that leaves 48 MiB of noise": noisy_start,
}
"""What may be refused or not, as long as it is over in time: the child's limits decide."""


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_a_bomb_is_refused(case: Upload, gauntlet: Gauntlet) -> None:
    """By size or by count, before the engine sees it."""
    await gauntlet.run(case)


@pytest.mark.parametrize("name", EITHER)
async def test_a_bomb_is_defused(name: str, gauntlet: Gauntlet) -> None:
    """What is within the counts compiles, or the child meets its own limits; the host only waits."""
    source = EITHER[name]()

    async def attack() -> None:
        fault = await try_one(gauntlet, source)
        assert fault is None or "took more" in fault or "initialisation failed" in fault, fault

    await gauntlet.survive(attack)


async def try_one(gauntlet: Gauntlet, source: bytes) -> str | None:
    """Upload and invoke; return why it was refused, if it was."""
    try:
        guest = await gauntlet.engine.load(source)
    except RejectedModule as refused:
        return refused.fault
    report = await guest.invoke("onTrack", dict(EVENT))
    assert report.verdict is Verdict.DONE, report.error
    guest.close()
    return None
