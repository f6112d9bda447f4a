"""Parsing a module into its shape, and putting a module together again."""

import pytest
from tests.support.wasm_modules import body, guest, module, one_function, section, wat

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm import bounds
from guesthouse.runtime.wasm.binary import encode_name, encode_unsigned
from guesthouse.runtime.wasm.module import parse, rewrite
from guesthouse.runtime.wasm.shape import (
    Elements,
    Export,
    FuncType,
    GlobalType,
    Import,
    Kind,
    Limits,
    Producer,
    SectionId,
    Table,
)

EVERYTHING = """(module
  (type (func (param i32 i64) (result f32)))
  (type (func))
  (import "a" "f" (func (type 0)))
  (import "a" "g" (global i32))
  (import "a" "h" (global (mut i64)))
  (import "a" "m" (memory 1 2))
  (import "a" "t" (table 1 funcref))
  (import "a" "e" (tag (param i32)))
  (func (type 1) (local i32 i32 f64) nop)
  (func (type 0) f32.const 0)
  (table 3 4 externref)
  (memory 5 6)
  (tag (param i64))
  (global i32 (i32.const 7))
  (global (mut f64) (f64.const 1.5))
  (global v128 (v128.const i32x4 1 2 3 4))
  (global funcref (ref.func 1))
  (export "one" (func 1))
  (export "two" (memory 1))
  (start 1)
  (elem (i32.const 0) func 1 2)
  (elem funcref (ref.func 1) (ref.null func))
  (elem declare func 1)
  (data (memory 1) (i32.const 8) "hello")
  (data "passive")
  (@custom "mine" "content")
)"""


def test_a_shape_tells_everything_that_a_module_declares() -> None:
    """Every section is found in the shape; bytes are referred to, not copied."""
    data = wat(EVERYTHING)
    shape = parse(data)
    assert shape.size_bytes == len(data)
    assert shape.types[:2] == (FuncType.of(("i32", "i64"), ("f32",)), FuncType.of((), ()))
    assert shape.imports == (
        Import("a", "f", Kind.FUNCTION, type_index=0),
        Import("a", "g", Kind.GLOBAL, type=GlobalType(0x7F, is_mutable=False)),
        Import("a", "h", Kind.GLOBAL, type=GlobalType(0x7E, is_mutable=True)),
        Import("a", "m", Kind.MEMORY),
        Import("a", "t", Kind.TABLE),
        Import("a", "e", Kind.TAG),
    )
    assert shape.functions == (1, 0)
    assert shape.tables == (Table(0x6F, Limits(3, 4, is_shared=False, is_64_bit=False, page_size_log2=None)),)
    assert shape.memories == (Limits(5, 6, is_shared=False, is_64_bit=False, page_size_log2=None),)
    assert shape.tags == 1
    assert [item.type.is_mutable for item in shape.globals] == [False, True, False, False]
    assert shape.globals[0].init == b"\x41\x07\x0b"
    assert shape.exports == (Export("one", Kind.FUNCTION, 1), Export("two", Kind.MEMORY, 1))
    assert shape.start == 1
    assert shape.elements == Elements(segments=3, passive=1, declared=1, items=5)
    assert [data[item.start : item.end] for item in shape.data] == [b"hello", b"passive"]
    assert [(item.is_passive, item.memory, item.offset) for item in shape.data] == [
        (False, 1, b"\x41\x08\x0b"),
        (True, 0, b""),
    ]
    assert [data[item.start : item.end] for item in shape.bodies] == [b"\x01\x0b", b"\x43\0\0\0\0\x0b"]
    assert [(item.name, data[item.start : item.end]) for item in shape.customs] == [("mine", b"content")]


def test_functions_are_looked_up_behind_the_imported_ones() -> None:
    """Index spaces begin with imports."""
    shape = parse(wat(EVERYTHING))
    assert [shape.type_index(index) for index in range(4)] == [0, 1, 0, None]
    assert shape.mutable_globals() == (1,)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(memory 1 1 shared)", Limits(1, 1, is_shared=True, is_64_bit=False, page_size_log2=None)),
        ("(memory i64 1)", Limits(1, None, is_shared=False, is_64_bit=True, page_size_log2=None)),
        ("(memory 1 (pagesize 1))", Limits(1, None, is_shared=False, is_64_bit=False, page_size_log2=0)),
        (
            "(memory i64 0x1000000000000)",
            Limits(1 << 48, None, is_shared=False, is_64_bit=True, page_size_log2=None),
        ),
    ],
)
def test_kinds_of_memories_are_told_apart(text: str, expected: Limits) -> None:
    """What Guesthouse refuses later, it must be able to name."""
    assert parse(wat(f"(module {text})")).memories == (expected,)


