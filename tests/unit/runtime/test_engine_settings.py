"""The engine's configuration: nothing that the library can do is left to its default in silence."""

import platform
import re
import struct
from ctypes import c_bool
from dataclasses import replace
from pathlib import Path

import pytest
from wasmtime import _bindings

from guesthouse.config import MIB, EngineConfig
from guesthouse.runtime import capi, engine_settings
from guesthouse.runtime.capi import NEWER_SWITCHES
from guesthouse.runtime.engine_settings import SWITCHES, fingerprint, pool_sizes

_COMPONENTS = "a part of the component model, which is off as a whole"
ARGUED = {
    "wasm_component_model_accessors": _COMPONENTS,
    "wasm_component_model_async": _COMPONENTS,
    "wasm_component_model_async_stackful": _COMPONENTS,
    "wasm_component_model_canonical_names": _COMPONENTS,
    "wasm_component_model_implements": _COMPONENTS,
    "wasm_component_model_map": _COMPONENTS,
    "wasm_component_model_more_async_builtins": _COMPONENTS,
    "cranelift_debug_verifier": "checks the compiler itself, slowly; off by default, and no guest can tell",
    "cranelift_nan_canonicalization": "the bits of NaNs may differ between machines; replies may not hold NaNs anyway",
    "macos_use_mach_ports": "how signals are caught on macOS; of two ways that work, the library knows the better",
    "memory_may_move": "a memory that outgrows its reservation; the pool reserves the whole of it",
    "native_unwind_info": "unwind tables for native debuggers; the default is right on each system",
}
"""Switches that are left alone, and why."""
SWITCH = re.compile(r"wasmtime_config_(\w+)_set")


def dynamic_symbols(path: Path) -> set[str]:
    """Read the names in the dynamic symbol table of a 64-bit little-endian ELF file."""
    data = path.read_bytes()
    (sections_at,) = struct.unpack_from("<Q", data, 0x28)
    size, count = struct.unpack_from("<HH", data, 0x3A)
    sections = [struct.unpack_from("<IIQQQQIIQQ", data, sections_at + size * index) for index in range(count)]
    names: set[str] = set()
    for _, kind, _, _, offset, length, link, _, _, _ in sections:
        if kind == 11:  # SHT_DYNSYM
            strings = sections[link][4]
            for entry in range(offset, offset + length, 24):
                start = strings + struct.unpack_from("<I", data, entry)[0]
                names.add(data[start : data.index(b"\0", start)].decode())
    return names


def switches_of_the_library() -> set[str]:
    """Name everything of the library's configuration that takes a switch, or whose parameters nobody declares."""
    if capi.library_path().suffix != ".so":
        pytest.skip("reads ELF files only")
    found = {match[1] for name in dynamic_symbols(capi.library_path()) if (match := SWITCH.fullmatch(name))}
    assert len(found) > 40, "the symbol table can't be read any more"
    return {name for name in found if _takes_a_switch(name)}


def _takes_a_switch(name: str) -> bool:
    declared = getattr(_bindings, f"_wasmtime_config_{name}_set", None)
    return declared is None or declared.argtypes[1] is c_bool


def test_every_switch_of_the_library_is_set_or_argued() -> None:
    """A new library may bring a proposal that is on by default: this is where it is noticed."""
    assert switches_of_the_library() - SWITCHES.keys() - ARGUED.keys() == set()


NEWER_ARGUED = frozenset(
    f"wasm_component_model_{name}"
    for name in ("implements", "accessors", "canonical_names", "map", "more_async_builtins")
)
"""Of the component model, which is off as a whole; not all are in the oldest library."""


def test_no_switch_is_named_that_the_library_lacks() -> None:
    """Neither among those that are set nor those that are argued, but for what came with a later library."""
    newer = {name.removeprefix("wasmtime_config_").removesuffix("_set") for name in NEWER_SWITCHES} | NEWER_ARGUED
    assert (SWITCHES.keys() | ARGUED.keys()) - switches_of_the_library() <= newer
    assert SWITCHES.keys().isdisjoint(ARGUED)


def test_no_proposal_is_argued_away_on_its_own() -> None:
    """What widens the language that strangers write in is switched, on or off, in so many words."""
    assert not [name for name in ARGUED if name.startswith("wasm_") and "component" not in name]


def test_what_escapes_the_limiter_is_off() -> None:
    """DESIGN section 4: collected heaps, shared and 64-bit memories, several memories, other stacks."""
    dangerous = (
        "gc_support wasm_gc wasm_function_references wasm_exceptions wasm_memory64 wasm_threads shared_memory"
        " wasm_multi_memory wasm_custom_page_sizes wasm_stack_switching wasm_component_model"
    )
    assert not [name for name in dangerous.split() if SWITCHES[name]]


def test_what_bounds_guests_is_on() -> None:
    """Fuel and epochs."""
    assert SWITCHES["consume_fuel"]
    assert SWITCHES["epoch_interruption"]


def test_each_slot_has_one_of_everything() -> None:
    """So that whoever has a slot never finds the pool empty."""
    sizes = pool_sizes(EngineConfig(slots=7))
    assert {sizes[f"total_{name}"] for name in ("core_instances", "memories", "tables", "stacks")} == {7}
    assert {sizes[f"max_{name}_per_module"] for name in ("memories", "tables")} == {1}
    assert (sizes["total_gc_heaps"], sizes["total_component_instances"]) == (0, 0)


@pytest.mark.parametrize(
    "changed",
    [
        EngineConfig(memory_ceiling_bytes=128 * MIB),
        EngineConfig(stack_bytes=2 * MIB),
    ],
    ids=["memory", "stack"],
)
def test_an_artefact_is_made_anew_when_what_it_depends_on_changes(changed: EngineConfig) -> None:
    """By its fingerprint."""
    assert fingerprint(changed) != fingerprint(EngineConfig())


def test_an_artefact_stays_good_when_nothing_that_it_depends_on_changes() -> None:
    """The number of slots isn't in the code."""
    assert fingerprint(replace(EngineConfig(), slots=5, turn_seconds=1.0)) == fingerprint(EngineConfig())


def test_another_library_or_another_switch_is_another_fingerprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """Native code never outlives what it was made by."""
    known = {fingerprint(EngineConfig())}
    monkeypatch.setattr(engine_settings, "version", lambda: "50.0.2")
    known.add(fingerprint(EngineConfig()))
    monkeypatch.setitem(SWITCHES, "wasm_simd", False)
    known.add(fingerprint(EngineConfig()))
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")
    known.add(fingerprint(EngineConfig()))
    assert len(known) == 4
