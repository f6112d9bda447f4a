"""A host of a few lines over wasmtime's public API: enough to test an SDK without the engine.

It answers at once: every handle is ready as soon as it is waited for. MessagePack is the independent ``msgpack``'s.
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import msgpack
from wasmtime import Engine, Func, FuncType, Linker, Module, Store, ValType, WasiConfig

from guesthouse.abi.contract import DIGEST_ALGORITHMS, IMPORT_MODULE, IMPORTS

Answer = Callable[[Any], object]
"""What a request, decoded, is answered with; bytes as they are, anything else as MessagePack."""

NOW_MS = 1_700_000_000_000
CONTEXT: Mapping[str, object] = {
    "function": "fn_1",
    "version": "ver_1",
    "source": "src_1",
    "destination": None,
    "attempt": 1,
    "deadline_ms": 5_000,
}
_TYPES = {"i32": ValType.i32, "i64": ValType.i64}


@cache
def _compile(module: bytes) -> tuple[Engine, Module]:
    """Compile once for all tests: it takes a hundred times as long as a call."""
    engine = Engine()
    return engine, Module(engine, module)


class StubHost:
    """One guest instance and what it did."""

    def __init__(
        self,
        module: bytes,
        answers: Mapping[str, Answer] | None = None,
        *,
        max_handles: int = 64,
        memory_bytes: int = 4 << 20,
    ) -> None:
        """Instantiate *module*; *answers* maps names such as ``http_send`` to what answers its requests."""
        engine, compiled = _compile(module)
        self.logs: list[tuple[int, str]] = []
        self.requests: list[tuple[str, Any]] = []
        self.waits: list[int] = []
        self._answers = dict(answers or {})
        self._results: dict[int, bytes] = {}
        self._waited: set[int] = set()
        self._opened = 0
        self._max_handles = max_handles
        self._store = Store(engine)
        self._store.set_limits(memory_size=memory_bytes)
        self._store.set_wasi(WasiConfig())
        linker = Linker(engine)
        linker.define_wasi()
        for name, (parameters, results) in IMPORTS.items():
            kind = FuncType([_TYPES[kind]() for kind in parameters], [_TYPES[kind]() for kind in results])
            linker.define(self._store, IMPORT_MODULE, name, Func(self._store, kind, self._import(name)))
        self._exports = linker.instantiate(self._store, compiled).exports(self._store)
        self._memory: Any = self._exports["memory"]
        if "_initialize" in self._exports:
            self._export("_initialize")

    def call(self, handler: str, payload: object, settings: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401
        """Call the guest as an engine does; answer its decoded reply."""
        call = {"handler": handler, "payload": payload, "settings": settings or {}, "context": CONTEXT}
        return self.call_bytes(msgpack.packb(call))

    def call_bytes(self, message: bytes) -> Any:  # noqa: ANN401 - whatever MessagePack can hold
        """Call the guest with any bytes; answer its decoded reply."""
        pointer = self._export("guesthouse_alloc", len(message)) & 0xFFFFFFFF
        self._memory.write(self._store, message, pointer)
        return self._unpack(self._export("guesthouse_call", pointer, len(message)))

    def describe(self) -> Any:  # noqa: ANN401 - whatever MessagePack can hold
        """Answer the guest's decoded description."""
        return self._unpack(self._export("guesthouse_describe"))

    def _export(self, name: str, *arguments: int) -> int:
        result: int = self._exports[name](self._store, *arguments)
        return result

    def _unpack(self, packed: int) -> Any:  # noqa: ANN401 - whatever MessagePack can hold
        return msgpack.unpackb(self._read((packed >> 32) & 0xFFFFFFFF, packed & 0xFFFFFFFF))

    def _read(self, pointer: int, size: int) -> bytes:
        return bytes(self._memory.read(self._store, pointer, pointer + size))

    def _import(self, name: str) -> Callable[..., int | None]:
        own: Callable[..., int | None] | None = getattr(self, f"_on_{name}", None)
        return own or (lambda pointer, size: self._start(name, msgpack.unpackb(self._read(pointer, size))))

    def _start(self, name: str, request: Any) -> int:  # noqa: ANN401 - whatever MessagePack can hold
        self.requests.append((name, request))
        if len(self._results) >= self._max_handles:
            return -1
        answer = self._answers[name](request) if name in self._answers else b""
        self._opened += 1
        self._results[self._opened] = answer if isinstance(answer, bytes) else msgpack.packb(answer)
        return self._opened

    def _on_log(self, level: int, pointer: int, size: int) -> None:
        self.logs.append((level, self._read(pointer, size).decode()))

    def _on_sleep(self, milliseconds: int) -> int:
        return self._start("sleep", milliseconds)

    def _on_wait(self, pointer: int, count: int) -> int:
        data = self._read(pointer, 4 * count)
        handles = [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]
        self.waits.append(count)
        self._waited.add(handles[-1])
        return count - 1

    def _on_result_size(self, handle: int) -> int:
        return len(self._results[handle]) if handle in self._waited else -1

    def _on_result_read(self, handle: int, pointer: int) -> int:
        data = self._results.pop(handle)
        self._memory.write(self._store, data, pointer)
        return len(data)

    def _on_now(self) -> int:
        return NOW_MS

    def _on_random(self, pointer: int, size: int) -> None:
        self._memory.write(self._store, bytes(index % 256 for index in range(size)), pointer)

    def _on_digest(self, algorithm: int, pointer: int, size: int, out: int) -> int:
        digest = hashlib.new(DIGEST_ALGORITHMS[algorithm], self._read(pointer, size)).digest()
        self._memory.write(self._store, digest, out)
        return len(digest)
