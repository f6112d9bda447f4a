"""Cached answers hold exactly as long as their tenant doesn't change."""

import asyncio

import pytest
from tests.support.clock import FakeClock

from guesthouse.registry.cache import AnswerCache, Changes

pytestmark = pytest.mark.anyio

KEY = ("routes", "src_1")


class Registry:
    """Counts what it is asked."""

    def __init__(self) -> None:
        self.number = 1
        self.changed: list[str] = []
        self.asked = 0
        self.loaded = 0
        self.clock = FakeClock()
        self.cache = AnswerCache(self.changes, self.clock.monotonic, entries=2)

    async def changes(self, since: int) -> Changes:
        """Answer what changed."""
        self.asked += 1
        return self.number, [] if since < 0 or since == self.number else self.changed

    async def load(self) -> tuple[str, int]:
        """Give another answer each time."""
        self.loaded += 1
        return "tnt_1", self.loaded

    async def answer(self, key: tuple[str, ...] = KEY) -> int | None:
        """Ask through the cache."""
        return await self.cache.answer(key, self.load)

    def change(self, tenant_id: str) -> None:
        """Let another process change something."""
        self.number += 1
        self.changed = [tenant_id]


async def test_an_answer_is_kept() -> None:
    """And the question for changes is asked twice a second at most."""
    registry = Registry()
    assert [await registry.answer() for _ in range(3)] == [1, 1, 1]
    assert (registry.asked, registry.cache.peek(KEY)) == (1, 1)
    registry.clock.advance(499)
    assert (await registry.answer(), registry.asked) == (1, 1)
    registry.clock.advance(1)
    assert registry.cache.peek(KEY) is None
    assert (await registry.answer(), registry.asked) == (1, 2)


async def test_a_change_elsewhere_ends_the_answers_of_its_tenant() -> None:
    """Those of others stay."""
    registry = Registry()
    await registry.answer()
    registry.change("tnt_2")
    registry.clock.advance(500)
    assert await registry.answer() == 1
    registry.change("tnt_1")
    registry.clock.advance(500)
    assert await registry.answer() == 2


async def test_a_change_here_is_seen_at_once() -> None:
    """Without waiting for anything."""
    registry = Registry()
    await registry.answer()
    registry.cache.forget("tnt_1")
    assert registry.cache.peek(KEY) is None
    assert await registry.answer() == 2


async def test_an_answer_that_a_change_overtook_is_not_kept() -> None:
    """It was loaded before the change and stored after it."""
    registry = Registry()

    async def overtaken() -> tuple[str, int]:
        registry.cache.forget("tnt_1")
        return "tnt_1", 0

    assert await registry.cache.answer(KEY, overtaken) == 0
    assert await registry.answer() == 1


async def test_nothing_is_not_kept() -> None:
    """A key that is made the next moment works the next moment."""
    registry = Registry()

    async def nothing() -> tuple[str, int] | None:
        return None

    assert (await registry.cache.answer(KEY, nothing)) is None
    assert await registry.answer() == 1


async def test_the_cache_is_bounded() -> None:
    """What was asked for longest ago goes."""
    registry = Registry()
    for name in ("a", "b", "a", "c"):
        await registry.answer((name,))
    assert [registry.cache.peek((name,)) for name in "abc"] == [1, None, 3]


async def test_many_askers_ask_for_changes_once() -> None:
    """A thousand requests at the same moment are one question."""
    registry = Registry()
    await asyncio.gather(*(registry.answer() for _ in range(100)))
    assert registry.asked == 1
