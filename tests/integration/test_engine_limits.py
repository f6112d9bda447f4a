"""The bounds of an invocation, and what it is said to have used."""

from collections.abc import AsyncIterator
from dataclasses import fields

import pytest
from tests.support.engines import EVENT, answer_of, behave, digit, digit_of, opened
from tests.support.guests import behaviours, host, minimal, packed

from guesthouse.config import MIB
from guesthouse.errors import BrokenContract, FuelExhausted, MemoryExhausted, OutputTooLarge, Trapped
from guesthouse.model.limits import Limits
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.modules import Module

pytestmark = pytest.mark.anyio
CEILING = 32 * MIB
TABLE_CEILING = 1_000
PAGE = 1 << 16


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[Engine]:
    """Open an engine with low ceilings."""
    async with opened(memory_ceiling_bytes=CEILING, table_ceiling_elements=TABLE_CEILING) as engine:
        yield engine


@pytest.fixture(scope="module")
async def module(engine: Engine) -> Module:
    """Load all behaviours."""
    return await engine.load(behaviours())


def limits(**changes: int) -> Limits:
    """Give limits that this engine allows."""
    return Limits(**{"memory_bytes": CEILING, "table_elements": TABLE_CEILING, **changes})


def repeat(count: int, body: str) -> str:
    """Write a loop."""
    return f"""(local $n i32) (loop $on {body}
      (br_if $on (i32.lt_u (local.tee $n (i32.add (local.get $n) (i32.const 1))) (i32.const {count}))))"""


async def fuel_of(engine: Engine, source: bytes) -> int:
    """Invoke once; what it used."""
    report = await (await engine.load(source)).invoke("onTrack", EVENT, limits=limits())
    assert report.error is None
    return report.usage.fuel


# Fuel -----------------------------------------------------------------------------------------------------------------


async def test_the_same_event_costs_the_same_fuel(module: Module) -> None:
    """Whatever ran before, however often the clock interrupted it, and whatever the budget was."""
    used = set()
    for budget in (50_000_000, 100_000_000, 100_000_001):
        for _ in range(5):
            await behave(module, "panic", limits=limits())
            report = await behave(module, "echo", limits=limits(fuel=budget))
            used.add(report.usage.fuel)
    assert len(used) == 1


async def test_fuel_does_not_depend_on_time_slices(engine: Engine) -> None:
    """A guest of many slices, twice."""
    source = minimal(call=f"{repeat(2_000_000, '')} (i64.const {packed(1024, 14)})")
    first, second = await fuel_of(engine, source), await fuel_of(engine, source)
    assert first == second > 2_000_000


