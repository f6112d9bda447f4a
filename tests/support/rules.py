"""Scenarios for ``tests/integration/test_rules.py``, each run in a process of its own because a broken rule kills it.

``python -m tests.support.rules NAME`` keeps to the rules and prints ``alive``; with ``broken`` behind it, it breaks the
one that NAME is about.
"""

import asyncio
import ctypes
import faulthandler
import os
import resource
import signal
import sys
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tests.support.engines import EVENT, HOUR_MS, SECONDS_OF_FUEL, behave, configured, digit, digit_of
from tests.support.guests import behaviours, host, minimal
from wasmtime import _bindings

from guesthouse.clock import SystemClock
from guesthouse.config import MIB, EngineConfig
from guesthouse.errors import EngineClosed, Trapped
from guesthouse.model.limits import Limits
from guesthouse.runtime import capi, engine_settings
from guesthouse.runtime import engine as engine_module
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.guest import Guest
from guesthouse.runtime.imports import trampolines
from guesthouse.runtime.modules import Module

PLENTY = Limits(fuel=SECONDS_OF_FUEL)
HANG_SECONDS = 2.0
"""What takes milliseconds otherwise hangs when it takes longer than this."""
SLEEP_AND_WAIT = """
(i32.store (i32.const 0) (call $sleep (i32.const {milliseconds})))
(drop (call $wait (i32.const 0) (i32.const 1)))
"""
Scenario = Callable[[bool], Coroutine[None, None, None]]
SCENARIOS: dict[str, Scenario] = {}


def scenario(run: Scenario) -> Scenario:
    """Make a scenario known by its name."""
    SCENARIOS[run.__name__] = run
    return run


def sleeper(milliseconds: int) -> bytes:
    """Build a guest that sleeps, then says 1."""
    return digit(
        "(i32.const 1)", before=SLEEP_AND_WAIT.format(milliseconds=milliseconds), imports=host("sleep", "wait")
    )


async def still_works(engine: Engine) -> None:
    """See an innocent guest do its work."""
    report = await (await engine.load(sleeper(1))).invoke("onTrack", EVENT)
    assert digit_of(report) == 1


async def started(module: Module, **options: Any) -> "asyncio.Task[Any]":  # noqa: ANN401 - the options of `invoke`
    """Begin an invocation and let it run until it is suspended."""
    task = asyncio.ensure_future(module.invoke("onTrack", EVENT, **options))
    await asyncio.sleep(0)
    return task


class _Words:
    """Stands in for what writes a continuation, which is the first thing that a suspending trampoline does."""

    def __init__(self, before: Callable[[], None]) -> None:
        self._before, self._real = before, trampolines._Words

    def from_address(self, address: int) -> Any:  # noqa: ANN401 - an array type made by ctypes
        """See `ctypes.Structure.from_address`; something happens before."""
        self._before()
        return self._real.from_address(address)


def _fail(*_arguments: object) -> None:
    raise RuntimeError("a bug in the host")


