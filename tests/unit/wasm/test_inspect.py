"""The rules that a guest's module must keep, each refusal naming its offender."""

import pytest
from tests.support.wasm_modules import PARTS, guest, module, section, wat

from guesthouse.abi import contract
from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm.binary import encode_name
from guesthouse.runtime.wasm.inspect import OFFERS, inspect
from guesthouse.runtime.wasm.module import parse
from guesthouse.runtime.wasm.wasi_signatures import WASI_MODULE


def test_the_smallest_guest_passes() -> None:
    """One memory and three functions are enough, and sizes are reported."""
    data = guest(memory='(memory (export "memory") 3 9)')
    inspection = inspect(parse(data))
    assert inspection.exports == ("memory", "guesthouse_alloc", "guesthouse_call", "guesthouse_describe")
    assert (inspection.size_bytes, inspection.functions, inspection.imports) == (len(data), 3, ())
    assert (inspection.memory_min_pages, inspection.memory_max_pages) == (3, 9)
    assert (inspection.table_min, inspection.table_max) == (0, None)
    assert not inspection.has_start
    assert not inspection.has_initialize
    assert inspection.language is None


def test_what_a_guest_brings_along_is_reported() -> None:
    """Initialisation, start function, table, imports: facts for whoever runs it."""
    inspection = inspect(
        parse(
            guest(
                '(import "guesthouse_v1" "now" (func (result i64)))',
                '(import "wasi_snapshot_preview1" "proc_exit" (func (param i32)))',
                '(func $up (export "_initialize"))',
                "(start $up)",
                "(table 7 8 funcref)",
            ),
        ),
    )
    assert inspection.imports == (("guesthouse_v1", "now"), ("wasi_snapshot_preview1", "proc_exit"))
    assert inspection.has_start
    assert inspection.has_initialize
    assert (inspection.table_min, inspection.table_max) == (7, 8)


def test_the_language_is_shown() -> None:
    """As the producers section names it."""
    content = (
        encode_name("producers") + b"\1" + encode_name("language") + b"\1" + encode_name("Go") + encode_name("1.26")
    )
    assert inspect(parse(guest() + section(0, content))).language == "Go 1.26"


@pytest.mark.parametrize("name", [(home, name) for home, names in OFFERS.items() for name in names])
def test_everything_offered_can_be_imported(name: tuple[str, str]) -> None:
    """With its exact type; any other type is refused, by name."""
    home, function = name
    params, results = OFFERS[home][function]
    types = f"(param {' '.join(params)}) (result {' '.join(results)})"
    inspect(parse(guest(f'(import "{home}" "{function}" (func {types}))')))
    with pytest.raises(RejectedModule, match=rf"imports {home}\.{function} as .* is expected"):
        inspect(parse(guest(f'(import "{home}" "{function}" (func {types} (result f32)))')))


@pytest.mark.parametrize(
    ("field", "message"),
    [
        ('(import "env" "foo" (func))', r"imports env\.foo, which Guesthouse doesn't offer$"),
        ('(import "guesthouse_v1" "shell" (func))', r"imports guesthouse_v1\.shell, which Guesthouse doesn't offer$"),
        ('(import "guesthouse_v2" "log" (func))', r"guesthouse_v2\.log, .*: this version speaks guesthouse_v1"),
        ('(import "wasi_unstable" "fd_write" (func))', "wasi_unstable.*: build it for WASI preview 1"),
        ('(import "gojs" "runtime.wasmExit" (func (param i32)))', "GOOS=wasip1 -buildmode=c-shared"),
        ('(import "env" "memory" (memory 1))', r"imports the memory env\.memory; only functions"),
        ('(import "env" "table" (table 1 funcref))', r"imports the table env\.table"),
        ('(import "env" "global" (global i32))', r"imports the global env\.global"),
        ('(import "env" "tag" (tag))', r"imports the tag env\.tag"),
        ('(import "guesthouse_v1" "now" (global i64))', r"imports the global guesthouse_v1\.now"),
        ('(import "a\\1b[31m" "\\0a" (func))', r"imports a\?\[31m\.\?, which"),
        ("(memory 1)", "has 2 memories of its own; it must have one"),
        ("(table 1 funcref) (table 1 funcref)", "has 2 tables; one is allowed"),
        ("(table i64 1 funcref)", "64-bit table"),
        ("(tag)", "uses exceptions"),
        (
            '(func (export "_initialize") (param i32))',
            r"exports _initialize as \(i32\) -> \(\); \(\) -> \(\) is expected",
        ),
        ('(func (export "_start"))', "built as a command: build it as a reactor"),
        ('(export "again" (memory 0)) (export "again" (func 0))', "exports again 2 times"),
    ],
)
def test_what_a_guest_may_not_have_is_refused(field: str, message: str) -> None:
    """The author learns what it is and, where it is known, how to build it otherwise."""
    with pytest.raises(RejectedModule, match=message):
        inspect(parse(guest(field)))


