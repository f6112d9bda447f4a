"""Handles that are forged, reused, forgotten or hoarded, and waits for what never comes."""

import pytest
from tests.support.guests import host, minimal
from tests.support.hostile import PLENTY, Case, Gauntlet
from tests.support.wasi import wasi

from guesthouse.errors import BrokenContract, DeadlineExceeded, FuelExhausted, TooManyCalls
from guesthouse.model.limits import Limits

pytestmark = pytest.mark.anyio

DONE = "(i64.const 0x4000000000e)"
NEVER = 3_600_000
"""A timer of an hour."""
SOON = Limits(deadline_ms=40)


def guest(code: str) -> bytes:
    """Build a guest of timers, waits and results."""
    return minimal(imports=host("sleep", "wait", "result_size", "result_read"), call=f"(local $h i32) {code} {DONE}")


def forged(handle: int) -> tuple[Case, ...]:
    """Use a handle that was never given, in each way."""
    says = f"handle {handle} isn't open"
    kind = "negative" if handle < 0 else "forged"
    return (
        Case(
            f"a {kind} handle waited for: {handle}",
            guest(f"(i32.store (i32.const 0) (i32.const {handle})) (drop (call $wait (i32.const 0) (i32.const 1)))"),
            BrokenContract,
            f"wait: {says}",
        ),
        Case(
            f"a {kind} handle asked for its size: {handle}",
            guest(f"(drop (call $result_size (i32.const {handle})))"),
            BrokenContract,
            f"result_size: {says}",
        ),
        Case(
            f"a {kind} handle read: {handle}",
            guest(f"(drop (call $result_read (i32.const {handle}) (i32.const 0)))"),
            BrokenContract,
            f"result_read: {says}",
        ),
    )


def timer(milliseconds: int) -> str:
    """Start a timer, whose handle is then in ``$h`` and at address 0."""
    return f"(local.set $h (call $sleep (i32.const {milliseconds}))) (i32.store (i32.const 0) (local.get $h))"


WAIT = "(drop (call $wait (i32.const 0) (i32.const 1)))"
READ = "(drop (call $result_read (local.get $h) (i32.const 0)))"
AGAIN = "(loop $again {} (br $again))"
RUIN = """(if (i32.ne (call ${}) (i32.const -1)) (then (unreachable)))"""

