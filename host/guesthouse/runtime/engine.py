"""The engine: everything that guests share, from the native library to the scheduler."""

import asyncio
import hashlib
from contextlib import asynccontextmanager
from ctypes import addressof, c_void_p, cast
from pathlib import Path
from typing import TYPE_CHECKING

from guesthouse.clock import Clock, SystemClock
from guesthouse.config import EngineConfig
from guesthouse.errors import EngineClosed, NoSlot, RejectedModule
from guesthouse.runtime import capi, engine_settings
from guesthouse.runtime.artefacts import ArtefactStore
from guesthouse.runtime.cache import MemoryCache
from guesthouse.runtime.cell import Cell
from guesthouse.runtime.compiler import Compiler
from guesthouse.runtime.deadlines import Deadlines
from guesthouse.runtime.imports import FUNCTIONS, Imports
from guesthouse.runtime.modules import Module
from guesthouse.runtime.outbound import Outbound
from guesthouse.runtime.sandbox import Call, Invocation
from guesthouse.runtime.scheduler import Scheduler
from guesthouse.runtime.shield import SignalShield
from guesthouse.runtime.ticker import open_ticker

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from guesthouse.model.limits import Limits
    from guesthouse.runtime.artefact import Artefact


class _UnusableArtefactError(RejectedModule):
    """The engine refuses what a compiler made earlier."""


class Engine:
    """Loads modules and runs guests on one event loop; open it with `Engine.open`."""

    def __init__(self, config: EngineConfig, clock: Clock) -> None:
        """Take every native resource; `close` gives them back."""
        self.config = config
        self.loop = asyncio.get_running_loop()
        self._lib = capi.load()
        self.cell = Cell(self._lib, engine_settings.new_engine(self._lib, config), clock)
        self._linker = self._lib.linker_new(self.cell.engine)
        self._imports = Imports(self.cell, self._linker, FUNCTIONS)
        tick, engine = cast(self._lib.engine_increment_epoch, c_void_p).value or 0, self.cell.engine
        self._ticker = open_ticker(
            tick, engine, tick=lambda: self._lib.engine_increment_epoch(engine), call_later=self.loop.call_later
        )
        self._shield = SignalShield(lambda: self.cell.guest is not None)
        self._scheduler: Scheduler[Invocation] = Scheduler(
            self.loop.call_soon,
            turn_seconds=config.turn_seconds,
            before_slice=self._ticker.arm,
            after_turn=self._shield.settle,
        )
        self._compiler = Compiler(config, ArtefactStore(config.cache_folder))
        self._active: set[Invocation] = set()
        self._modules: set[Module] = set()
        self._linking = asyncio.Lock()
        self._is_closed = False
        self._memory_ceiling = config.memory_ceiling_bytes
        self._table_ceiling = config.table_ceiling_elements
        self.deadlines = Deadlines(self.loop)
        self.cache = MemoryCache(clock.monotonic)
        self.outbound = Outbound(allow_private=config.allow_private, own_listeners=lambda: config.own_listeners)

    @classmethod
    @asynccontextmanager
    async def open(cls, config: EngineConfig | None = None, *, clock: Clock | None = None) -> "AsyncIterator[Engine]":
        """Open an engine on the running loop; leaving the block ends what is under way with `EngineClosed`.

        Raises `UnfitEngine` where the installed wasmtime isn't one that we know.
        """
        engine = cls(config or EngineConfig(), clock or SystemClock())
        try:
            yield engine
        finally:
            await engine.close()

    @property
    def active(self) -> int:
        """Guests alive; each holds one of the slots."""
        return len(self._active)

    async def load(self, source: bytes | Path) -> Module:
        """Load a module from its bytes or its file, building its artefact where that isn't known yet.

        Raises `RejectedModule` naming what is wrong with it.
        """
        if isinstance(source, Path):
            source = await asyncio.to_thread(source.read_bytes)
        digest = (await asyncio.to_thread(hashlib.sha256, source)).hexdigest()
        try:
            return await self._link(digest, await self._compiler.build(source, digest))
        except _UnusableArtefactError:
            # Compiled for another processor, or by a library that calls itself the same: made anew, once.
            self._compiler.forget(digest)
            return await self._link(digest, await self._compiler.build(source, digest))

    async def _link(self, digest: str, artefact: "Artefact") -> Module:
        async with self._linking:  # `close` waits for it: the engine must outlive the thread
            if self._is_closed:
                raise EngineClosed
            module, instance_pre, code = c_void_p(), c_void_p(), artefact.code
            where = addressof(module)
            error = await asyncio.to_thread(self._lib.module_deserialize, self.cell.engine, code, len(code), where)
            if not error:
                error = self._lib.linker_instantiate_pre(self._linker, module, addressof(instance_pre))
            if error:
                raise _UnusableArtefactError(f"the compiled module can't be loaded: {self._lib.error_text(error)}")
            loaded = Module(self, digest, artefact, module.value or 0, instance_pre.value or 0)
            self._modules.add(loaded)
            return loaded

    def unload(self, module: Module) -> None:
        """See `Module.close`."""
        if module in self._modules and not module.active:
            self._modules.discard(module)
            self._lib.instance_pre_delete(module.instance_pre)
            self._lib.module_delete(module.address)

    def start(self, module: Module, call: Call) -> Invocation:
        """Prepare an invocation, which holds a slot from now until `end`; see `Module.invoke` for what is raised."""
        if self._is_closed:
            raise EngineClosed
        if len(self._active) >= self.config.slots:
            raise NoSlot(self.config.slots)
        if module.is_closed:
            raise ValueError("the module is closed")
        limits = call.limits
        if limits.memory_bytes > self._memory_ceiling or limits.table_elements > self._table_ceiling:
            raise ValueError(self._over_the_ceiling(limits))
        invocation = Invocation(self, module, call)
        self._active.add(invocation)
        module.active += 1
        return invocation

    def end(self, module: Module, invocation: Invocation) -> None:
        """Give the slot of an invocation back."""
        self._active.discard(invocation)
        module.active -= 1
        if module.is_closed and not self._is_closed:
            self.unload(module)

    def wake(self, invocation: Invocation) -> None:
        """Let an invocation run."""
        self._scheduler.wake(invocation)

    async def close(self) -> None:
        """End what is under way, then give everything back; closing twice does nothing."""
        if self._is_closed:
            return
        self._is_closed = True
        for invocation in tuple(self._active):
            invocation.stop(EngineClosed())
        async with self._linking:
            self.deadlines.close()
        await self.outbound.close()
        await self._ticker.close()
        self._shield.close()
        for module in tuple(self._modules):
            module.active = 0  # their guests are gone; the tasks that awaited them have yet to run
            self.unload(module)
        self._lib.linker_delete(self._linker)
        self._lib.wasm_engine_delete(self.cell.engine)

    def _over_the_ceiling(self, limits: "Limits") -> str:
        return (
            f"memory_bytes is {limits.memory_bytes:,} of at most {self._memory_ceiling:,},"
            f" table_elements {limits.table_elements:,} of at most {self._table_ceiling:,} on this engine"
        )
