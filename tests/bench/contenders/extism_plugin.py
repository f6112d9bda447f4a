"""Extism's Python SDK on the same event: a fresh plugin for each, or one plugin for all of them (no isolation)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import extism
from extism.extism import CompiledPlugin
from tests.bench import guests


@contextmanager
def opened(plugins: str = "fresh") -> Iterator[Callable[[int], None]]:
    """Call with *plugins* that are ``fresh``, of a compiled plugin, or ``reused``."""
    manifest = {"wasm": [{"data": guests.extism()}], "memory": {"max_pages": 1024}, "timeout_ms": 5000}
    compiled = CompiledPlugin(manifest, wasi=False)
    kept = extism.Plugin(compiled)
    if bytes(kept.call("handle", guests.EVENT_BYTES)) != guests.EVENT_BYTES:
        raise RuntimeError("the plugin doesn't answer as it should")

    def burst(count: int) -> None:
        for _ in range(count):
            plugin = kept if plugins == "reused" else extism.Plugin(compiled)
            plugin.call("handle", guests.EVENT_BYTES)

    yield burst
