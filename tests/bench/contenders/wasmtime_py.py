"""wasmtime-py's public API doing the same: fresh store and instance, fuel, the envelope by ``msgpack``; synchronous.

It has no way to suspend a guest, so ``sleep`` and ``wait`` are host functions that return at once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import msgpack
import wasmtime
from tests.bench import guests

_I32 = wasmtime.ValType.i32()


@contextmanager
def opened() -> Iterator[Callable[[int], None]]:
    """Run events one by one."""
    config = wasmtime.Config()
    config.consume_fuel = True
    config.epoch_interruption = True
    engine = wasmtime.Engine(config)
    linker = wasmtime.Linker(engine)
    linker.define_func("guesthouse_v1", "sleep", wasmtime.FuncType([_I32], [_I32]), lambda _milliseconds: 1)
    linker.define_func("guesthouse_v1", "wait", wasmtime.FuncType([_I32, _I32], [_I32]), lambda _handles, _count: 0)
    prepared = linker.instantiate_pre(wasmtime.Module(engine, guests.waiting_once()))

    def burst(count: int) -> None:
        for _ in range(count):
            _event(engine, prepared)

    yield burst


def _event(engine: wasmtime.Engine, prepared: wasmtime.InstancePre) -> object:
    context = {"attempt": 1, "deadline_ms": 5000, "version": "1"}
    message = msgpack.packb({"handler": "onTrack", "payload": guests.EVENT, "settings": {}, "context": context})
    store = wasmtime.Store(engine)
    store.set_limits(memory_size=64 << 20, table_elements=65_536, instances=1, tables=1, memories=1)
    store.set_fuel(100_000_000)
    store.set_epoch_deadline(1_000_000)
    exports = prepared.instantiate(store).exports(store)
    memory = exports["memory"]
    pointer = exports["guesthouse_alloc"](store, len(message))
    memory.write(store, message, pointer)
    packed = exports["guesthouse_call"](store, pointer, len(message)) & 0xFFFFFFFFFFFFFFFF
    at, length = packed >> 32, packed & 0xFFFFFFFF
    reply = msgpack.unpackb(bytes(memory.read(store, at, at + length)))
    if store.get_fuel() <= 0:
        raise RuntimeError("fuel isn't counted")
    store.close()
    return reply
