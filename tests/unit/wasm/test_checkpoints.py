"""Checkpoints in long code: no path is longer than a stretch, and nothing else changes."""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest
import wasmtime
from tests.support.bulk import sliced
from tests.support.wasm_modules import body, module, section

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm import bounds, checkpoints
from guesthouse.runtime.wasm.binary import encode_unsigned
from guesthouse.runtime.wasm.checkpoints import CHECKPOINT, STRETCH_BYTES
from guesthouse.runtime.wasm.module import parse

STRETCH = 24
"""In tests with random programs, which would have to be large otherwise."""
WORK = b"\x41\x2a\x1a"
"""``i32.const 42 drop``, the work of those programs."""
TABLE_COPY = b"\x41\0\x41\0\x41\0\xfc\x0e\0\0"
LABELS = 40
"""Enough for a branch table that isn't swallowed in a run."""


def function(code: bytes) -> bytes:
    """Build a module of one function from an i32 to an i32, beside a table and a memory."""
    return module(
        section(1, b"\1\x60\1\x7f\1\x7f"),
        section(3, b"\1\0"),
        section(4, b"\1\x70\0\1"),
        section(5, b"\1\0\1"),
        section(7, b"\1\1f\0\0"),
        section(9, b"\1\1\0\1\0"),
        section(12, b"\1"),
        section(10, b"\1" + body(code + b"\x20\0", b"\1\1\x7f")),
        section(11, b"\1\1\1a"),
    )


def code_of(data: bytes) -> bytes:
    """Give the first function's instructions."""
    one = parse(data).bodies[0]
    return data[one.start : one.end]


def places(data: bytes) -> list[int]:
    """Find where checkpoints are due, counted from the body's beginning."""
    shape = parse(data)
    found = checkpoints.checkpoints(shape, data).get(0, [])
    return [offset - shape.bodies[0].start for offset in found]


class Program:
    """A random program that ends whatever it does: each loop is left after its second round."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._left = 120

    def code(self, depth: int = 0) -> bytes:
        """Write a sequence of instructions inside *depth* blocks."""
        chance, parts = self._chance, []
        for _ in range(chance.randint(1, 6)):
            self._left -= 1
            if self._left > 0:
                parts.append(chance.choice(self._kinds(depth))(depth))
        return b"".join(parts)

    def _kinds(self, depth: int) -> tuple[Callable[[int], bytes], ...]:
        work = (self._work, self._work, self._block, self._if, self._loop)
        return (*work, self._br_if, self._br, self._table) if depth else work

    def _work(self, _: int) -> bytes:
        return WORK * self._chance.randint(1, 9) + b"\x20\0\x41\1\x6a\x21\0"

    def _condition(self) -> bytes:
        """Push a bit of the parameter."""
        return b"\x20\0" + b"\x41" + bytes([self._chance.randrange(8)]) + b"\x76\x41\1\x71"

    def _block(self, depth: int) -> bytes:
        return b"\x02\x40" + self.code(depth + 1) + b"\x0b"

    def _if(self, depth: int) -> bytes:
        otherwise = b"\x05" + self.code(depth + 1) if self._chance.random() < 0.5 else b""
        return self._condition() + b"\x04\x40" + self.code(depth + 1) + otherwise + b"\x0b"

    def _loop(self, depth: int) -> bytes:
        """Go round once: local 1 says which round it is, and is put back for the loops around."""
        before, after = b"\x41\1\x21\1", b"\x20\1\x41\0\x21\1\x0d\0"
        return before + b"\x03\x40" + WORK * self._chance.randint(1, 9) + after + b"\x0b" + self._block(depth)

    def _br_if(self, depth: int) -> bytes:
        return self._condition() + b"\x0d" + bytes([self._chance.randrange(depth)])

    def _br(self, depth: int) -> bytes:
        return b"\x0c" + bytes([self._chance.randrange(depth)]) + self._work(depth)

    def _table(self, depth: int) -> bytes:
        count = self._chance.choice((1, LABELS))
        labels = bytes(self._chance.randrange(depth) for _ in range(count + 1))
        return b"\x20\0\x0e" + bytes([count]) + labels + self._work(depth)


INSTRUCTION = re.compile(
    rb"(?P<open>[\x02-\x04]\x40)|(?P<branch>[\x0c\x0d].)|(?P<else>\x05)|(?P<end>\x0b)|\x0e(?P<table>.)"
    rb"|[\x20\x21\x41].|\x1a|\x6a|\x76|\x71",
    re.DOTALL,
)


def instructions(code: bytes) -> Iterator[bytes]:
    """Decode what such programs are made of, one by one and by another way than the host's."""
    at = 0
    while at < len(code):
        found = INSTRUCTION.match(code, at)
        assert found is not None, code[at:].hex()
        labels = found["table"][0] + 1 if found["table"] else 0
        yield code[at : found.end() + labels]
        at = found.end() + labels


