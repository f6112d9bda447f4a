"""Guests that do bulk memory operations, and a pair of one as it was and sliced, given the same work."""

from functools import cache

import wasmtime
from tests.support.wasm_modules import wat

from guesthouse.runtime.wasm.chunked import CHUNK_BYTES
from guesthouse.runtime.wasm.module import parse
from guesthouse.runtime.wasm.shape import PAGE_BYTES
from guesthouse.runtime.wasm.slicing import slice_code

SEGMENT_BYTES = (0, 100, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7)
MEMORY_BYTES = 10 * CHUNK_BYTES
FUEL = 1 << 40


@cache
def pattern(size: int, seed: int = 1) -> bytes:
    """Write bytes in which any shift shows."""
    words = ((word * 2_654_435_761 + seed * 97) & 0xFFFF_FFFF for word in range(size // 4 + 1))
    return b"".join(word.to_bytes(4, "little") for word in words)[:size]


def sliced(data: bytes) -> bytes:
    """Parse and slice."""
    return slice_code(parse(data), data)


def bulk_guest() -> bytes:
    """Assemble a module that exports each operation, by name, with its operands as parameters; and each data.drop."""
    operands = "(local.get 0) (local.get 1) (local.get 2)"
    fields = [
        f'(func (export "{name}") (param i32 i32 i32) ({name} {operands}))' for name in ("memory.fill", "memory.copy")
    ]
    for index, size in enumerate(SEGMENT_BYTES):
        text = "".join(f"\\{byte:02x}" for byte in pattern(size, index))
        fields += [
            f'(data $d{index} "{text}")',
            f'(func (export "memory.init {index}") (param i32 i32 i32) (memory.init $d{index} {operands}))',
            f'(func (export "data.drop {index}") (data.drop $d{index}))',
        ]
    return wat(f'(module (memory (export "memory") {MEMORY_BYTES // PAGE_BYTES}) {" ".join(fields)})')


class Instance:
    """One instance, metered."""

    def __init__(self, engine: wasmtime.Engine, module: wasmtime.Module) -> None:
        self.store = wasmtime.Store(engine)
        self.store.set_fuel(FUEL)
        self.exports = wasmtime.Instance(self.store, module, []).exports(self.store)
        memory = self.exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        self._memory = memory

    def call(self, name: str, *operands: int, fuel: int = FUEL) -> str:
        """Call an export; the trap's message, or nothing."""
        function = self.exports[name]
        assert isinstance(function, wasmtime.Func)
        self.store.set_fuel(fuel)
        try:
            function(self.store, *operands)
        except wasmtime.Trap as trap:
            return str(trap.message).rpartition("wasm trap: ")[2].strip()
        return ""

    @property
    def fuel_used(self) -> int:
        """Fuel that the last call took."""
        return FUEL - int(self.store.get_fuel())

    @property
    def memory(self) -> bytes:
        """Copy the memory out."""
        return bytes(self._memory.read(self.store, 0, MEMORY_BYTES))

    @memory.setter
    def memory(self, content: bytes) -> None:
        self._memory.write(self.store, content, 0)


class Pair:
    """A module and its sliced self, compiled once; instances of both do the same and are compared."""

    def __init__(self, data: bytes) -> None:
        config = wasmtime.Config()
        config.consume_fuel = True
        self._engine = wasmtime.Engine(config)
        self._modules = [wasmtime.Module(self._engine, module) for module in (data, sliced(data))]
        self.renew()

    def renew(self) -> None:
        """Make new instances: no segment is dropped, and the memory holds a pattern."""
        self.original, self.sliced = (Instance(self._engine, module) for module in self._modules)
        self.original.memory = self.sliced.memory = pattern(MEMORY_BYTES)

    def call(self, name: str, *operands: int) -> str:
        """Call both; what came of it, which must be the same."""
        expected, found = (instance.call(name, *operands) for instance in (self.original, self.sliced))
        assert found == expected
        assert self.original.memory == self.sliced.memory
        return found
