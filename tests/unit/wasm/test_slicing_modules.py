"""What slicing does to a module: calls in place of instructions, functions behind the last, and nothing else."""

from itertools import product

import pytest
import wasmtime
from tests.support.bulk import Instance, bulk_guest, sliced
from tests.support.wasm_modules import body, module, one_function, section, wat

from guesthouse.errors import RejectedModule
from guesthouse.runtime.engine_settings import SWITCHES
from guesthouse.runtime.wasm import bounds
from guesthouse.runtime.wasm.module import parse
from guesthouse.runtime.wasm.opcodes import BulkOperation, bulk_operations
from guesthouse.runtime.wasm.shape import FuncType, ModuleShape

OPERANDS = "(local.get 0) (local.get 1) (local.get 2)"
THREE = "(param i32 i32 i32)"
FILL = b"\xfc\x0b\x00"
NOPS = b"\x01" * 20
"""Long enough to be swallowed as immediates without harm to what follows."""
PREFIXES = (0xFB, 0xFC, 0xFD, 0xFE)
EVERY_OPCODE = (
    *(bytes([code]) for code in range(256) if code not in PREFIXES),
    *(bytes([0xFC, code]) for code in range(32)),
    *(bytes([0xFD, code]) for code in range(128)),
    *(bytes([0xFD, 0x80 | code & 0x7F, code >> 7]) for code in range(128, 512)),
    *(bytes([prefix, code]) for prefix in (0xFB, 0xFE) for code in range(0x50)),
    *(bytes([prefix, 0x80 | code, 0]) for prefix in (0xFC, 0xFD) for code in range(0x60)),
)
IMMEDIATES = (
    *(b"\0" * size for size in (0, 1, 2, 3, 4, 8, 16)),
    b"\x40\x0b",
    b"\x7f\x0b",
    b"\x01\x7f",
    b"\x70",
    b"\x02\x00\x00\x00\x00",
    b"\x80\x80\x80\x80\x00",
    b"\x80\x80\x80\x80\x00\x80\x80\x80\x80\x00",
    b"\x80\x00\x80\x00\x03",
)


def operations(data: bytes) -> list[str]:
    """List the bulk operations that are left in the module's own functions, and those of the added ones."""
    return [found.name for one in parse(data).bodies for found in bulk_operations(data, one)]


def code_sizes(shape: ModuleShape, count: int) -> list[int]:
    """Measure the first bodies."""
    return [one.end - one.start for one in shape.bodies[:count]]


def backtrace(data: bytes, name: str, *operands: int) -> list[str | None]:
    """Call an export that traps; the names of its frames."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    function = wasmtime.Instance(store, wasmtime.Module(engine, data), []).exports(store)[name]
    assert isinstance(function, wasmtime.Func)
    with pytest.raises(wasmtime.Trap) as trap:
        function(store, *operands)
    return [frame.func_name for frame in trap.value.frames]


@pytest.mark.parametrize(
    "code",
    [
        "",
        "(drop (i32.const 0xbfc))",
        "(data.drop 0) (table.fill 0 (i32.const 0) (ref.null func) (i32.const 0))",
        "(memory.fill (i32.const 0) (i32.const 1) (i32.const 255))",
        "(memory.copy (i32.const 0) (i32.const 1) (i32.const 128))",
        "(memory.copy (i32.const 0) (i32.const 1) (i32.const 0))",
    ],
)
def test_a_module_without_long_operations_stays_as_it_is(code: str) -> None:
    """The very same bytes; a constant length below 256 isn't long."""
    data = wat(f'(module (memory 1) (table 1 funcref) (data "a") (func {code}))')
    assert sliced(data) is data


@pytest.mark.parametrize("length", ["(i32.const 256)", "(i32.const -1)", "(i32.const 16384)", "(local.get 0)"])
@pytest.mark.parametrize("name", ["memory.fill", "memory.copy"])
def test_other_lengths_are_sliced(name: str, length: str) -> None:
    """Long, negative (which is longest) and unknown ones."""
    data = wat(f"(module (memory 1) (func (param i32) ({name} (i32.const 0) (i32.const 1) {length})))")
    shape = parse(sliced(data))
    assert len(shape.bodies) == 2


