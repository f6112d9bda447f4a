"""Parse a module's declarations into a `ModuleShape`; function bodies are measured, not decoded.

What is parsed isn't validated: the engine does that. Here stands what Guesthouse must know before.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm import bounds, decoders
from guesthouse.runtime.wasm.binary import MAGIC, VERSION, Reader, encode_name, encode_unsigned, fault
from guesthouse.runtime.wasm.producers import SECTION as PRODUCERS
from guesthouse.runtime.wasm.producers import parse_producers
from guesthouse.runtime.wasm.shape import SECTION_ORDER, Custom, ModuleShape, Section, SectionId

_HEADER_BYTES: Final = len(MAGIC + VERSION)
_COMPONENT_LAYER: Final = b"\1\0"
_NOTHING: Final[Mapping[str, bytes]] = MappingProxyType({})
_FIELDS: Final[dict[int, tuple[str, Callable[[Reader], object]]]] = {
    SectionId.TYPE: ("types", decoders.types),
    SectionId.IMPORT: ("imports", decoders.imports),
    SectionId.FUNCTION: ("functions", decoders.functions),
    SectionId.TABLE: ("tables", decoders.tables),
    SectionId.MEMORY: ("memories", decoders.memories),
    SectionId.TAG: ("tags", decoders.tags),
    SectionId.GLOBAL: ("globals", decoders.globals_),
    SectionId.EXPORT: ("exports", decoders.exports),
    SectionId.START: ("start", decoders.start),
    SectionId.ELEMENT: ("elements", decoders.elements),
    SectionId.DATA_COUNT: ("data_count", decoders.data_count),
    SectionId.CODE: ("bodies", decoders.bodies),
    SectionId.DATA: ("data", decoders.data),
}
"""Each section's field of `ModuleShape` and its decoder."""


def parse(data: bytes) -> ModuleShape:
    """Parse a core module.

    Raises `RejectedModule` for components, text, anything malformed, and anything beyond `bounds`.
    """
    _check_header(data)
    sections = _sections(data)
    fields: dict[str, Any] = {}
    customs = []
    for section in sections:
        reader = Reader(data, section.payload, section.end)
        if section.id == SectionId.CUSTOM:
            customs.append(Custom(reader.name(), reader.offset, section.end))
            continue
        field, decode = _FIELDS[section.id]
        fields[field] = decode(reader)
        reader.finish(f"the {_title(section.id)} section")
    producers = [parse_producers(data, item.start, item.end) for item in customs if item.name == PRODUCERS]
    shape = ModuleShape(
        size_bytes=len(data),
        sections=sections,
        customs=tuple(customs),
        producers=producers[0] if producers else (),
        **fields,
    )
    _check_counts(shape)
    return shape


def _title(code: int) -> str:
    return SectionId(code).name.lower().replace("_", " ")


def _check_header(data: bytes) -> None:
    if data[:64].lstrip().startswith(b"("):
        raise RejectedModule("this is WebAssembly text; compile it to binary first")
    if not data.startswith(MAGIC):
        raise RejectedModule(f"this isn't a WebAssembly module: it begins with {data[:8].hex(' ') or 'nothing'}")
    version = data[len(MAGIC) : _HEADER_BYTES]
    if len(version) == len(VERSION) and version.endswith(_COMPONENT_LAYER):
        raise RejectedModule("this is a component; Guesthouse runs core modules: build it for WASI preview 1 (wasip1)")
    if version != VERSION:
        raise RejectedModule(f"WebAssembly version {version.hex(' ') or 'nothing'} is unknown; {VERSION.hex(' ')} is 1")


def _check_counts(shape: ModuleShape) -> None:
    if len(shape.functions) != len(shape.bodies):
        raise RejectedModule(
            f"the module declares {len(shape.functions):,} functions and has {len(shape.bodies):,} bodies",
        )
    if shape.data_count is not None and shape.data_count != len(shape.data):
        raise RejectedModule(
            f"the module announces {shape.data_count:,} data segments and has {len(shape.data):,}",
        )


def _sections(data: bytes) -> tuple[Section, ...]:
    """List the sections: in order and without repetition, as the format demands."""
    reader = Reader(data, _HEADER_BYTES)
    found: list[Section] = []
    customs = reached = 0
    while not reader.is_done:
        start = reader.offset
        code = reader.byte()
        size = reader.u32()
        payload = reader.skip(size)
        found.append(Section(code, start, payload, payload + size))
        if code == SectionId.CUSTOM:
            customs += 1
        else:
            reached = _place(code, reached, start)
        if customs > bounds.CUSTOM_SECTIONS:
            raise fault(f"the module has more than {bounds.CUSTOM_SECTIONS:,} custom sections", start)
    return tuple(found)


def _place(code: int, reached: int, offset: int) -> int:
    """Say at which place (from 1) a section belongs, which must be behind the place *reached*."""
    if code not in SECTION_ORDER:
        raise fault(f"section {code} is unknown", offset)
    place = SECTION_ORDER.index(code) + 1
    if place <= reached:
        raise fault(f"the {_title(code)} section is repeated or out of order", offset)
    return place


def rewrite(
    shape: ModuleShape, data: bytes, contents: dict[int, bytes | None], customs: Mapping[str, bytes] = _NOTHING
) -> bytes:
    """Build a module in which the given sections have new *contents*; None leaves a section out.

    *customs* are new contents of custom sections, by name. Everything else is copied without being decoded. A section
    that *data* lacks is put where it belongs, a custom one at the end.
    """
    source = memoryview(data)
    renewed = _renewed(shape, contents, customs)
    present = {section.id for section in shape.sections}
    missing = {code: content for code, content in contents.items() if content is not None and code not in present}
    parts: list[bytes | memoryview] = [source[:_HEADER_BYTES]]
    for section in shape.sections:
        if section.id != SectionId.CUSTOM:
            parts += _due(missing, before=section.id)
        if section.start not in renewed:
            parts.append(source[section.start : section.end])
        elif (content := renewed[section.start]) is not None:
            parts += _section(section.id, content)
    parts += _due(missing, before=None)
    known = {item.name for item in shape.customs}
    for name in (name for name in customs if name not in known):
        parts += _section(SectionId.CUSTOM, encode_name(name) + customs[name])
    return b"".join(parts)


def _renewed(
    shape: ModuleShape, contents: dict[int, bytes | None], customs: Mapping[str, bytes]
) -> dict[int, bytes | None]:
    """Map where each present section starts to its new content."""
    renewed = {section.start: contents[section.id] for section in shape.sections if section.id in contents}
    sections = (section for section in shape.sections if section.id == SectionId.CUSTOM)
    for section, item in zip(sections, shape.customs, strict=True):
        if item.name in customs:
            renewed[section.start] = encode_name(item.name) + customs[item.name]
    return renewed


def _due(missing: dict[int, bytes], before: int | None) -> list[bytes]:
    """Take out of *missing* the sections that belong before section *before* (None: all)."""
    place = len(SECTION_ORDER) if before is None else SECTION_ORDER.index(before)
    parts: list[bytes] = []
    for code in SECTION_ORDER[:place]:
        if code in missing:
            parts += _section(code, missing.pop(code))
    return parts


def _section(code: int, content: bytes) -> list[bytes]:
    return [bytes([code]), encode_unsigned(len(content)), content]
