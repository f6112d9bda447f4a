"""Loaded versions: shared while loading, bounded, tried again after a failure."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from guesthouse.errors import MissingModule
from guesthouse.pipeline.modules import Modules

pytestmark = pytest.mark.anyio


@dataclass
class Loaded:
    """Stands for `guesthouse.runtime.modules.Module`."""

    digest: str
    is_closed: bool = False

    def close(self) -> None:
        """Unload."""
        self.is_closed = True


@dataclass
class Store:
    """Stands for the engine and the registry; loads wait until *gate* is set."""

    loads: list[str] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def module(self, digest: str) -> bytes:
        """See `Registry.module`."""
        return digest.encode()

    async def load(self, module: bytes) -> Loaded:
        """See `Engine.load`."""
        self.loads.append(module.decode())
        await self.gate.wait()
        if self.failures:
            raise self.failures.pop()
        return Loaded(module.decode())

    def modules(self, most: int = 2) -> Modules:
        """Build what is tested."""
        return Modules(cast("Any", self), cast("Any", self), most=most)


def a_store(*, is_open: bool = True) -> Store:
    """Make a store."""
    store = Store()
    if is_open:
        store.gate.set()
    return store


async def test_many_who_ask_at_once_share_one_load() -> None:
    """A hot version that isn't loaded yet is loaded once."""
    store = a_store(is_open=False)
    modules = store.modules()
    asking = [asyncio.ensure_future(modules.get("a")) for _ in range(10)]
    await asyncio.sleep(0)
    store.gate.set()
    given = await asyncio.gather(*asking)
    assert store.loads == ["a"]
    assert len({id(one) for one in given}) == 1


async def test_who_asked_first_may_be_cancelled() -> None:
    """The others still get the module."""
    store = a_store(is_open=False)
    modules = store.modules()
    first, second = (asyncio.ensure_future(modules.get("a")) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    store.gate.set()
    assert (await second).digest == "a"
    assert store.loads == ["a"]


async def test_the_one_used_longest_ago_is_unloaded() -> None:
    """At most so many stay loaded, and what is used stays."""
    store = a_store()
    modules = store.modules(most=2)
    a, b = await modules.get("a"), await modules.get("b")
    await modules.get("a")
    await modules.get("c")
    assert (a.is_closed, b.is_closed) == (False, True)
    assert len(modules._loading) == 2
    assert (await modules.get("b")).digest == "b"
    assert store.loads == ["a", "b", "c", "b"]


async def test_a_module_that_somebody_waits_for_is_not_unloaded() -> None:
    """More loads at once than there is room for: everybody gets an open module."""
    store = a_store(is_open=False)
    modules = store.modules(most=1)
    asking = [asyncio.ensure_future(modules.get(digest)) for digest in "abcde"]
    await asyncio.sleep(0)
    store.gate.set()
    given = await asyncio.gather(*asking)
    assert [(one.digest, one.is_closed) for one in given] == [(digest, False) for digest in "abcde"]
    await modules.get("f")
    assert len(modules._loading) == 1
    assert all(one.is_closed for one in given)


async def test_a_module_that_was_unloaded_meanwhile_is_loaded_again() -> None:
    """Nobody is handed a closed module."""
    store = a_store()
    modules = store.modules()
    (await modules.get("a")).close()
    modules._loading.pop("a")
    assert not (await modules.get("a")).is_closed


async def test_a_failed_load_is_tried_again() -> None:
    """The file may be back; the failure isn't kept."""
    store = a_store()
    store.failures.append(MissingModule("a"))
    modules = store.modules()
    with pytest.raises(MissingModule):
        await modules.get("a")
    assert (await modules.get("a")).digest == "a"
    assert store.loads == ["a", "a"]
