"""From the engine's call into a host function and back, so that nothing can bring the process down.

Rules, each of which was seen to kill the process when broken:

- The trampoline of an import that suspends writes a *ready* continuation before anything else: the library aborts on
  one that isn't set, and Python code may raise at any line.
- Nothing may leave a trampoline as an exception: a guest's fault and even a bug of ours become a trap that ends the
  attempt, and `guesthouse.runtime.guest` raises what is behind it once the fiber is left.
- A trampoline checks bounds, copies bytes and returns. No decoding, no logging and no tasks on the fiber.
- A suspended fiber runs no Python when it is polled: its continuation is C's ``strlen`` over one byte of the guest's
  scratch, which is 1 when the wait is over.
"""

import ctypes
from collections.abc import Callable
from ctypes import addressof, c_int32, c_int64, c_uint32, c_uint64, c_void_p
from dataclasses import dataclass
from typing import Any

from guesthouse.abi.contract import Signature
from guesthouse.errors import FunctionError
from guesthouse.runtime.capi import ASYNC_HOST_CALL, HOST_CALL, I32, I64, VAL_BITS, ByteVec, Library
from guesthouse.runtime.cell import Cell

HOST_CALL_FUEL = 8_000
"""Fuel of the quickest host call, by the time that it takes: see the row ``host_calls`` of ``tests/bench``."""

_STRLEN = ctypes.cast(ctypes.CDLL(None).strlen, c_void_p).value or 0
_ONE = ctypes.create_string_buffer(b"\1")
_Words = c_uint64 * 3
_READY: list[c_uint64 | int] = [_STRLEN, addressof(_ONE), 0]
"""The words of a continuation (callback, env, finalizer) that is over."""
_ENV = 1
_STOP = b"stopped by the host"
_RAW_WORDS, _VAL_WORDS = 4, 8
"""32-bit words of ``wasmtime_val_raw_t`` and ``wasmtime_val_t``."""
_VAL_FIRST = VAL_BITS // 4
_KINDS = {"i32": I32, "i64": I64}
_RESULTS = {"i32": c_int32, "i64": c_int64}


@dataclass(frozen=True, slots=True)
class HostFunction:
    """One import: its function takes the guest and its arguments, and gives its result.

    Arguments come unsigned, and only their low 32 bits: what WASI passes as 64 bits is not used by those we answer.
    """

    module: str
    name: str
    signature: Signature
    run: Callable[..., int | None]
    fuel: int = HOST_CALL_FUEL
    """What each call costs, beside what it takes for each byte."""
    suspends: bool = False
    """Then ``run`` also gets the address of its result, and gives that of a flag to wait for, or None."""


class Imports:
    """The imports of one engine, and the C callbacks behind them, which must live as long as the linker."""

    def __init__(self, cell: Cell, linker: int, functions: tuple[HostFunction, ...]) -> None:
        """Define every function in *linker*."""
        self._kept: list[Any] = []
        for function in functions:
            _define(cell, linker, function, self._kept)


def _define(cell: Cell, linker: int, function: HostFunction, kept: list[Any]) -> None:
    lib = cell.lib
    kind = _function_type(lib, function.signature)
    if function.suspends:
        callback: Any = ASYNC_HOST_CALL(_suspending(cell, function))
        define = lib.linker_define_async_func
    else:
        callback = HOST_CALL(_immediate(cell, function))
        define = lib.linker_define_func_unchecked
    kept.append(callback)
    module, name = function.module.encode(), function.name.encode()
    error = define(linker, module, len(module), name, len(name), kind, callback, None, None)
    lib.wasm_functype_delete(kind)
    if error:
        raise RuntimeError(lib.error_text(error))


def _function_type(lib: Library, signature: Signature) -> int:
    parts = []
    for kinds in signature:
        values = (c_void_p * max(1, len(kinds)))(*(lib.wasm_valtype_new(_KINDS[kind]) for kind in kinds))
        vector = ByteVec()
        lib.wasm_valtype_vec_new(addressof(vector), len(kinds), addressof(values))
        parts.append(vector)
    return int(lib.wasm_functype_new(addressof(parts[0]), addressof(parts[1])))


def _immediate(cell: Cell, function: HostFunction) -> Callable[..., int | None]:
    (parameters, results), run, fuel, trap = function.signature, function.run, function.fuel, cell.lib.trap_new
    words, result_type = c_uint32 * (_RAW_WORDS * len(parameters)), _RESULTS[results[0]] if results else None

    def host_call(_env: int | None, caller: int, raw: int, _count: int) -> int | None:
        guest: Any = cell.guest  # inside a poll there is one
        try:
            guest.caller = caller
            guest.charge(fuel)
            result: Any = run(guest, *words.from_address(raw)[::_RAW_WORDS])
            if result_type is not None:
                result_type.from_address(raw).value = result
        except FunctionError as fault:
            guest.fault = fault
            return trap(_STOP, len(_STOP))  # type: ignore[no-any-return]
        except BaseException as bug:  # noqa: BLE001 - nothing may leave a callback of the fiber
            guest.bug = bug
            return trap(_STOP, len(_STOP))  # type: ignore[no-any-return]
        return None

    return host_call


def _suspending(cell: Cell, function: HostFunction) -> Callable[..., None]:
    (parameters, _results), run, fuel, trap = function.signature, function.run, function.fuel, cell.lib.trap_new
    words = c_uint32 * (_VAL_WORDS * len(parameters))

    def host_call(
        _env: int | None, caller: int, raw: int, _count: int, results: int, _n: int, trap_ret: int, continuation: int
    ) -> None:
        _Words.from_address(continuation)[:] = _READY
        guest: Any = cell.guest  # inside a poll there is one
        try:
            guest.caller = caller
            guest.charge(fuel)
            flag: int | None = run(guest, *words.from_address(raw)[_VAL_FIRST::_VAL_WORDS], results + VAL_BITS)
            if flag is not None:
                _Words.from_address(continuation)[_ENV] = flag
        except FunctionError as fault:
            guest.fault = fault
            c_void_p.from_address(trap_ret).value = trap(_STOP, len(_STOP))
        except BaseException as bug:  # noqa: BLE001 - nothing may leave a callback of the fiber
            guest.bug = bug
            c_void_p.from_address(trap_ret).value = trap(_STOP, len(_STOP))

    return host_call
