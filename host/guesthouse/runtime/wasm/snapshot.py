"""Write the state that a module reached as a module: its memory as data segments, its mutable globals as constants.

Three steps, none of which runs anything: `why_not` says whether it can be done; `instrument` opens the module's state
to whoever runs its initialisation; `write` puts the state reached into a new module, which starts where that ended.

The new module behaves as the old one would after its initialisation, in all that a guest can tell:

- Tables are filled by the element segments as before, so code that changes tables is refused.
- An active data segment counts as dropped once it was applied, so its index may serve any other active segment; passive
  ones stay at their index, and code that drops them is refused.
- Function bodies are copied, so names, DWARF offsets and backtraces stay true.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from types import MappingProxyType
from typing import Final, NamedTuple

from guesthouse.runtime.wasm import bounds
from guesthouse.runtime.wasm.binary import encode_name, encode_signed, encode_unsigned, encode_vector, printable
from guesthouse.runtime.wasm.module import rewrite
from guesthouse.runtime.wasm.opcodes import CodeFacts
from guesthouse.runtime.wasm.shape import PAGE_BYTES, VALUE_TYPES, Data, Export, Global, Kind, ModuleShape, SectionId

SNAPSHOTTER_VERSION: Final = 1
"""Part of an artefact's key: to be raised whenever `write` writes anything different."""

_INITIALIZE: Final = "_initialize"
_PREFIX: Final = "guesthouse:snapshot:"
_MERGED_GAPS: Final = (64, 1_024, 4_096)
"""Zeros between two runs that are written rather than starting a new segment; the first that gives few enough."""
_END: Final = b"\x0b"
_ACTIVE, _PASSIVE = b"\0", b"\1"
_EMPTY: Final = _PASSIVE + b"\0"
_I32: Final = 0x7F


class _Number(NamedTuple):
    """How a number type's constants are written."""

    opcode: bytes
    bits: int
    float_format: str | None = None


_NUMBERS: Final = MappingProxyType(
    {
        _I32: _Number(b"\x41", 32),
        0x7E: _Number(b"\x42", 64),
        0x7D: _Number(b"\x43", 32, "<f"),
        0x7C: _Number(b"\x44", 64, "<d"),
    },
)
"""The value types that a mutable global can be kept in."""


def why_not(shape: ModuleShape, facts: CodeFacts) -> str | None:
    """Say, in a sentence for its author, why the module can't be snapshotted; None where it can."""
    return next(_obstacles(shape, facts), None)


def why_not_memory(size_bytes: int) -> str | None:
    """Say why the memory reached can't be snapshotted; None where it can."""
    if size_bytes <= bounds.SNAPSHOT_MEMORY_BYTES:
        return None
    return (
        f"its memory has {size_bytes:,} bytes after initialisation;"
        f" a snapshot holds at most {bounds.SNAPSHOT_MEMORY_BYTES:,}"
    )


def _obstacles(shape: ModuleShape, facts: CodeFacts) -> Iterator[str]:
    if facts.unknown:
        yield f"its code holds an instruction that Guesthouse doesn't know, {facts.unknown}"
    if facts.table_changes:
        yield f"its code can change its table ({', '.join(facts.table_changes)}), which a snapshot doesn't keep"
    for item in shape.imports:
        if item.kind is not Kind.FUNCTION:
            yield f"it imports the {item.kind.name.lower()} {printable(item.module + '.' + item.name)}"
    for index in shape.mutable_globals():
        if (value := shape.globals[index].type.value) not in _NUMBERS:
            yield f"its mutable global {index} is a {VALUE_TYPES[value]}; only numbers can be kept"
    yield from _memory_obstacles(shape, facts)


def _memory_obstacles(shape: ModuleShape, facts: CodeFacts) -> Iterator[str]:
    if len(shape.memories) != 1:
        yield f"it has {len(shape.memories) or 'no'} memories; a snapshot holds exactly one"
    elif shape.memories[0].is_shared or shape.memories[0].is_64_bit or shape.memories[0].page_size_log2 is not None:
        yield "its memory isn't an ordinary 32-bit one"
    passive = sum(segment.is_passive for segment in shape.data)
    if passive and "data.drop" in facts.found:
        yield "its code can drop data segments (data.drop), which a snapshot would bring back"
    if passive > bounds.DATA_SEGMENTS - bounds.SNAPSHOT_SEGMENTS:
        yield f"it has {passive:,} passive data segments, which leaves no room for the memory's own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrumented:
    """A module whose state can be read from outside."""

    data: bytes
    global_names: tuple[str, ...]
    """Exports of the mutable globals, in the order that `write` wants them in."""
    memory_name: str
    """Export of the memory."""


def instrument(shape: ModuleShape, data: bytes) -> Instrumented:
    """Export every mutable global, and the memory, under names that the module itself doesn't use."""
    prefix = _PREFIX
    while any(item.name.startswith(prefix) for item in shape.exports):
        prefix += ":"
    imported = len(shape.imported(Kind.GLOBAL))
    reached = tuple(
        Export(f"{prefix}global:{index}", Kind.GLOBAL, imported + index) for index in shape.mutable_globals()
    )
    memory = Export(f"{prefix}memory", Kind.MEMORY, 0)
    exports = _exports((*shape.exports, *reached, memory))
    return Instrumented(
        data=rewrite(shape, data, {SectionId.EXPORT: exports}),
        global_names=tuple(item.name for item in reached),
        memory_name=memory.name,
    )