CASES = (
    *forged(1),
    *forged(2_147_483_647),
    *forged(-1),
    *forged(0),
    Case(
        "a handle used again after its result was read",
        guest(timer(0) + WAIT + READ + READ),
        BrokenContract,
        "result_read: handle 1 isn't open",
    ),
    Case(
        "a handle waited for after its result was read",
        guest(timer(0) + WAIT + READ + "(i32.store (i32.const 0) (local.get $h))" + WAIT),
        BrokenContract,
        "wait: handle 1 isn't open",
    ),
    Case("a handle waited for twice", guest(timer(0) + WAIT + WAIT + READ), None),
    Case(
        "one handle many times in one wait",
        guest(
            f"""{timer(1)} (loop $fill (i32.store (i32.add (i32.const 0) (i32.mul (local.get $h) (i32.const 4)))
            (i32.const 1)) (local.set $h (i32.add (local.get $h) (i32.const 1)))
            (br_if $fill (i32.lt_u (local.get $h) (i32.const 200))))
            (drop (call $wait (i32.const 0) (i32.const 200)))"""
        ),
        None,
    ),
    Case(
        "a result read before it is there",
        guest(
            timer(NEVER)
            + RUIN.format("result_read (local.get $h) (i32.const 0)")
            + RUIN.format("result_size (local.get $h)")
        ),
        None,
    ),
    Case("handles never waited for", guest(timer(NEVER) * 60), None),
    Case("a result never read", guest(timer(0) + WAIT), None),
    Case(
        "a thousand handles, as if they were free",
        guest(AGAIN.format(timer(NEVER))),
        TooManyCalls,
        "after 1,000 calls had been refused",
    ),
    Case(
        "thousands of operations, each of which ends at once and is never read",
        guest(AGAIN.format(timer(0) + "(if (i32.gt_s (local.get $h) (i32.const 0)) (then " + WAIT + "))")),
        TooManyCalls,
    ),
    Case(
        "handles opened and closed for ever",
        guest(AGAIN.format(timer(0) + WAIT + READ)),
        FuelExhausted,
        limits=Limits(fuel=20_000_000),
    ),
    Case("a wait for nothing", guest("(drop (call $wait (i32.const 0) (i32.const 0)))"), BrokenContract, "wait: 0 han"),
    Case(
        "a wait for a negative number of handles",
        guest("(drop (call $wait (i32.const 0) (i32.const -1)))"),
        BrokenContract,
        "wait: 4,294,967,295 handles",
    ),
    Case(
        "a wait for more handles than there may be",
        guest("(drop (call $wait (i32.const 0) (i32.const 1025)))"),
        BrokenContract,
        "1 to 1,024 may be waited for",
    ),
    Case("a sleep past the deadline", guest(timer(NEVER) + WAIT), DeadlineExceeded, "40 ms", limits=SOON),
    Case("a sleep that ends just after the deadline", guest(timer(60) + WAIT), DeadlineExceeded, limits=SOON),
    Case("a sleep of a negative time", guest(timer(-1) + WAIT), BrokenContract, "sleep: -1 milliseconds"),
    Case("a sleep of 24 days", guest(timer(2_147_483_647) + WAIT), DeadlineExceeded, limits=SOON),
    Case(
        "sixty-four sleeps at once, all past the deadline",
        guest(timer(NEVER) * 64 + WAIT),
        DeadlineExceeded,
        limits=SOON,
    ),
    Case(
        "small naps for ever",
        guest(AGAIN.format(timer(1) + WAIT + READ)),
        DeadlineExceeded,
        limits=Limits(deadline_ms=60, fuel=PLENTY),
    ),
    Case(
        "poll_oneoff past the deadline",
        minimal(
            imports=wasi("poll_oneoff"),
            call=f"""(i64.store (i32.const 24) (i64.const {NEVER * 1_000_000}))
            (drop (call $poll_oneoff (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512))) {DONE}""",
        ),
        DeadlineExceeded,
        limits=SOON,
    ),
    Case(
        "poll_oneoff for the end of time",
        minimal(
            imports=wasi("poll_oneoff"),
            call=f"""(i64.store (i32.const 24) (i64.const -1))
            (drop (call $poll_oneoff (i32.const 0) (i32.const 256) (i32.const 1) (i32.const 512))) {DONE}""",
        ),
        DeadlineExceeded,
        limits=SOON,
    ),
    Case(
        "poll_oneoff on nothing",
        minimal(
            imports=wasi("poll_oneoff"),
            call=f"(drop (call $poll_oneoff (i32.const 0) (i32.const 256) (i32.const 0) (i32.const 512))) {DONE}",
        ),
        BrokenContract,
        "poll_oneoff: 0 subscriptions",
    ),
    Case(
        "poll_oneoff on more than there may be",
        minimal(
            imports=wasi("poll_oneoff"),
            call=f"(drop (call $poll_oneoff (i32.const 0) (i32.const 256) (i32.const -1) (i32.const 512))) {DONE}",
        ),
        BrokenContract,
        "subscriptions; 1 to 64 are allowed",
    ),
    Case(
        "poll_oneoff for ever, on what is ready at once",
        minimal(
            imports=wasi("poll_oneoff"),
            call="""(loop $again (drop (call $poll_oneoff (i32.const 0) (i32.const 256) (i32.const 1)
            (i32.const 512))) (br $again)) (unreachable)""",
        ),
        FuelExhausted,
        limits=Limits(fuel=20_000_000),
    ),
    Case(
        "a timer waited for in the start function, past the deadline",
        minimal(
            imports=host("now", "sleep", "wait"),
            extra=f"""(table 1 funcref) (func $start (table.set (i32.const 0) (ref.null func))
            (i32.store (i32.const 0) (call $sleep (i32.const {NEVER}))) {WAIT}) (start $start)""",
        ),
        DeadlineExceeded,
        limits=SOON,
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_handles_and_waits(case: Case, gauntlet: Gauntlet) -> None:
    """What isn't the guest's it can't use; what it hoards is bounded; what it waits for ends at the deadline."""
    await gauntlet.run(case)
