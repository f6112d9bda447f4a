"""Recursion without end, and host functions called at the bottom of it."""

import pytest
from tests.support.guests import host, minimal
from tests.support.hostile import Case, Gauntlet, Upload

from guesthouse.errors import BrokenContract, DeadlineExceeded, Trapped
from guesthouse.model.limits import DEFAULT_LIMITS, Limits

pytestmark = pytest.mark.anyio

DEEP = "(call $down (i32.const 0)) (i64.const 0x4000000000e)"
DEEPER = "(call $down (i32.add (local.get $n) (i32.const 1)))"
NOT_LAST = "(drop (i32.load (i32.const 0)))"
"""Keeps the call before it from being the last thing done."""
DOWN = f"(func $down (param $n i32) {DEEPER} {NOT_LAST})"


ENOUGH_FUEL = Limits(fuel=3_000_000_000, deadline_ms=30_000)
"""Host calls cost fuel, and there are tens of thousands of them on the way down."""


def overflow(hazard: str, wasm: bytes, limits: Limits = DEFAULT_LIMITS) -> Case:
    """Expect the engine's own end of the stack."""
    return Case(hazard, wasm, Trapped, "recursion", reason="stack_overflow", limits=limits)


def bottom(code: str) -> str:
    """Recurse 10,000 times, then run *code*."""
    return f"""(func $down (param $n i32)
    (if (i32.lt_u (local.get $n) (i32.const 10000)) (then {DEEPER}) (else {code})) {NOT_LAST})"""


def wait(milliseconds: int) -> str:
    """Suspend for a time."""
    return f"""(i32.store (i32.const 0) (call $sleep (i32.const {milliseconds})))
    (drop (call $wait (i32.const 0) (i32.const 1)))"""


LIVE = 1_000
"""Values that are alive during the call, and so are on the stack: 8 KB."""

CASES = (
    overflow("recursion without end", minimal(call=DEEP, extra=DOWN)),
    overflow(
        "two functions that call each other",
        minimal(
            call=DEEP,
            extra=f"{DOWN.replace('call $down', 'call $up')} {DOWN.replace('func $down', 'func $up')}",
        ),
    ),
    overflow(
        "recursion through the table",
        minimal(
            call=DEEP,
            imports="(type $step (func (param i32)))",
            extra=f"""(table funcref (elem $down))
            (func $down (param $n i32) (call_indirect (type $step) (local.get $n) (i32.const 0)) {NOT_LAST})""",
        ),
    ),
    overflow(
        "recursion with large frames",
        minimal(
            call=DEEP,
            extra=f"""(func $down (param $n i32) {"(i64.load (local.get $n))" * LIVE} {DEEPER}
            {"i64.xor " * (LIVE - 1)} drop)""",
        ),
    ),
    overflow("recursion in guesthouse_alloc", minimal(alloc="(call $down (i32.const 0)) (i32.const 0)", extra=DOWN)),
    overflow(
        "recursion that calls the host at every depth",
        minimal(
            imports=host("digest"),
            call=DEEP,
            extra=f"""(func $down (param $n i32)
            (drop (call $digest (i32.const 6) (i32.const 0) (i32.const 64) (i32.const 128))) {DEEPER} {NOT_LAST})""",
        ),
        ENOUGH_FUEL,
    ),
    overflow(
        "recursion that logs at every depth",
        minimal(
            imports=host("log"),
            call=DEEP,
            extra=f"""(func $down (param $n i32)
            (call $log (i32.const 1) (i32.const 0) (i32.const 64)) {DEEPER} {NOT_LAST})""",
        ),
        ENOUGH_FUEL,
    ),
    Case(
        "a broken contract at the bottom of a deep recursion: the way back is the engine's",
        minimal(imports=host("log"), call=DEEP, extra=bottom("(call $log (i32.const 9) (i32.const 0) (i32.const 0))")),
        BrokenContract,
        "log: 9 is not a level",
    ),
    Case(
        "a guest that suspends at the bottom of a deep recursion",
        minimal(imports=host("sleep", "wait"), call=DEEP, extra=bottom(wait(1))),
        None,
    ),
    Case(
        "a deadline that passes at the bottom of a deep recursion",
        minimal(imports=host("sleep", "wait"), call=DEEP, extra=bottom(wait(60_000))),
        DeadlineExceeded,
        limits=Limits(deadline_ms=30),
    ),
    Upload("recursion in _initialize", minimal(initialize="(call $down (i32.const 0))", extra=DOWN), "too deep"),
    Upload("recursion in guesthouse_describe", minimal(describe=DEEP, extra=DOWN), "too deep"),
    Upload(
        "recursion in the start function",
        minimal(extra=f"{DOWN} (func $start (call $down (i32.const 0))) (start $start)"),
        "too deep",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_the_stack_has_an_end(case: Case | Upload, gauntlet: Gauntlet) -> None:
    """Recursion ends as a trap, wherever it happens; the host's own functions have room below it."""
    await gauntlet.run(case)
