"""What tests of the engine share: one way to open it, and guests that say one digit."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_network
from typing import Any

import msgpack
from tests.support.guests import minimal, packed
from tests.support.hostile import artefacts

from guesthouse.config import EngineConfig
from guesthouse.model.report import Report
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.modules import Module

LOOPBACK = ip_network("127.0.0.0/8")
EVENT: Mapping[str, object] = {"type": "track", "event": "Order Completed", "userId": "u1"}
HOUR_MS = 3_600_000
SECONDS_OF_FUEL = 5 * 10**9
"""More than any deadline here lets a guest use, and yet an end should a time slice have none."""
PATIENCE_SECONDS = 20.0
"""How long a test waits for what must come, before it fails."""

_DIGIT: Mapping[str, object] = {"verdict": "done", "message": "?"}
_DATA_AT = 1024


@asynccontextmanager
async def opened(**changes: Any) -> AsyncIterator[Engine]:  # noqa: ANN401 - the fields of `EngineConfig`
    """Open an engine of 20 slots that may reach loopback, with *changes* to its configuration."""
    async with Engine.open(configured(**changes)) as engine:
        yield engine


def configured(**changes: Any) -> EngineConfig:  # noqa: ANN401 - the fields of `EngineConfig`
    """Configure an engine as `opened` does."""
    return EngineConfig(**{"slots": 20, "cache_folder": artefacts(), "allow_private": (LOOPBACK,), **changes})


async def behave(module: Module, behaviour: str, more: Mapping[str, object] | None = None, **options: Any) -> Report:  # noqa: ANN401 - the options of `Module.invoke`
    """Run one of ``guest-sdks/behaviours.md`` on `EVENT`, with *more* settings."""
    return await module.invoke("onTrack", EVENT, settings={"behaviour": behaviour, **(more or {})}, **options)


def answer_of(report: Report) -> Any:  # noqa: ANN401 - whatever a guest answers
    """Give the map that a behaviour answered; what ended it otherwise fails the test."""
    assert report.error is None, report.error
    assert report.reply is not None
    assert report.reply.verdict == "done", report.reply
    return report.reply.event


def digit(expression: str, *, before: str = "", **parts: Any) -> bytes:  # noqa: ANN401 - the other parts of `minimal`
    """Build a guest whose message is one digit, what the i32 *expression* gives, computed after *before*."""
    message = msgpack.packb(_DIGIT)
    store = f"(i32.store8 (i32.const {_DATA_AT + message.index(b'?')}) (i32.add (i32.const 48) {expression}))"
    return minimal(call=f"{before} {store} (i64.const {packed(_DATA_AT, len(message))})", reply=message, **parts)


def digit_of(report: Report) -> int:
    """Read the digit that a guest of `digit` said; what ended it otherwise fails the test."""
    assert report.error is None, report.error
    assert report.reply is not None
    return int(report.reply.message or "")
