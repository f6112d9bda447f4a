"""Strangers' bytes through the whole of it: upload, child process, snapshot, engine, invocation."""

import asyncio
import random
from time import monotonic

import pytest
from tests.support.guests import behaviours, host, minimal, special
from tests.support.hostile import EVENT, Gauntlet
from tests.support.wasi import wasi

from guesthouse.errors import RejectedModule
from guesthouse.model.limits import Limits

pytestmark = pytest.mark.anyio

FUZZ_SECONDS = 10.0
LIMITS = Limits(fuel=5_000_000, deadline_ms=100, memory_bytes=16 << 20)
POISON = (b"\xff\xff\xff\xff\x0f", b"\x80\x80\x80\x80\x00", b"\0", b"\xff", b"\x7f", b"\x0b", b"\x40", b"\x10")


def seeds() -> tuple[bytes, ...]:
    """Collect real modules: tiny ones, one that is initialised, one that uses tables, and what a toolchain makes."""
    return (
        minimal(),
        minimal(
            imports=host() + wasi("fd_write", "proc_exit", "poll_oneoff"),
            initialize="(global.set $next (i32.add (global.get $next) (i32.const 64))) (memory.fill (i32.const 0)"
            "(i32.const 7) (i32.const 512))",
            extra="""(table 3 funcref) (elem (i32.const 0) $alloc $alloc) (type $t (func (param i32) (result i32)))
            (func $calls (param i32) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 0)))""",
            call="""(i32.store (i32.const 0) (call $sleep (i32.const 1)))
            (drop (call $wait (i32.const 0) (i32.const 1)))
            (call $log (i32.const 1) (i32.const 0) (call $calls (i32.const 8))) (i64.const 0x4000000000e)""",
        ),
        special("smallest"),
        special("init_counter"),
        behaviours(),
    )


def mutate(chance: random.Random, sources: tuple[bytes, ...]) -> bytes:
    """Spoil a module in up to three places, behind its header."""
    data = bytearray(chance.choice(sources))
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        at = chance.randrange(8, len(data))
        match chance.choice((0, 1, 1, 1, 2, 3, 4)):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                data[at] ^= 1 << chance.randrange(8)
            case 2:
                data[at : at + 1] = chance.choice(POISON)
            case 3:
                del data[at : at + chance.randint(1, 8)]
            case _:
                other = chance.choice(sources)
                size = chance.randint(1, 16)
                data[at : at + size] = other[at : at + size]
    return bytes(data)


async def try_one(gauntlet: Gauntlet, data: bytes) -> bool:
    """Upload and invoke; say whether it got so far."""
    try:
        module = await gauntlet.engine.load(data)
    except RejectedModule:
        return False
    report = await module.invoke("onTrack", dict(EVENT), settings={"behaviour": "echo"}, limits=LIMITS)
    assert (report.reply is None) != (report.error is None)
    module.close()
    return True


async def fuzz(gauntlet: Gauntlet, seed: int, until: float) -> tuple[int, int]:
    """Try mutants until time is up; return how many were refused, and how many ran."""
    chance, sources = random.Random(seed), seeds()  # noqa: S311 - repeatable, not secret
    refused = ran = 0
    while monotonic() < until:
        data = mutate(chance, sources)
        try:
            has_run = await try_one(gauntlet, data)
        except Exception as unexpected:
            raise AssertionError(f"seed {seed}, mutant {refused + ran}: {data[:2_000].hex()}") from unexpected
        ran += has_run
        refused += not has_run
    return refused, ran


async def test_mutated_modules_are_refused_or_run(gauntlet: Gauntlet) -> None:
    """Never another error, never a dead host; and innocent guests work in between."""
    until = monotonic() + FUZZ_SECONDS
    counts = await asyncio.gather(*(fuzz(gauntlet, seed, until) for seed in (40, 41)))
    assert gauntlet.engine.active == 0
    assert min(map(sum, zip(*counts, strict=True))) > 0
    await gauntlet.survive(lambda: try_innocent(gauntlet))


async def try_innocent(gauntlet: Gauntlet) -> None:
    """Run a seed as it was."""
    module = await gauntlet.load(minimal())
    assert (await module.invoke("onTrack", dict(EVENT))).error is None
