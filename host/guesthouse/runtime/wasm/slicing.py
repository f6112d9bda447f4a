"""Slice a module's code, so that no stretch of it keeps the host from its other work.

The engine looks at its clock where a function is entered and where a loop goes round; nothing else can be interrupted.
``memory.fill``, ``memory.copy`` and ``memory.init`` are each one call into the engine: a first touch of 64 MiB takes 30
to 100 ms. Here each becomes a call of a function added behind the module's own, which works in chunks (see `chunked`).
Long stretches of code get empty loops (see `checkpoints`).

What a guest can tell stays the same. Where an operation reaches out of bounds, the whole of it is left to the engine,
which traps before it writes anything; nobody else sees the memory between two chunks. ``memory.copy`` goes forward or
backward, whichever keeps overlapping ranges whole. ``data.drop`` stays as it is.

Operations whose length is a constant below 256 bytes stay as well: the engine turns them into loads and stores, many of
them in Go's modules, and they take no longer than the same in a guest's own code.

Fuel: the engine charges one unit for each byte; the detour adds 9 for each operation, and 15 to 20 for each chunk.
Empty loops take none.
"""

from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm import bounds, chunked, function_names
from guesthouse.runtime.wasm.binary import Reader, encode_unsigned
from guesthouse.runtime.wasm.checkpoints import CHECKPOINT, checkpoints
from guesthouse.runtime.wasm.module import rewrite
from guesthouse.runtime.wasm.opcodes import bulk_operations
from guesthouse.runtime.wasm.shape import Kind, ModuleShape, SectionId

SLICER_VERSION: Final = 2
"""Part of an artefact's key: to be raised whenever `slice_code` writes anything different."""
_ENCODED_TYPE: Final = b"\x60\x03\x7f\x7f\x7f\x00"
_CALL: Final = b"\x10"
_INDEX_BYTES: Final = 5
"""Longest encoding of an index."""
_MORE: Final = 0x80


class _Helper(NamedTuple):
    """One added function, by what it does."""

    name: str
    segment: int = -1
    """For ``memory.init``."""

    def __str__(self) -> str:
        return self.name if self.segment < 0 else f"{self.name} {self.segment}"


class _Place(NamedTuple):
    """What the bytes ``data[start:end]`` are replaced by: a call, or, between two instructions, a checkpoint."""

    start: int
    end: int
    helper: _Helper | None = None


def slice_code(shape: ModuleShape, data: bytes) -> bytes:
    """Rewrite a module that `inspect` let pass, so that all its code can be interrupted.

    Equal input gives equal bytes; a module of small functions without bulk operations comes back as it is. No index
    changes. Code moves only in functions that get checkpoints, and in modules of more than 16,000 functions. The result
    may be beyond `bounds`: parse it.

    Raises `RejectedModule` for an instruction that isn't known, and for too many bulk operations or branches.
    """
    places = _places(shape, data)
    if not places:
        return data
    helpers = sorted({place.helper for found in places.values() for place in found if place.helper is not None})
    if len(helpers) > bounds.INITIALISED_SEGMENTS:
        raise RejectedModule(f"the module's code copies from more than {bounds.INITIALISED_SEGMENTS:,} data segments")
    first = len(shape.imported(Kind.FUNCTION)) + len(shape.functions)
    calls = {helper: first + index for index, helper in enumerate(helpers)}
    contents: dict[int, bytes | None] = {SectionId.CODE: _code(shape, data, places, calls)}
    if not calls:
        return rewrite(shape, data, contents)
    contents[SectionId.FUNCTION] = _appended(shape, data, SectionId.FUNCTION, [_type_index(shape)] * len(calls))
    if chunked.TYPE not in shape.types:
        contents[SectionId.TYPE] = _appended(shape, data, SectionId.TYPE, [_ENCODED_TYPE])
    return rewrite(shape, data, contents, {function_names.SECTION: _names(shape, data, calls)})


def _places(shape: ModuleShape, data: bytes) -> dict[int, list[_Place]]:
    """Find what is to be replaced, in order, for each body that has any."""
    places = _operations(shape, data)
    for index, offsets in checkpoints(shape, data).items():
        added = [_Place(offset, offset) for offset in offsets]
        places[index] = sorted([*places.get(index, ()), *added], key=itemgetter(0, 1))
    return places