def test_slicing_is_deterministic_and_valid() -> None:
    """Artefacts are keyed by what went in; the engine accepts what comes out."""
    data = bulk_guest()
    assert sliced(data) == sliced(data) != data
    wasmtime.Module.validate(wasmtime.Engine(), sliced(data))


def test_nothing_moves() -> None:
    """A call takes exactly the place of the instruction, so no offset in the code changes; only functions are added."""
    data = bulk_guest()
    before, after = parse(data), parse(sliced(data))
    count = len(before.functions)
    assert code_sizes(before, count) == code_sizes(after, count)
    assert after.functions[:count] == before.functions
    assert after.exports == before.exports
    assert after.types == before.types
    assert [item.end - item.start for item in after.data] == [item.end - item.start for item in before.data]
    assert len(after.functions) == count + 7


def test_imported_functions_keep_their_index() -> None:
    """Added functions come behind imported and own ones, whatever refers to those."""
    data = wat(f"""(module (import "a" "b" (func $imported (result i32))) (memory (export "memory") 20)
      (table 2 funcref) (elem (i32.const 0) $imported $own)
      (func $own (export "own") (result i32) (i32.const 8))
      (func (export "fill") {THREE} (memory.fill {OPERANDS}))
      (func (export "all") (result i32 i32 i32 i32)
        (call $imported) (call $own)
        (call_indirect (result i32) (i32.const 0)) (call_indirect (result i32) (i32.const 1))))""")
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    imported = wasmtime.Func(store, wasmtime.FuncType([], [wasmtime.ValType.i32()]), lambda: 7)
    exports = wasmtime.Instance(store, wasmtime.Module(engine, sliced(data)), [imported]).exports(store)
    assert exports["all"](store) == [7, 8, 7, 8]
    exports["fill"](store, 1, 9, 1_000_000)
    assert exports["memory"].read(store, 0, 3) == b"\0\x09\x09"


def test_a_type_is_added_where_it_is_lacking() -> None:
    """At the end, so that no type's index changes."""
    data = wat('(module (memory 1) (func (export "f") (memory.fill (i32.const 0) (i32.const 0) (i32.const 999))))')
    before, after = parse(data), parse(sliced(data))
    assert after.types == (*before.types, FuncType.of(("i32", "i32", "i32"), ()))
    wasmtime.Module.validate(wasmtime.Engine(), sliced(data))


def test_backtraces_name_the_added_functions() -> None:
    """Above the function of the guest's own that called."""
    for name, text in (("$own", "own"), ("", None)):
        data = wat(f'(module (memory 1) (func {name} (export "f") {THREE} (memory.copy {OPERANDS})))')
        assert backtrace(sliced(data), "f", 0, 0, 1 << 20) == ["guesthouse: memory.copy", text]
        assert backtrace(sliced(data), "f", 0, 0, 70_000) == ["guesthouse: memory.copy", text]


@pytest.mark.parametrize("calls", [16_383, 16_384, 16_385])
def test_a_large_modules_calls_may_be_longer(calls: int) -> None:
    """From 16,384 functions on, a call doesn't fit into the three bytes of memory.fill, and code moves."""
    fill = b"\x20\x00\x20\x01\x20\x02" + FILL
    copy = b"\x20\x00\x20\x01\x20\x02\xfc\x0a\x00\x00"
    bodies = [body(b"")] * (calls - 2) + [body(copy + fill + fill), body(copy)]
    data = module(
        section(1, b"\2\x60\0\0\x60\3\x7f\x7f\x7f\0"),
        section(3, parse_count(calls) + b"\0" * (calls - 2) + b"\1\1"),
        section(5, b"\1\0\x14"),
        section(7, b"\2\6memory\2\0\1f\0" + parse_count(calls - 2)),
        section(10, parse_count(calls) + b"".join(bodies)),
    )
    changed = sliced(data)
    engine = wasmtime.Engine()
    wasmtime.Module.validate(engine, changed)
    assert operations(changed).count("memory.fill") == 2
    growth = code_sizes(parse(changed), calls)[-2] - code_sizes(parse(data), calls)[-2]
    assert growth == (2 if calls >= 16_383 else 0)


def parse_count(count: int) -> bytes:
    """Encode a count in three bytes."""
    return bytes([count & 0x7F | 0x80, count >> 7 & 0x7F | 0x80, count >> 14])


