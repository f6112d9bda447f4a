"""Loaded versions, a bounded number of them: those used longest ago are unloaded."""

import asyncio
from collections import OrderedDict

from guesthouse.registry.protocol import Registry
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.modules import Module


class Modules:
    """Gives the module of a version, loading it where it isn't loaded yet; many may ask at once."""

    def __init__(self, engine: Engine, registry: Registry, *, most: int = 1_000) -> None:
        """Keep at most *most* modules loaded."""
        self._engine = engine
        self._registry = registry
        self._most = most
        self._loading: OrderedDict[str, asyncio.Task[Module]] = OrderedDict()

    async def get(self, digest: str) -> Module:
        """Give a version's module; raises `MissingModule`, `EngineClosed`, and `RejectedModule` of a wrong file."""
        while True:
            # Shielded: who asked first may be cancelled, and others wait for the same.
            module = await asyncio.shield(self._task(digest))
            if not module.is_closed:  # it may have been unloaded between its loading and this line
                return module

    def _task(self, digest: str) -> asyncio.Task[Module]:
        task = self._loading.get(digest)
        if task is None or (task.done() and (task.cancelled() or task.exception() is not None)):
            self._make_room()
            task = self._loading[digest] = asyncio.ensure_future(self._load(digest))
        self._loading.move_to_end(digest)
        return task

    async def _load(self, digest: str) -> Module:
        return await self._engine.load(await self._registry.module(digest))

    def _make_room(self) -> None:
        """Unload those used longest ago; never one that is being loaded, as somebody waits for it."""
        surplus = len(self._loading) + 1 - self._most
        idle = [digest for digest, task in self._loading.items() if task.done()] if surplus > 0 else []
        for digest in idle[:surplus]:
            task = self._loading.pop(digest)
            if not task.cancelled() and task.exception() is None:
                task.result().close()