def write(shape: ModuleShape, data: bytes, *, memory: bytes, values: Sequence[float]) -> bytes:
    """Write the module whose state is *memory* and *values* from the start; equal input gives equal bytes.

    *values* are those of the mutable globals, in the order of `Instrumented.global_names`: an int is taken as raw bits
    (of a float too, which keeps every NaN), a float by value. ``_initialize`` and the start function are left out.

    Raises ``ValueError`` where the state can't be this module's, or `why_not_memory` has a reason.
    """
    _check_state(shape, memory, values)
    segments = _segments(shape, data, memory)
    exports = tuple(item for item in shape.exports if item.name != _INITIALIZE)
    contents: dict[int, bytes | None] = {
        SectionId.MEMORY: _memory(shape, len(memory) // PAGE_BYTES),
        SectionId.EXPORT: _exports(exports),
        SectionId.START: None,
        SectionId.DATA: encode_vector(segments),
    }
    if shape.globals:
        contents[SectionId.GLOBAL] = _globals(shape, values)
    if shape.data_count is not None:
        contents[SectionId.DATA_COUNT] = encode_unsigned(len(segments))
    return rewrite(shape, data, contents)


def _check_state(shape: ModuleShape, memory: bytes, values: Sequence[float]) -> None:
    if reason := why_not_memory(len(memory)):
        raise ValueError(reason)
    limits = shape.memories[0]
    pages, rest = divmod(len(memory), PAGE_BYTES)
    if rest or pages < limits.minimum or (limits.maximum is not None and pages > limits.maximum):
        raise ValueError(f"{len(memory):,} bytes can't be this module's memory")
    if len(values) != len(shape.mutable_globals()):
        raise ValueError(f"{len(values)} values for {len(shape.mutable_globals())} mutable globals")


def _exports(exports: tuple[Export, ...]) -> bytes:
    return encode_vector(
        [encode_name(item.name) + bytes([item.kind]) + encode_unsigned(item.index) for item in exports]
    )


def _memory(shape: ModuleShape, pages: int) -> bytes:
    maximum = shape.memories[0].maximum
    limits = b"\0" + encode_unsigned(pages)
    if maximum is not None:
        limits = b"\1" + encode_unsigned(pages) + encode_unsigned(maximum)
    return encode_vector([limits])


def _globals(shape: ModuleShape, values: Sequence[float]) -> bytes:
    inits = {index: _constant(shape.globals[index].type.value, value) for index, value in _reached(shape, values)}
    return encode_vector([_global(item, inits.get(index, item.init)) for index, item in enumerate(shape.globals)])


def _reached(shape: ModuleShape, values: Sequence[float]) -> Iterator[tuple[int, float]]:
    return zip(shape.mutable_globals(), values, strict=True)


def _global(item: Global, init: bytes) -> bytes:
    return bytes([item.type.value, item.type.is_mutable]) + init


def _constant(kind: int, value: float) -> bytes:
    """Encode a global's value as a constant expression."""
    opcode, width, float_format = _NUMBERS[kind]
    bits = value % (1 << width) if isinstance(value, int) else _float_bits(value, kind)
    if float_format is not None:
        return opcode + bits.to_bytes(width // 8, "little") + _END
    return opcode + _signed(bits, width) + _END


def _float_bits(value: float, kind: int) -> int:
    float_format = _NUMBERS[kind].float_format
    if float_format is None:
        raise ValueError(f"{value!r} can't be a global of type {VALUE_TYPES[kind]}")
    return int.from_bytes(struct.pack(float_format, value), "little")


def _signed(bits: int, width: int) -> bytes:
    return encode_signed(bits - (1 << width) if bits >> (width - 1) else bits)


def _segments(shape: ModuleShape, data: bytes, memory: bytes) -> list[bytes]:
    """Encode the data segments: the memory's runs, around the passive segments that code may name by index."""
    runs = (_run(memory, start, end) for start, end in _runs(memory))
    if shape.data_count is None:  # then no code can name a segment
        return list(runs)
    kept = [_passive(data, item) if item.is_passive else next(runs, _EMPTY) for item in shape.data]
    return [*kept, *runs]


def _passive(data: bytes, item: Data) -> bytes:
    return _PASSIVE + encode_unsigned(item.end - item.start) + data[item.start : item.end]


def _run(memory: bytes, start: int, end: int) -> bytes:
    offset = _constant(_I32, start)
    return _ACTIVE + offset + encode_unsigned(end - start) + memory[start:end]


def _runs(memory: bytes) -> list[tuple[int, int]]:
    """Find the runs of bytes that aren't zero, joined over small gaps, and over larger ones where they are too many."""
    blocks = _blocks(memory)
    for gap in _MERGED_GAPS:
        pattern = re.compile(rb"[^\0]++(?:\0{1,%d}+[^\0]++)*+" % gap)
        found = (run.span() for start, end in blocks for run in pattern.finditer(memory, start, end))
        runs = list(islice(found, bounds.SNAPSHOT_SEGMENTS + 1))
        if len(runs) <= bounds.SNAPSHOT_SEGMENTS:
            return runs
    return blocks


def _blocks(memory: bytes) -> list[tuple[int, int]]:
    """Find the stretches of pages that aren't all zero: comparing whole pages is far quicker than searching them."""
    zeros = bytes(PAGE_BYTES)
    blocks: list[tuple[int, int]] = []
    for start in range(0, len(memory), PAGE_BYTES):
        end = start + PAGE_BYTES
        if memory[start:end] != zeros:
            is_next = bool(blocks) and blocks[-1][1] == start
            blocks.append((blocks.pop()[0] if is_next else start, end))
    return blocks
