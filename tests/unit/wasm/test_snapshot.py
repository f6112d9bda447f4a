"""Snapshots: a new module that starts in the state which the old one reached."""

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.snapshots import Running, reach, snapshot
from tests.support.wasm_modules import wat

from guesthouse.runtime.wasm import bounds
from guesthouse.runtime.wasm.module import parse
from guesthouse.runtime.wasm.shape import PAGE_BYTES
from guesthouse.runtime.wasm.snapshot import instrument, write

GUEST = wat("""(module
  (memory (export "memory") 1 10)
  (global $constant i32 (i32.const 5))
  (global $i (mut i32) (i32.const 1))
  (global $l (mut i64) (i64.const 1))
  (global $f (mut f32) (f32.const 1))
  (global $d (mut f64) (f64.const 1))
  (table 4 funcref)
  (elem (i32.const 1) $sum $boom)
  (data (i32.const 16) "original")
  (data (i32.const 65530) "erased")
  (type $to_i32 (func (result i32)))
  (func $started
    (global.set $i (i32.add (global.get $i) (i32.const 10))))
  (start $started)
  (func (export "_initialize")
    (global.set $i (i32.sub (i32.mul (global.get $i) (i32.const 2)) (i32.const 100)))
    (global.set $l (i64.const -9223372036854775808))
    (global.set $f (f32.const -0))
    (global.set $d (f64.const 0x1.23456789abcdep-1022))
    (memory.fill (i32.const 65530) (i32.const 0) (i32.const 6))
    (drop (memory.grow (i32.const 2)))
    (i32.store8 (i32.const 0) (i32.const 1))
    (i64.store (i32.const 196600) (i64.const -1)))
  (func $sum (export "sum") (result i32)
    (i32.add (global.get $i) (i32.load (i32.const 196604))))
  (func $boom (export "boom") (result i32) unreachable)
  (func (export "indirect") (param i32) (result i32) (call_indirect (type $to_i32) (local.get 0)))
  (func (export "change")
    (global.set $i (i32.const 0))
    (memory.fill (i32.const 0) (i32.const 255) (i32.const 196608))
    (drop (memory.grow (i32.const 1))))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "bits") (result i32 i64)
    (i32.reinterpret_f32 (global.get $f)) (i64.reinterpret_f64 (global.get $d))))""")


def test_a_snapshot_starts_where_initialisation_ended() -> None:
    """Memory, byte for byte, and every global, bit for bit."""
    data, state = snapshot(GUEST)
    assert reach(data) == state
    assert len(state.memory) == 3 * PAGE_BYTES
    assert state.values == (2**32 - 78, 1 << 63, 1 << 31, 0x00123456789ABCDE)


def test_a_snapshot_computes_what_the_module_would() -> None:
    """The code runs on the state as if nothing had happened in between."""
    running = Running(snapshot(GUEST)[0])
    assert running.call("sum") == -79
    assert running.call("indirect", 1) == -79


def test_instances_of_a_snapshot_share_nothing() -> None:
    """Whatever one does, the next begins at the snapshot."""
    data, _ = snapshot(GUEST)
    before = Running(data)
    spoiled = Running(data)
    spoiled.call("change")
    after = Running(data)
    assert before.memory("memory") == after.memory("memory") != spoiled.memory("memory")
    assert before.call("sum") == after.call("sum") == -79


def test_initialisation_is_gone() -> None:
    """Neither the start function nor ``_initialize`` can run again; other exports stay."""
    shape = parse(snapshot(GUEST)[0])
    assert shape.start is None
    names = [item.name for item in parse(GUEST).exports]
    assert [item.name for item in shape.exports] == [name for name in names if name != "_initialize"]


def test_memory_starts_at_the_size_reached_and_keeps_its_maximum() -> None:
    """Growth goes on from there."""
    data, _ = snapshot(GUEST)
    assert parse(data).memories[0][:2] == (3, 10)
    running = Running(data)
    assert running.call("grow", 7) == 3
    assert running.call("grow", 1) == -1


