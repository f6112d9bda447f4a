"""The C structures that one invocation needs, reused: making them anew costs more than the call that fills them."""

import ctypes
from ctypes import addressof

from guesthouse.runtime.capi import EXTERN_ITEM, VAL_BITS, Extern, Instance, Library, Val


class Scratch:
    """Out-parameters and arguments of the C calls of one invocation at a time, with their addresses."""

    __slots__ = (
        *("error", "fuel", "p_alloc", "p_arguments", "p_call", "p_error", "p_extern_alloc", "p_extern_call"),
        *("p_extern_memory", "p_extra", "p_extern_extra", "p_fuel", "p_instance", "p_memory", "p_ready", "p_result"),
        *("p_trap", "first", "second", "ready", "result", "trap", "_kept"),
    )

    def __init__(self) -> None:
        """Allocate everything once."""
        instance, arguments, result = Instance(), (Val * 2)(), Val()
        alloc, call, memory, extra = Extern(), Extern(), Extern(), Extern()
        self._kept = (instance, arguments, result, alloc, call, memory, extra)
        self.trap, self.error = ctypes.c_void_p(), ctypes.c_void_p()
        self.fuel = ctypes.c_uint64()
        self.ready = ctypes.create_string_buffer(2)
        self.p_instance, self.p_arguments, self.p_result = addressof(instance), addressof(arguments), addressof(result)
        self.p_extern_alloc, self.p_extern_call = addressof(alloc), addressof(call)
        self.p_extern_memory, self.p_extern_extra = addressof(memory), addressof(extra)
        self.p_alloc, self.p_call = self.p_extern_alloc + EXTERN_ITEM, self.p_extern_call + EXTERN_ITEM
        self.p_memory, self.p_extra = self.p_extern_memory + EXTERN_ITEM, self.p_extern_extra + EXTERN_ITEM
        self.p_trap, self.p_error = addressof(self.trap), addressof(self.error)
        self.p_fuel, self.p_ready = addressof(self.fuel), addressof(self.ready)
        self.first = ctypes.c_uint32.from_address(addressof(arguments[0]) + VAL_BITS)
        self.second = ctypes.c_uint32.from_address(addressof(arguments[1]) + VAL_BITS)
        self.result = ctypes.c_uint64.from_address(self.p_result + VAL_BITS)


class ScratchPool:
    """Scratches not in use; never more than were in use at once."""

    __slots__ = ("_free",)

    def __init__(self) -> None:
        """Start empty."""
        self._free: list[Scratch] = []

    def take(self) -> Scratch:
        """Give a scratch with no trap and no error in it."""
        return self._free.pop() if self._free else Scratch()

    def put(self, lib: Library, scratch: Scratch) -> None:
        """Take a scratch back, and free a trap or an error that nobody took out of it."""
        if scratch.trap.value:
            lib.wasm_trap_delete(scratch.trap)
            scratch.trap.value = None
        if scratch.error.value:
            lib.error_delete(scratch.error)
            scratch.error.value = None
        self._free.append(scratch)
