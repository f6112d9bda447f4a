"""One decoder for each section: from a `Reader` over its content to values. All counts are bounded by `bounds`."""

import re
from typing import Final

from guesthouse.runtime.wasm import bounds
from guesthouse.runtime.wasm.binary import Reader, fault
from guesthouse.runtime.wasm.shape import (
    REFERENCE_TYPES,
    VALUE_TYPES,
    Body,
    Data,
    Elements,
    Export,
    FuncType,
    Global,
    GlobalType,
    Import,
    Kind,
    Limits,
    Table,
)

_FUNCTION_TYPE: Final = 0x60
_TABLE_WITH_INIT: Final = 0x40
_HAS_MAXIMUM, _IS_SHARED, _IS_64_BIT, _HAS_PAGE_SIZE = 1, 2, 4, 8
_ELEMENT_PASSIVE, _ELEMENT_EXPLICIT, _ELEMENT_EXPRESSIONS, _ELEMENT_MOST = 1, 2, 4, 7
_DATA_PASSIVE, _DATA_EXPLICIT = 1, 2
_KNOWN_VALUES: Final = bytes(VALUE_TYPES)
_CONSTANT: Final = re.compile(
    rb"""(?: [\x23\x41\x42\xd0\xd2] [\x80-\xff]{0,9}+ [\x00-\x7f]   # global.get, const, ref.null, ref.func
           | [\x6a-\x6c\x7c-\x7e]                                   # add, sub, mul
           | \x44 .{8} | \x43 .{4} | \xfd\x0c .{16}
         )*+ \x0b""",
    re.VERBOSE | re.DOTALL,
)
"""A constant expression with its end; in C, because a hostile one may be as long as the module."""


def types(reader: Reader) -> tuple[FuncType, ...]:
    """Decode the type section; anything but function types is refused."""
    return tuple(_type(reader) for _ in range(reader.count("types", bounds.TYPES)))


def _type(reader: Reader) -> FuncType:
    at = reader.offset
    form = reader.byte()
    if form != _FUNCTION_TYPE:
        raise fault(f"a type of form {form:#04x} (garbage collection) isn't supported", at)
    return FuncType(_values(reader, "parameters"), _values(reader, "results"))


def _values(reader: Reader, what: str) -> bytes:
    found = reader.take(reader.count(f"{what} in one type", bounds.PARAMETERS))
    if unknown := found.translate(None, _KNOWN_VALUES):
        raise _unknown_value(unknown[0], reader.offset)
    return found


def _value(reader: Reader) -> int:
    code = reader.byte()
    if code not in VALUE_TYPES:
        raise _unknown_value(code, reader.offset)
    return code


def _unknown_value(code: int, offset: int) -> Exception:
    return fault(f"value type {code:#04x} isn't supported", offset)


def imports(reader: Reader) -> tuple[Import, ...]:
    """Decode the import section."""
    return tuple(_import(reader) for _ in range(reader.count("imports", bounds.IMPORTS)))


def _import(reader: Reader) -> Import:
    module, name, kind = reader.name(), reader.name(), _kind(reader)
    match kind:
        case Kind.FUNCTION:
            return Import(module, name, kind, type_index=reader.u32())
        case Kind.TABLE:
            _table(reader)
        case Kind.MEMORY:
            _limits(reader)
        case Kind.GLOBAL:
            return Import(module, name, kind, type=_global_type(reader))
        case Kind.TAG:
            _tag(reader)
    return Import(module, name, kind)


def _kind(reader: Reader) -> Kind:
    at = reader.offset
    code = reader.byte()
    if code > Kind.TAG:
        raise fault(f"an import or export of kind {code} is unknown", at)
    return Kind(code)


def functions(reader: Reader) -> tuple[int, ...]:
    """Decode the function section: a type index for each function."""
    return tuple(reader.u32() for _ in range(reader.count("functions", bounds.FUNCTIONS)))


def tables(reader: Reader) -> tuple[Table, ...]:
    """Decode the table section."""
    return tuple(_table(reader) for _ in range(reader.count("tables", bounds.TABLES)))


def _table(reader: Reader) -> Table:
    at = reader.offset
    element = reader.byte()
    if element == _TABLE_WITH_INIT:
        raise fault("a table with an initial value isn't supported", at)
    if element not in REFERENCE_TYPES:
        raise fault(f"a table of {element:#04x} isn't supported", at)
    return Table(element, _limits(reader))


def memories(reader: Reader) -> tuple[Limits, ...]:
    """Decode the memory section."""
    return tuple(_limits(reader) for _ in range(reader.count("memories", bounds.MEMORIES)))