async def test_as_much_fuel_as_was_used_is_enough_and_less_is_not(module: Module) -> None:
    """What host calls charge may be collected a little late, by a hundredth of the budget at most, but is collected."""
    used = (await behave(module, "log", limits=limits())).usage.fuel
    enough = await behave(module, "log", limits=limits(fuel=used))
    assert (enough.verdict, enough.usage.fuel) == ("done", used)
    short = await behave(module, "log", limits=limits(fuel=used * 98 // 100))
    assert type(short.error) is FuelExhausted
    assert short.usage.fuel == used * 98 // 100


async def test_waiting_costs_no_fuel(module: Module) -> None:
    """Only time."""
    short = await behave(module, "sleep", {"milliseconds": 1}, limits=limits())
    long = await behave(module, "sleep", {"milliseconds": 60}, limits=limits())
    assert short.usage.fuel == long.usage.fuel


async def test_host_calls_charge_in_proportion(engine: Engine) -> None:
    """N calls cost N times one call: what it takes to make a call is paid for by who makes it."""

    def calls(count: int) -> bytes:
        call = f"{repeat(count, '(drop (call $now))')} (i64.const {packed(1024, 14)})"
        return minimal(call=call, imports=host("now"))

    one, hundred, thousand = [await fuel_of(engine, calls(count)) for count in (1, 100, 1_000)]
    each = (thousand - hundred) / 900
    assert each > 1_000
    assert abs((hundred - one) / 99 - each) < 1


async def test_host_calls_charge_for_bytes(engine: Engine) -> None:
    """A log line, random bytes and a digest cost more the longer they are."""
    bodies = {
        "log": "(call $log (i32.const 1) (i32.const 2048) (i32.const {size}))",
        "random": "(call $random (i32.const 2048) (i32.const {size}))",
        "digest": "(drop (call $digest (i32.const 4) (i32.const 2048) (i32.const {size}) (i32.const 0)))",
    }
    for name, body in bodies.items():
        used = [
            await fuel_of(
                engine, minimal(call=f"{body.format(size=size)} (i64.const {packed(1024, 14)})", imports=host(name))
            )
            for size in (0, 30_000)
        ]
        assert used[1] - used[0] >= 30_000, name


async def test_endless_host_calls_run_out_of_fuel(engine: Engine) -> None:
    """Though each of them is cheap for the guest's own instructions."""
    module = await engine.load(
        minimal(call="(loop $on (drop (call $now)) (br $on)) (unreachable)", imports=host("now"))
    )
    report = await module.invoke("onTrack", EVENT, limits=limits(fuel=1_000_000))
    assert type(report.error) is FuelExhausted
    assert report.usage.fuel == 1_000_000
    assert report.error.limit == 1_000_000


async def test_used_up_fuel_is_reported_as_the_whole_budget(module: Module) -> None:
    """Never more."""
    report = await behave(module, "spin", limits=limits(fuel=1_234_567))
    assert report.usage.fuel == 1_234_567


# Memory, table, stack ------------------------------------------------------------------------------------------------


async def test_the_peak_of_memory_is_in_the_report(engine: Engine) -> None:
    """Where it began, and what it grew to."""
    module = await engine.load(minimal(memory="2"))
    assert (await module.invoke("onTrack", EVENT, limits=limits())).usage.peak_memory_bytes == 2 * PAGE
    grows = minimal(memory="2", call=f"(drop (memory.grow (i32.const 5))) (i64.const {packed(1024, 14)})")
    grown = await (await engine.load(grows)).invoke("onTrack", EVENT, limits=limits())
    assert grown.usage.peak_memory_bytes == 7 * PAGE


@pytest.mark.parametrize("ending", ["(unreachable)", "(loop (br 0)) (unreachable)"])
async def test_the_peak_of_memory_is_reported_of_broken_attempts_too(engine: Engine, ending: str) -> None:
    """That is when it matters."""
    module = await engine.load(minimal(memory="2", call=f"(drop (memory.grow (i32.const 5))) {ending}"))
    report = await module.invoke("onTrack", EVENT, limits=limits(fuel=100_000))
    assert report.error is not None
    assert report.usage.peak_memory_bytes == 7 * PAGE


async def test_growing_past_the_limit_is_refused_to_the_guest(engine: Engine) -> None:
    """To the page; a guest that copes with the refusal goes on."""
    grow = "(local $ok i32) (local.set $ok (i32.eq (memory.grow (i32.const 3)) (i32.const 1)))"
    module = await engine.load(digit("(local.get $ok)", before=grow))
    assert digit_of(await module.invoke("onTrack", EVENT, limits=limits(memory_bytes=4 * PAGE))) == 1
    assert digit_of(await module.invoke("onTrack", EVENT, limits=limits(memory_bytes=4 * PAGE - 1))) == 0


async def test_a_table_grows_no_further_than_its_limit(engine: Engine) -> None:
    """As memory."""
    grow = "(local $ok i32) (local.set $ok (i32.eq (table.grow $t (ref.null func) (i32.const 90)) (i32.const 10)))"
    module = await engine.load(digit("(local.get $ok)", before=grow, extra="(table $t 10 funcref)"))
    assert digit_of(await module.invoke("onTrack", EVENT, limits=limits(table_elements=100))) == 1
    assert digit_of(await module.invoke("onTrack", EVENT, limits=limits(table_elements=99))) == 0


async def test_a_limit_below_what_a_module_starts_with_is_memory_exhausted(engine: Engine) -> None:
    """Naming both; what a snapshot starts with counts, not what the module said."""
    modest = minimal(memory="2", initialize="(drop (memory.grow (i32.const 8)))")
    for source in (minimal(memory="10"), modest):
        module = await engine.load(source)
        report = await module.invoke("onTrack", EVENT, limits=limits(memory_bytes=9 * PAGE))
        assert type(report.error) is MemoryExhausted
        assert (report.error.limit_bytes, report.error.used_bytes) == (9 * PAGE, 10 * PAGE)
        assert (await module.invoke("onTrack", EVENT, limits=limits(memory_bytes=10 * PAGE))).verdict == "done"
    assert engine.active == 0


async def test_recursion_is_bounded_by_the_stack(module: Module) -> None:
    """A trap with the guest's own functions in the backtrace, bounded in number."""
    report = await behave(module, "deep_recursion", limits=limits())
    assert isinstance(report.error, Trapped)
    assert report.error.reason == "stack_overflow"
    assert 1 < len(report.error.backtrace) <= 64
    assert report.error.backtrace[0].function == "recurse"
    assert report.error.backtrace[1].offset


# Output and the rest --------------------------------------------------------------------------------------------------


async def test_a_reply_is_bounded_by_its_claimed_length(engine: Engine) -> None:
    """Before a byte of it is copied; at the limit, it is read."""
    for claimed, kind in ((1_001, OutputTooLarge), (1_000, BrokenContract)):
        module = await engine.load(minimal(call=f"(i64.const {packed(1024, claimed)})"))
        report = await module.invoke("onTrack", EVENT, limits=limits(reply_bytes=1_000))
        assert type(report.error) is kind


async def test_open_handles_are_bounded(module: Module) -> None:
    """The guest is told, and may go on."""
    report = await behave(module, "handle_flood", {"attempts": 10}, limits=limits(open_handles=3))
    assert answer_of(report) == {"started": 3, "refused": 7}


@pytest.mark.parametrize(
    "above", [{"memory_bytes": CEILING + 1}, {"table_elements": TABLE_CEILING + 1}], ids=["memory", "table"]
)
async def test_limits_above_the_engines_ceilings_are_a_value_error(
    engine: Engine, module: Module, above: dict[str, int]
) -> None:
    """Whoever set them is told both numbers; nothing is clamped in silence, and no slot is taken."""
    with pytest.raises(ValueError, match=f"{next(iter(above.values())):,} of at most"):
        await behave(module, "echo", limits=limits(**above))
    assert engine.active == 0


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
@pytest.mark.parametrize("value", [0, -1, True, 1.5, None])
def test_a_limit_is_a_positive_whole_number(name: str, value: object) -> None:
    """Each of them, or a ValueError naming it."""
    with pytest.raises(ValueError, match=f"{name} must be a positive whole number"):
        Limits(**{name: value})  # type: ignore[arg-type]  # that is the point


async def test_usage_tells_time_apart_from_cpu(module: Module) -> None:
    """Waiting is duration, computing is both."""
    waited = await behave(module, "sleep", {"milliseconds": 50}, limits=limits())
    assert waited.usage.duration_ms >= 49
    assert waited.usage.cpu_ms < 25
    computed = await behave(module, "spin", limits=limits(fuel=20_000_000))
    assert 1 < computed.usage.cpu_ms <= computed.usage.duration_ms + 0.001


async def test_a_handler_that_the_function_lacks_is_unsupported(engine: Engine) -> None:
    """Known from its description, so that nothing is run (ABI.md, The description)."""
    module = await engine.load(minimal(call="(unreachable)"))
    report = await module.invoke("onIdentify", {**EVENT, "type": "identify"}, limits=limits())
    assert (report.error, report.verdict) == (None, "unsupported")
    assert report.usage.fuel == 0
