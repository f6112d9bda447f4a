"""Add names of functions to the name section, so that backtraces and tools show them.

Source: WebAssembly core specification, appendix "Name Section".
"""

from collections.abc import Sequence
from typing import Final

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm.binary import Reader, encode_name, encode_unsigned

SECTION: Final = "name"
_FUNCTIONS: Final = 1
"""The subsection of function names; the others stand in the order of their numbers."""


def add_function_names(content: bytes, first: int, names: Sequence[str]) -> bytes:
    """Name the functions from index *first* on, which are to have none yet; empty *content* makes a new section.

    Content that is malformed comes back as it is: names are for people, and engines forgive faults in them.
    """
    try:
        start, end, count, entries = _find(content)
    except RejectedModule:
        return content
    added = b"".join(encode_unsigned(first + index) + encode_name(name) for index, name in enumerate(names))
    vector = encode_unsigned(count + len(names)) + entries + added
    return content[:start] + bytes([_FUNCTIONS]) + encode_unsigned(len(vector)) + vector + content[end:]


def _find(content: bytes) -> tuple[int, int, int, bytes]:
    """Find where the function names start and end, or would; their number; and the names as they are encoded."""
    reader = Reader(content)
    while not reader.is_done:
        start, code = reader.offset, reader.byte()
        size = reader.u32()
        vector = Reader(content, reader.skip(size), reader.offset)
        if code == _FUNCTIONS:
            return start, reader.offset, vector.u32(), content[vector.offset : vector.end]
        if code > _FUNCTIONS:
            return start, start, 0, b""
    return len(content), len(content), 0, b""
