"""One guest: a fresh instance in a fiber, from its first instruction to its answer or its end.

`Guest.life` is the whole of it, as a generator: it yields where the guest is suspended, either because its time slice
ended or because it waits for handles. Whoever drives it calls `next` again only when it may run. However it ends, its
``finally`` gives everything back, in the order that the C library demands: the pending future, then the store.

The rules that keep the process alive live here and in `guesthouse.runtime.imports.trampolines`.
"""

from collections import deque
from collections.abc import Callable, Generator
from ctypes import c_int32
from time import perf_counter
from typing import TYPE_CHECKING, TypeVar

from guesthouse.errors import BrokenContract, FuelExhausted, FunctionError, MemoryExhausted, OutputTooLarge
from guesthouse.runtime.capi import copy_in, copy_out
from guesthouse.runtime.handles import Handles
from guesthouse.runtime.logbook import Logbook
from guesthouse.runtime.traps import translate

if TYPE_CHECKING:
    from guesthouse.model.limits import Limits
    from guesthouse.runtime.cell import Cell, Startable

T = TypeVar("T")
Steps = Generator[None, None, T]
Request = tuple[str, int, bytes]
"""What a guest wants of the host: the import's name, the handle, the message."""

LOW_32 = 0xFFFFFFFF
_LARGEST_BILL = 100_000
_MOST_OUTBOX_BYTES = 2 << 20
"""Past it, a guest is told that it has too many handles: the host hasn't yet done what it asked for before."""
_NAP = 0
"""Stands for a handle while a guest sleeps without one; real handles start at 1."""


