"""Guests that never end, wherever they are given a chance to run."""

import pytest
from tests.support.guests import host, minimal
from tests.support.hostile import PLENTY, Case, Gauntlet, Upload

from guesthouse.errors import DeadlineExceeded, FuelExhausted, MemoryExhausted
from guesthouse.model.limits import Limits

pytestmark = pytest.mark.anyio

FOR_EVER = "(loop $again (br $again)) (unreachable)"
TWO_FACED = """(local $began i64) (local.set $began (call $now))
(i32.store (i32.const 0) (call $sleep (i32.const 15)))
(drop (call $wait (i32.const 0) (i32.const 1)))
(if (i64.gt_s (i64.sub (call $now) (local.get $began)) (i64.const 8)) (then (loop $again (br $again))))"""
"""Timers end at once while a function is deployed: there it returns, and at its first event it never does."""
UNSNAPSHOTTED = "(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))"
"""Code that may change the table, so that each instance must be initialised anew."""

LESS = Limits(fuel=20_000_000)


def stores(pages: range) -> str:
    """Write a store into each of these pages of 4 KiB, without a loop."""
    return "".join(f"(i32.store8 (i32.const {page * 4_096}) (i32.const 1))" for page in pages)


def leap(pages: range) -> str:
    """Write such stores, and a branch that leaves out code as long as theirs."""
    return f"(block {stores(pages)} (br 0) {stores(pages)})"


CASES = (
    Case("a loop without end", minimal(call=FOR_EVER), FuelExhausted, "100,000,000 units"),
    Case(
        "a loop with fuel for hours",
        minimal(call=FOR_EVER),
        DeadlineExceeded,
        "50 ms",
        limits=Limits(fuel=PLENTY, deadline_ms=50),
    ),
    Case("a loop in guesthouse_alloc", minimal(alloc=FOR_EVER), FuelExhausted, limits=LESS),
    Upload("a loop in _initialize", minimal(initialize=FOR_EVER), "initialisation failed: the guest used up"),
    Upload(
        "a loop in the start function",
        minimal(extra=f"(func $start {FOR_EVER}) (start $start)"),
        "initialisation failed: the guest used up",
    ),
    Upload("a loop in guesthouse_describe", minimal(describe=FOR_EVER), "guesthouse_describe failed: the guest used"),
    Case(
        "an _initialize that returns at deploy and loops at the first event",
        minimal(imports=host("now", "sleep", "wait"), initialize=TWO_FACED, extra=UNSNAPSHOTTED),
        FuelExhausted,
        limits=LESS,
    ),
    Case(
        "a start function that returns at deploy and loops at the first event",
        minimal(
            imports=host("now", "sleep", "wait"), extra=f"{UNSNAPSHOTTED} (func $start {TWO_FACED}) (start $start)"
        ),
        FuelExhausted,
        limits=LESS,
    ),
    Case(
        "a loop of tail calls, which needs no loop and no stack",
        minimal(call="(return_call $call (local.get $ptr) (local.get $len))"),
        FuelExhausted,
        limits=LESS,
    ),
    Case(
        "a loop of tail calls through the table",
        minimal(
            call="(return_call_indirect (type $call) (local.get $ptr) (local.get $len) (i32.const 0))",
            imports="(type $call (func (param i32 i32) (result i64)))",
            extra="(table funcref (elem $call))",
        ),
        FuelExhausted,
        limits=LESS,
    ),
    Case(
        "a loop that suspends in each round, and so never uses its time slice",
        minimal(
            imports=host("sleep", "wait", "result_read"),
            call="""(local $timer i32) (loop $again (local.set $timer (call $sleep (i32.const 0)))
            (i32.store (i32.const 0) (local.get $timer)) (drop (call $wait (i32.const 0) (i32.const 1)))
            (drop (call $result_read (local.get $timer) (i32.const 0))) (br $again)) (unreachable)""",
        ),
        FuelExhausted,
        limits=Limits(fuel=10_000_000),
    ),
    Case(
        "bulk operations one after the other, with no loop between them to be stopped at",
        minimal(memory="512", call="(memory.fill (i32.const 0) (i32.const 1) (i32.const 33554432))" * 100 + FOR_EVER),
        FuelExhausted,
    ),
    Case(
        "stores to thousands of untouched pages in a row",
        minimal(memory="520", call=stores(range(8_000)) + FOR_EVER),
        FuelExhausted,
        limits=LESS,
    ),
    Case(
        "stores to untouched pages, with branches over whatever is put between them",
        minimal(memory="520", call="".join(leap(range(at, at + 220)) for at in range(0, 7_920, 220)) + FOR_EVER),
        FuelExhausted,
        limits=LESS,
    ),
    Case(
        "a memory that is asked to grow again and again",
        minimal(call="(drop (memory.grow (i32.const 1)))" * 300_000 + "(unreachable)"),
        MemoryExhausted,
    ),
    Case(
        "copies of the whole table one after the other",
        minimal(
            extra="(table 65536 funcref)",
            call="(table.copy (i32.const 0) (i32.const 1) (i32.const 65535))" * 1_400 + FOR_EVER,
        ),
        FuelExhausted,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_no_guest_runs_for_ever(case: Case | Upload, gauntlet: Gauntlet) -> None:
    """Fuel or the deadline ends it, and the loop serves others meanwhile."""
    await gauntlet.run(case)
