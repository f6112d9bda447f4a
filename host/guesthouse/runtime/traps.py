"""Whatever ended a guest, as one of our errors: the only place where the engine's words are read.

Three things can come back from a call: nothing, a ``trap`` (the engine stopped the guest) or an ``error`` (anything
else, traps made by the host among them). A fault that a host import recorded outranks both: it is why they exist.
"""

import ctypes
import re
from ctypes import addressof
from typing import TYPE_CHECKING, Protocol

from guesthouse.errors import Frame, FuelExhausted, FunctionError, GuesthouseError, MemoryExhausted, NoSlot, Trapped
from guesthouse.runtime.capi import ByteVec, FrameVec, Library

if TYPE_CHECKING:
    from guesthouse.model.limits import Limits
    from guesthouse.runtime.cell import Cell
    from guesthouse.runtime.scratch import Scratch

OUT_OF_FUEL = 11
REASONS = {
    0: ("stack_overflow", "the guest's stack overflowed; a recursion that is too deep or never ends"),
    1: ("memory_out_of_bounds", "the guest reached beyond its memory"),
    2: ("heap_misaligned", "the guest used an atomic operation on a misaligned address"),
    3: ("table_out_of_bounds", "the guest reached beyond its function table"),
    4: ("indirect_call_to_null", "the guest called a function pointer that is null"),
    5: ("bad_signature", "the guest called a function pointer of another type"),
    6: ("integer_overflow", "an integer operation overflowed"),
    7: ("integer_division_by_zero", "the guest divided by zero"),
    8: ("bad_conversion_to_integer", "the guest converted a float that no integer can hold"),
    9: ("unreachable", "the guest gave up (unreachable): a panic, an abort or a failed assertion"),
    10: ("interrupt", "the guest was interrupted"),
}
OTHER = ("other", "the engine stopped the guest")
"""For the codes of proposals that are switched off, and codes that a later engine may add."""
MAX_FRAMES = 64
NEARLY_FULL = 16
NEARLY_FULL_BYTES = 2 << 20
"""A guest that gave up with less than a sixteenth of its memory left, or less than this, is taken to have run out of
memory: the library doesn't say which growth it refused."""
_UNKNOWN_OFFSET = (1 << 64) - 1
_SLOTS = re.compile(r"maximum concurrent .*?limit of (\d+)")


class Stopped(Protocol):
    """What a guest tells about itself when it has stopped."""

    cell: "Cell"
    limits: "Limits"
    fault: FunctionError | None
    memory_bytes: int


def translate(guest: Stopped, scratch: "Scratch") -> GuesthouseError:
    """Take the trap or error out of *scratch*, free it, and say what it means."""
    lib = guest.cell.lib
    if scratch.trap.value:
        code, backtrace = _take_trap(lib, scratch.trap.value)
        scratch.trap.value = None
        error: FunctionError | NoSlot = guest.fault or _from_code(guest, code)
    else:
        backtrace = _backtrace(lib, lib.error_wasm_trace, scratch.error.value or 0)
        text = lib.error_text(scratch.error.value or 0)
        scratch.error.value = None
        error = guest.fault or _from_text(text)
    if isinstance(error, FunctionError):
        error.backtrace = backtrace
    return error


def _from_code(guest: Stopped, code: int | None) -> FunctionError:
    if code == OUT_OF_FUEL:
        return FuelExhausted(guest.limits.fuel)
    reason, message = REASONS.get(OUT_OF_FUEL if code is None else code, OTHER)
    limit = guest.limits.memory_bytes
    if reason == "unreachable" and limit - guest.memory_bytes < max(limit // NEARLY_FULL, NEARLY_FULL_BYTES):
        return MemoryExhausted(limit, guest.memory_bytes)
    return Trapped(reason, message)


def _from_text(text: str) -> FunctionError | NoSlot:
    if found := _SLOTS.search(text):
        return NoSlot(int(found[1]))
    return Trapped("error", f"the engine refused to go on: {text.splitlines()[0] if text else 'no reason given'}")


def _take_trap(lib: Library, trap: int) -> tuple[int | None, tuple[Frame, ...]]:
    code = ctypes.c_uint8()
    has_code = lib.trap_code(trap, addressof(code))
    backtrace = _backtrace(lib, lib.wasm_trap_trace, trap)
    lib.wasm_trap_delete(trap)
    return (code.value if has_code else None), backtrace


def _backtrace(lib: Library, read: object, stopped: int) -> tuple[Frame, ...]:
    vector = FrameVec()
    read(stopped, addressof(vector))  # type: ignore[operator]  # a C function; ctypes has no types for it
    frames = tuple(_frame(lib, vector.data[index] or 0) for index in range(min(vector.size, MAX_FRAMES)))
    lib.wasm_frame_vec_delete(addressof(vector))
    return frames


def _frame(lib: Library, frame: int) -> Frame:
    name = lib.frame_func_name(frame)
    offset = lib.wasm_frame_module_offset(frame)
    known = ctypes.string_at(*_bytes_of(ByteVec.from_address(name))).decode(errors="replace") if name else None
    return Frame(
        known or f"function {lib.wasm_frame_func_index(frame)}", None if offset == _UNKNOWN_OFFSET else int(offset)
    )


def _bytes_of(vector: ByteVec) -> tuple[int, int]:
    return vector.data, vector.size