@pytest.mark.parametrize(
    ("part", "text", "message"),
    [
        ("memory", "", "has no memories of its own; .*doesn't export its memory as memory"),
        ("memory", "(memory 1)", "doesn't export its memory as memory"),
        ("memory", '(memory 1) (global (export "memory") i32 (i32.const 0))', "doesn't export its memory as memory"),
        ("memory", '(memory (export "memory") 1 1 shared)', r"shared memory \(threads\)"),
        ("memory", '(memory (export "memory") i64 1)', "64-bit memory.*wasm32"),
        ("memory", '(memory (export "memory") 1 (pagesize 1))', "page size of its own"),
        ("alloc", "", "doesn't export guesthouse_alloc$"),
        ("call", "", "doesn't export guesthouse_call$"),
        ("describe", "", "doesn't export guesthouse_describe$"),
        (
            "alloc",
            '(func (export "guesthouse_alloc") (param i64) (result i32) i32.const 0)',
            r"guesthouse_alloc as \(i64\) -> \(i32\); \(i32\) -> \(i32\) is expected",
        ),
        (
            "call",
            '(func (export "guesthouse_call") (param i32 i32) (result i32) i32.const 0)',
            r"guesthouse_call as .* \(i32, i32\) -> \(i64\) is expected",
        ),
        (
            "describe",
            '(global (export "guesthouse_describe") i64 (i64.const 0))',
            "guesthouse_describe as a global; a function is expected",
        ),
    ],
)
def test_what_a_guest_must_have_is_named(part: str, text: str, message: str) -> None:
    """A missing or wrong export is named with the type that the contract wants."""
    with pytest.raises(RejectedModule, match=message):
        inspect(parse(guest(**{part: text})))


def test_all_problems_are_reported_at_once() -> None:
    """An author mends everything in one go."""
    with pytest.raises(RejectedModule) as caught:
        inspect(parse(wat('(module (import "env" "foo" (func)) (func (export "_start")))')))
    for problem in ("no memories", "env.foo", *contract.EXPORTS, "reactor"):
        assert problem in caught.value.fault


def test_a_thousand_problems_are_cut() -> None:
    """The message stays readable and bounded, whatever the names are."""
    imports = [f'(import "env" "{"x" * 4_000}{index}" (func))' for index in range(900)]
    with pytest.raises(RejectedModule, match="and 890 problems more") as caught:
        inspect(parse(guest(*imports)))
    assert len(caught.value.fault) < 2_500


def test_indices_that_lead_nowhere_are_problems_not_crashes() -> None:
    """The engine would refuse them too, but it is asked later."""
    data = module(
        section(2, b"\1" + encode_name(WASI_MODULE) + encode_name("sched_yield") + b"\0\x09"),
        section(5, b"\1\0\1"),
        section(7, b"\2" + encode_name("memory") + b"\2\7" + encode_name("guesthouse_alloc") + b"\0\x63"),
    )
    with pytest.raises(
        RejectedModule, match=r"sched_yield as a function without a type.*guesthouse_alloc as a function"
    ):
        inspect(parse(data))


def test_the_parts_are_all_needed() -> None:
    """The tests' smallest guest has nothing to spare."""
    for part in PARTS:
        with pytest.raises(RejectedModule):
            inspect(parse(guest(**{part: ""})))


def test_a_function_that_is_too_large_is_refused_by_its_authors_size() -> None:
    """The parser lets a little more pass, for functions that grew when they were rewritten."""
    large = wat(f'(module (memory (export "memory") 1) (func {"(drop (i32.const 1))" * 700_000}))')
    with pytest.raises(RejectedModule, match=r"bytes in one function; 2,097,152 are allowed"):
        inspect(parse(large))
