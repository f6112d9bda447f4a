"""What can't be snapshotted, and the sentence that its author reads."""

import re

import pytest
from tests.support.wasm_modules import wat

from guesthouse.runtime.wasm import bounds
from guesthouse.runtime.wasm.module import parse
from guesthouse.runtime.wasm.opcodes import scan_code
from guesthouse.runtime.wasm.snapshot import why_not, why_not_memory


def unfit(text: str) -> str | None:
    """Say why a module can't be snapshotted."""
    data = wat(f"(module {text})")
    shape = parse(data)
    return why_not(shape, scan_code(shape, data))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("(memory 1) (table 1 funcref) (func (table.set 0 (i32.const 0) (ref.null func)))", r"table \(table.set\)"),
        ("(memory 1) (table 1 funcref) (elem func) (func (elem.drop 0))", r"table \(elem.drop\)"),
        ("(memory 1) (data) (func (data.drop 0))", "drop data segments"),
        ("(memory 1) (func throw_ref)", "doesn't know, 0x0a at byte"),
        ("(memory 1) (global (mut funcref) (ref.null func))", "mutable global 0 is a funcref"),
        ("(memory 1) (global (mut v128) (v128.const i64x2 0 0))", "mutable global 0 is a v128"),
        ('(import "a" "b" (global i32)) (memory 1)', r"imports the global a\.b"),
        ('(import "a" "b" (memory 1))', r"imports the memory a\.b"),
        ('(import "a" "b" (table 1 funcref)) (memory 1)', r"imports the table a\.b"),
        ("", "it has no memories"),
        ("(memory 1) (memory 1)", "it has 2 memories"),
        ("(memory 1 1 shared)", "isn't an ordinary"),
        ("(memory i64 1)", "isn't an ordinary"),
        ("(memory 1 (pagesize 1))", "isn't an ordinary"),
    ],
)
def test_what_can_not_be_kept_is_said(text: str, reason: str) -> None:
    """The author learns why the module runs without a snapshot."""
    found = unfit(text)
    assert found is not None
    assert re.search(reason, found)


@pytest.mark.parametrize(
    "text",
    [
        "(memory 1)",
        '(import "a" "b" (func)) (memory 1 2) (table 1 funcref) (global (mut i32) (i32.const 0))',
        "(memory 1) (data) (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0)))",
        '(memory 1) (data (i32.const 0) "a") (func (data.drop 0))',
        "(memory 1) (global funcref (ref.null func)) (global v128 (v128.const i64x2 0 0))",
    ],
)
def test_what_can_be_kept_is_not_refused(text: str) -> None:
    """Functions may be imported, constants may have any type, dropping an applied segment does nothing."""
    assert unfit(text) is None


def test_too_many_passive_segments_leave_no_room() -> None:
    """The engine has one bound for all."""
    segments = "(data)" * (bounds.DATA_SEGMENTS - bounds.SNAPSHOT_SEGMENTS + 1)
    reason = unfit(f"(memory 1) {segments}")
    assert reason is not None
    assert "passive data segments" in reason


def test_a_memory_over_the_bound_is_not_kept() -> None:
    """The reason names both sizes."""
    assert why_not_memory(bounds.SNAPSHOT_MEMORY_BYTES) is None
    assert why_not_memory(bounds.SNAPSHOT_MEMORY_BYTES + 1) == (
        "its memory has 67,108,865 bytes after initialisation; a snapshot holds at most 67,108,864"
    )