@pytest.fixture(scope="module")
def engine() -> wasmtime.Engine:
    """Switch the proposals as the host does."""
    config = wasmtime.Config()
    for name, is_on in SWITCHES.items():
        if name.startswith("wasm_") and hasattr(wasmtime.Config, name):
            setattr(config, name, is_on)
    return wasmtime.Engine(config)


def is_valid(data: bytes, engine: wasmtime.Engine) -> bool:
    """Ask the engine."""
    try:
        wasmtime.Module.validate(engine, data)
    except wasmtime.WasmtimeError:
        return False
    return True


def around(code: bytes) -> bytes:
    """Put an instruction, and a memory.fill behind it, where the stack may hold anything, beside one of everything."""
    return module(
        section(1, b"\1\x60\0\0"),
        section(3, b"\1\0"),
        section(4, b"\1\x70\0\1"),
        section(5, b"\1\0\1"),
        section(6, b"\1\x7f\1\x41\0\x0b"),
        section(7, b"\1\1f\0\0"),
        section(9, b"\1\1\0\1\0"),
        section(12, b"\1"),
        section(10, b"\1" + body(b"\0" + code + NOPS + FILL, b"\1\1\x7f")),
        section(11, b"\1\1\0"),
    )


@pytest.mark.parametrize("first", range(256), ids=lambda code: f"{code:#04x}")
def test_every_instruction_that_the_engine_accepts_is_known(first: int, engine: wasmtime.Engine) -> None:
    """With its length: the operation behind it is found. What is overlong may be refused, but is never misread."""
    for opcode, immediates in product((code for code in EVERY_OPCODE if code[0] == first), IMMEDIATES):
        data = around(opcode + immediates)
        if not is_valid(data, engine):
            continue
        end = parse(data).bodies[0].end - 1
        try:
            found = list(bulk_operations(data, parse(data).bodies[0]))
        except RejectedModule:
            assert opcode[0] in {0xFC, 0xFD}
            assert opcode[2:] == b"\0" or 0x80 in immediates, (opcode + immediates).hex()
            continue
        assert found[-1] == BulkOperation("memory.fill", end - 3, end), (opcode + immediates).hex()
        assert len(found) == 1 + (opcode in {b"\xfc\x08", b"\xfc\x0a", b"\xfc\x0b"})


@pytest.mark.parametrize("code", [b"\x06\x40\x0b", b"\xfe\x10\x02\x00", b"\xfc\x8b\x00\x00", b"\xfc\x0b\x01"])
def test_an_unknown_instruction_is_refused(code: bytes) -> None:
    """Behind it anything could be hidden; also opcodes and memory indices in other than their shortest form."""
    data = one_function(b"\0" + code)
    with pytest.raises(RejectedModule, match=r"an instruction that Guesthouse doesn't know, 0x\w\w, at byte"):
        sliced(data)


def test_operations_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a hostile module has so many."""
    monkeypatch.setattr(bounds, "BULK_OPERATIONS", 3)
    assert sliced(one_function(FILL * 3))
    with pytest.raises(RejectedModule, match="more than 3 bulk memory operations"):
        sliced(one_function(FILL * 4))


def test_segments_copied_from_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a function; segments that no code copies from don't count."""
    monkeypatch.setattr(bounds, "INITIALISED_SEGMENTS", 2)
    init = "".join(f"\\fc\\08\\{index:02x}\\00" for index in range(3))
    code = bytes.fromhex(init.replace("\\", ""))
    assert sliced(one_function(code[:8]))
    with pytest.raises(RejectedModule, match="copies from more than 2 data segments"):
        sliced(one_function(code))


def test_many_operations_are_rewritten_quickly() -> None:
    """A quarter of the bound, in a time that isn't quadratic."""
    data = one_function(FILL * (bounds.BULK_OPERATIONS // 4))
    assert len(sliced(data)) < len(data) + 500


def test_a_sliced_guest_runs_metered() -> None:
    """With fuel on, as in the host."""
    config = wasmtime.Config()
    config.consume_fuel = True
    engine = wasmtime.Engine(config)
    instance = Instance(engine, wasmtime.Module(engine, sliced(bulk_guest())))
    assert instance.call("memory.fill", 0, 5, 1_000_000) == ""
    assert instance.memory[:1_000_000] == b"\5" * 1_000_000
