"""``proc_exit`` in every phase of a guest's life, and the other ways to give up."""

import pytest
from tests.support.guests import behaviours, host, minimal
from tests.support.hostile import Case, Gauntlet, Upload
from tests.support.wasi import wasi

from guesthouse.errors import Trapped

pytestmark = pytest.mark.anyio

EXIT = "(call $proc_exit (i32.const {}))"
EXIT_0, EXIT_3 = EXIT.format(0), EXIT.format(3)
IMPORT = wasi("proc_exit")
SAYS = "the guest exited with status 3 before it answered"
UNSNAPSHOTTED = "(table 1 funcref) (func (table.set (i32.const 0) (ref.null func)))"
AT_AN_EVENT = f"""(local $began i64) (local.set $began (call $now))
(i32.store (i32.const 0) (call $sleep (i32.const 15)))
(drop (call $wait (i32.const 0) (i32.const 1)))
(if (i64.gt_s (i64.sub (call $now) (local.get $began)) (i64.const 8)) (then {EXIT_3}))"""
"""Timers end at once while a function is deployed."""


def trap(hazard: str, code: str, reason: str, extra: str = "") -> Case:
    """Expect the engine to stop the guest."""
    return Case(hazard, minimal(call=f"{code} (i64.const 0)", extra=extra), Trapped, reason=reason)


CASES = (
    Case("exit in guesthouse_call", minimal(imports=IMPORT, call=f"{EXIT_3} (i64.const 0)"), Trapped, SAYS, "exit"),
    Case(
        "exit in guesthouse_call, with success",
        minimal(imports=IMPORT, call=f"{EXIT_0} (i64.const 0)"),
        Trapped,
        "status 0",
        "exit",
    ),
    Case("exit in guesthouse_alloc", minimal(imports=IMPORT, alloc=f"{EXIT_3} (i32.const 0)"), Trapped, SAYS, "exit"),
    Upload("exit in guesthouse_describe", minimal(imports=IMPORT, describe=f"{EXIT_3} (i64.const 0)"), SAYS),
    Upload("exit in _initialize", minimal(imports=IMPORT, initialize=EXIT_3), f"initialisation failed: {SAYS}"),
    Upload("exit in _initialize, with success", minimal(imports=IMPORT, initialize=EXIT_0), "status 0"),
    Upload(
        "exit in the start function",
        minimal(imports=IMPORT, extra=f"(func $start {EXIT_3}) (start $start)"),
        f"initialisation failed: {SAYS}",
    ),
    Case(
        "exit in _initialize, but only at an event",
        minimal(imports=IMPORT + host("now", "sleep", "wait"), initialize=AT_AN_EVENT, extra=UNSNAPSHOTTED),
        Trapped,
        SAYS,
        "exit",
    ),
    Case(
        "exit in the start function, but only at an event",
        minimal(
            imports=IMPORT + host("now", "sleep", "wait"),
            extra=f"{UNSNAPSHOTTED} (func $start {AT_AN_EVENT}) (start $start)",
        ),
        Trapped,
        SAYS,
        "exit",
    ),
    Case(
        "exit while operations are under way",
        minimal(
            imports=IMPORT + host("sleep", "http_send"),
            call=f"""(drop (call $sleep (i32.const 60000))) (drop (call $http_send (i32.const 0) (i32.const 9)))
            {EXIT_3} (i64.const 0)""",
        ),
        Trapped,
        SAYS,
        "exit",
    ),
    Case("exit by the C library", behaviours, Trapped, "status 3", "exit", settings={"behaviour": "exit"}),
    Case("abort by the C library", behaviours, Trapped, reason="unreachable", settings={"behaviour": "abort"}),
    Case("a panic", behaviours, Trapped, reason="unreachable", settings={"behaviour": "panic"}),
    trap("a division by zero", "(drop (i32.div_u (i32.const 1) (i32.const 0)))", "integer_division_by_zero"),
    trap("a division that overflows", "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "integer_overflow"),
    trap("a float that no integer holds", "(drop (i32.trunc_f64_s (f64.const nan)))", "bad_conversion_to_integer"),
    trap(
        "a call of a function pointer that is null",
        "(call_indirect (i32.const 0))",
        "indirect_call_to_null",
        "(table 1 funcref)",
    ),
    trap(
        "a call of a function pointer of another type",
        "(call_indirect (i32.const 0))",
        "bad_signature",
        "(table funcref (elem $alloc))",
    ),
    trap(
        "a call of a function pointer beyond the table",
        "(call_indirect (i32.const -1))",
        "table_out_of_bounds",
        "(table funcref (elem $alloc))",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_giving_up_ends_the_attempt_alone(case: Case | Upload, gauntlet: Gauntlet) -> None:
    """Whatever the status and the phase: a trap on the record, and the host goes on."""
    await gauntlet.run(case)
