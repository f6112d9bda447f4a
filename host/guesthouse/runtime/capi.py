"""The C API inside the wasmtime wheel: the only file that declares it.

wasmtime-py doesn't wrap the async API (guests as fibers), so the C functions that we use are declared here, by ctypes,
over the wheel's own shared library. `load` refuses a library that isn't the one these declarations were written for.

Two ways to call: `_QUICK` functions return at once and keep the interpreter's lock; the others release it, because
they compile or give memory back.

Source: the headers ``wasm.h`` and ``wasmtime/*.h`` of wasmtime 48 to 50.
"""

import ctypes
import importlib.metadata
import importlib.util
import platform
import sys
from collections.abc import Callable
from ctypes import CFUNCTYPE, PYFUNCTYPE, Structure, Union, c_bool, c_char_p, c_int64, c_size_t, c_uint8
from ctypes import c_uint32 as u32
from ctypes import c_uint64 as u64
from ctypes import c_void_p as ptr
from functools import cache
from pathlib import Path
from typing import Any

from guesthouse.errors import UnfitEngine

OLDEST, NEWEST = 48, 50
"""Majors whose headers were read and whose library ran the suite; ``make test-wasmtime`` tries another."""

I32, I64, F32, F64 = 0, 1, 2, 3
TRAP_OUT_OF_FUEL = 11


class Val(Structure):
    """``wasmtime_val_t``: a tagged value; ``bits`` covers every number type."""

    _fields_ = (("kind", c_uint8), ("bits", u64), ("_v128_high", u64), ("_pad", u64))


class Instance(Structure):
    """``wasmtime_instance_t``."""

    _fields_ = (("store_id", u64), ("private", c_size_t))


class _ExternItem(Union):
    """``wasmtime_extern_union_t``: large enough for every item."""

    _fields_ = (("_words", u64 * 3), ("_pointer", ptr))


class Extern(Structure):
    """``wasmtime_extern_t``; the address of ``of`` is that of the function, memory or global itself."""

    _fields_ = (("kind", c_uint8), ("of", _ExternItem))


EXTERN_ITEM = Extern.of.offset
VAL_BITS = Val.bits.offset


class ByteVec(Structure):
    """``wasm_byte_vec_t``: bytes owned by the library."""

    _fields_ = (("size", c_size_t), ("data", ptr))


class FrameVec(Structure):
    """``wasm_frame_vec_t``."""

    _fields_ = (("size", c_size_t), ("data", ctypes.POINTER(ptr)))


class Continuation(Structure):
    """``wasmtime_async_continuation_t``."""

    _fields_ = (("callback", ptr), ("env", ptr), ("finalizer", ptr))


HOST_CALL = CFUNCTYPE(ptr, ptr, ptr, ptr, c_size_t)
"""``wasmtime_func_unchecked_callback_t(env, caller, args_and_results, count) -> trap``."""
ASYNC_HOST_CALL = CFUNCTYPE(None, ptr, ptr, ptr, c_size_t, ptr, c_size_t, ptr, ptr)
"""``wasmtime_func_async_callback_t(env, caller, args, nargs, results, nresults, trap_ret, continuation_ret)``."""

_SWITCH_NAMES = """
    consume_fuel epoch_interruption gc_support shared_memory memory_init_cow parallel_compilation debug_info
    wasm_threads wasm_tail_call wasm_reference_types wasm_function_references wasm_gc wasm_simd
    wasm_relaxed_simd wasm_relaxed_simd_deterministic wasm_bulk_memory wasm_multi_value wasm_multi_memory
    wasm_memory64 wasm_stack_switching wasm_exceptions wasm_custom_page_sizes wasm_wide_arithmetic
    wasm_branch_hinting wasm_compact_imports wasm_component_model concurrency_support signals_based_traps
"""
_CONFIG_SWITCHES: dict[str, tuple[Any, ...]] = {
    f"wasmtime_config_{name}_set": (None, ptr, c_bool) for name in _SWITCH_NAMES.split()
}
NEWER_SWITCHES = frozenset({"wasmtime_config_wasm_compact_imports_set"})
"""Switches of proposals that the oldest library doesn't know, and so can't have on."""
_POOL_SIZES: dict[str, tuple[Any, ...]] = {
    f"wasmtime_pooling_allocation_config_{name}_set": (None, ptr, kind)
    for kind, names in (
        (u32, "total_core_instances total_memories total_tables total_stacks total_gc_heaps max_unused_warm_slots"),
        (u32, "total_component_instances max_memories_per_module max_tables_per_module"),
        (c_size_t, "max_memory_size max_core_instance_size table_elements linear_memory_keep_resident"),
        (c_size_t, "table_keep_resident async_stack_keep_resident decommit_batch_size"),
    )
    for name in names.split()
}