def test_every_nan_survives() -> None:
    """Signalling ones and payloads too, given as raw bits."""
    state = reach(GUEST)
    values = (*state.values[:2], 0xFFA00001, 0x7FF4000000000001)
    data = write(parse(GUEST), GUEST, memory=state.memory, values=values)
    assert Running(data).call("bits") == [0xFFA00001 - (1 << 32), 0x7FF4000000000001]


def test_floats_may_be_given_by_value() -> None:
    """As the engine's Python API reads them."""
    state = reach(GUEST)
    data = write(parse(GUEST), GUEST, memory=state.memory, values=(1, -1, 1.5, -2.5))
    assert Running(data).call("bits") == [0x3FC00000, 0xC004000000000000 - (1 << 64)]


def test_a_snapshot_is_deterministic() -> None:
    """Artefacts are keyed by their content; and a snapshot of a snapshot's own state is itself."""
    data, state = snapshot(GUEST)
    assert snapshot(GUEST)[0] == data
    assert write(parse(data), data, memory=state.memory, values=state.values) == data


def test_backtraces_keep_their_names() -> None:
    """Custom sections and code are copied."""
    data, _ = snapshot(GUEST)
    with pytest.raises(wasmtime.Trap, match="boom"):
        Running(data).call("boom")
    with pytest.raises(wasmtime.Trap, match="boom"):
        Running(data).call("indirect", 2)


@pytest.mark.parametrize("written", ["", "(i32.store8 (i32.const 9) (i32.const 7))", "(call $scatter)"])
def test_passive_segments_stay_at_their_index(written: str) -> None:
    """Code that copies from segments finds the same ones, however many the memory needs itself."""
    module = wat(f"""(module
      (memory (export "memory") 1)
      (data (i32.const 0) "\\00")
      (data $words "passive words")
      (data (i32.const 100) "\\00")
      (func $scatter (local $at i32)
        (loop
          (i32.store8 offset=1000 (local.get $at) (i32.const 1))
          (local.set $at (i32.add (local.get $at) (i32.const 1000)))
          (br_if 0 (i32.lt_u (local.get $at) (i32.const 60000)))))
      (func (export "_initialize") {written})
      (func (export "copy") (param i32) (memory.init $words (i32.const 50) (i32.const 0) (local.get 0)))
      (func (export "first") (param i32) (memory.init 0 (i32.const 50) (i32.const 0) (local.get 0)))
      (func (export "last") (param i32) (memory.init 2 (i32.const 50) (i32.const 0) (local.get 0))))""")
    data, state = snapshot(module)
    assert reach(data) == state
    running = Running(data)
    running.call("copy", 13)
    assert running.memory("memory")[50:63] == b"passive words"
    for name in ("first", "last"):
        running.call(name, 0)
        with pytest.raises(wasmtime.Trap, match="out of bounds"):
            running.call(name, 1)


def test_indices_of_applied_segments_are_used_again() -> None:
    """The memory's own segments take their places, so that the engine's bound holds for both together."""
    segments = '(data (i32.const 0) "a")' * 3
    data, _ = snapshot(
        wat(f"""(module (memory (export "memory") 1) {segments} (data $p "p")
          (func (export "_initialize")
            (i32.store (i32.const 30000) (i32.const 1))
            (memory.init $p (i32.const 0) (i32.const 0) (i32.const 1))))"""),
    )
    assert [item.end - item.start for item in parse(data).data] == [1, 1, 0, 1]


def test_tables_are_filled_as_before() -> None:
    """Active, passive and declared element segments are all copied."""
    data, _ = snapshot(
        wat("""(module
          (memory (export "memory") 1)
          (table 3 funcref)
          (type $t (func (result i32)))
          (global $base i32 (i32.const 1))
          (elem (global.get $base) func $one)
          (elem func $one)
          (elem declare func $two)
          (func $one (result i32) (i32.const 11))
          (func $two (result i32) (i32.const 22))
          (func (export "_initialize") (drop (ref.func $two)))
          (func (export "indirect") (param i32) (result i32) (call_indirect (type $t) (local.get 0))))"""),
    )
    running = Running(data)
    assert running.call("indirect", 1) == 11
    with pytest.raises(wasmtime.Trap, match="uninitialized element"):
        running.call("indirect", 2)


