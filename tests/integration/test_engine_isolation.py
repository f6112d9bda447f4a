"""No state survives an invocation, however it ended, in one and the same slot; and snapshots change nothing else."""

import asyncio
import contextlib
import re
import time
from collections.abc import AsyncIterator, Mapping

import pytest
from tests.support.engines import EVENT, SECONDS_OF_FUEL, answer_of, behave, digit, digit_of, opened
from tests.support.guests import behaviours, host, minimal, packed, special

from guesthouse.errors import DeadlineExceeded, FuelExhausted, FunctionError, Trapped
from guesthouse.model.limits import Limits
from guesthouse.model.report import Report
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.modules import Module

pytestmark = pytest.mark.anyio

SLEEP_FOR_EVER = """(i32.store (i32.const 0) (call $sleep (i32.const 3600000)))
(drop (call $wait (i32.const 0) (i32.const 1)))"""
FOR_EVER = "(loop $on (br $on))"
ENDS: Mapping[str, tuple[str, type[FunctionError] | None]] = {
    "done": ("", None),
    "trap": ("(unreachable)", Trapped),
    "out of bounds": ("(drop (i32.load (i32.const -4)))", Trapped),
    "stack overflow": ("(call $deeper)", Trapped),
    "fuel": (FOR_EVER, FuelExhausted),
    "deadline while spinning": (FOR_EVER, DeadlineExceeded),
    "deadline while waiting": (SLEEP_FOR_EVER, DeadlineExceeded),
    "cancelled while waiting": (SLEEP_FOR_EVER, None),
    "cancelled while spinning": (FOR_EVER, None),
}
"""How an invocation ends: the guest's last code and the error that it is."""


def dirtier(end: str) -> bytes:
    """Build a guest that logs whether it finds its globals, its table and its memory (grown part included) as new.

    Then it fills all of them and ends as *end* does.
    """
    call = f"""(local $at i32) (local $dirt i64)
    (local.set $dirt (i64.extend_i32_u (global.get $touched)))
    (if (i32.eqz (ref.is_null (table.get $table (i32.const 7)))) (then (local.set $dirt (i64.const 1))))
    (drop (memory.grow (i32.const 2)))
    (local.set $at (i32.const 4096))
    (loop $scan
      (local.set $dirt (i64.or (local.get $dirt) (i64.load (local.get $at))))
      (br_if $scan (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 262144))))
    (if (i64.eqz (local.get $dirt))
      (then (call $log (i32.const 1) (i32.const 512) (i32.const 5)))
      (else (call $log (i32.const 1) (i32.const 520) (i32.const 5))))
    (global.set $touched (i32.const 1))
    (table.set $table (i32.const 7) (ref.func $alloc))
    (memory.fill (i32.const 4096) (i32.const 165) (i32.const 258048))
    {ENDS[end][0]}
    (i64.const {packed(1024, 14)})"""
    extra = """(global $touched (mut i32) (i32.const 0))
    (table $table 8 8 funcref) (elem declare func $alloc)
    (func $deeper (call $deeper) (call $deeper))
    (data (i32.const 512) "clean") (data (i32.const 520) "dirty")"""
    return minimal(call=call, extra=extra, memory="2 64", imports=host("log", "sleep", "wait"))


async def finish(module: Module, end: str) -> Report | None:
    """Invoke it and see it end as it must; None where it is cancelled and there is no report."""
    fuel = 2_000_000 if end == "fuel" else SECONDS_OF_FUEL
    limits = Limits(fuel=fuel, deadline_ms=25 if end.startswith("deadline") else 5_000)
    task = asyncio.ensure_future(module.invoke("onTrack", EVENT, limits=limits))
    if end.startswith("cancelled"):
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return None
    report = await task
    error = ENDS[end][1]
    assert type(report.error) is (error or type(None)), report.error
    return report


@pytest.fixture(scope="module")
async def narrow() -> AsyncIterator[Engine]:
    """Open an engine with a single slot: whoever comes next gets the memory that the last one had."""
    async with opened(slots=1) as engine:
        yield engine


@pytest.mark.parametrize("end", ENDS)
async def test_the_next_guest_in_the_slot_finds_everything_new(narrow: Engine, end: str) -> None:
    """Memory, grown memory, globals and table, whatever ended the one before; one of another function included."""
    module, other = await narrow.load(dirtier(end)), await narrow.load(dirtier("done"))
    for _ in range(3):
        report = await finish(module, end)
        if report is not None:
            assert [line.message for line in report.logs] == ["clean"]
        report = await finish(other, "done")
        assert report is not None
        assert [line.message for line in report.logs] == ["clean"]


@pytest.mark.parametrize("end", ["done", "trap", "cancelled while waiting"])
async def test_what_initialisation_left_is_there_every_time(narrow: Engine, end: str) -> None:
    """A snapshot's own pages are put back as they were, also where the last guest wrote over them."""
    initialize = "(memory.fill (i32.const 1500) (i32.const 107) (i32.const 500))"
    check = "(i32.eq (i32.load (i32.const 1600)) (i32.const 0x6b6b6b6b))"
    call_end = ENDS[end][0]
    source = digit(
        "(local.get $ok)",
        before=f"(local $ok i32) (local.set $ok {check}) (i32.store (i32.const 1600) (i32.const 0)) {call_end}",
        imports=host("log", "sleep", "wait"),
        initialize=initialize,
    )
    reader = digit(check, initialize=initialize)
    module, other = await narrow.load(source), await narrow.load(reader)
    assert (module.why_not_snapshotted, module.needs_initialise) == (None, False)
    for _ in range(3):
        report = await finish(module, end)
        assert end != "done" or (report is not None and digit_of(report) == 1)
        assert digit_of(await other.invoke("onTrack", EVENT)) == 1


