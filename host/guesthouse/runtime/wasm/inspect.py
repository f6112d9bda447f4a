"""Judge a module's shape by Guesthouse's rules: one memory, one table, known imports, the contract's exports.

The rules say more than the engine's validation: the engine's limiter counts per memory and per table, so there may be
one of each. Sizes (memory, table) are reported and judged where the limits are known.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from guesthouse.abi import contract
from guesthouse.abi.contract import Signature
from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm.binary import printable
from guesthouse.runtime.wasm.bounds import BODY_BYTES
from guesthouse.runtime.wasm.shape import Export, FuncType, Import, Kind, Limits, ModuleShape, Producer
from guesthouse.runtime.wasm.wasi_signatures import WASI_MODULE, WASI_SIGNATURES

Offers = Mapping[str, Mapping[str, Signature]]
"""Import modules, each with its functions."""

OFFERS: Final[Offers] = MappingProxyType(
    {contract.IMPORT_MODULE: contract.IMPORTS, WASI_MODULE: WASI_SIGNATURES},
)
_ABI_PREFIX: Final = "guesthouse_v"
_HINTS: Final = MappingProxyType(
    {
        "wasi_unstable": "build it for WASI preview 1 with a newer toolchain",
        "go": "build it with GOOS=wasip1 -buildmode=c-shared",
        "gojs": "build it with GOOS=wasip1 -buildmode=c-shared",
        "__wbindgen_placeholder__": "it was built for browsers; build it for wasm32-wasip1",
    },
)
_START: Final = "_start"
_SHOWN_PROBLEMS: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a module that passed brings along."""

    size_bytes: int
    functions: int
    """Functions that the module defines."""
    imports: tuple[tuple[str, str], ...]
    """Module and name of each import."""
    exports: tuple[str, ...]
    memory_min_pages: int
    memory_max_pages: int | None
    table_min: int
    """Zero where there is no table."""
    table_max: int | None
    has_start: bool
    has_initialize: bool
    producers: tuple[Producer, ...]

    @property
    def language(self) -> str | None:
        """The language that the module says it was written in, such as ``Go go1.26``."""
        named = [item for item in self.producers if item.field == "language"]
        return f"{named[0].name} {named[0].version}".strip() if named else None


def inspect(shape: ModuleShape, *, offers: Offers = OFFERS) -> Inspection:
    """Apply the rules.

    Raises `RejectedModule` with every problem found (up to ten), each naming its offender.
    """
    problems = [
        *(*_storage_problems(shape), *_size_problems(shape)),
        *(*_import_problems(shape, offers), *_export_problems(shape)),
    ]
    if problems:
        more = len(problems) - _SHOWN_PROBLEMS
        shown = [*problems[:_SHOWN_PROBLEMS], *([f"and {more:,} problems more"] if more > 0 else [])]
        raise RejectedModule(f"the module {'; '.join(shown)}", tuple(shown))
    table = shape.tables[0].limits if shape.tables else None
    return Inspection(
        size_bytes=shape.size_bytes,
        functions=len(shape.functions),
        imports=tuple((item.module, item.name) for item in shape.imports),
        exports=tuple(item.name for item in shape.exports),
        memory_min_pages=shape.memories[0].minimum,
        memory_max_pages=shape.memories[0].maximum,
        table_min=table.minimum if table else 0,
        table_max=table.maximum if table else None,
        has_start=shape.start is not None,
        has_initialize=any(item.name == contract.INITIALIZE for item in shape.exports),
        producers=shape.producers,
    )


def _storage_problems(shape: ModuleShape) -> Iterator[str]:
    """Check memories, tables and tags."""
    if len(shape.memories) != 1:
        yield f"has {len(shape.memories) or 'no'} memories of its own; it must have one"
    if len(shape.tables) > 1:
        yield f"has {len(shape.tables)} tables; one is allowed"
    for limits in shape.memories[:1]:
        yield from _limits_problems("memory", limits)
    for table in shape.tables[:1]:
        yield from _limits_problems("table", table.limits)
    if shape.tags:
        yield "uses exceptions (it has tags), which Guesthouse doesn't support"


def _size_problems(shape: ModuleShape) -> Iterator[str]:
    largest = max((body.end - body.start for body in shape.bodies), default=0)
    if largest > BODY_BYTES:
        yield f"has {largest:,} bytes in one function; {BODY_BYTES:,} are allowed"


def _limits_problems(what: str, limits: Limits) -> Iterator[str]:
    if limits.is_shared:
        yield f"has a shared {what} (threads), which Guesthouse doesn't support"
    if limits.is_64_bit:
        yield f"has a 64-bit {what}, which Guesthouse doesn't support; build it for wasm32"
    if limits.page_size_log2 is not None:
        yield f"has a {what} with a page size of its own, which Guesthouse doesn't support"


def _import_problems(shape: ModuleShape, offers: Offers) -> Iterator[str]:
    for item in shape.imports:
        name = printable(f"{item.module}.{item.name}")
        if item.kind is not Kind.FUNCTION:
            yield f"imports the {item.kind.name.lower()} {name}; only functions can be imported"
        elif (wanted := offers.get(item.module, {}).get(item.name)) is None:
            yield f"imports {name}, which Guesthouse doesn't offer{_import_hint(item)}"
        elif problem := _type_problem(item.type_index, shape, wanted):
            yield f"imports {name} {problem}"


def _import_hint(item: Import) -> str:
    if item.module.startswith(_ABI_PREFIX) and item.module != contract.IMPORT_MODULE:
        return f": this version speaks {contract.IMPORT_MODULE}"
    return f": {_HINTS[item.module]}" if item.module in _HINTS else ""


def _type_problem(type_index: int | None, shape: ModuleShape, wanted: Signature) -> str | None:
    found = shape.types[type_index] if type_index is not None and type_index < len(shape.types) else None
    expected = FuncType.of(*wanted)
    return None if found == expected else f"as {found or 'a function without a type'}; {expected} is expected"


def _export_problems(shape: ModuleShape) -> Iterator[str]:
    exports = {item.name: item for item in shape.exports}
    if len(exports) < len(shape.exports):
        name, times = Counter(item.name for item in shape.exports).most_common(1)[0]
        yield f"exports {printable(name)} {times} times"
    memory = exports.get(contract.MEMORY)
    if memory is None or memory.kind is not Kind.MEMORY:
        yield f"doesn't export its memory as {contract.MEMORY}"
    missing = [name for name in contract.EXPORTS if name not in exports]
    if missing:
        yield f"doesn't export {', '.join(missing)}"
    for name, wanted in {**contract.EXPORTS, **contract.OPTIONAL_EXPORTS}.items():
        if name in exports and (problem := _export_problem(exports[name], shape, wanted)):
            yield problem
    if _START in exports and contract.INITIALIZE not in exports:
        yield (
            f"exports {_START} and no {contract.INITIALIZE}, so it was built as a command: build it as a reactor"
            " (C: -mexec-model=reactor; Go: -buildmode=c-shared; Rust: crate-type cdylib)"
        )


def _export_problem(export: Export, shape: ModuleShape, wanted: Signature) -> str | None:
    if export.kind is not Kind.FUNCTION:
        return f"exports {export.name} as a {export.kind.name.lower()}; a function is expected"
    problem = _type_problem(shape.type_index(export.index), shape, wanted)
    return f"exports {export.name} {problem}" if problem else None
