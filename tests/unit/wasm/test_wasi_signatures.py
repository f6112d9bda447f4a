"""The table of WASI functions against a second opinion."""

import pytest
import wasmtime

from guesthouse.runtime.wasm.wasi_signatures import WASI_MODULE, WASI_SIGNATURES


@pytest.fixture(scope="module")
def theirs() -> tuple[wasmtime.Store, wasmtime.Linker]:
    """Link the engine's own WASI."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    store.set_wasi(wasmtime.WasiConfig())
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    return store, linker


@pytest.mark.parametrize("name", WASI_SIGNATURES)
def test_each_function_has_the_engines_type(name: str, theirs: tuple[wasmtime.Store, wasmtime.Linker]) -> None:
    """A module that ran elsewhere links here."""
    store, linker = theirs
    found = linker.get(store, WASI_MODULE, name)
    assert isinstance(found, wasmtime.Func)
    types = found.type(store)
    assert (tuple(map(str, types.params)), tuple(map(str, types.results))) == WASI_SIGNATURES[name]


def test_all_of_preview_1_is_known() -> None:
    """The specification's 45 functions, and sock_accept, which came later."""
    assert len(WASI_SIGNATURES) == 46
