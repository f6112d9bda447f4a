"""What one fresh instance costs, measured: nothing of the function runs, only what stands before and after it.

An instance is made as for an event (store, limits, memory and table from the module's image, its start function,
``_initialize`` where the module isn't a snapshot) and given back. The time is what the event loop is kept busy: what
the instance waits for in its initialisation doesn't count.
"""

from time import perf_counter
from typing import TYPE_CHECKING, cast

from guesthouse.abi.results import ELAPSED, Refusal, encode_refusal
from guesthouse.model.limits import DEFAULT_LIMITS, Limits
from guesthouse.runtime.guest import Guest, Steps

if TYPE_CHECKING:
    import asyncio

    from guesthouse.runtime.engine import Engine
    from guesthouse.runtime.modules import Module
    from guesthouse.runtime.sandbox import Invocation

_REFUSED = encode_refusal(Refusal.NOT_SUPPORTED, "the outside world can't be reached while an instance is measured")


class Probe:
    """One instance that is made and given back; the scheduler runs it (see `guesthouse.runtime.scheduler.Runnable`)."""

    def __init__(self, engine: "Engine", module: "Module", limits: Limits) -> None:
        """Prepare; nothing of the engine is taken yet."""
        self.lane = ("", "")
        self.slice_began = 0.0
        self.busy_seconds = 0.0
        self.done: asyncio.Future[None] = engine.loop.create_future()
        self._guest = Guest(engine.cell, module, limits)
        self._life = self._guest.life(_nothing)

    def advance(self) -> bool:
        """See `Runnable.advance`."""
        if self.done.done():
            return False
        began = perf_counter()
        try:
            next(self._life)
        except StopIteration:
            self.done.set_result(None)
        except Exception as error:  # noqa: BLE001 - whatever it is, whoever awaits the probe learns of it
            self.done.set_exception(error)
        self.busy_seconds += perf_counter() - began
        self._refuse_all()
        return not self.done.done()

    def close(self) -> None:
        """Give the instance back, however far it came."""
        self._life.close()

    def _refuse_all(self) -> None:
        for name, handle, _request in self._guest.outbox:
            self._guest.complete(handle, ELAPSED if name == "sleep" else _REFUSED)
        self._guest.outbox.clear()


async def instance_seconds(engine: "Engine", module: "Module", *, limits: Limits = DEFAULT_LIMITS) -> float:
    """Make one instance of *module* and give it back: the seconds of work that this took.

    Raises the `FunctionError` that ends the instance's own initialisation, and `NoSlot`.
    """
    probe = Probe(engine, module, limits)
    engine.wake(cast("Invocation", probe))  # all that the scheduler wants of either is that it is a Runnable
    try:
        await probe.done
    finally:
        probe.close()
    return probe.busy_seconds


def _nothing(_guest: Guest) -> Steps[None]:
    """Do nothing with the instance, as a generator."""
    yield from ()
