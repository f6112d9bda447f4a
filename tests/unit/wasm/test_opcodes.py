"""Finding what stands in a snapshot's way among instructions of every length."""

import pytest
from tests.support.wasm_modules import body, module, one_function, section, wat

from guesthouse.runtime.wasm.module import parse
from guesthouse.runtime.wasm.opcodes import QUESTIONABLE, CodeFacts, scan_code

HARMLESS = """
unreachable; nop; block end; block (result i32) end; block (type 0) end; loop end; loop (result v128) end;
if else end; br 0; br_if 0; br_if 127; br_if 128; br_table 0; br_table 0 0 0; return;
call 0; call 200; call_indirect (type 0); call_indirect (param i32); return_call 0; return_call_indirect (type 0);
drop; select; select (result i32); select (result funcref); select (result v128);
local.get 38; local.set 38; local.tee 38; local.get 4902; global.get 38; global.set 38;
table.get 0; table.size 0; ref.null func; ref.null extern; ref.is_null; ref.func 38;
i32.load; i32.load offset=38; i64.load offset=637534208; f32.load align=1; f64.store offset=9958; i64.store32 align=2;
memory.size; memory.grow; memory.fill; memory.copy;
i32.const 38; i32.const -1; i32.const 0x26262626; i64.const 38; i64.const -9223372036854775808;
i64.const 0x2626262626262626; f32.const 0; f32.const nan:0x262626; f64.const 1; f64.const nan:0x6262626262626;
i32.eqz; i32.add; i64.mul; f32.sqrt; f64.copysign; i32.wrap_i64; f64.reinterpret_i64; i32.extend8_s; i64.extend32_s;
i32.trunc_sat_f32_s; i64.trunc_sat_f64_u;
v128.load; v128.load offset=38; v128.load8x8_s; v128.load64_splat offset=9958; v128.store align=1;
v128.const i32x4 0x26262626 0x26262626 0x26262626 0x26262626;
i8x16.shuffle 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; i8x16.swizzle; i8x16.splat; f64x2.splat;
i8x16.extract_lane_s 15; i8x16.replace_lane 3; f64x2.extract_lane 1; f64x2.replace_lane 1;
i8x16.eq; f64x2.ge; v128.not; v128.bitselect; v128.any_true;
v128.load8_lane 7; v128.load8_lane offset=38 7; v128.store64_lane offset=9958 align=1 1;
v128.load32_zero; v128.load64_zero offset=38; f32x4.demote_f64x2_zero; f64x2.promote_low_f32x4; i8x16.abs; i8x16.popcnt;
i16x8.abs; i16x8.extmul_low_i8x16_s; i32x4.dot_i16x8_s; i64x2.mul; f32x4.abs; f64x2.convert_low_i32x4_u;
i8x16.relaxed_swizzle; f32x4.relaxed_madd; i32x4.relaxed_dot_i8x16_i7x16_add_s
"""
INSTRUCTIONS = [text.strip() for text in HARMLESS.split(";") if text.strip()]
QUESTIONS = {
    "table.set": "table.set 0",
    "memory.init": "memory.init 0",
    "data.drop": "data.drop 0",
    "table.init": "table.init 0 0",
    "elem.drop": "elem.drop 0",
    "table.copy": "table.copy 0 0",
    "table.grow": "table.grow 0",
    "table.fill": "table.fill 0",
}


def scan(data: bytes) -> CodeFacts:
    """Parse and scan."""
    return scan_code(parse(data), data)


def assembled(instructions: str) -> bytes:
    """Assemble one function; nothing validates it."""
    fields = "(type (func)) (table 1 funcref) (memory 1) (elem func) (data)"
    return wat(f"(module {fields} (func (local i32 i64 v128) {instructions}))")


@pytest.mark.parametrize("text", INSTRUCTIONS)
def test_each_instruction_is_swallowed_whole(text: str) -> None:
    """Neither its immediates nor what follows are mistaken for something else."""
    assert scan(assembled(text)) == CodeFacts()
    assert scan(assembled(f"{text} table.set 0 {text}")) == CodeFacts(found=frozenset({"table.set"}))


@pytest.mark.parametrize("name", QUESTIONS)
def test_each_questionable_instruction_is_found(name: str) -> None:
    """First, last and repeated ones, beside any other."""
    everything = " ".join(INSTRUCTIONS)
    assert scan(assembled(f"{everything} {QUESTIONS[name]} {everything} {QUESTIONS[name]}")).found == {name}


def test_all_are_found_together() -> None:
    """Having found one doesn't hide the next."""
    facts = scan(assembled(" ".join([*QUESTIONS.values(), *INSTRUCTIONS, *reversed(QUESTIONS.values())])))
    assert facts == CodeFacts(found=frozenset(QUESTIONABLE))
    assert facts.table_changes == (
        "elem.drop",
        "table.copy",
        "table.fill",
        "table.grow",
        "table.init",
        "table.set",
    )


@pytest.mark.parametrize("labels", [1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 1_000])
@pytest.mark.parametrize("label", [0, 38, 200])
def test_branch_tables_of_any_length_are_stepped_over(labels: int, label: int) -> None:
    """Short and long tables, labels of one byte and of two."""
    table = "br_table" + f" {label}" * labels
    assert scan(assembled(f"{table} table.fill 0 {table}")).found == {"table.fill"}


@pytest.mark.parametrize(
    "code",
    [
        b"\x06\x40\x0b",
        b"\xfe\x10\x02\x00",
        b"\x14\x00",
        b"\xfb\x00\x00",
        b"\xfc\x12",
        b"\xfc\x80\x00",
        b"\xfd\x94\x02",
        b"\x28\x40\x00\x00",
        b"\x1c\x02\x7f\x7f",
        b"\x0e\xff\xff\xff\xff\x0f",
        b"\x0e\x20\x00",
        b"\x41" + b"\x80" * 12,
        b"\x44\x00",
        b"\xff",
    ],
    ids=lambda code: code[:6].hex(),
)
def test_what_is_not_known_is_said(code: bytes) -> None:
    """Exceptions, threads, garbage collection, second memories, nonsense: named with their place, and never guessed."""
    data = one_function(b"\x01\x01" + code)
    at = parse(data).bodies[0].start + 2
    assert scan(data).unknown == f"{code[0]:#04x} at byte {at:,}"


def test_an_instruction_cut_by_its_functions_end_is_unknown() -> None:
    """An immediate is never read from the next function."""
    data = module(section(3, b"\2\0\0"), section(10, b"\2" + b"\2\0\x41" + body(b"")))
    assert scan(data).unknown is not None


def test_a_flood_of_anything_stays_quick() -> None:
    """A megabyte of the costliest instructions takes no loop over each of them."""
    for code in (
        b"\x0e\x00\x00",
        b"\x26\x00",
        b"\xfc\x09\x00",
        b"\xfd\x0c" + b"\x26" * 16,
        b"\x41\xff\xff\xff\xff\x0f",
    ):
        facts = scan(one_function(code * ((1 << 20) // len(code))))
        assert facts.unknown is None
