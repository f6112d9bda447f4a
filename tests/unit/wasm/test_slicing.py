"""Sliced bulk memory operations: a guest can't tell them from the engine's own."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.bulk import MEMORY_BYTES, SEGMENT_BYTES, Pair, bulk_guest, pattern
from tests.support.wasm_modules import wat

from guesthouse.runtime.wasm.chunked import CHUNK_BYTES

OUT_OF_BOUNDS = "out of bounds memory access"
LENGTHS = (0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 3 * CHUNK_BYTES + 5)
NEAR = (-CHUNK_BYTES - 1, -CHUNK_BYTES, -1, 0, 1, 3, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1)
addresses = st.builds(
    lambda base, more: max(0, min(base + more, (1 << 32) - 1)),
    st.sampled_from((0, MEMORY_BYTES // 2, MEMORY_BYTES, 1 << 31, 1 << 32)) | st.integers(0, MEMORY_BYTES),
    st.sampled_from(NEAR),
)
lengths = st.sampled_from(LENGTHS) | st.integers(0, MEMORY_BYTES) | addresses


@pytest.fixture(scope="module")
def compiled() -> Pair:
    """Compile once."""
    return Pair(bulk_guest())


@pytest.fixture
def pair(compiled: Pair) -> Pair:
    """Start anew."""
    compiled.renew()
    return compiled


@settings(max_examples=60, deadline=None)
@given(addresses, st.integers(0, 1 << 31), lengths)
def test_fills_are_equal(compiled: Pair, at: int, value: int, length: int) -> None:
    """Any place, any length: the same memory, or the same trap."""
    compiled.call("memory.fill", at, value, length)


@settings(max_examples=100, deadline=None)
@given(addresses, addresses, lengths)
def test_copies_are_equal(compiled: Pair, to: int, source: int, length: int) -> None:
    """Apart, overlapping forward and backward, in place, beyond the end."""
    compiled.call("memory.copy", to, source, length)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, len(SEGMENT_BYTES) - 1), addresses, addresses | st.integers(0, 3), lengths)
def test_initialisations_are_equal(compiled: Pair, segment: int, to: int, source: int, length: int) -> None:
    """From segments of any size, and beyond either end."""
    compiled.call(f"memory.init {segment}", to, source, length)


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("distance", NEAR)
def test_overlapping_copies_move_every_byte(pair: Pair, distance: int, length: int) -> None:
    """As memmove does, whatever the distance."""
    source = 4 * CHUNK_BYTES + 11
    before = pattern(MEMORY_BYTES)
    assert pair.call("memory.copy", source + distance, source, length) == ""
    after = pair.sliced.memory
    assert after[source + distance : source + distance + length] == before[source : source + length]
    assert after[: source + distance] == before[: source + distance]
    assert after[source + distance + length :] == before[source + distance + length :]


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", ["memory.fill", "memory.copy", "memory.init 4"])
def test_the_memorys_last_byte_is_the_last(pair: Pair, name: str, length: int) -> None:
    """An operation may end there; one byte further it traps, and has written nothing."""
    assert pair.call(name, MEMORY_BYTES - length, 0, length) == ""
    before = pair.sliced.memory
    assert pair.call(name, MEMORY_BYTES - length + 1, 0, length) == OUT_OF_BOUNDS
    assert pair.sliced.memory == before


@pytest.mark.parametrize("length", [*LENGTHS, MEMORY_BYTES - 1])
def test_the_source_is_bounded_too(pair: Pair, length: int) -> None:
    """Reading one byte beyond the memory traps, and nothing was written."""
    assert pair.call("memory.copy", 0, MEMORY_BYTES - length, length) == ""
    before = pair.sliced.memory
    assert pair.call("memory.copy", 1, MEMORY_BYTES - length + 1, length) == OUT_OF_BOUNDS
    assert pair.sliced.memory == before


@pytest.mark.parametrize("to", [0, 1, CHUNK_BYTES, MEMORY_BYTES, (1 << 32) - 1])
@pytest.mark.parametrize("length", [(1 << 32) - 1, (1 << 32) - CHUNK_BYTES, 1 << 31])
def test_ends_do_not_wrap_around(pair: Pair, to: int, length: int) -> None:
    """An end beyond 4 GiB isn't a small one."""
    for name in ("memory.fill", "memory.copy", "memory.init 4"):
        assert pair.call(name, to, 0, length) == OUT_OF_BOUNDS
        assert pair.call(name, 0, to, length) == OUT_OF_BOUNDS
    assert pair.sliced.memory == pattern(MEMORY_BYTES)


