"""The bare prototype: what fibers cost by themselves, by ctypes over the same library and configuration as ours.

Every event gets a fresh instance in a fiber, is copied in, suspends it once in a host call that gives a continuation,
and resumes it. No encoding, no accounting, no limits but those of the store, no event loop.
"""

import ctypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ctypes import addressof, c_void_p, memmove, string_at

from tests.bench import guests
from tests.bench.host import configuration

from guesthouse.runtime import capi, engine_settings

_POLL = ctypes.CFUNCTYPE(ctypes.c_bool, c_void_p)
_FUEL = 100_000_000
_NEVER = 1_000_000
_LOW_32 = 0xFFFFFFFF


@contextmanager
def opened(allocator: str = "pooling", pages: str = "1") -> Iterator[Callable[[int], None]]:
    """Run events one by one; *allocator* is ``pooling``, as configured, or ``on_demand``."""
    lib = capi.load()
    bare = Bare(lib, _engine(lib, allocator), guests.bare(pages))
    bare.event()

    def burst(count: int) -> None:
        for _ in range(count):
            bare.event()

    yield burst
    bare.close()


def _engine(lib: capi.Library, allocator: str) -> int:
    if allocator == "pooling":
        return engine_settings.new_engine(lib, configuration())
    settings, stack_bytes = lib.wasm_config_new(), configuration().stack_bytes
    for name, is_on in engine_settings.SWITCHES.items():
        getattr(lib, f"config_{name}_set")(settings, is_on)
    lib.config_max_wasm_stack_set(settings, stack_bytes)
    lib.config_async_stack_size_set(settings, stack_bytes + engine_settings.HOST_STACK_BYTES)
    return int(lib.wasm_engine_new_with_config(settings))


class Bare:
    """One engine, one module, one event at a time."""

    def __init__(self, lib: capi.Library, engine: int, guest: bytes) -> None:
        """Compile and link *guest*."""
        self._lib, self._engine = lib, engine
        self._is_ready = False
        self._poll = _POLL(lambda _: self._is_ready)
        self._continuation = capi.Continuation(ctypes.cast(self._poll, c_void_p), None, None)
        self._import = capi.ASYNC_HOST_CALL(self._suspend)
        self._linker = lib.linker_new(engine)
        self._define()
        self._module, self._pre = self._prepare(guest)
        self._instance, self._alloc, self._call, self._memory = (
            *(capi.Instance(), capi.Extern(), capi.Extern(), capi.Extern()),
        )
        self._arguments, self._result = (capi.Val * 2)(), capi.Val()
        self._trap, self._error = c_void_p(), c_void_p()

    def event(self) -> bytes:
        """Start a guest, suspend it, resume it; its reply."""
        lib = self._lib
        store = lib.store_new(self._engine, None, None)
        context = lib.store_context(store)
        lib.store_limiter(store, 64 << 20, 65_536, 1, 1, 1)
        lib.context_set_fuel(context, _FUEL)
        lib.context_set_epoch_deadline(context, _NEVER)
        outcome = addressof(self._trap), addressof(self._error)
        self._finish(lib.instance_pre_instantiate_async(self._pre, context, addressof(self._instance), *outcome))
        base = self._find_exports(context)
        pointer = self._copy_in(context, base)
        self._arguments[0].bits, self._arguments[1].bits = pointer, len(guests.EVENT_BYTES)
        self._is_ready = False
        future = self._start(context, self._call, 2)
        if lib.call_future_poll(future):
            raise RuntimeError("the guest wasn't suspended")
        self._is_ready = True
        self._finish(future)
        packed = self._result.bits
        reply = string_at(base + (packed >> 32), packed & _LOW_32)
        lib.store_delete(store)
        return reply

    def close(self) -> None:
        """Give everything back."""
        lib = self._lib
        lib.instance_pre_delete(self._pre)
        lib.module_delete(self._module)
        lib.linker_delete(self._linker)
        lib.wasm_engine_delete(self._engine)

    def _find_exports(self, context: int) -> int:
        find, instance = self._lib.instance_export_get, addressof(self._instance)
        find(context, instance, b"guesthouse_alloc", 16, addressof(self._alloc))
        find(context, instance, b"guesthouse_call", 15, addressof(self._call))
        find(context, instance, b"memory", 6, addressof(self._memory))
        return int(self._lib.memory_data(context, addressof(self._memory) + capi.EXTERN_ITEM))

    def _copy_in(self, context: int, base: int) -> int:
        self._arguments[0].bits = len(guests.EVENT_BYTES)
        self._finish(self._start(context, self._alloc, 1))
        pointer = int(self._result.bits) & _LOW_32
        memmove(base + pointer, guests.EVENT_BYTES, len(guests.EVENT_BYTES))
        return pointer

    def _start(self, context: int, function: capi.Extern, count: int) -> int:
        address, arguments = addressof(function) + capi.EXTERN_ITEM, addressof(self._arguments)
        outcome = addressof(self._trap), addressof(self._error)
        call = self._lib.func_call_async
        return int(call(context, address, arguments, count, addressof(self._result), 1, *outcome))

    def _finish(self, future: int) -> None:
        if not self._lib.call_future_poll(future) or self._trap.value or self._error.value:
            raise RuntimeError("the guest didn't end well")
        self._lib.call_future_delete(future)

    def _suspend(self, *parameters: int) -> None:
        memmove(parameters[-1], addressof(self._continuation), ctypes.sizeof(capi.Continuation))

    def _define(self) -> None:
        lib, none = self._lib, (capi.ByteVec(), capi.ByteVec())
        for vector in none:
            lib.wasm_valtype_vec_new(addressof(vector), 0, None)
        kind = lib.wasm_functype_new(addressof(none[0]), addressof(none[1]))
        error = lib.linker_define_async_func(self._linker, b"bare", 4, b"wait", 4, kind, self._import, None, None)
        lib.wasm_functype_delete(kind)
        self._check(error)

    def _prepare(self, wasm: bytes) -> tuple[int, int]:
        lib, module, pre = self._lib, c_void_p(), c_void_p()
        self._check(lib.module_new(self._engine, wasm, len(wasm), addressof(module)))
        self._check(lib.linker_instantiate_pre(self._linker, module, addressof(pre)))
        return module.value or 0, pre.value or 0

    def _check(self, error: int | None) -> None:
        if error:
            raise RuntimeError(self._lib.error_text(error))