def _limits(reader: Reader) -> Limits:
    at = reader.offset
    flags = reader.byte()
    if flags > _HAS_MAXIMUM | _IS_SHARED | _IS_64_BIT | _HAS_PAGE_SIZE:
        raise fault(f"limits of form {flags:#04x} are unknown", at)
    number = reader.u64 if flags & _IS_64_BIT else reader.u32
    minimum = number()
    maximum = number() if flags & _HAS_MAXIMUM else None
    page_size_log2 = reader.u32() if flags & _HAS_PAGE_SIZE else None
    return Limits(minimum, maximum, bool(flags & _IS_SHARED), bool(flags & _IS_64_BIT), page_size_log2)


def tags(reader: Reader) -> int:
    """Count the tags (of exceptions)."""
    found = reader.count("tags", bounds.TAGS)
    for _ in range(found):
        _tag(reader)
    return found


def _tag(reader: Reader) -> None:
    reader.byte()
    reader.u32()


def globals_(reader: Reader) -> tuple[Global, ...]:
    """Decode the global section."""
    return tuple(
        Global(_global_type(reader), _constant(reader)) for _ in range(reader.count("globals", bounds.GLOBALS))
    )


def _global_type(reader: Reader) -> GlobalType:
    value = _value(reader)
    at = reader.offset
    mutability = reader.byte()
    if mutability > 1:
        raise fault(f"a global's mutability {mutability} is unknown", at)
    return GlobalType(value, bool(mutability))


def _constant(reader: Reader) -> bytes:
    found = _CONSTANT.match(reader.data, reader.offset, reader.end)
    if not found:
        raise fault("an initial value isn't a supported constant expression", reader.offset)
    reader.offset = found.end()
    return found.group()


def exports(reader: Reader) -> tuple[Export, ...]:
    """Decode the export section."""
    return tuple(
        Export(reader.name(), _kind(reader), reader.u32()) for _ in range(reader.count("exports", bounds.EXPORTS))
    )


def start(reader: Reader) -> int:
    """Decode the start section: the function's index."""
    return reader.u32()


def elements(reader: Reader) -> Elements:
    """Sum up the element section."""
    segments = reader.count("element segments", bounds.ELEMENT_SEGMENTS)
    passive = declared = items = 0
    for _ in range(segments):
        flags = _element_head(reader)
        is_inactive = flags & _ELEMENT_PASSIVE
        passive += bool(is_inactive and not flags & _ELEMENT_EXPLICIT)
        declared += bool(is_inactive and flags & _ELEMENT_EXPLICIT)
        found = reader.count("elements", bounds.ELEMENTS - items)
        items += found
        for _ in range(found):
            if flags & _ELEMENT_EXPRESSIONS:
                _constant(reader)
            else:
                reader.u32()
    return Elements(segments, passive, declared, items)


def _element_head(reader: Reader) -> int:
    """Read a segment up to its vector of elements and return its flags."""
    at = reader.offset
    flags = reader.u32()
    if flags > _ELEMENT_MOST:
        raise fault(f"an element segment of form {flags} is unknown", at)
    if not flags & _ELEMENT_PASSIVE:
        if flags & _ELEMENT_EXPLICIT:
            reader.u32()
        _constant(reader)
    if flags & (_ELEMENT_PASSIVE | _ELEMENT_EXPLICIT):
        reader.byte()
    return flags


def data_count(reader: Reader) -> int:
    """Decode the data count section."""
    return reader.count("data segments", bounds.DATA_SEGMENTS)


def bodies(reader: Reader) -> tuple[Body, ...]:
    """Find the function bodies, stepping over locals and code."""
    left = bounds.LOCAL_GROUPS
    found = []
    for _ in range(reader.count("function bodies", bounds.FUNCTIONS)):
        size = reader.count("bytes in one function", bounds.REWRITTEN_BODY_BYTES)
        end = reader.skip(size) + size
        body = Reader(reader.data, end - size, end)
        left -= _locals(body, left)
        found.append(Body(body.offset, end))
    return tuple(found)


def _locals(body: Reader, most: int) -> int:
    """Step over a function's locals and count their groups."""
    groups = body.count("declarations of locals", most)
    left = bounds.LOCALS
    for _ in range(groups):
        left -= body.count("locals in one function", left)
        body.byte()
    return groups


def data(reader: Reader) -> tuple[Data, ...]:
    """Decode the data section."""
    return tuple(_data(reader) for _ in range(reader.count("data segments", bounds.DATA_SEGMENTS)))


def _data(reader: Reader) -> Data:
    at = reader.offset
    flags = reader.u32()
    if flags > _DATA_EXPLICIT:
        raise fault(f"a data segment of form {flags} is unknown", at)
    memory = reader.u32() if flags & _DATA_EXPLICIT else 0
    offset = b"" if flags & _DATA_PASSIVE else _constant(reader)
    size = reader.u32()
    begin = reader.skip(size)
    return Data(bool(flags & _DATA_PASSIVE), memory, offset, begin, begin + size)
