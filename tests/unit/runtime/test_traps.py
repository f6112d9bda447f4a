"""How a guest ended, in our words: the table is total, and the host's own reason comes first."""

from collections.abc import Iterator
from ctypes import c_char_p, c_uint8, c_void_p
from typing import Any

import pytest
from wasmtime import _bindings

from guesthouse.errors import BrokenContract, FuelExhausted, FunctionError, MemoryExhausted, NoSlot, Trapped
from guesthouse.model.limits import MIB, Limits
from guesthouse.runtime import capi, traps
from guesthouse.runtime.scratch import Scratch

KNOWN = {member.value for member in _bindings.wasmtime_trap_code_enum}


class CellOfALibrary:
    """As much of a cell as translation needs."""

    def __init__(self, lib: Any) -> None:  # noqa: ANN401 - a library, real or made up
        self.lib = lib


class Stopped:
    """A guest that has stopped."""

    def __init__(self, *, lib: Any = None, fault: FunctionError | None = None, held_bytes: int = MIB) -> None:  # noqa: ANN401
        self.cell: Any = CellOfALibrary(lib or capi.load())
        self.limits = Limits(fuel=1_000, memory_bytes=64 * MIB)
        self.fault = fault
        self.memory_bytes = held_bytes


@pytest.fixture
def scratch() -> Iterator[Scratch]:
    """Take a scratch, and see that nothing was left in it."""
    scratch = Scratch()
    yield scratch
    assert not scratch.trap.value
    assert not scratch.error.value


def of_code(scratch: Scratch, code: int, stopped: Stopped | None = None) -> object:
    """Translate a trap of the library with this code."""
    scratch.trap.value = capi.load().trap_new_code(code)
    return traps.translate(stopped or Stopped(), scratch)


class AnyCode:
    """A library whose traps have any code; the real one makes none with a code that it doesn't know."""

    def __init__(self, code: int | None) -> None:
        self._code = code
        self.deleted = 0

    def trap_code(self, _trap: int, out: int) -> bool:
        """See ``wasmtime_trap_code``."""
        c_uint8.from_address(out).value = self._code or 0
        return self._code is not None

    def wasm_trap_trace(self, _trap: int, out: int) -> None:
        """Give no frames."""
        capi.FrameVec.from_address(out).size = 0

    def wasm_frame_vec_delete(self, _vector: int) -> None:
        """Nothing to free."""

    def wasm_trap_delete(self, _trap: int) -> None:
        """Count."""
        self.deleted += 1


def of_made_up(scratch: Scratch, code: int | None, fault: FunctionError | None = None) -> object:
    """Translate a made-up trap, and see that it was freed exactly once."""
    lib = AnyCode(code)
    scratch.trap.value = 1
    error = traps.translate(Stopped(lib=lib, fault=fault), scratch)
    assert lib.deleted == 1
    return error


@pytest.mark.parametrize("code", range(61))
def test_every_code_means_a_function_error(scratch: Scratch, code: int) -> None:
    """Also codes of proposals that are off, and those that no library has yet."""
    error = of_made_up(scratch, code)
    assert isinstance(error, Trapped | FuelExhausted)
    assert str(error)


@pytest.mark.parametrize("code", sorted(KNOWN))
def test_every_code_of_this_library_is_translated(scratch: Scratch, code: int) -> None:
    """By the library's own traps, which are freed."""
    assert isinstance(of_code(scratch, code), Trapped | FuelExhausted)


def test_a_trap_without_a_code_is_other(scratch: Scratch) -> None:
    """Such as one that the host made."""
    error = of_made_up(scratch, None)
    assert isinstance(error, Trapped)
    assert error.reason == "other"


def test_the_numbers_are_those_of_the_librarys_header() -> None:
    """Each reason is named as the library names its code."""
    by_value = {member.value: member.name for member in _bindings.wasmtime_trap_code_enum}
    for code, (reason, _) in traps.REASONS.items():
        assert reason.upper() in by_value[code]
    assert by_value[traps.OUT_OF_FUEL].endswith("OUT_OF_FUEL")


def test_reasons_are_stable_words_and_messages_are_sentences_for_authors() -> None:
    """A table that an API can promise: no two alike."""
    reasons = [reason for reason, _ in (*traps.REASONS.values(), traps.OTHER)]
    assert len(set(reasons)) == len(reasons)
    assert all(reason.islower() and reason.replace("_", "").isalpha() for reason in reasons)


def test_running_out_of_fuel_names_the_budget(scratch: Scratch) -> None:
    """Not a trap like others: its own class."""
    error = of_code(scratch, traps.OUT_OF_FUEL)
    assert isinstance(error, FuelExhausted)
    assert (error.limit, str(error)) == (1_000, "the guest used up its 1,000 units of fuel")


def test_the_hosts_own_reason_outranks_the_trap(scratch: Scratch) -> None:
    """The trap is only there because of it."""
    fault = BrokenContract("log: 9 is not a level")
    assert of_code(scratch, 9, Stopped(fault=fault)) is fault


def test_the_hosts_own_reason_outranks_an_error(scratch: Scratch) -> None:
    """Traps made by the host come back as errors."""
    fault = BrokenContract("log: 9 is not a level")
    assert of_error(scratch, b"stopped by the host", Stopped(fault=fault)) is fault


def of_error(scratch: Scratch, message: bytes, stopped: Stopped | None = None) -> object:
    """Translate an error of the library with this message."""
    new = getattr(_bindings.dll, "wasmtime_error_new")  # noqa: B009 - mypy knows no attributes of a C library
    new.restype, new.argtypes = c_void_p, [c_char_p]
    scratch.error.value = new(message)
    return traps.translate(stopped or Stopped(), scratch)


def test_an_error_is_told_by_its_first_line(scratch: Scratch) -> None:
    """The rest is the engine's own backtrace, which an author has no use for."""
    error = of_error(scratch, b"the first line\nthe second line")
    assert isinstance(error, Trapped)
    assert error.reason == "error"
    assert "the first line" in str(error)
    assert "second" not in str(error)


def test_an_error_that_says_nothing_still_means_something(scratch: Scratch) -> None:
    """An empty text is no reason to fail ourselves."""
    assert "no reason given" in str(of_error(scratch, b""))


def test_a_full_pool_is_the_hosts_fault(scratch: Scratch) -> None:
    """The work is kept: it may succeed later."""
    error = of_error(scratch, b"maximum concurrent core instance limit of 20 reached")
    assert isinstance(error, NoSlot)
    assert error.slots == 20


@pytest.mark.parametrize(
    ("held_bytes", "kind"),
    [(64 * MIB, MemoryExhausted), (60 * MIB + 1, MemoryExhausted), (60 * MIB, Trapped), (MIB, Trapped)],
)
def test_giving_up_with_memory_nearly_full_is_memory_exhausted(
    scratch: Scratch, held_bytes: int, kind: type[FunctionError]
) -> None:
    """What a refused allocation looks like from outside: less than a sixteenth left, and a panic."""
    assert type(of_code(scratch, 9, Stopped(held_bytes=held_bytes))) is kind


def test_other_traps_with_memory_nearly_full_are_what_they_are(scratch: Scratch) -> None:
    """A division by zero isn't a lack of memory."""
    error = of_code(scratch, 7, Stopped(held_bytes=64 * MIB))
    assert isinstance(error, Trapped)
    assert error.reason == "integer_division_by_zero"
