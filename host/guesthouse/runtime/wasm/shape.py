"""A module's shape: what it declares, and where in its bytes each section lies. Nothing here holds the bytes.

Source: WebAssembly core specification, "Binary Format"; codes are the specification's.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple

VALUE_TYPES: Final = {
    0x7F: "i32",
    0x7E: "i64",
    0x7D: "f32",
    0x7C: "f64",
    0x7B: "v128",
    0x70: "funcref",
    0x6F: "externref",
}
REFERENCE_TYPES: Final = {0x70: "funcref", 0x6F: "externref"}
_CODES: Final = {name: code for code, name in VALUE_TYPES.items()}
_SHOWN_PARAMETERS: Final = 20

PAGE_BYTES: Final = 65_536
"""A page of linear memory."""


class SectionId(IntEnum):
    """Sections by their code."""

    CUSTOM = 0
    TYPE = 1
    IMPORT = 2
    FUNCTION = 3
    TABLE = 4
    MEMORY = 5
    GLOBAL = 6
    EXPORT = 7
    START = 8
    ELEMENT = 9
    CODE = 10
    DATA = 11
    DATA_COUNT = 12
    TAG = 13


SECTION_ORDER: Final = (1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11)
"""The order in which sections stand in a module; custom sections stand anywhere."""


class Kind(IntEnum):
    """What an import or export is."""

    FUNCTION = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3
    TAG = 4


class Section(NamedTuple):
    """One section; ``data[start:payload]`` is its header, ``data[payload:end]`` its content."""

    id: int
    start: int
    payload: int
    end: int


@dataclass(frozen=True, slots=True)
class FuncType:
    """A function's type, as value-type codes."""

    params: bytes
    results: bytes

    @classmethod
    def of(cls, params: Iterable[str], results: Iterable[str]) -> "FuncType":
        """Build a type from names: ``FuncType.of(("i32", "i32"), ("i64",))``."""
        return cls(bytes(_CODES[name] for name in params), bytes(_CODES[name] for name in results))

    def __str__(self) -> str:
        return f"{_shown(self.params)} -> {_shown(self.results)}"


def _shown(codes: bytes) -> str:
    names = [VALUE_TYPES[code] for code in codes[:_SHOWN_PARAMETERS]]
    return f"({', '.join(names)}{', ...' if len(codes) > _SHOWN_PARAMETERS else ''})"


class Limits(NamedTuple):
    """Bounds of a table (in elements) or memory (in pages)."""

    minimum: int
    maximum: int | None
    is_shared: bool
    is_64_bit: bool
    page_size_log2: int | None
    """Set where a memory has a page size of its own."""


class Table(NamedTuple):
    """One table."""

    element: int
    """A code of `REFERENCE_TYPES`."""
    limits: Limits


class GlobalType(NamedTuple):
    """A global's type."""

    value: int
    """A code of `VALUE_TYPES`."""
    is_mutable: bool


class Global(NamedTuple):
    """One global that the module defines."""

    type: GlobalType
    init: bytes
    """The constant expression, with its ``end``."""


class Import(NamedTuple):
    """One import; ``type_index`` is set for functions, ``type`` for globals."""

    module: str
    name: str
    kind: Kind
    type_index: int | None = None
    type: GlobalType | None = None


@dataclass(frozen=True, slots=True)
class Export:
    """One export; ``index`` counts imports first."""

    name: str
    kind: Kind
    index: int


class Elements(NamedTuple):
    """The element segments in brief."""

    segments: int = 0
    passive: int = 0
    declared: int = 0
    items: int = 0


class Data(NamedTuple):
    """One data segment; its bytes are ``data[start:end]``."""

    is_passive: bool
    memory: int
    offset: bytes
    """The constant expression, with its ``end``; empty where passive."""
    start: int
    end: int


class Custom(NamedTuple):
    """One custom section; its content is ``data[start:end]``."""

    name: str
    start: int
    end: int


class Producer(NamedTuple):
    """One line of the producers section: ``language Go go1.26``, ``processed-by rustc 1.90``."""

    field: str
    name: str
    version: str


_NO_ELEMENTS: Final = Elements()


class Body(NamedTuple):
    """One function body; its instructions, without the locals, are ``data[start:end]``."""

    start: int
    end: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleShape:
    """Everything that a module declares; imported things count first in every index space."""

    size_bytes: int
    sections: tuple[Section, ...]
    types: tuple[FuncType, ...] = ()
    imports: tuple[Import, ...] = ()
    functions: tuple[int, ...] = ()
    """The type index of each function that the module defines."""
    tables: tuple[Table, ...] = ()
    memories: tuple[Limits, ...] = ()
    tags: int = 0
    globals: tuple[Global, ...] = ()
    exports: tuple[Export, ...] = ()
    start: int | None = None
    elements: Elements = _NO_ELEMENTS
    data_count: int | None = None
    bodies: tuple[Body, ...] = ()
    data: tuple[Data, ...] = ()
    customs: tuple[Custom, ...] = ()
    producers: tuple[Producer, ...] = ()

    def imported(self, kind: Kind) -> tuple[Import, ...]:
        """List the imports of one kind."""
        return tuple(item for item in self.imports if item.kind is kind)

    def type_index(self, function: int) -> int | None:
        """Look up the type index of a function; None where there is no such function."""
        imported = [item.type_index for item in self.imports if item.kind is Kind.FUNCTION]
        if function < len(imported):
            return imported[function]
        defined = function - len(imported)
        return self.functions[defined] if defined < len(self.functions) else None

    def mutable_globals(self) -> tuple[int, ...]:
        """List the mutable globals that the module defines, counted without imported ones."""
        return tuple(index for index, item in enumerate(self.globals) if item.type.is_mutable)