_QUICK: dict[str, tuple[Any, ...]] = {
    **_CONFIG_SWITCHES,
    **_POOL_SIZES,
    "wasm_config_new": (ptr,),
    "wasmtime_config_max_wasm_stack_set": (None, ptr, c_size_t),
    "wasmtime_config_async_stack_size_set": (None, ptr, c_size_t),
    "wasmtime_config_memory_reservation_set": (None, ptr, u64),
    "wasmtime_config_memory_guard_size_set": (None, ptr, u64),
    "wasmtime_config_cranelift_opt_level_set": (None, ptr, c_uint8),
    "wasmtime_pooling_allocation_config_new": (ptr,),
    "wasmtime_pooling_allocation_config_delete": (None, ptr),
    "wasmtime_pooling_allocation_strategy_set": (None, ptr, ptr),
    "wasm_valtype_new": (ptr, c_uint8),
    "wasm_functype_new": (ptr, ptr, ptr),
    "wasm_functype_delete": (None, ptr),
    "wasm_byte_vec_delete": (None, ptr),
    "wasm_frame_vec_delete": (None, ptr),
    "wasm_valtype_vec_new": (None, ptr, c_size_t, ptr),
    "wasmtime_linker_new": (ptr, ptr),
    "wasmtime_linker_delete": (None, ptr),
    "wasmtime_linker_define_func_unchecked": (
        *(ptr, ptr, c_char_p, c_size_t, c_char_p, c_size_t, ptr, HOST_CALL, ptr, ptr),
    ),
    "wasmtime_linker_define_async_func": (
        *(ptr, ptr, c_char_p, c_size_t, c_char_p, c_size_t, ptr, ASYNC_HOST_CALL, ptr, ptr),
    ),
    "wasmtime_linker_instantiate_pre": (ptr, ptr, ptr, ptr),
    "wasmtime_instance_pre_delete": (None, ptr),
    "wasmtime_instance_pre_instantiate_async": (ptr, ptr, ptr, ptr, ptr, ptr),
    "wasmtime_instance_export_get": (c_bool, ptr, ptr, c_char_p, c_size_t, ptr),
    "wasmtime_caller_export_get": (c_bool, ptr, c_char_p, c_size_t, ptr),
    "wasmtime_func_call_async": (ptr, ptr, ptr, ptr, c_size_t, ptr, c_size_t, ptr, ptr),
    "wasmtime_call_future_delete": (None, ptr),
    "wasmtime_store_new": (ptr, ptr, ptr, ptr),
    "wasmtime_store_context": (ptr, ptr),
    "wasmtime_store_limiter": (None, ptr, c_int64, c_int64, c_int64, c_int64, c_int64),
    "wasmtime_context_set_fuel": (ptr, ptr, u64),
    "wasmtime_context_get_fuel": (ptr, ptr, ptr),
    "wasmtime_context_set_epoch_deadline": (None, ptr, u64),
    "wasmtime_context_epoch_deadline_async_yield_and_update": (None, ptr, u64),
    "wasmtime_engine_increment_epoch": (None, ptr),
    "wasmtime_memory_data": (ptr, ptr, ptr),
    "wasmtime_memory_data_size": (c_size_t, ptr, ptr),
    "wasmtime_global_get": (None, ptr, ptr, ptr),
    "wasmtime_trap_new": (ptr, c_char_p, c_size_t),
    "wasmtime_trap_new_code": (ptr, c_uint8),
    "wasmtime_trap_code": (c_bool, ptr, ptr),
    "wasm_trap_message": (None, ptr, ptr),
    "wasm_trap_trace": (None, ptr, ptr),
    "wasm_trap_delete": (None, ptr),
    "wasmtime_error_message": (None, ptr, ptr),
    "wasmtime_error_wasm_trace": (None, ptr, ptr),
    "wasmtime_error_delete": (None, ptr),
    "wasm_frame_func_index": (u32, ptr),
    "wasm_frame_module_offset": (c_size_t, ptr),
    "wasmtime_frame_func_name": (ptr, ptr),
    "wasm_engine_new_with_config": (ptr, ptr),
}

_RELEASING: dict[str, tuple[Any, ...]] = {
    "wasmtime_store_delete": (None, ptr),
    "wasmtime_module_new": (ptr, ptr, c_char_p, c_size_t, ptr),
    "wasmtime_module_serialize": (ptr, ptr, ptr),
    "wasmtime_module_deserialize": (ptr, ptr, c_char_p, c_size_t, ptr),
    "wasmtime_module_delete": (None, ptr),
    "wasm_engine_delete": (None, ptr),
}

POLLS_HOLD_THE_LOCK = sys.platform == "linux"
"""Guests run under the interpreter's lock where their time slices end without Python; see `ticker`."""
(_QUICK if POLLS_HOLD_THE_LOCK else _RELEASING)["wasmtime_call_future_poll"] = (c_bool, ptr)