class Guest:
    """The C side of one invocation, and what its imports work on."""

    __slots__ = (
        *("_base", "_bill", "_is_counted", "_largest_bill", "_logbook", "_outbox_bytes", "_pending", "_result_address"),
        *("_size", "_store", "bug", "caller", "cell", "context", "fault", "fuel_used", "handles", "limits"),
        *("memory_bytes", "module", "outbox", "scratch", "started", "waiting"),
    )

    def __init__(self, cell: "Cell", module: "Startable", limits: "Limits") -> None:
        """Prepare; nothing of the engine is taken before `life` starts."""
        self.cell = cell
        self.module = module
        self.limits = limits
        self.handles = Handles(limits.open_handles)
        self._logbook: Logbook | None = None
        self.outbox: deque[Request] = deque()
        """What the host shall do once the fiber is suspended; whoever drives the guest empties it."""
        self.waiting: tuple[int, ...] | None = None
        self.fault: FunctionError | None = None
        self.bug: BaseException | None = None
        self.started = perf_counter()
        self.fuel_used = 0
        self.memory_bytes = 0
        self.caller: int | None = None
        self._outbox_bytes = 0
        self._base = 0
        self._size = 0
        self._bill = 0
        self._is_counted = False
        self._largest_bill = min(_LARGEST_BILL, limits.fuel // 100)
        self._pending: int | None = None
        self._result_address = 0

    # Its life ---------------------------------------------------------------------------------------------------------

    def life(self, work: Callable[["Guest"], Steps[T]]) -> Steps[T]:
        """Instantiate, initialise where the module isn't a snapshot, do *work*; give everything back.

        Raises the `FunctionError` that ended the guest. Closing the generator cancels the guest.
        """
        lib, limits, module = self.cell.lib, self.limits, self.module
        if module.memory_min_bytes > limits.memory_bytes:
            raise MemoryExhausted(limits.memory_bytes, module.memory_min_bytes)
        self.scratch = scratch = self.cell.scratches.take()
        self._store = store = lib.store_new(self.cell.engine, None, None)
        self.context = context = lib.store_context(store)
        try:
            lib.store_limiter(store, limits.memory_bytes, limits.table_elements, 1, 1, 1)
            lib.context_set_fuel(context, limits.fuel)
            lib.context_set_epoch_deadline(context, 1)
            lib.context_epoch_deadline_async_yield_and_update(context, 1)
            outcome = (scratch.p_trap, scratch.p_error)
            future = lib.instance_pre_instantiate_async(module.instance_pre, context, scratch.p_instance, *outcome)
            if not self._step(future):
                yield from self._rest(future)
            lib.instance_export_get(context, scratch.p_instance, b"memory", 6, scratch.p_extern_memory)
            self._base = lib.memory_data(context, scratch.p_memory)
            if module.needs_initialise:
                yield from self.call(b"_initialize")
            result = yield from work(self)
            if self._count_usage() < 0:
                raise FuelExhausted(limits.fuel)
        finally:
            self._close()
        return result

    def answer(self, message: bytes) -> Steps[bytes]:
        """Hand *message* in and run the guest's handler; the bytes of its reply."""
        lib, context, scratch = self.cell.lib, self.context, self.scratch
        p_instance, p_arguments, p_result = scratch.p_instance, scratch.p_arguments, scratch.p_result
        p_trap, p_error = scratch.p_trap, scratch.p_error
        lib.instance_export_get(context, p_instance, b"guesthouse_alloc", 16, scratch.p_extern_alloc)
        lib.instance_export_get(context, p_instance, b"guesthouse_call", 15, scratch.p_extern_call)
        size = scratch.first.value = len(message)
        future = lib.func_call_async(context, scratch.p_alloc, p_arguments, 1, p_result, 1, p_trap, p_error)
        if not self._step(future):
            yield from self._rest(future)
        pointer = scratch.result.value & LOW_32
        self.write("guesthouse_alloc's answer", pointer, message)
        scratch.first.value = pointer
        scratch.second.value = size
        future = lib.func_call_async(context, scratch.p_call, p_arguments, 2, p_result, 1, p_trap, p_error)
        if not self._step(future):
            yield from self._rest(future)
        return self.packed_result("the reply")

    def call(self, name: bytes, *, results: int = 0) -> Steps[None]:
        """Call an export that takes nothing."""
        lib, scratch = self.cell.lib, self.scratch
        lib.instance_export_get(self.context, scratch.p_instance, name, len(name), scratch.p_extern_extra)
        arguments = (scratch.p_extra, scratch.p_arguments, 0, scratch.p_result, results)
        future = lib.func_call_async(self.context, *arguments, scratch.p_trap, scratch.p_error)
        if not self._step(future):
            yield from self._rest(future)

    def _step(self, future: int) -> bool:
        """Run the guest for a slice: whether the call has ended; what it ended with, if not well, is raised."""
        cell = self.cell
        self._pending = future
        cell.guest = self
        is_done = cell.lib.call_future_poll(future)
        cell.guest = None
        if self.bug is not None:
            raise self.bug
        if not is_done:
            return False
        self._pending = None
        cell.lib.call_future_delete(future)
        scratch = self.scratch
        if scratch.trap.value or scratch.error.value:
            self._count_usage()
            raise translate(self, scratch)
        return True

    def _rest(self, future: int) -> Steps[None]:
        """Run the guest in slices until the call has ended."""
        yield
        while not self._step(future):
            yield

    def packed_result(self, what: str) -> bytes:
        """Copy the bytes that the last call's i64 points to: pointer above, length below."""
        packed = self.scratch.result.value
        pointer, length = packed >> 32, packed & LOW_32
        if length > self.limits.reply_bytes:
            raise OutputTooLarge(what, length, self.limits.reply_bytes)
        return self.read(what, pointer, length)

    def _count_usage(self) -> int:
        """Note what was used; the fuel that is left, below zero where the bill for host calls is larger than that."""
        lib, scratch = self.cell.lib, self.scratch
        lib.context_get_fuel(self.context, scratch.p_fuel)
        left: int = scratch.fuel.value - self._bill
        self._is_counted = True
        self.fuel_used = self.limits.fuel - max(left, 0)
        if self._base:
            self.memory_bytes = lib.memory_data_size(self.context, scratch.p_memory)
        return left

    def _close(self) -> None:
        lib = self.cell.lib
        if self._pending is not None:
            lib.call_future_delete(self._pending)
            self._pending = None
        if not self._is_counted:
            self._count_usage()
        lib.store_delete(self._store)
        self.cell.scratches.put(lib, self.scratch)

    # What its imports work on -----------------------------------------------------------------------------------------

    def read(self, what: str, pointer: int, length: int) -> bytes:
        """Copy bytes out of the guest's memory; `BrokenContract` naming *what* where they aren't all inside."""
        return copy_out(self.address(what, pointer, length), length)

    def write(self, what: str, pointer: int, data: bytes) -> None:
        """Copy bytes into the guest's memory; `BrokenContract` naming *what* where they don't fit."""
        copy_in(self.address(what, pointer, len(data)), data, len(data))

    def address(self, what: str, pointer: int, length: int) -> int:
        """Find bytes of the guest's memory; `BrokenContract` naming *what* where they aren't all inside."""
        if not self._base:
            self._find_memory()
        if pointer + length > self._size:  # as far as we know: a memory may have grown, but none shrinks
            self._size = size = self.cell.lib.memory_data_size(self.context, self.scratch.p_memory)
            if pointer + length > size:
                fault = f"{length:,} bytes at {pointer:,} reach beyond the memory of {size:,} bytes"
                raise BrokenContract(f"{what}: {fault}")
        return self._base + pointer

    def _find_memory(self) -> None:
        # Only in a start function: the instance isn't known yet, but the caller is.
        lib, scratch = self.cell.lib, self.scratch
        lib.caller_export_get(self.caller, b"memory", 6, scratch.p_extern_memory)
        self._base = lib.memory_data(self.context, scratch.p_memory)

    def charge(self, fuel: int) -> None:
        """Take fuel for a host call; `FuelExhausted` when there is too little.

        Small amounts are put on a bill, which is settled when it is large enough to matter, and at the end.
        """
        self._bill += fuel
        if self._bill >= self._largest_bill:
            self._settle_bill()

    def _settle_bill(self) -> None:
        lib, scratch = self.cell.lib, self.scratch
        lib.context_get_fuel(self.context, scratch.p_fuel)
        left = scratch.fuel.value - self._bill
        self._bill = 0
        lib.context_set_fuel(self.context, max(left, 0))
        if left < 0:
            raise FuelExhausted(self.limits.fuel)

    def operate(self, name: str, request: bytes) -> int:
        """Open a handle for the host operation *name*, which starts once the fiber is suspended."""
        handle = self.handles.open(is_full=self._outbox_bytes > _MOST_OUTBOX_BYTES)
        if handle > 0:
            self._outbox_bytes += len(request)
            self.outbox.append((name, handle, request))
        return handle

    def take_request(self) -> Request:
        """Take the oldest request out of the outbox."""
        request = self.outbox.popleft()
        self._outbox_bytes -= len(request[2])
        return request

    @property
    def logbook(self) -> Logbook:
        """The guest's log lines; made when it first logs."""
        if self._logbook is None:
            self._logbook = Logbook(self.limits)
        return self._logbook

    @property
    def has_logged(self) -> bool:
        """Whether there is anything in the logbook."""
        return self._logbook is not None

    def elapsed_seconds(self) -> float:
        """Seconds since the invocation began."""
        return perf_counter() - self.started

    def elapsed_ms(self) -> int:
        """Milliseconds since the invocation began."""
        return int(self.elapsed_seconds() * 1000)

    def suspend(self, handles: tuple[int, ...], result_address: int) -> int | None:
        """Wait for one of *handles*: the address of the flag that ends the wait, or None where one is ready now.

        The index of the ready one is written to *result_address*, which lives until the wait has ended.
        """
        index = self.handles.first_ready(handles)
        if index is not None:
            c_int32.from_address(result_address).value = index
            return None
        self.waiting = handles
        self._result_address = result_address
        self.scratch.ready[0] = b"\0"
        return self.scratch.p_ready

    def nap(self, milliseconds: int, result_address: int) -> int:
        """Wait for a timer that has no handle: the address of the flag that ends the wait."""
        self.outbox.append(("sleep", _NAP, milliseconds.to_bytes(4, "little")))
        self._outbox_bytes += 4
        self.waiting = (_NAP,)
        self._result_address = result_address
        self.scratch.ready[0] = b"\0"
        return self.scratch.p_ready

    def complete(self, handle: int, result: bytes) -> bool:
        """Store an operation's result; whether the guest waited for it and may run again."""
        self.handles.complete(handle, result)
        if self.waiting is None or handle not in self.waiting:
            return False
        c_int32.from_address(self._result_address).value = self.waiting.index(handle)
        self.waiting = None
        self.scratch.ready[0] = b"\1"
        return True
