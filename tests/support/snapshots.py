"""Run a module to a state and read that state, by the engine's public API: an independent check of snapshots."""

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import wasmtime

from guesthouse.runtime.wasm.module import parse
from guesthouse.runtime.wasm.snapshot import instrument, write


@dataclass(frozen=True, slots=True)
class State:
    """A module's memory, and its mutable globals as raw bits."""

    memory: bytes
    values: tuple[int, ...]


class Running:
    """One instance."""

    def __init__(self, data: bytes) -> None:
        engine = wasmtime.Engine()
        self.store = wasmtime.Store(engine)
        self.exports = wasmtime.Instance(self.store, wasmtime.Module(engine, data), []).exports(self.store)

    def call(self, name: str, *arguments: int) -> Any:  # noqa: ANN401 - whatever the guest returns
        """Call an export."""
        function = self.exports[name]
        assert isinstance(function, wasmtime.Func)
        return function(self.store, *arguments)

    def memory(self, name: str) -> bytes:
        """Read all of an exported memory."""
        memory = self.exports[name]
        assert isinstance(memory, wasmtime.Memory)
        return bytes(memory.read(self.store, 0, memory.data_len(self.store)))

    def bits(self, name: str) -> int:
        """Read an exported global as raw bits."""
        found = self.exports[name]
        assert isinstance(found, wasmtime.Global)
        value = found.value(self.store)
        match str(found.type(self.store).content):
            case "f32":
                return int.from_bytes(struct.pack("<f", value), "little")
            case "f64":
                return int.from_bytes(struct.pack("<d", value), "little")
            case "i32":
                return int(value) % (1 << 32)
            case _:
                return int(value) % (1 << 64)


def reach(data: bytes, initialise: Callable[[Running], object] | None = None) -> State:
    """Instantiate the instrumented module, initialise it, and read its state."""
    instrumented = instrument(parse(data), data)
    running = Running(instrumented.data)
    if initialise:
        initialise(running)
    return State(
        running.memory(instrumented.memory_name),
        tuple(running.bits(name) for name in instrumented.global_names),
    )


def snapshot(data: bytes) -> tuple[bytes, State]:
    """Snapshot a module after its ``_initialize``."""
    state = reach(data, lambda running: running.call("_initialize"))
    return write(parse(data), data, memory=state.memory, values=state.values), state
