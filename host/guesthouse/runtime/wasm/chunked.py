"""The functions that bulk memory operations are replaced by: the same operation, in chunks.

Each takes the operation's three operands. Up to a chunk, or where anything lies out of bounds, the operation is done as
it stands, by the last line. The memory's bounds are computed in 64 bits, because an end may be at 4 GiB.
"""

from typing import Final

from guesthouse.runtime.wasm.assembly import assemble_function
from guesthouse.runtime.wasm.shape import FuncType

TYPE: Final = FuncType.of(("i32", "i32", "i32"), ())
"""Of all three."""
CHUNK_BYTES: Final = 128 << 10
"""What is done at once. Where every page is touched for the first time, a MiB takes 1 to 2 ms and a copy twice that: so
a chunk takes at most half of a guest's time slice, and warm 3 us, beside which its loop of 10 ns is nothing."""

_ONE_CHUNK: Final = f"local.get 2 i32.const {CHUNK_BYTES} i32.le_u br_if 0"
_MEMORY_END: Final = "memory.size i64.extend_i32_u i64.const 16 i64.shl"
_NEXT: Final = f"local.get 2 i32.const {CHUNK_BYTES} i32.sub local.tee 2 i32.const {CHUNK_BYTES} i32.gt_u br_if 0"
_OPERANDS: Final = "local.get 0 local.get 1 local.get 2"
_CHUNK: Final = f"local.get 0 local.get 1 i32.const {CHUNK_BYTES}"


def _leave_beyond(end: str, operand: int) -> str:
    """Leave the outermost block if the range from an operand on reaches beyond *end*."""
    return f"local.get {operand} i64.extend_i32_u local.get 2 i64.extend_i32_u i64.add {end} i64.gt_u br_if 0"


def _advance(operand: int) -> str:
    return f"local.get {operand} i32.const {CHUNK_BYTES} i32.add local.set {operand}"


def fill() -> bytes:
    """Assemble ``memory.fill``."""
    return assemble_function(f"""
        block
            {_ONE_CHUNK}
            {_leave_beyond(_MEMORY_END, 0)}
            loop
                {_CHUNK} memory.fill
                {_advance(0)}
                {_NEXT}
            end
        end
        {_OPERANDS} memory.fill""")


def copy() -> bytes:
    """Assemble ``memory.copy``: forward to a lower address, backward to a higher one, so that overlaps stay whole."""
    return assemble_function(f"""
        block
            {_ONE_CHUNK}
            {_leave_beyond(_MEMORY_END, 0)}
            {_leave_beyond(_MEMORY_END, 1)}
            local.get 0 local.get 1 i32.le_u
            if
                loop
                    {_CHUNK} memory.copy
                    {_advance(0)}
                    {_advance(1)}
                    {_NEXT}
                end
            else
                loop
                    local.get 0 local.get 2 i32.const {CHUNK_BYTES} i32.sub local.tee 2 i32.add
                    local.get 1 local.get 2 i32.add
                    i32.const {CHUNK_BYTES} memory.copy
                    local.get 2 i32.const {CHUNK_BYTES} i32.gt_u br_if 0
                end
            end
        end
        {_OPERANDS} memory.copy""")


def init(segment: int, size_bytes: int) -> bytes:
    """Assemble ``memory.init`` of a segment of that size.

    Where it was dropped, the engine finds it empty and traps at the first chunk.
    """
    whole = f"{_OPERANDS} memory.init {segment}"
    if size_bytes <= CHUNK_BYTES:
        return assemble_function(whole)
    return assemble_function(f"""
        block
            {_ONE_CHUNK}
            {_leave_beyond(_MEMORY_END, 0)}
            {_leave_beyond(f"i64.const {size_bytes}", 1)}
            loop
                {_CHUNK} memory.init {segment}
                {_advance(0)}
                {_advance(1)}
                {_NEXT}
            end
        end
        {whole}""")