def test_an_empty_memory_needs_no_segments() -> None:
    """Zeros cost nothing."""
    data, _ = snapshot(wat('(module (memory 3) (func (export "_initialize")))'))
    assert parse(data).data == ()


def rebuilt(data: bytes) -> bytes:
    """Apply a module's data segments by hand."""
    shape = parse(data)
    memory = bytearray(shape.memories[0].minimum * PAGE_BYTES)
    for item in shape.data:
        at = sum((byte & 0x7F) << (7 * index) for index, byte in enumerate(item.offset[1:-1]))
        memory[at : at + item.end - item.start] = data[item.start : item.end]
    return bytes(memory)


PLAIN = wat("(module (memory 4))")
PLAIN_SHAPE = parse(PLAIN)


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 4 * PAGE_BYTES - 1), st.binary(max_size=300)), max_size=20), st.integers(1, 20)
)
def test_any_memory_survives(writes: list[tuple[int, bytes]], most_segments: int) -> None:
    """Whatever lies where, and however few segments are allowed."""
    memory = bytearray(4 * PAGE_BYTES)
    for at, content in writes:
        memory[at : at + len(content)] = content[: len(memory) - at]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bounds, "SNAPSHOT_SEGMENTS", most_segments)
        data = write(PLAIN_SHAPE, PLAIN, memory=bytes(memory), values=())
    assert rebuilt(data) == memory
    assert len(parse(data).data) <= max(most_segments, 2)


def test_nothing_is_lost_where_even_whole_pages_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound gives way before the memory does."""
    monkeypatch.setattr(bounds, "SNAPSHOT_SEGMENTS", 1)
    page = bytes(PAGE_BYTES)
    memory = b"a" + page[1:] + page + b"b" + page[1:] + page
    assert rebuilt(write(PLAIN_SHAPE, PLAIN, memory=memory, values=())) == memory


def test_small_gaps_are_written_and_large_ones_are_not() -> None:
    """A segment costs some bytes of its own, so runs close to each other are one."""
    memory = bytearray(4 * PAGE_BYTES)
    for at in (10, 75, 200_000, 4 * PAGE_BYTES - 1):
        memory[at] = 1
    data = write(PLAIN_SHAPE, PLAIN, memory=bytes(memory), values=())
    assert [item.end - item.start for item in parse(data).data] == [66, 1, 1]


def test_instrumented_names_never_collide() -> None:
    """A module that uses our names gets others."""
    data = wat('(module (memory (export "guesthouse:snapshot:memory") 1) (global (mut i32) (i32.const 3)))')
    instrumented = instrument(parse(data), data)
    assert instrumented.memory_name == "guesthouse:snapshot::memory"
    assert instrumented.global_names == ("guesthouse:snapshot::global:0",)
    assert Running(instrumented.data).bits(instrumented.global_names[0]) == 3


@pytest.mark.parametrize(
    ("pages", "values", "message"),
    [
        (0.5, (1, 2, 3, 4), "can't be this module's memory"),
        (0, (1, 2, 3, 4), "can't be this module's memory"),
        (11, (1, 2, 3, 4), "can't be this module's memory"),
        (1, (1, 2, 3), "3 values for 4 mutable globals"),
        (1, (1.5, 2, 3, 4), "1.5 can't be a global of type i32"),
        (1025, (1, 2, 3, 4), "a snapshot holds at most"),
    ],
)
def test_a_foreign_state_is_a_bug_of_the_caller(pages: float, values: tuple[float, ...], message: str) -> None:
    """It isn't the author's fault, so it isn't a rejected module."""
    with pytest.raises(ValueError, match=message):
        write(parse(GUEST), GUEST, memory=bytes(int(pages * PAGE_BYTES)), values=values)
