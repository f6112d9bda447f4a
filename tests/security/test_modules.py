"""Uploads that aren't guests: wrong exports, strange imports, proposals that are switched off, bytes of any kind."""

import random
from collections.abc import Mapping

import pytest
from tests.support.guests import minimal, minimal_wat, wat
from tests.support.hostile import Gauntlet, Upload
from tests.support.wasm_modules import module, section

from guesthouse.abi.contract import IMPORT_MODULE
from guesthouse.runtime.wasm.binary import encode_name

pytestmark = pytest.mark.anyio

GOOD = minimal()
TEXT = minimal_wat()
CHANCE = random.Random(31)  # noqa: S311 - repeatable, not secret
NOISE = CHANCE.randbytes(100_000)


def swapped(old: str, new: str) -> bytes:
    """Build the smallest guest with a piece of its text replaced."""
    assert old in TEXT
    return wat(TEXT.replace(old, new))


def imported(module_name: str, name: str, what: str) -> bytes:
    """Build the smallest guest with one import."""
    return minimal(imports=f'(import "{module_name}" "{name}" {what})')


def with_type(form: bytes) -> bytes:
    """Put one more type into the smallest guest's type section."""
    assert GOOD[8] == 1
    size, types = GOOD[9], GOOD[10 : 10 + GOOD[9]]
    content = bytes([types[0] + 1]) + types[1:] + form
    return GOOD[:8] + section(1, content) + GOOD[10 + size :]