def _operations(shape: ModuleShape, data: bytes) -> dict[int, list[_Place]]:
    """Find the bulk memory operations."""
    places: dict[int, list[_Place]] = {}
    left = bounds.BULK_OPERATIONS
    for index, body in enumerate(shape.bodies):
        for name, start, end in bulk_operations(data, body):
            segment = Reader(data, start + 2, end).u32() if name == "memory.init" else -1
            places.setdefault(index, []).append(_Place(start, end, _Helper(name, segment)))
            left -= 1
            if left < 0:
                raise RejectedModule(f"the module has more than {bounds.BULK_OPERATIONS:,} bulk memory operations")
    return places


def _type_index(shape: ModuleShape) -> bytes:
    found = shape.types.index(chunked.TYPE) if chunked.TYPE in shape.types else len(shape.types)
    return encode_unsigned(found)


def _appended(shape: ModuleShape, data: bytes, code: int, items: list[bytes]) -> bytes:
    """Give the content of a section that is one vector, with more items."""
    section = next(section for section in shape.sections if section.id == code)
    reader = Reader(data, section.payload, section.end)
    count = reader.u32()
    return encode_unsigned(count + len(items)) + data[reader.offset : section.end] + b"".join(items)


def _code(shape: ModuleShape, data: bytes, places: dict[int, list[_Place]], calls: dict[_Helper, int]) -> bytes:
    """Give the content of the code section: rewritten bodies, then the added functions."""
    section = next(section for section in shape.sections if section.id == SectionId.CODE)
    reader = Reader(data, section.payload, section.end)
    parts = [encode_unsigned(reader.u32() + len(calls))]
    at = reader.offset
    for index, body in enumerate(shape.bodies):
        entry = data[at : body.end]
        parts.append(_replaced(entry, at, places[index], calls) if index in places else entry)
        at = body.end
    return b"".join([*parts, *(_function(shape, helper) for helper in calls)])


def _replaced(entry: bytes, offset: int, places: Sequence[_Place], calls: dict[_Helper, int]) -> bytes:
    """Put calls and checkpoints into one entry of the code section, which begins at *offset* of the module."""
    reader = Reader(entry)
    reader.u32()
    at = reader.offset
    parts = []
    for start, end, helper in places:
        parts += [entry[at : start - offset], CHECKPOINT if helper is None else _call(calls[helper], end - start)]
        at = end - offset
    content = b"".join([*parts, entry[at:]])
    size = entry[: reader.offset] if reader.offset + len(content) == len(entry) else encode_unsigned(len(content))
    return size + content


def _call(function: int, size: int) -> bytes:
    """Encode a call in *size* bytes, so that nothing moves; in more or fewer where it doesn't fit."""
    encoded = encode_unsigned(function)
    padding = min(size - 1, _INDEX_BYTES) - len(encoded)
    if padding > 0:
        encoded = encoded[:-1] + bytes([encoded[-1] | _MORE]) + bytes([_MORE]) * (padding - 1) + b"\0"
    return _CALL + encoded


def _function(shape: ModuleShape, helper: _Helper) -> bytes:
    match helper.name:
        case "memory.fill":
            return chunked.fill()
        case "memory.copy":
            return chunked.copy()
    return chunked.init(helper.segment, _passive_bytes(shape, helper.segment))


def _passive_bytes(shape: ModuleShape, segment: int) -> int:
    """Look up a data segment's size; zero where it isn't passive, for then it was dropped at once."""
    found = shape.data[segment] if segment < len(shape.data) else None
    return found.end - found.start if found and found.is_passive else 0


def _names(shape: ModuleShape, data: bytes, calls: dict[_Helper, int]) -> bytes:
    """Give the content of the name section; one is made where there is none, for the sake of backtraces."""
    known = [data[item.start : item.end] for item in shape.customs if item.name == function_names.SECTION]
    first = next(iter(calls.values()))
    return function_names.add_function_names(
        known[0] if known else b"", first, [f"guesthouse: {item}" for item in calls]
    )