_SIZES = {
    "wasmtime_val_t": Val,
    "wasmtime_instance_t": Instance,
    "wasmtime_extern_t": Extern,
    "wasm_byte_vec_t": ByteVec,
    "wasmtime_async_continuation_t": Continuation,
}


_copy_out: Any = PYFUNCTYPE(ctypes.py_object, ptr, ctypes.c_ssize_t)(("PyBytes_FromStringAndSize", ctypes.pythonapi))
copy_out: Callable[[int, int], bytes] = _copy_out
"""Copy (address, length) out as bytes: `ctypes.string_at` in half the time."""
copy_in: Any = PYFUNCTYPE(None, ptr, c_char_p, c_size_t)(("memmove", ctypes.PyDLL(None)))
"""Copy (address, bytes, length) in: `ctypes.memmove` in half the time."""


class Library:
    """The declared functions as attributes, without their ``wasmtime_`` prefix where they have one."""

    def __init__(self, path: Path) -> None:
        """Load the shared library at *path*; a missing function is `UnfitEngine`, naming every missing one."""
        released = ctypes.CDLL(str(path))
        absent = {name for name in (*_QUICK, *_RELEASING) if not hasattr(released, name)}
        missing = absent - NEWER_SWITCHES
        if missing:
            raise UnfitEngine(f"the wasmtime library lacks {', '.join(sorted(missing))}")
        held = ctypes.PyDLL(str(path))
        for name, (result, *arguments) in _QUICK.items():
            if name in absent:
                continue
            setattr(self, name.removeprefix("wasmtime_"), PYFUNCTYPE(result, *arguments)((name, held)))
        for name, (result, *arguments) in _RELEASING.items():
            setattr(self, name.removeprefix("wasmtime_"), CFUNCTYPE(result, *arguments)((name, released)))
        self.switches = frozenset(_CONFIG_SWITCHES) - absent

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - every C function has its own type; mypy can't know them
        """Say which declaration is missing; declared functions are found before this is asked."""
        raise AttributeError(f"{name} isn't declared in capi.py")

    def take_bytes(self, vector: ByteVec) -> bytes:
        """Copy a byte vector and give it back to the library."""
        data = ctypes.string_at(vector.data, vector.size) if vector.size else b""
        self.wasm_byte_vec_delete(ctypes.addressof(vector))
        return data

    def error_text(self, error: int) -> str:
        """Take an owned ``wasmtime_error_t``: its message, and free it."""
        vector = ByteVec()
        self.error_message(error, ctypes.addressof(vector))
        self.error_delete(error)
        return self.take_bytes(vector).decode(errors="replace")


def version() -> str:
    """Version of the installed wasmtime package."""
    try:
        return importlib.metadata.version("wasmtime")
    except importlib.metadata.PackageNotFoundError:
        raise UnfitEngine("the wasmtime package isn't installed") from None


def check_version(found: str, *, oldest: int = OLDEST, newest: int = NEWEST) -> None:
    """Refuse a version outside the range whose headers these declarations follow."""
    major = found.split(".", maxsplit=1)[0]
    if not major.isdigit() or not oldest <= int(major) <= newest:
        raise UnfitEngine(f"wasmtime {found} is installed; Guesthouse knows versions {oldest} to {newest}")


def check_sizes(declared: Any) -> None:  # noqa: ANN401 - the wheel's generated module has no types
    """Hold our structures against the wheel's own generated declarations."""
    for name, ours in _SIZES.items():
        theirs = getattr(declared, name, None)
        if theirs is None or ctypes.sizeof(theirs) != ctypes.sizeof(ours):
            size = "absent" if theirs is None else f"{ctypes.sizeof(theirs)} bytes"
            raise UnfitEngine(f"wasmtime's {name} is {size}; {ctypes.sizeof(ours)} bytes were expected")


def library_path() -> Path:
    """Where the wheel keeps its shared library on this platform."""
    spec = importlib.util.find_spec("wasmtime")
    if spec is None or spec.origin is None:
        raise UnfitEngine("the wasmtime package isn't installed")
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    suffix = {"darwin": "dylib", "win32": "dll"}.get(sys.platform, "so")
    name = f"_wasmtime.{suffix}" if suffix == "dll" else f"_libwasmtime.{suffix}"
    path = Path(spec.origin).parent / f"{sys.platform}-{machine}" / name
    if not path.exists():
        raise UnfitEngine(f"the wasmtime package has no library for {sys.platform} on {machine}")
    return path


@cache
def load() -> Library:
    """Check the installed wasmtime and load it, once for each process."""
    check_version(version())
    from wasmtime import _bindings  # noqa: PLC0415 - 60 ms, and only here; its import loads the library

    check_sizes(_bindings)
    return Library(library_path())