@pytest.mark.parametrize("segment", range(len(SEGMENT_BYTES)))
def test_a_segment_is_copied_to_its_end_and_no_further(pair: Pair, segment: int) -> None:
    """All of it, all but its first byte, and never one more."""
    size, name = SEGMENT_BYTES[segment], f"memory.init {segment}"
    assert pair.call(name, 5, 0, size) == ""
    assert pair.sliced.memory[5 : 5 + size] == pattern(size, segment)
    assert pair.call(name, 0, min(1, size), max(0, size - 1)) == ""
    assert pair.call(name, 0, 0, size + 1) == OUT_OF_BOUNDS
    assert pair.call(name, 0, 1, size) == OUT_OF_BOUNDS


@pytest.mark.parametrize("segment", range(len(SEGMENT_BYTES)))
def test_a_dropped_segment_is_empty(pair: Pair, segment: int) -> None:
    """Nothing can be copied from it any more, but for nothing; the others stay."""
    size = SEGMENT_BYTES[segment]
    pair.call(f"data.drop {segment}")
    assert pair.call(f"memory.init {segment}", 0, 0, size) == (OUT_OF_BOUNDS if size else "")
    assert pair.call(f"memory.init {segment}", 0, 0, 0) == ""
    assert pair.sliced.memory == pattern(MEMORY_BYTES)
    other = (segment + 1) % len(SEGMENT_BYTES)
    assert pair.call(f"memory.init {other}", 0, 0, SEGMENT_BYTES[other]) == ""


def test_an_active_segment_is_dropped_from_the_start() -> None:
    """As the specification has it."""
    pair = Pair(
        wat(f"""(module (memory (export "memory") {MEMORY_BYTES >> 16}) (data (i32.const 0) "active")
        (func (export "init") (param i32 i32 i32) (memory.init 0 (local.get 0) (local.get 1) (local.get 2))))""")
    )
    assert pair.call("init", 0, 0, 1) == OUT_OF_BOUNDS
    assert pair.call("init", 0, 0, 0) == ""


def test_fuel_is_about_the_same(pair: Pair) -> None:
    """Ten units more for a small operation; for a large one, not one in a thousand."""
    for name in ("memory.fill", "memory.copy"):
        pair.call(name, 1, 0, 32)
        assert 0 < pair.sliced.fuel_used - pair.original.fuel_used <= 10
        pair.call(name, 1, 0, MEMORY_BYTES - 1)
        assert 0 < pair.sliced.fuel_used - pair.original.fuel_used < MEMORY_BYTES // 1_000


FIRST, THIRD = slice(CHUNK_BYTES), slice(2 * CHUNK_BYTES, 3 * CHUNK_BYTES)
LAST, THIRD_LAST = slice(-CHUNK_BYTES, None), slice(-3 * CHUNK_BYTES, -2 * CHUNK_BYTES)


@pytest.mark.parametrize(
    ("name", "operands", "done", "not_done"),
    [
        ("memory.fill", (0, 0, MEMORY_BYTES), FIRST, THIRD),
        ("memory.copy", (0, 1, MEMORY_BYTES - 1), FIRST, THIRD),
        ("memory.copy", (1, 0, MEMORY_BYTES - 1), LAST, THIRD_LAST),
        ("memory.init 4", (0, 0, SEGMENT_BYTES[4]), FIRST, THIRD),
    ],
)
def test_the_engine_takes_over_between_chunks(
    pair: Pair, name: str, operands: tuple[int, int, int], done: slice, not_done: slice
) -> None:
    """A guest whose fuel is enough for one chunk stops after it: a loop's back edge is where fuel and time are seen."""
    before = pair.sliced.memory
    assert pair.sliced.call(name, *operands, fuel=CHUNK_BYTES * 3 // 2) == "all fuel consumed by WebAssembly"
    after = pair.sliced.memory
    assert after[done] != before[done]
    assert after[not_done] == before[not_done]
