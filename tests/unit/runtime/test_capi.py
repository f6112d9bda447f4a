"""The check at start: a library that these declarations don't fit is refused, clearly."""

import ctypes
import importlib.metadata
import importlib.util
import platform
from pathlib import Path
from types import SimpleNamespace

import pytest
from wasmtime import _bindings

from guesthouse.errors import OperatorError, UnfitEngine
from guesthouse.runtime import capi


@pytest.mark.parametrize("found", ["48.0.0", "49.0.3", "50.0.1", "50"])
def test_known_versions_are_taken(found: str) -> None:
    """Every release of the majors whose headers were read."""
    capi.check_version(found)


@pytest.mark.parametrize("found", ["47.0.1", "51.0.0", "5.0", "500.1", "", "garbage", "-50.0", "v50.0.1", " 50"])
def test_other_versions_are_refused_by_name(found: str) -> None:
    """Too old, too new, or nothing that we can read: the message names what is there and what is known."""
    with pytest.raises(UnfitEngine, match="48 to 50") as caught:
        capi.check_version(found)
    assert f"wasmtime {found} is installed" in str(caught.value)


def test_an_unfit_library_is_the_operators_to_mend_and_no_retry_helps() -> None:
    """Not a function's fault."""
    assert issubclass(UnfitEngine, OperatorError)
    assert not UnfitEngine.retryable


def test_the_installed_library_fits() -> None:
    """Version, sizes and symbols."""
    capi.check_version(capi.version())
    capi.check_sizes(_bindings)
    assert capi.library_path().exists()
    capi.Library(capi.library_path())


def test_every_missing_symbol_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at once, not the first only."""
    declared = {**capi._QUICK, "wasmtime_invented": (None,), "wasmtime_another": (None,)}
    monkeypatch.setattr(capi, "_QUICK", declared)
    with pytest.raises(UnfitEngine, match=r"lacks wasmtime_another, wasmtime_invented$"):
        capi.Library(capi.library_path())
    assert not list(tmp_path.iterdir())


def test_a_structure_of_another_size_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing past the end of one would corrupt the process."""
    monkeypatch.setitem(capi._SIZES, "wasmtime_instance_t", ctypes.c_uint64)
    with pytest.raises(UnfitEngine, match="wasmtime_instance_t is 16 bytes; 8 bytes were expected"):
        capi.check_sizes(_bindings)


def test_a_structure_that_is_gone_is_refused_by_name() -> None:
    """A library that renames its types isn't ours."""
    with pytest.raises(UnfitEngine, match="wasmtime_val_t is absent"):
        capi.check_sizes(SimpleNamespace())


def test_fields_lie_where_the_library_has_them() -> None:
    """Sizes alone wouldn't tell: kinds, unions and continuations by offset."""
    theirs = _bindings.wasmtime_async_continuation_t
    for name in ("callback", "env", "finalizer"):
        assert getattr(theirs, name).offset == getattr(capi.Continuation, name).offset
    assert _bindings.wasmtime_extern_t.of.offset == capi.EXTERN_ITEM
    assert _bindings.wasmtime_val_t.of.offset == capi.VAL_BITS
    assert (_bindings.wasm_frame_vec_t.size.offset, _bindings.wasm_frame_vec_t.data.offset) == (
        capi.FrameVec.size.offset,
        capi.FrameVec.data.offset,
    )


def test_declared_parameters_are_as_many_as_the_library_has() -> None:
    """An argument too few or too many is memory corruption; the wheel's own declarations know their number."""
    for name, (_, *arguments) in {**capi._QUICK, **capi._RELEASING}.items():
        theirs = getattr(_bindings, f"_{name}", None)
        assert theirs is None or len(theirs.argtypes) == len(arguments), name


def test_a_function_that_was_not_declared_is_named() -> None:
    """Whoever needs one declares it first."""
    with pytest.raises(AttributeError, match="component_new isn't declared"):
        capi.load().component_new  # noqa: B018 - asking is the test


def test_a_missing_package_is_unfit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Said in words, not as an import error of some depth."""

    def gone(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", gone)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    for ask in (capi.version, capi.library_path):
        with pytest.raises(UnfitEngine, match="isn't installed"):
            ask()


def test_a_machine_without_a_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel serves some platforms only."""
    monkeypatch.setattr(platform, "machine", lambda: "m68k")
    with pytest.raises(UnfitEngine, match="no library for linux on m68k"):
        capi.library_path()