SIGNATURES: Mapping[str, tuple[str, str, str]] = {
    "guesthouse_call without parameters": (
        '"guesthouse_call") (param $ptr i32) (param $len i32) (result i64)',
        '"guesthouse_call") (result i64)',
        "guesthouse_call as () -> (i64); (i32, i32) -> (i64) is expected",
    ),
    "guesthouse_call with 64-bit pointers": (
        "(param $ptr i32) (param $len i32) (result i64)",
        "(param $ptr i64) (param $len i64) (result i64)",
        "guesthouse_call as (i64, i64) -> (i64)",
    ),
    "guesthouse_alloc that takes a float": (
        "(param $size i32) (result i32)",
        "(param f32) (result i32) (local $size i32)",
        "alloc as (f32)",
    ),
    "guesthouse_describe that answers nothing": (
        '"guesthouse_describe") (result i64)',
        '"guesthouse_describe") (result i32 i64) (i32.const 0)',
        "guesthouse_describe as () -> (i32, i64)",
    ),
}
CASES = (
    *(Upload(hazard, swapped(old, new), says) for hazard, (old, new, says) in SIGNATURES.items()),
    Upload("_initialize that takes a number", minimal(initialize="(param i32)"), "_initialize as (i32)"),
    *(
        Upload(f"no {name}", swapped(f'(export "{name}")', ""), says)
        for name, says in (
            ("memory", "doesn't export its memory"),
            ("guesthouse_alloc", "doesn't export guesthouse_alloc"),
            ("guesthouse_call", "doesn't export guesthouse_call"),
            ("guesthouse_describe", "doesn't export guesthouse_describe"),
        )
    ),
    Upload(
        "a global in the place of guesthouse_call",
        wat(TEXT.replace('(export "guesthouse_call")', "")[:-1] + '(export "guesthouse_call" (global $next)))'),
        "guesthouse_call as a global",
    ),
    Upload(
        "a function in the place of the memory",
        wat(TEXT.replace('(export "memory")', "")[:-1] + '(export "memory" (func $alloc)))'),
        "doesn't export its memory",
    ),
    Upload("a command, with _start", minimal(extra='(func (export "_start"))'), "built as a command"),
    Upload("an unknown import", imported("env", "system", "(func (param i32))"), "imports env.system"),
    Upload("an unknown import of ours", imported(IMPORT_MODULE, "exec", "(func)"), f"imports {IMPORT_MODULE}.exec"),
    Upload("another version of the contract", imported("guesthouse_v2", "log", "(func)"), "this version speaks"),
    Upload("an import of another type", imported(IMPORT_MODULE, "now", "(func (result i32))"), "() -> (i64) is expec"),
    Upload("an imported memory", imported("env", "m", "(memory 1)"), "imports the memory env.m"),
    Upload("an imported table", imported("env", "t", "(table 1 funcref)"), "imports the table env.t"),
    Upload("an imported global", imported("env", "g", "(global i32)"), "imports the global env.g"),
    Upload(
        "an import with a name of control characters", imported("\\1b[2J", "\\00", "(func)"), "which Guesthouse does"
    ),
    Upload("two memories", minimal(extra="(memory 1)"), "has 2 memories"),
    Upload("a hundred memories", minimal(extra="(memory 1)" * 100), "memories"),
    Upload("two tables", minimal(extra="(table 1 funcref) (table 1 funcref)"), "has 2 tables"),
    Upload("no memory at all", wat("(module)"), "has no memories of its own"),
    Upload("64-bit memory", minimal(memory="i64 1"), "64-bit memory"),
    Upload("a 64-bit table", minimal(extra="(table i64 1 funcref)"), "64-bit table"),
    Upload("memory shared among threads", minimal(memory="1 2 shared"), "shared memory (threads)"),
    Upload("pages of one byte", minimal(memory="65536 65536 (pagesize 1)"), "page size of its own"),
    Upload(
        "an atomic instruction",
        minimal(extra="(func (drop (i32.atomic.load (i32.const 0))))"),
        "that Guesthouse doesn't know",
    ),
    Upload("exceptions", minimal(extra="(tag)"), "uses exceptions"),
    Upload(
        "exceptions caught", minimal(extra="(func (block (try_table (catch_all 0))))"), "that Guesthouse doesn't know"
    ),
    Upload("a garbage-collected struct", minimal(extra="(type (struct (field i32)))"), "garbage collection"),
    Upload("a garbage-collected array", minimal(extra="(type (array i8))"), "garbage collection"),
    Upload("references to i31", minimal(extra="(func (drop (ref.i31 (i32.const 1))))"), "that Guesthouse doesn't know"),
    Upload(
        "a typed function reference",
        minimal(extra="(type $f (func)) (func (param (ref null $f)) (call_ref $f (local.get 0)))"),
        "isn't supported",
    ),
    Upload("a type that nobody knows", with_type(b"\x41\x00"), "isn't supported"),
    Upload("stack switching", minimal(extra="(type $f (func)) (type (cont $f))"), "isn't supported"),
    Upload(
        "wide arithmetic",
        minimal(extra="(func (result i64 i64) (i64.mul_wide_u (i64.const 1) (i64.const 1)))"),
        "that Guesthouse doesn't know",
    ),
    Upload(
        "relaxed vectors",
        minimal(extra="(func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))"),
        "isn't valid WebAssembly",
    ),
    Upload("code that leaves its stack unbalanced", minimal(call="(i64.const 1) (i64.const 2)"), "isn't valid"),
    Upload("a component", b"\0asm\x0d\0\1\0", "this is a component"),
    Upload("a component with a module inside", wat("(component (core module (memory 1)))"), "this is a component"),
    Upload("text", TEXT.encode(), "this is WebAssembly text"),
    Upload("nothing", b"", "begins with nothing"),
    Upload("an ELF executable", b"\x7fELF\x02\x01\x01" + NOISE, "isn't a WebAssembly module"),
    Upload("random bytes", NOISE, "isn't a WebAssembly module"),
    Upload("random bytes behind a module's header", GOOD[:8] + NOISE, "at byte"),
    Upload("a header alone", GOOD[:8], "has no memories"),
    Upload("half a header", GOOD[:6], "version"),
    Upload("a module cut in its types", GOOD[:12], "at byte"),
    Upload("a module cut in the middle", GOOD[: len(GOOD) // 2], "at byte"),
    Upload("a module cut before its last byte", GOOD[:-1], "at byte"),
    Upload("a section of four gigabytes", GOOD + b"\x0b\xff\xff\xff\xff\x0f", "at byte"),
    Upload("sections in the wrong order", module(section(7, b"\0"), section(1, b"\0")), "out of order"),
    Upload("a section twice", module(section(1, b"\0"), section(1, b"\0")), "repeated"),
    Upload("an unknown section", GOOD + section(99, b""), "section 99 is unknown"),
    Upload("a name that isn't UTF-8", GOOD + section(0, b"\4\xff\xff\xff\xff"), "UTF-8"),
    Upload(
        "debugging information of noise",
        GOOD + section(0, encode_name("name") + NOISE) + section(0, encode_name(".debug_info") + NOISE) + b"\0",
        "at byte",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_what_is_no_guest_is_refused(case: Upload, gauntlet: Gauntlet) -> None:
    """At upload, in a sentence that says what is wrong; nothing of it ever runs."""
    await gauntlet.run(case)