@scenario
async def continuation_first(broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Let an import that suspends fail; broken: before its continuation is set."""
    suspend = Guest.suspend
    if broken:
        trampolines._Words = _Words(_fail)  # type: ignore[assignment]
    Guest.suspend = _fail  # type: ignore[method-assign,assignment]
    async with Engine.open(configured()) as engine:
        module = await engine.load(sleeper(1))
        try:
            await module.invoke("onTrack", EVENT)
        except RuntimeError:
            Guest.suspend = suspend  # type: ignore[method-assign]
            await still_works(engine)
            return
        raise AssertionError("the bug went by")


@scenario
async def interrupt_in_a_trampoline(broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Let Ctrl-C come at the worst moment; broken: with nothing between it and the trampoline."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if broken:
        setattr(engine_module, "SignalShield", _NoShield)  # noqa: B010 - mypy has it that classes aren't assigned
    trampolines._Words = _Words(lambda: signal.raise_signal(signal.SIGINT))  # type: ignore[assignment]
    async with Engine.open(configured()) as engine:
        await (await engine.load(sleeper(HOUR_MS))).invoke("onTrack", EVENT)


class _NoShield:
    """Shields from nothing."""

    def __init__(self, _is_running: Callable[[], bool]) -> None:
        """Do nothing."""

    def settle(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


@scenario
async def interrupt_while_spinning(_broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Let Ctrl-C come from outside while a guest computes."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    async with Engine.open(configured()) as engine:
        module = await engine.load(behaviours())
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGINT)).start()
        await behave(module, "spin", limits=PLENTY)


@scenario
async def future_before_store(broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Cancel suspended guests; broken: their stores go first."""
    if broken:
        Guest._close = _close_in_the_wrong_order  # type: ignore[method-assign]
    async with Engine.open(configured()) as engine:
        module = await engine.load(sleeper(HOUR_MS))
        for _ in range(50):
            task = await started(module)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await still_works(engine)


def _close_in_the_wrong_order(self: Guest) -> None:
    self.cell.lib.store_delete(self._store)
    if self._pending is not None:
        self.cell.lib.call_future_delete(self._pending)


SLOW_TO_START = minimal(
    extra="""(table $t 1 1 funcref) (elem declare func $alloc) (start $start)
    (func $start (local $n i32)
      (table.set $t (i32.const 0) (ref.func $alloc))
      (loop $on (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $on (i32.lt_u (local.get $n) (i32.const 50000000)))))"""
)
"""Its start function takes many slices, for each instance: it changes a table, so there is no snapshot."""


@scenario
async def instance_pre_outlives_the_future(broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Run a guest that is slow to start; broken: what it is instantiated from is freed meanwhile."""
    async with Engine.open(configured()) as engine:
        module = await engine.load(SLOW_TO_START)
        assert module.why_not_snapshotted
        task = await started(module, limits=PLENTY)
        if broken:
            engine._lib.instance_pre_delete(module.instance_pre)
            engine._lib.module_delete(module.address)
        report = await task
        assert report.verdict == "done", report


@scenario
async def future_outlives_its_poll(broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Tell a guest the time; broken: end it right there, inside its own poll."""

    class Clock(SystemClock):
        def now_ms(self) -> int:
            if broken:
                guest = engine.cell.guest
                assert guest is not None
                assert guest._pending is not None
                engine._lib.call_future_delete(guest._pending)
            return 0

    async with Engine.open(configured(), clock=Clock()) as engine:
        module = await engine.load(digit("(i32.wrap_i64 (call $now))", imports=host("now")))
        assert digit_of(await module.invoke("onTrack", EVENT)) == 0


@scenario
async def faulthandler_first(broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Let a guest reach beyond its memory; broken: the fault handler is enabled after the engine."""
    if not broken:
        faulthandler.enable()
    async with Engine.open(configured()) as engine:
        if broken:
            faulthandler.enable()
        report = await behave(await engine.load(behaviours()), "bad_pointer")
        assert isinstance(report.error, Trapped)
        assert report.error.reason == "memory_out_of_bounds"


@scenario
async def exec_not_fork(broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Compile a module in a child while an engine lives here; broken: in a forked one."""
    async with Engine.open(configured(cache_folder=None)) as engine:
        await engine.load(sleeper(1))
        if not broken:
            await engine.load(minimal())
            return
        data, out = minimal(), ctypes.c_void_p()
        compilation = (engine.cell.engine, data, len(data), ctypes.addressof(out))
        assert not engine._lib.module_new(*compilation)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        child = os.fork()
        if child == 0:
            engine._lib.module_new(*compilation)
            os._exit(0)
        if signal.sigtimedwait({signal.SIGCHLD}, HANG_SECONDS) is None:
            os.kill(child, signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)


def limited(kind: int) -> None:
    """Make an engine as the child that compiles does, within a limit of this kind."""
    lib = capi.load()
    resource.setrlimit(kind, (1536 * MIB, 1536 * MIB))
    assert engine_settings.new_engine(lib, EngineConfig(slots=1))


@scenario
async def limits_of_a_child(broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Make an engine under a limit, as the child does; broken: of its address space, not of its data."""
    limited(resource.RLIMIT_AS if broken else resource.RLIMIT_DATA)


@scenario
async def artefacts_from_bytes(broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Overwrite all artefact files while their modules are loaded; broken: they were mapped, not read."""
    with TemporaryDirectory() as folder:
        async with Engine.open(configured(cache_folder=Path(folder))) as engine:
            module = await engine.load(sleeper(1))
            if broken:
                module.instance_pre = _mapped(engine, Path(folder) / "mapped")
            _overwrite(Path(folder))
            assert digit_of(await module.invoke("onTrack", EVENT)) == 1


def _overwrite(folder: Path) -> None:
    for path in folder.iterdir():
        path.write_bytes(bytes(path.stat().st_size))


def _mapped(engine: Engine, path: Path) -> int:
    data, out, pre = sleeper(1), ctypes.c_void_p(), ctypes.c_void_p()
    engine._lib.module_new(engine.cell.engine, data, len(data), ctypes.addressof(out))
    vector = capi.ByteVec()
    engine._lib.module_serialize(out, ctypes.addressof(vector))
    path.write_bytes(engine._lib.take_bytes(vector))
    load = _bindings.dll.wasmtime_module_deserialize_file
    load.restype, load.argtypes = ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    assert not load(engine.cell.engine, str(path).encode(), ctypes.addressof(out))
    assert not engine._lib.linker_instantiate_pre(engine._linker, out, ctypes.addressof(pre))
    return pre.value or 0


@scenario
async def closing_while_loading(_broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Close the engine while a child compiles for it."""
    async with Engine.open(configured(cache_folder=None)) as engine:
        task = asyncio.ensure_future(engine.load(sleeper(1)))
        await asyncio.sleep(0)
    with suppress(EngineClosed):
        await task
        raise AssertionError


@scenario
async def unloading_while_starting(_broken: bool) -> None:  # noqa: FBT001 - a scenario's one parameter
    """Close a module while its guests are suspended, slow to start, or haven't started."""
    for source in (sleeper(50), SLOW_TO_START):
        async with Engine.open(configured()) as engine:
            module = await engine.load(source)
            tasks = [asyncio.ensure_future(module.invoke("onTrack", EVENT, limits=PLENTY)) for _ in range(5)]
            await asyncio.sleep(0)
            module.close()
            assert {report.verdict for report in await asyncio.gather(*tasks)} == {"done"}
            await still_works(engine)


def run(work: Coroutine[None, None, None]) -> None:
    """Run to the end; Ctrl-C is one like any other, but raised by its handler wherever it comes."""
    loop = asyncio.new_event_loop()
    try:
        with suppress(KeyboardInterrupt):
            loop.run_until_complete(work)
        while tasks := asyncio.all_tasks(loop):
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.wait(tasks))
    finally:
        loop.close()


def main(name: str, *how: str) -> None:
    """Run one scenario."""
    run(SCENARIOS[name]("broken" in how))
    sys.stdout.write("alive\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
