"""Guests that want more memory or larger tables than they may have, at upload and while they run."""

from collections.abc import Callable

import pytest
from tests.support.guests import literal, minimal
from tests.support.hostile import Case, Gauntlet, Upload

from guesthouse.errors import FuelExhausted, MemoryExhausted, Trapped
from guesthouse.model.limits import MIB, Limits
from guesthouse.model.report import Report

pytestmark = pytest.mark.anyio

SMALL = Limits(memory_bytes=4 * MIB, fuel=10_000_000)
LESS = Limits(fuel=10_000_000)
"""Fuel for as many steps as show that nothing grows."""
DONE = "(i64.const 0x4000000000e)"
TABLE = "(table $table 1 funcref)"
FOR_EVER = "(loop $again (br $again)) (unreachable)"


def stays_within(limit_bytes: int) -> Callable[[Report], bool]:
    """Say whether the guest never held more than the limit."""

    def check(report: Report) -> bool:
        return 0 < report.usage.peak_memory_bytes <= limit_bytes

    return check


def over_and_over(step: str) -> str:
    """Repeat a step for ever."""
    return f"(local $at i32) (loop $again {step} (br $again)) (unreachable)"


CASES = (
    Case(
        "memory grown page by page until it is refused, and then panic",
        minimal(call="(loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) (unreachable)"),
        MemoryExhausted,
        "67,108,864",
        check=stays_within(64 * MIB),
    ),
    Case(
        "memory grown for ever, whatever the answer",
        minimal(call=over_and_over("(drop (memory.grow (i32.const 1)))")),
        FuelExhausted,
        limits=SMALL,
        check=stays_within(4 * MIB),
    ),
    Case(
        "memory grown by 4 GiB at once",
        minimal(call=f"(if (i32.ne (memory.grow (i32.const 65535)) (i32.const -1)) (then (unreachable))) {DONE}"),
        None,
        check=stays_within(MIB),
    ),
    Case(
        "memory grown by a negative number of pages",
        minimal(call=f"(if (i32.ne (memory.grow (i32.const -1)) (i32.const -1)) (then (unreachable))) {DONE}"),
        None,
        check=stays_within(MIB),
    ),
    Case(
        "memory grown by nothing, for ever",
        minimal(call=over_and_over("(drop (memory.grow (i32.const 0)))")),
        FuelExhausted,
        limits=LESS,
    ),
    Case(
        "every page of the memory touched, over and over",
        minimal(
            memory="1023",
            call=over_and_over(
                "(i64.store (local.get $at) (i64.const -1))"
                "(local.set $at (i32.rem_u (i32.add (local.get $at) (i32.const 4096)) (i32.const 67043328)))"
            ),
        ),
        FuelExhausted,
        limits=LESS,
        check=stays_within(64 * MIB),
    ),
    Case(
        "memory filled over and over",
        minimal(memory="1000", call=over_and_over("(memory.fill (i32.const 0) (i32.const 1) (i32.const 65536000))")),
        FuelExhausted,
    ),
    Case(
        "memory copied onto itself over and over",
        minimal(
            memory="1000",
            call=over_and_over("(memory.copy (i32.const 1) (i32.const 0) (i32.const 65535999))"),
        ),
        FuelExhausted,
    ),
    Case(
        "the table grown element by element, whatever the answer",
        minimal(extra=TABLE, call=over_and_over("(drop (table.grow $table (ref.null func) (i32.const 1)))")),
        FuelExhausted,
        limits=LESS,
    ),
    Case(
        "the table grown by four billion elements",
        minimal(
            extra=TABLE,
            call="(if (i32.ne (table.grow $table (ref.null func) (i32.const -1)) (i32.const -1))"
            f"(then (unreachable))) {DONE}",
        ),
        None,
    ),
    Case(
        "the table filled over and over",
        minimal(
            extra="(table $table 65536 funcref)",
            call=over_and_over("(table.fill $table (i32.const 0) (ref.null func) (i32.const 65536))"),
        ),
        FuelExhausted,
        limits=LESS,
    ),
    Case(
        "the table copied onto itself over and over",
        minimal(
            extra="(table $table 65536 funcref)",
            call=over_and_over("(table.copy (i32.const 1) (i32.const 0) (i32.const 65535))"),
        ),
        FuelExhausted,
        limits=LESS,
    ),
    Case(
        "a module that starts with more memory than the invocation may have",
        minimal(memory="100"),
        MemoryExhausted,
        "4,194,304",
        limits=SMALL,
    ),
    Case(
        "a module whose heap of two gigabytes would begin at its maximum",
        minimal(memory="1 65536", call=over_and_over("(drop (memory.grow (i32.const 1000)))")),
        FuelExhausted,
        limits=LESS,
        check=stays_within(64 * MIB),
    ),
    Case(
        "an _initialize that takes 128 MiB where an invocation may have 64",
        minimal(initialize="(if (i32.lt_s (memory.grow (i32.const 2047)) (i32.const 0)) (then (unreachable)))"),
        Trapped,
        reason="unreachable",
        check=stays_within(64 * MIB),
    ),
    Case(
        "twenty thousand data segments",
        minimal(extra=f"(data (i32.const 0) {literal(b'x')})" * 20_000),
        None,
    ),
    Upload("a module that starts with 4 GiB of memory", minimal(memory="65536"), "starts with 4,294,967,296 bytes"),
    Upload("a module just above the host's ceiling", minimal(memory="4097"), "starts with 268,500,992 bytes"),
    Upload("a table of four billion elements", minimal(extra="(table 0xffffffff funcref)"), "4,294,967,295"),
    Upload(
        "more data segments than are read",
        lambda: minimal(extra=f"(data (i32.const 0) {literal(b'x')})" * 100_001),
        "data segments",
    ),
    Upload("a data segment beyond the memory", minimal(extra='(data (i32.const 65535) "ab")'), "beyond its memory"),
    Upload("a data segment at a negative address", minimal(extra='(data (i32.const -1) "ab")'), "beyond its memory"),
    Upload(
        "an element segment beyond the table",
        minimal(extra=f"{TABLE} (elem (i32.const 1) $call)"),
        "beyond its function table",
    ),
    Upload(
        "an _initialize that takes all the memory there is and then panics",
        minimal(
            initialize="(loop $again (br_if $again (i32.ge_s (memory.grow (i32.const 1)) (i32.const 0)))) (unreachable)"
        ),
        "initialisation failed",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_memory_and_tables_are_bounded(case: Case | Upload, gauntlet: Gauntlet) -> None:
    """What is refused the guest learns; what it can't survive ends it by that name."""
    await gauntlet.run(case)
