"""The engine's configuration, every switch of the library named: what isn't switched on here is off.

The toolchains that we serve need bulk memory, reference types, multi-value, sign extension, SIMD and tail calls.
Everything else widens what a stranger's module can do, and some of it escapes the limiter (garbage-collected heaps).
"""

import hashlib
import platform
from pathlib import Path

from guesthouse.config import EngineConfig
from guesthouse.errors import UnfitEngine
from guesthouse.runtime.capi import Library, version

HOST_STACK_BYTES = 512 * 1024
"""Stack for our own host functions, above the guest's: Python runs on the fiber."""
KEEP_STACK_BYTES = 16 * 1024
MAPPINGS_OF_A_SLOT = 6
"""Memory mappings of a slot in use; seen: 12,346 with 2,000 guests suspended."""
OTHER_MAPPINGS = 2_000
_MAX_MAP_COUNT = Path("/proc/sys/vm/max_map_count")
_UNKNOWN_MAPPINGS = 1 << 30

SWITCHES = {
    "consume_fuel": True,
    "epoch_interruption": True,
    "memory_init_cow": True,
    "parallel_compilation": True,
    "signals_based_traps": True,
    "wasm_bulk_memory": True,
    "wasm_multi_value": True,
    "wasm_reference_types": True,
    "wasm_simd": True,
    "wasm_tail_call": True,
    "concurrency_support": False,
    "debug_info": False,
    "gc_support": False,
    "shared_memory": False,
    "wasm_branch_hinting": False,
    "wasm_compact_imports": False,
    "wasm_component_model": False,
    "wasm_custom_page_sizes": False,
    "wasm_exceptions": False,
    "wasm_function_references": False,
    "wasm_gc": False,
    "wasm_memory64": False,
    "wasm_multi_memory": False,
    "wasm_relaxed_simd": False,
    "wasm_relaxed_simd_deterministic": True,
    "wasm_stack_switching": False,
    "wasm_threads": False,
    "wasm_wide_arithmetic": False,
}
"""Every ``wasmtime_config_*_set`` of the library that takes a switch; `tests` hold this against its symbols."""


def new_engine(lib: Library, config: EngineConfig) -> int:
    """Make an engine; the caller deletes it. `UnfitEngine` where this system hasn't room for that many slots."""
    check_slots(config.slots, _mappings_allowed())
    settings = lib.wasm_config_new()
    for name, is_on in SWITCHES.items():
        if f"wasmtime_config_{name}_set" not in lib.switches:
            continue
        getattr(lib, f"config_{name}_set")(settings, is_on)
    lib.config_max_wasm_stack_set(settings, config.stack_bytes)
    lib.config_async_stack_size_set(settings, config.stack_bytes + HOST_STACK_BYTES)
    pool = lib.pooling_allocation_config_new()
    for name, size in pool_sizes(config).items():
        getattr(lib, f"pooling_allocation_config_{name}_set")(pool, size)
    lib.pooling_allocation_strategy_set(settings, pool)
    lib.pooling_allocation_config_delete(pool)
    return int(lib.wasm_engine_new_with_config(settings))


def check_slots(slots: int, mappings_allowed: int) -> None:
    """Refuse more slots than the system has memory mappings for: the library would abort, now or under load."""
    most = (mappings_allowed - OTHER_MAPPINGS) // MAPPINGS_OF_A_SLOT
    if slots > most:
        raise UnfitEngine(
            f"{slots:,} slots were asked for, and this system has room for {most:,}:"
            f" raise vm.max_map_count ({mappings_allowed:,} now) or lower the slots"
        )


def _mappings_allowed() -> int:
    try:
        return int(_MAX_MAP_COUNT.read_text())
    except (OSError, ValueError):
        return _UNKNOWN_MAPPINGS


def pool_sizes(config: EngineConfig) -> dict[str, int]:
    """Sizes of the pooling allocator: one instance, one memory, one table and one stack for each slot."""
    return {
        "total_core_instances": config.slots,
        "total_memories": config.slots,
        "total_tables": config.slots,
        "total_stacks": config.slots,
        "total_gc_heaps": 0,
        "total_component_instances": 0,
        "max_memories_per_module": 1,
        "max_tables_per_module": 1,
        "max_memory_size": config.memory_ceiling_bytes,
        "table_elements": config.table_ceiling_elements,
        "linear_memory_keep_resident": config.keep_resident_bytes,
        "table_keep_resident": 8 * 1024,
        "async_stack_keep_resident": KEEP_STACK_BYTES,
        "max_unused_warm_slots": config.slots,
    }


def fingerprint(config: EngineConfig) -> str:
    """Name what compiled artefacts depend on: a change of any of it makes them anew."""
    facts = (version(), platform.machine(), sorted(SWITCHES.items()), config.memory_ceiling_bytes, config.stack_bytes)
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]
