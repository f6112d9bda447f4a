"""Strangers' bytes: whatever is uploaded, reading it ends in a refusal or a result, in bounded time and memory."""

import random
import time
import tracemalloc
from collections.abc import Callable

import pytest
import wasmtime
from tests.support.wasm_modules import PARTS, body, guest, module, one_function, section, wat

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm import bounds, checkpoints
from guesthouse.runtime.wasm.binary import encode_name, encode_unsigned
from guesthouse.runtime.wasm.inspect import inspect
from guesthouse.runtime.wasm.module import parse
from guesthouse.runtime.wasm.nesting import check_nesting
from guesthouse.runtime.wasm.opcodes import scan_code
from guesthouse.runtime.wasm.shape import PAGE_BYTES
from guesthouse.runtime.wasm.slicing import slice_code
from guesthouse.runtime.wasm.snapshot import instrument, why_not, write

FUZZ_SECONDS = 5.0
SLOWEST_SECONDS = 1.0
"""For one mutated module of a few hundred bytes: a thousand times what it takes."""
LONGEST_FAULT = 3_000
BOMB_BYTES = 8 << 20
BOMB_SECONDS = 10.0
BOMB_MEMORY_BYTES = 200 << 20

SEEDS = (
    guest(),
    guest(
        '(table 2 funcref) (elem $e funcref (ref.null func)) (data $p "passive")',
        "(func (param i32) (block (table.fill (i32.const 0) (ref.null func) (local.get 0)) (br_if 0 (local.get 0)))"
        " (loop (memory.fill (i32.const 0) (i32.const 1) (local.get 0)) (br_if 0 (i32.eqz (local.get 0))))"
        " (if (local.get 0) (then (table.copy (i32.const 0) (i32.const 1) (i32.const 0))) (else (return)))"
        " (table.init $e (i32.const 0) (i32.const 0) (i32.const 1))"
        " (memory.init $p (i32.const 0) (i32.const 0) (i32.const 1)))",
    ),
    guest(
        '(import "guesthouse_v1" "log" (func (param i32 i32 i32)))',
        '(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))',
        "(table 2 4 funcref) (elem (i32.const 0) func 0) (elem declare func 1)",
        "(global (mut i32) (i32.const 7)) (global (mut f64) (f64.const nan)) (global funcref (ref.func 2))",
        '(data (i32.const 9) "hello") (data $p "passive")',
        '(func (export "_initialize") (memory.init $p (i32.const 0) (i32.const 0) (i32.const 3)))',
        '(@custom "producers" "\\01\\08language\\01\\02Go\\041.26")',
    ),
    wat(f"""(module {" ".join(PARTS.values())} (table 1 funcref)
      (func (param i32) (local v128 f32)
        (block (block (block (br_table 0 1 2 (local.get 0)))))
        (loop (br_if 0 (i32.eqz (local.get 0))))
        (local.set 1 (i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 (local.get 1) (v128.const i64x2 1 2)))
        (v128.store8_lane offset=300 3 (local.get 0) (local.get 1))
        (table.set 0 (i32.const 0) (ref.null func))
        (drop (select (result i32) (i32.const 1) (i32.trunc_sat_f32_s (local.get 2)) (local.get 0)))
        (memory.copy (i32.const 1) (i32.const 2) (i32.const 3))))"""),
)
POISON = (
    b"\xff\xff\xff\xff\x0f",
    b"\x80\x80\x80\x80\x00",
    b"\xff\xff\xff\xff\x7f",
    b"\0",
    b"\xff",
    b"\x0b",
    b"\xfc\x0e\0\0",
)


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put checkpoints into small functions too."""
    monkeypatch.setattr(checkpoints, "STRETCH_BYTES", 8)


@pytest.fixture(scope="module")
def engine() -> wasmtime.Engine:
    """Switch off the proposals that Guesthouse switches off, as far as the engine's Python API lets us."""
    config = wasmtime.Config()
    config.wasm_threads = False
    config.wasm_memory64 = False
    config.wasm_multi_memory = False
    return wasmtime.Engine(config)


def is_valid(data: bytes, engine: wasmtime.Engine) -> bool:
    """Ask the engine."""
    try:
        wasmtime.Module.validate(engine, data)
    except wasmtime.WasmtimeError:
        return False
    return True