def longest_path(code: bytes) -> int:
    """Measure the most work between two loops on any path, by a plain walk in which dead code doesn't count."""
    here: int | None = 0
    most = 0
    opened: list[list[int | None]] = [[0x02, None, None]]
    for one in instructions(code):
        kind = one[0]
        if kind in (2, 3, 4):
            opened.append([kind, None, here if kind == 4 else None])
            here = 0 if kind == 3 and here is not None else here
        elif kind == 5:
            opened[-1][1] = farther(opened[-1][1], here)
            here, opened[-1][2] = opened[-1][2], None
        elif kind == 0x0B:
            block = opened.pop()
            here = here if block[0] == 3 else farther(farther(here, block[1]), block[2])
        elif kind in (0x0C, 0x0D, 0x0E):
            for depth in one[2:] if kind == 0x0E else one[1:]:
                opened[-1 - depth][1] = farther(opened[-1 - depth][1], here)
            here = here if kind == 0x0D else None
        elif here is not None:
            here += len(one)
            most = max(most, here)
    return most


def farther(one: int | None, other: int | None) -> int | None:
    """Give the greater; None is nowhere."""
    return other if one is None else one if other is None else max(one, other)


@pytest.fixture
def short_stretches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stretches end early."""
    monkeypatch.setattr(checkpoints, "STRETCH_BYTES", STRETCH)


@pytest.fixture(scope="module")
def engine() -> wasmtime.Engine:
    """Make one."""
    return wasmtime.Engine()


def run(engine: wasmtime.Engine, data: bytes, operand: int) -> object:
    """Run the function."""
    store = wasmtime.Store(engine)
    exported = wasmtime.Instance(store, wasmtime.Module(engine, data), []).exports(store)["f"]
    assert isinstance(exported, wasmtime.Func)
    return exported(store, operand)


@pytest.mark.parametrize("seed", range(0, 400, 20))
@pytest.mark.usefixtures("short_stretches")
def test_no_path_is_longer_than_a_stretch(seed: int, engine: wasmtime.Engine) -> None:
    """Whatever branches leave out; and the engine accepts each place."""
    long_before = 0
    for one in range(seed, seed + 20):
        data = function(Program(one).code())
        changed = sliced(data)
        wasmtime.Module.validate(engine, changed)
        assert longest_path(code_of(changed)) <= STRETCH, data.hex()
        long_before += longest_path(code_of(data)) > STRETCH
    assert long_before > 5


@pytest.mark.parametrize("seed", range(1_000, 1_010))
@pytest.mark.usefixtures("short_stretches")
def test_a_program_computes_the_same(seed: int, engine: wasmtime.Engine) -> None:
    """For operands that take each of its ways."""
    data = function(Program(seed).code())
    changed = sliced(data)
    for operand in (0, 1, 7, 85, 170, 255):
        assert run(engine, changed, operand) == run(engine, data, operand)


@pytest.mark.usefixtures("short_stretches")
def test_only_checkpoints_are_put_in() -> None:
    """Without them the code is what it was, and the same each time."""
    for seed in range(2_000, 2_020):
        data = function(Program(seed).code())
        changed, code = code_of(sliced(data)), code_of(data)
        for offset in reversed(places(data)):
            code = code[:offset] + CHECKPOINT + code[offset:]
        assert changed == code
        assert sliced(data) == sliced(data)


def test_a_branch_cannot_jump_over_a_checkpoint() -> None:
    """Where a block's end can be reached by a long way that left out the checkpoint inside, it gets one too."""
    stretch = WORK * (STRETCH_BYTES // len(WORK) - 1)
    data = function((b"\x02\x40" + stretch + b"\x0c\0" + WORK * 5 + b"\x0b") * 3)
    assert longest_path(code_of(data)) > 3 * len(stretch)
    assert longest_path(code_of(sliced(data))) <= STRETCH_BYTES
    assert len(places(data)) == 2


def test_branches_of_little_work_need_none() -> None:
    """A dispatch by branch table, with arms that together are long, as compilers write for interpreters."""
    arms = b"".join(b"\x0b" + WORK * 100 + b"\x0c" + bytes([19 - arm]) for arm in range(20))
    code = b"\x03\x40" + b"\x02\x40" * 20 + b"\x20\0\x0e\x13" + bytes(range(20)) + arms + b"\x0b"
    assert len(code) > 2 * STRETCH_BYTES
    assert places(function(code)) == []


def test_small_functions_stay_as_they_are() -> None:
    """However many there are."""
    data = function(WORK * ((STRETCH_BYTES - 3) // len(WORK)))
    assert sliced(data) is data


def test_long_code_gets_one_in_each_stretch() -> None:
    """Evenly, so that the fewest do."""
    data = function(WORK * 10_000)
    found = places(data)
    assert len(found) == len(WORK) * 10_000 // STRETCH_BYTES
    assert max(after - before for before, after in zip([0, *found], found, strict=False)) <= STRETCH_BYTES


def test_a_loop_is_a_checkpoint() -> None:
    """Code in which loops are near enough needs no more."""
    code = (WORK * 200 + b"\x03\x40" + WORK + b"\x0b") * 20
    assert places(function(code)) == []


def test_a_branch_back_leads_to_a_checkpoint() -> None:
    """So it adds nothing to what comes behind its loop."""
    code = b"\x03\x40" + WORK * 600 + b"\x20\0\x0d\0" + CHECKPOINT + b"\x0b" + WORK * 600
    assert places(function(code)) == []


@pytest.mark.parametrize(
    ("code", "reaches_end"),
    [
        ("nop", True),
        ("(block)", True),
        ("(loop)", False),
        ("(table.copy (i32.const 0) (i32.const 1) (local.get 0))", False),
        ("(table.fill (i32.const 0) (ref.null func) (local.get 0))", False),
        ("(table.init $e (i32.const 0) (i32.const 0) (local.get 0))", False),
        ("(memory.fill (i32.const 0) (i32.const 0) (local.get 0))", False),
    ],
)
def test_the_engine_looks_at_its_clock_where_it_is_said_to(code: str, *, reaches_end: bool) -> None:
    """At loops that do nothing, and in bulk operations on more than a little, so that these need no checkpoint."""
    config = wasmtime.Config()
    config.epoch_interruption = True
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    text = f"""(module (import "" "tick" (func $tick)) (import "" "end" (func $end)) (table 1001 funcref) (memory 1)
        (elem $e funcref {"(ref.null func)" * 1_000})
        (func (export "f") (param i32) (call $tick) {code} (call $end)))"""
    reached: list[bool] = []
    tick = wasmtime.Func(store, wasmtime.FuncType([], []), engine.increment_epoch)
    end = wasmtime.Func(store, wasmtime.FuncType([], []), lambda: reached.append(True))
    function = wasmtime.Instance(store, wasmtime.Module(engine, text), [tick, end]).exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    with nullcontext() if reaches_end else pytest.raises(wasmtime.Trap, match="interrupt"):
        function(store, 1_000)
    assert bool(reached) is reaches_end


def test_both_kinds_of_slicing_meet_in_one_function(engine: wasmtime.Engine) -> None:
    """A bulk operation on memory becomes a call where checkpoints are put in around it."""
    fill = b"\x41\0\x41\1\x20\0\xfc\x0b\0"
    data = function((WORK * 1_500 + fill + TABLE_COPY) * 4)
    changed = sliced(data)
    wasmtime.Module.validate(engine, changed)
    assert code_of(changed).count(CHECKPOINT) == len(places(data)) > 2
    assert fill[-3:] not in code_of(changed)


def test_branches_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a step of Python."""
    data = function(b"\x41\0\x0d\0" * STRETCH_BYTES)
    monkeypatch.setattr(bounds, "CHECKED_BRANCHES", 3 * STRETCH_BYTES)
    assert sliced(data)
    monkeypatch.setattr(bounds, "CHECKED_BRANCHES", STRETCH_BYTES)
    with pytest.raises(RejectedModule, match="large functions hold more than 2,048 branches"):
        sliced(data)


def test_long_branch_tables_are_stepped_over(engine: wasmtime.Engine) -> None:
    """Also where one is longer than a stretch."""
    table = b"\x02\x40\x20\0\x0e" + encode_unsigned(3 * STRETCH_BYTES) + b"\0" * (3 * STRETCH_BYTES + 1) + b"\x0b"
    data = function(WORK * STRETCH_BYTES + table * 2)
    wasmtime.Module.validate(engine, sliced(data))
