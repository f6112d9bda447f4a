"""The C structures of invocations, reused: never by two at once, never with anything left in them."""

import ctypes

import pytest

from guesthouse.runtime import capi
from guesthouse.runtime.scratch import Scratch, ScratchPool


def test_two_invocations_never_share_a_scratch() -> None:
    """Each gets its own, and its own addresses."""
    pool = ScratchPool()
    first, second = pool.take(), pool.take()
    assert first is not second
    assert first.p_instance != second.p_instance


def test_a_scratch_that_came_back_is_used_again() -> None:
    """Never more exist than were in use at once."""
    pool = ScratchPool()
    first = pool.take()
    pool.put(capi.load(), first)
    assert pool.take() is first


class CountingLibrary:
    """Counts what it is asked to free."""

    def __init__(self) -> None:
        self.traps: list[int | None] = []
        self.errors: list[int | None] = []

    def wasm_trap_delete(self, trap: ctypes.c_void_p) -> None:
        """Count."""
        self.traps.append(trap.value)

    def error_delete(self, error: ctypes.c_void_p) -> None:
        """Count."""
        self.errors.append(error.value)


@pytest.mark.parametrize(("trap", "error"), [(None, None), (11, None), (None, 22), (11, 22)])
def test_what_nobody_took_out_is_freed_once(trap: int | None, error: int | None) -> None:
    """A cancelled guest's trap isn't leaked, and the next user finds none."""
    pool, lib = ScratchPool(), CountingLibrary()
    scratch = pool.take()
    scratch.trap.value, scratch.error.value = trap, error
    pool.put(lib, scratch)  # type: ignore[arg-type]  # as much of a library as it needs
    assert (lib.traps, lib.errors) == ([trap] if trap else [], [error] if error else [])
    again = pool.take()
    assert (again.trap.value, again.error.value) == (None, None)


def test_addresses_are_those_of_the_structures() -> None:
    """What is written through an address is read through the name."""
    scratch = Scratch()
    ctypes.c_void_p.from_address(scratch.p_trap).value = 5
    ctypes.c_void_p.from_address(scratch.p_error).value = 6
    ctypes.c_uint64.from_address(scratch.p_fuel).value = 7
    capi.Val.from_address(scratch.p_result).bits = 8
    assert (scratch.trap.value, scratch.error.value, scratch.fuel.value, scratch.result.value) == (5, 6, 7, 8)
    scratch.first.value, scratch.second.value = 9, 10
    arguments = (capi.Val * 2).from_address(scratch.p_arguments)
    assert [argument.bits for argument in arguments] == [9, 10]
    assert [argument.kind for argument in arguments] == [capi.I32, capi.I32]
    scratch.trap.value = scratch.error.value = None