def read(data: bytes) -> list[bytes]:
    """Do all that is done with an upload short of running it; return the modules that were made of it."""
    shape = parse(data)
    facts = scan_code(shape, data)
    check_nesting(shape, data)
    checkpoints.checkpoints(shape, data)
    inspect(shape)
    data = slice_code(shape, data)
    shape = parse(data)
    if why_not(shape, facts) is not None or shape.memories[0].minimum > 1:
        return [data]
    opened = instrument(shape, data)
    memory = (b"state".ljust(PAGE_BYTES // 2, b"\0") * 2) * shape.memories[0].minimum
    return [data, opened.data, write(shape, data, memory=memory, values=[1] * len(opened.global_names))]


def refusal(data: bytes) -> str | None:
    """Read, and return why the module was refused; anything but a refusal is a failure."""
    try:
        read(data)
    except RejectedModule as refused:
        return refused.fault
    except Exception as unexpected:
        raise AssertionError(data[:4_096].hex()) from unexpected
    return None


def mutate(chance: random.Random) -> bytes:
    """Spoil one of the seeds in up to four places."""
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        until = min(len(data), at + chance.randint(0, 12))
        match chance.randrange(7):
            case 0:
                data[at:until] = chance.randbytes(until - at)
            case 1:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 2:
                data[at:at] = chance.choice(POISON)
            case 3:
                data[at : at + 1] = chance.choice(POISON)
            case 4:
                del data[at:until]
            case 5:
                data[at:at] = data[at:until]
            case _:
                other = chance.choice(SEEDS)
                data[at:until] = other[at : at + chance.randint(0, 40)]
    return bytes(data)


@pytest.mark.usefixtures("short_stretches")
def test_mutated_modules_are_refused_or_read() -> None:
    """Never another error, never slow, never an endless message."""
    chance = random.Random(20)  # noqa: S311 - repeatable, not secret
    ends = time.monotonic() + FUZZ_SECONDS
    refused = passed = 0
    while (began := time.monotonic()) < ends:
        data = mutate(chance)
        fault = refusal(data)
        assert time.monotonic() - began < SLOWEST_SECONDS, data.hex()
        assert len(fault or "") < LONGEST_FAULT
        refused += fault is not None
        passed += fault is None
    assert min(refused, passed) > 100


@pytest.mark.usefixtures("short_stretches")
def test_nothing_invalid_is_made_of_something_valid(engine: wasmtime.Engine) -> None:
    """What the engine accepts stays acceptable when it is sliced, instrumented or written as a snapshot."""
    chance = random.Random(21)  # noqa: S311 - repeatable, not secret
    made = 0
    while made < 200:
        data = mutate(chance)
        if is_valid(data, engine) and refusal(data) is None:
            for written in read(data):
                assert is_valid(written, engine), data.hex()
                made += 1


def repeated(code: int, item: bytes, most: int) -> bytes:
    """Fill a section with as many items as its bound or the bomb's size allow."""
    times = min(most, BOMB_BYTES // len(item))
    return module(section(code, encode_unsigned(times) + item * times))


def functions(one: bytes) -> bytes:
    """Fill a module with functions."""
    times = min(bounds.FUNCTIONS, BOMB_BYTES // len(one))
    count = encode_unsigned(times)
    return module(
        section(1, b"\1\x60\0\0"),
        section(3, count + b"\0" * times),
        section(10, count + one * times),
    )


LONG_NAME = encode_name("n" * 4_096)
BOMBS: dict[str, Callable[[], bytes]] = {
    "types with a thousand parameters": lambda: repeated(
        1, b"\x60" + encode_unsigned(1_000) + b"\x7f" * 1_000 + b"\0", bounds.TYPES
    ),
    "small types": lambda: repeated(1, b"\x60\0\0", bounds.TYPES),
    "imports with long names": lambda: repeated(2, LONG_NAME + LONG_NAME + b"\0\0", bounds.IMPORTS),
    "exports with long names": lambda: repeated(7, LONG_NAME + b"\0\0", bounds.EXPORTS),
    "globals": lambda: repeated(6, b"\x7f\1\x41\0\x0b", bounds.GLOBALS),
    "one endless initial value": lambda: module(section(6, b"\1\x7f\0" + b"\x41\0\x6a" * (BOMB_BYTES // 3) + b"\x0b")),
    "an initial value that never ends": lambda: module(section(6, b"\1\x7f\0" + b"\x41\0\x6a" * (BOMB_BYTES // 3))),
    "elements": lambda: module(section(9, b"\1\1\0" + encode_unsigned(bounds.ELEMENTS) + b"\0" * bounds.ELEMENTS)),
    "elements as expressions": lambda: module(
        section(9, b"\1\5\x70" + encode_unsigned(bounds.ELEMENTS) + b"\xd0\x70\x0b" * bounds.ELEMENTS)
    ),
    "data segments": lambda: repeated(11, b"\0\x41\0\x0b\1a", bounds.DATA_SEGMENTS),
    "empty functions": lambda: functions(body(b"")),
    "functions of loops": lambda: functions(body(b"\x03\x40\x0b" * 1_001)),
    "functions of blocks": lambda: functions(body(b"\x02\x40\x0b" * 50_001)),
    "functions of branch tables": lambda: functions(body(b"\x0e\x10" + b"\0" * 17, b"\0")),
    "branch tables": lambda: functions(body((b"\x0e\x10" + b"\0" * 17) * 100_000)),
    "branch tables with long labels": lambda: functions(body((b"\x0e\x10" + b"\x80\0" * 17) * 50_000)),
    "one long branch table": lambda: one_function(b"\x0e" + encode_unsigned(1 << 20) + b"\x80\0" * (1 << 20)),
    "long numbers": lambda: functions(body(b"\x41\x80\x80\x80\x80\x00" * 300_000)),
    "numbers without end": lambda: one_function(b"\x41" + b"\x80" * (1 << 20)),
    "table changes": lambda: functions(body(b"\x26\0" * 1_000_000)),
    "local declarations": lambda: functions(body(b"", encode_unsigned(5_000) + b"\0\x7f" * 5_000)),
    "custom sections": lambda: module(section(0, LONG_NAME) * 1_000),
    "producers without end": lambda: module(
        section(0, encode_name("producers") + b"\xff\xff\xff\xff\x0f" + (b"\0" + b"\0") * (BOMB_BYTES // 2))
    ),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_bombs_are_defused(bomb: Callable[[], bytes]) -> None:
    """The worst that eight megabytes can hold within the bounds takes seconds, most of it far less."""
    data = bomb()
    began = time.monotonic()
    assert refusal(data) is not None
    assert time.monotonic() - began < BOMB_SECONDS


@pytest.mark.parametrize(
    "name", ["types with a thousand parameters", "imports with long names", "exports with long names", "data segments"]
)
def test_shapes_stay_small(name: str) -> None:
    """What is kept of a module is bounded, whatever it declares."""
    data = BOMBS[name]()
    tracemalloc.start()
    try:
        parse(data)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < BOMB_MEMORY_BYTES