COUNT_IN_INITIALIZE = """(global.set $count (i32.add (global.get $count) (i32.const 1)))
(i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 2)))
(drop (memory.grow (i32.const 1)))"""
COUNTED = """(i32.add (global.get $count) (i32.add (i32.load (i32.const 0)) (memory.size)))"""


async def test_a_snapshot_behaves_like_the_module_that_it_was_made_of(narrow: Engine) -> None:
    """Globals, memory and its size; the second module does the same unsnapshotted, and says why."""
    parts = {"extra": "(global $count (mut i32) (i32.const 0)) (table $t 1 1 funcref) (elem declare func $alloc)"}
    changing = f"{COUNT_IN_INITIALIZE} (table.set $t (i32.const 0) (ref.func $alloc))"
    snapshot = await narrow.load(digit(COUNTED, initialize=COUNT_IN_INITIALIZE, extra=parts["extra"]))
    ordinary = await narrow.load(digit(COUNTED, initialize=changing, extra=parts["extra"]))
    assert (snapshot.needs_initialise, snapshot.why_not_snapshotted) == (False, None)
    assert ordinary.needs_initialise
    assert "table" in (ordinary.why_not_snapshotted or "")
    for module in (snapshot, ordinary, snapshot, ordinary):
        report = await module.invoke("onTrack", EVENT)
        assert digit_of(report) == 1 + 2 + 2
        assert report.usage.peak_memory_bytes == 2 << 16


async def test_a_snapshot_costs_no_initialisation(narrow: Engine) -> None:
    """What it computed at deploy is not computed for each event: the fuel says so."""
    loop = """(local $n i32) (loop $on
      (br_if $on (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const 100000))))"""
    extra = "(table $t 1 1 funcref) (elem declare func $alloc)"
    changing = f"{loop} (table.set $t (i32.const 0) (ref.func $alloc))"
    snapshot = await narrow.load(minimal(initialize=loop))
    ordinary = await narrow.load(minimal(initialize=changing, extra=extra))
    quick, slow = await snapshot.invoke("onTrack", EVENT), await ordinary.invoke("onTrack", EVENT)
    assert quick.usage.fuel < 1_000
    assert slow.usage.fuel > 100_000


async def test_a_start_function_is_part_of_the_snapshot(narrow: Engine) -> None:
    """It ran at deploy, and never again."""
    extra = (
        """(func $start (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1)))) (start $start)"""
    )
    module = await narrow.load(digit("(i32.load (i32.const 0))", extra=extra))
    assert module.why_not_snapshotted is None
    assert [digit_of(await module.invoke("onTrack", EVENT)) for _ in range(3)] == [1, 1, 1]


async def test_a_module_without_initialisation_needs_no_snapshot(narrow: Engine) -> None:
    """And none is missed."""
    module = await narrow.load(minimal())
    assert (module.needs_initialise, module.why_not_snapshotted) == (False, None)


async def test_c_state_is_new_in_every_invocation(narrow: Engine) -> None:
    """A real language's statics and heap, called, trapped and called again."""
    module = await narrow.load(behaviours())
    for _ in range(3):
        assert answer_of(await behave(module, "state")) == {"count": 1}
        assert answer_of(await behave(module, "memory_state")) == {"dirty_bytes": 0}
        assert (await behave(module, "panic")).error is not None
        assert (await behave(module, "hog")).error is not None
    counter = await narrow.load(special("init_counter"))
    for _ in range(3):
        assert answer_of(await counter.invoke("onTrack", EVENT)) == {"initialised": 1, "called": 1, "kept": True}


async def test_two_invocations_of_a_snapshot_never_share_randomness(narrow: Engine) -> None:
    """Neither by the contract's import nor by WASI's: a hundred draws of 128 bits, all different."""
    module = await narrow.load(behaviours())
    draws = set()
    for _ in range(25):
        for name in ("random", "wasi_random"):
            draws |= set(answer_of(await behave(module, name)).values())
    assert len(draws) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", draw) for draw in draws)


async def test_clocks_run_across_the_snapshot(narrow: Engine) -> None:
    """Time goes on from invocation to invocation, and is the host's."""
    module = await narrow.load(behaviours())
    before = time.time_ns() // 1_000_000
    told = [answer_of(await behave(module, name))["now_ms"] for name in ("clock", "wasi_clock", "clock")]
    assert [before, *told, time.time_ns() // 1_000_000] == sorted([before, *told, time.time_ns() // 1_000_000])


async def test_the_monotonic_clock_never_runs_backwards_across_a_snapshot(narrow: Engine) -> None:
    """What ``_initialize`` read in the child is not later than what an event reads here."""
    imports = """(import "wasi_snapshot_preview1" "clock_time_get"
      (func $clock (param i32 i64 i32) (result i32)))"""
    read = "(drop (call $clock (i32.const 1) (i64.const 0) (i32.const {at})))"
    source = digit(
        "(i64.gt_u (i64.load (i32.const 8)) (i64.load (i32.const 0)))",
        before=read.format(at=8),
        initialize=read.format(at=0),
        imports=imports,
    )
    module = await narrow.load(source)
    assert module.why_not_snapshotted is None
    assert digit_of(await module.invoke("onTrack", EVENT)) == 1
