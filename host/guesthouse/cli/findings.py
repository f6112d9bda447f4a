"""What ``guesthouse check`` finds out about a module, and how it measures what an instance costs."""

from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from guesthouse.config import EngineConfig
from guesthouse.errors import FunctionError
from guesthouse.model.reply import Description
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.probe import instance_seconds
from guesthouse.runtime.wasm.inspect import Inspection

if TYPE_CHECKING:
    from guesthouse.runtime.modules import Module

MOST_INSTANCES: Final = 500
FEWEST_INSTANCES: Final = 20
ENOUGH_SECONDS: Final = 0.5
"""Instances are made until there are enough of them, or until this time is over and the fewest are made."""
_WARM_UP: Final = 10
"""One in so many instances, the first ones, only warms the machine up."""


class InstanceCost(Struct, frozen=True, kw_only=True):
    """How long one fresh instance keeps the host busy, made and given back; see `guesthouse.runtime.probe`."""

    instances: int
    median_us: float
    fastest_us: float


class Findings(Struct, frozen=True, kw_only=True):
    """All that is known of an accepted module."""

    digest: str
    facts: Inspection
    description: Description
    why_not_snapshotted: str | None
    cost: InstanceCost | FunctionError
    """The error, where instances can't even be made within the default limits."""

    @property
    def initialises(self) -> bool:
        """Whether there is anything that a snapshot saves."""
        return self.facts.has_initialize or self.facts.has_start


async def examine(wasm: bytes) -> Findings:
    """Load the module and measure its instances; `RejectedModule` where it can't become a function."""
    async with Engine.open(EngineConfig(slots=1)) as engine:
        module = await engine.load(wasm)
        return Findings(
            digest=module.digest,
            facts=module.facts,
            description=module.description,
            why_not_snapshotted=module.why_not_snapshotted,
            cost=await measure(engine, module),
        )


async def measure(engine: Engine, module: "Module") -> InstanceCost | FunctionError:
    """Take the median over many instances, one after the other, without the first ones."""
    seconds: list[float] = []
    began = perf_counter()
    try:
        while len(seconds) < MOST_INSTANCES:
            seconds.append(await instance_seconds(engine, module))
            if perf_counter() - began > ENOUGH_SECONDS and len(seconds) >= FEWEST_INSTANCES:
                break
    except FunctionError as error:
        return error
    kept = seconds[len(seconds) // _WARM_UP :]
    return InstanceCost(instances=len(kept), median_us=median(kept) * 1e6, fastest_us=min(kept) * 1e6)