def test_the_makers_of_a_module_are_read() -> None:
    """The producers section is shown to people."""
    content = (
        encode_name("producers") + b"\1" + encode_name("language") + b"\1" + encode_name("Go") + encode_name("1.26")
    )
    assert parse(module(section(0, content))).producers == (Producer("language", "Go", "1.26"),)


@pytest.mark.parametrize(
    "content", [b"", b"\xff", b"\1\4lang\5", b"\xff\xff\xff\xff\x0f", b"\1\1a\xff\xff\x03" + b"\0" * 999]
)
def test_a_broken_producers_section_is_forgiven(content: bytes) -> None:
    """It is a hint for people, with a bound of its own."""
    assert len(parse(module(section(0, encode_name("producers") + content))).producers) <= 50


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "begins with nothing"),
        (b"\x7fELF\x02\x01\x01\x00more", "begins with 7f 45 4c 46 02 01 01 00"),
        (b"\n (module)", "WebAssembly text"),
        (b"\0asm\x0d\0\1\0", "component.*wasip1"),
        (b"\0asm\2\0\0\0", "version 02 00 00 00 is unknown"),
        (b"\0asm\1", "version 01 is unknown"),
        (module(b"\x01\x05\0"), "5 bytes are announced where 1 are left, at byte 10"),
        (module(section(14, b"\0")), "section 14 is unknown, at byte 8"),
        (module(section(3, b"\0"), section(1, b"\0")), "the type section is repeated or out of order"),
        (module(section(1, b"\0"), section(1, b"\0")), "the type section is repeated or out of order"),
        (module(section(1, b"\0\0")), "the type section has 1 bytes too many"),
        (module(section(1, b"\1\x5f\0")), "0x5f .garbage collection. isn't supported"),
        (module(section(1, b"\1\x60\1\x69\0")), "value type 0x69 isn't supported"),
        (module(section(1, b"\1\x60" + encode_unsigned(1_001) + b"\x7f" * 1_001 + b"\0")), "1,001 parameters"),
        (module(section(2, b"\1\1a\1b\5")), "import or export of kind 5 is unknown"),
        (module(section(4, b"\1\x40\0\x70\0\0\xd0\x70\x0b")), "a table with an initial value"),
        (module(section(4, b"\1\x7f\0\0")), "a table of 0x7f"),
        (module(section(5, b"\1\x10\0")), "limits of form 0x10"),
        (module(section(6, b"\1\x7f\2\x41\0\x0b")), "mutability 2"),
        (module(section(6, b"\1\x7f\0\x20\0\x0b")), "isn't a supported constant expression"),
        (module(section(6, b"\1\x7f\0\x41\0")), "isn't a supported constant expression"),
        (module(section(9, b"\1\x08")), "an element segment of form 8"),
        (module(section(11, b"\1\x03")), "a data segment of form 3"),
        (module(section(11, b"\1\1\x09abc")), "9 bytes are announced where 3 are left"),
        (module(section(12, b"\1")), "announces 1 data segments and has 0"),
        (module(section(1, b"\1\x60\0\0"), section(3, b"\1\0")), "declares 1 functions and has 0 bodies"),
        (one_function(b"", b"\1\xd1\x86\x03\x7f"), "50,001 locals in one function"),
        (one_function(b"\1" * bounds.REWRITTEN_BODY_BYTES), "bytes in one function; 2,162,688 are allowed"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_malformed_or_unsupported_is_refused(data: bytes, message: str) -> None:
    """Each fault is named for the author, with its place."""
    with pytest.raises(RejectedModule, match=message):
        parse(data)


@pytest.mark.parametrize(
    ("code", "what", "most"),
    [
        (1, "types", bounds.TYPES),
        (2, "imports", bounds.IMPORTS),
        (3, "functions", bounds.FUNCTIONS),
        (4, "tables", bounds.TABLES),
        (5, "memories", bounds.MEMORIES),
        (13, "tags", bounds.TAGS),
        (6, "globals", bounds.GLOBALS),
        (7, "exports", bounds.EXPORTS),
        (9, "element segments", bounds.ELEMENT_SEGMENTS),
        (12, "data segments", bounds.DATA_SEGMENTS),
        (10, "function bodies", bounds.FUNCTIONS),
        (11, "data segments", bounds.DATA_SEGMENTS),
    ],
)
def test_every_count_has_a_bound(code: int, what: str, most: int) -> None:
    """A million of anything is refused by its number, before any of it is read."""
    with pytest.raises(RejectedModule, match=f"has {most + 1:,} {what}; {most:,} are allowed"):
        parse(module(section(code, encode_unsigned(most + 1))))


def test_element_segments_share_one_bound() -> None:
    """Many segments can't hold more than one may."""
    half = b"\1\0" + encode_unsigned(bounds.ELEMENTS // 2 + 1) + b"\0" * (bounds.ELEMENTS // 2 + 1)
    with pytest.raises(RejectedModule, match=r"250,001 elements; 249,999 are allowed"):
        parse(module(section(9, b"\2" + half + half)))


def test_functions_share_one_bound_of_local_declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module can't keep us busy with declarations of no locals."""
    monkeypatch.setattr(bounds, "LOCAL_GROUPS", 3)
    groups = b"\2\0\x7f\0\x7e"
    with pytest.raises(RejectedModule, match="2 declarations of locals; 1 are allowed"):
        parse(module(section(3, b"\2\0\0"), section(10, b"\2" + body(b"", groups) * 2)))


def test_custom_sections_have_a_bound() -> None:
    """They may stand anywhere, but not in any number."""
    with pytest.raises(RejectedModule, match="more than 1,000 custom sections"):
        parse(module(section(0, b"\1a") * 1_001))


def test_a_cut_module_never_passes_for_a_whole_one() -> None:
    """Cut anywhere but between sections, a module is refused."""
    data = wat(EVERYTHING)
    ends = {8, *(item.end for item in parse(data).sections)}
    for cut in set(range(len(data))) - ends:
        with pytest.raises(RejectedModule):
            parse(data[:cut])


def test_rewriting_nothing_changes_nothing() -> None:
    """What isn't named is copied, byte for byte."""
    data = wat(EVERYTHING)
    assert rewrite(parse(data), data, {}) == data


def test_sections_are_replaced_left_out_and_put_where_they_belong() -> None:
    """The result has the order that the format demands, custom sections in their place."""
    data = module(section(0, b"\1x"), section(1, b"\0"), section(0, b"\1y"), section(10, b"\0"), section(0, b"\1z"))
    contents: dict[int, bytes | None] = {
        SectionId.TYPE: None,
        SectionId.CODE: b"\0",
        SectionId.EXPORT: b"\0",
        SectionId.DATA: b"\0",
        SectionId.DATA_COUNT: b"\0",
        SectionId.START: None,
    }
    expected = [(0, b"\1x"), (0, b"\1y"), (7, b"\0"), (12, b"\0"), (10, b"\0"), (0, b"\1z"), (11, b"\0")]
    written = rewrite(parse(data), data, contents)
    assert written == module(*(section(code, content) for code, content in expected))
    assert parse(written).exports == ()


def test_custom_sections_are_replaced_by_name() -> None:
    """In their place; those that are lacking come last."""
    data = module(section(0, b"\1xold"), section(1, b"\0"), section(0, b"\1ykept"))
    written = rewrite(parse(data), data, {}, {"x": b"new", "z": b"more"})
    expected = [(0, b"\1xnew"), (1, b"\0"), (0, b"\1ykept"), (0, b"\1zmore")]
    assert written == module(*(section(code, content) for code, content in expected))


def test_shapes_print_types_as_people_write_them() -> None:
    """Long types are cut."""
    assert str(FuncType.of(("i32", "i64"), ())) == "(i32, i64) -> ()"
    assert str(FuncType.of(["i32"] * 30, ["f32"])).endswith("i32, ...) -> (f32)")


def test_the_smallest_guest_parses() -> None:
    """The tests' own guest is one."""
    assert len(parse(guest()).functions) == 3
