"""The gauntlet: what a hostile case is put through, and what must be true of the host during and after it.

A case is attacked with again and again until the event loop has been probed often enough. Every attack must end as the
case says and give its slot back. Meanwhile a timer of a millisecond measures how late the loop is; 99 of 100 probes are
less than `MOST_DELAY_SECONDS` late. At last innocent guests take every slot at once, and all of them work. That the
host's process lives needs no assertion: it is the process that runs the tests.

Other processes may hold the processors, which makes the loop late through no fault of its own. So a case whose only
failure is the delay is tried once more. Then a probe counts as late by no more than the CPU time that the loop's thread
has used since it was set, and more is allowed, up to a bound, where a loop without any guest, which is kept as busy
as the scheduler may keep it, is later than it would be on a calm machine.
"""

import asyncio
import hashlib
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from time import monotonic, thread_time
from types import MappingProxyType
from typing import Any

import pytest
from tests.support.guests import ROOT, host, minimal

import guesthouse
from guesthouse.config import CompilerConfig, EngineConfig
from guesthouse.errors import FunctionError, RejectedModule, Trapped
from guesthouse.model.capability import NOTHING, Capabilities
from guesthouse.model.limits import DEFAULT_LIMITS, Limits
from guesthouse.model.report import Report
from guesthouse.model.verdict import Verdict
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.modules import Module
from guesthouse.runtime.outbound import Outbound

MOST_DELAY_SECONDS = 0.010
RETRIES = 3
PROBES = 100
PROBE_SECONDS = 0.001
CALM_SECONDS = 0.003
"""How late (p99) a loop is that works 2 ms in each turn, where nothing else runs."""
MOST_NOISE = 4.0
"""However noisy the machine: a loop that is late by 40 ms is the host's own work."""
LONGEST_SECONDS = 2.5
"""Attacks that leave few turns to the loop aren't repeated for longer than this."""
SLOTS = 2
EVENT: Mapping[str, object] = MappingProxyType({"type": "track", "event": "Hostile"})
COMPILER = CompilerConfig(children=2, init_fuel=200_000_000, cpu_seconds=10, wall_seconds=30)
PLENTY = 1_000_000_000_000
"""Fuel for a guest that shall meet its deadline first."""

INNOCENT = minimal(
    imports=host("sleep", "wait"),
    call="""(i32.store (i32.const 0) (call $sleep (i32.const 1)))
    (drop (call $wait (i32.const 0) (i32.const 1)))
    (call $answer)""",
    extra="(func $answer (result i64) (i64.const 0x4000000000e))",
)
"""Waits a millisecond, so that it holds its slot across turns of the loop, and is done."""


@dataclass(frozen=True, slots=True)
class Case:
    """A hostile guest that is loaded, and how each of its invocations ends."""

    hazard: str
    wasm: bytes | Callable[[], bytes]
    error: type[FunctionError] | None
    """Exactly this class; None where the hazard must come to nothing."""
    says: str = ""
    """Words of the error's message."""
    reason: str | None = None
    """Of `Trapped`."""
    limits: Limits = DEFAULT_LIMITS
    settings: Mapping[str, object] = field(default_factory=dict)
    capabilities: Capabilities = NOTHING
    payload: object = field(default_factory=lambda: dict(EVENT))
    check: Callable[[Report], bool] = lambda _: True
    """What else is true of the report."""

    def __str__(self) -> str:
        return self.hazard

    def judge(self, report: Report) -> None:
        """Assert that the attempt ended as it must."""
        error = report.error
        assert type(error) is (type(None) if self.error is None else self.error), f"{error!r}: {error}"
        assert self.says in str(error)
        assert self.reason is None or (isinstance(error, Trapped) and error.reason == self.reason), repr(error)
        assert error is not None or report.verdict is Verdict.DONE
        is_as_expected = self.check(report)
        assert is_as_expected, f"{len(report.logs)} lines, {report.usage}"


@dataclass(frozen=True, slots=True)
class Upload:
    """A hostile module that is refused."""

    hazard: str
    wasm: bytes | Callable[[], bytes]
    says: str
    """Words of the refusal."""

    def __str__(self) -> str:
        return self.hazard


class Probe:
    """Measures how late a timer of the event loop is, over and over."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start at once."""
        self._loop = loop
        self.late: list[float] = []
        self.busy: list[float] = []
        """Lateness, or the CPU time of the loop's thread where that is less."""
        self._arm()

    def _arm(self) -> None:
        self._due, self._used = self._loop.time() + PROBE_SECONDS, thread_time()
        self._timer = self._loop.call_at(self._due, self._fire)

    def _fire(self) -> None:
        late = self._loop.time() - self._due
        self.late.append(late)
        self.busy.append(min(late, thread_time() - self._used))
        self._arm()

    def stop(self) -> None:
        """Measure no more."""
        self._timer.cancel()


def p99(delays: list[float]) -> float:
    """Give the delay that one in a hundred exceeds; with fewer than a hundred, the longest."""
    return sorted(delays)[-1 - len(delays) // 100]


class Gauntlet:
    """One engine under attack."""

    def __init__(self, engine: Engine) -> None:
        """Take the engine; `opened` makes one."""
        self.engine = engine
        self._modules: dict[bytes, Module] = {}

    async def load(self, wasm: bytes | Callable[[], bytes]) -> Module:
        """Load a module, once."""
        source = wasm if isinstance(wasm, bytes) else wasm()
        if source not in self._modules:
            self._modules[source] = await self.engine.load(source)
        return self._modules[source]

    async def prepare(self, cases: Iterable[object]) -> None:
        """Load the modules of all cases, as many at once as the compiler has children; what fails is left to `run`."""
        guests = {case.wasm for case in cases if isinstance(case, Case)}
        await asyncio.gather(self.load(INNOCENT), *map(self.load, guests), return_exceptions=True)

    async def run(self, case: Case | Upload) -> None:
        """Put a case through all of it."""
        if isinstance(case, Upload):
            await self._run_upload(case)
            return
        module = await self.load(case.wasm)

        async def attack() -> None:
            case.judge(
                await module.invoke(
                    "onTrack",
                    case.payload,
                    settings=case.settings,
                    capabilities=case.capabilities,
                    limits=case.limits,
                )
            )

        await self.survive(attack)

    async def _run_upload(self, case: Upload) -> None:
        source = case.wasm if isinstance(case.wasm, bytes) else case.wasm()

        async def attack() -> None:
            with pytest.raises(RejectedModule) as refused:
                await self.engine.load(source)
            assert type(refused.value) is RejectedModule
            assert case.says in refused.value.fault, refused.value.fault

        await self.survive(attack)

    async def survive(self, attack: Callable[[], Awaitable[None]], *, probes: int = PROBES) -> None:
        """Attack again and again; *attack* makes one attempt and asserts how it ends."""
        first = await self._probe(attack, probes)
        if p99(first.late) >= MOST_DELAY_SECONDS:
            late = await self._least_late(attack, probes)
            if late >= MOST_DELAY_SECONDS:
                noise = p99((await self._probe(_work, probes)).late) / CALM_SECONDS
                allowed = MOST_DELAY_SECONDS * min(max(1.0, noise), MOST_NOISE)
                assert late < allowed, f"the loop is late by {late * 1000:.1f} ms (p99), {allowed * 1000:.1f} at most"
        await self._entertain()

    async def _least_late(self, attack: Callable[[], Awaitable[None]], probes: int) -> float:
        """Attack again, up to `RETRIES` times: a guest does the same each time, a busy machine doesn't."""
        late = math.inf
        for _ in range(RETRIES):
            again = await self._probe(attack, probes)
            late = min(late, p99(again.late), p99(again.busy))
            if late < MOST_DELAY_SECONDS:
                break
        return late

    async def _probe(self, attack: Callable[[], Awaitable[None]], probes: int) -> Probe:
        await asyncio.sleep(0)
        probe, until = Probe(self.engine.loop), monotonic() + LONGEST_SECONDS
        try:
            while True:
                await attack()
                assert self.engine.active == 0
                if len(probe.late) >= probes or (probe.late and monotonic() > until):
                    return probe
                await asyncio.sleep(0)  # an attack that ends at once must not keep the probe from firing
        finally:
            probe.stop()

    @asynccontextmanager
    async def outbound(self, **options: Any) -> AsyncIterator[None]:  # noqa: ANN401 - whatever `Outbound` takes
        """Let guests' requests go out through another client for a while."""
        engine = self.engine
        kept, engine.outbound = engine.outbound, Outbound(**options)
        try:
            yield
        finally:
            await engine.outbound.close()
            engine.outbound = kept

    async def _entertain(self) -> None:
        """Give every slot to an innocent guest, all at once."""
        innocent = await self.load(INNOCENT)
        slots = self.engine.config.slots
        guests = [asyncio.ensure_future(innocent.invoke("onTrack", dict(EVENT))) for _ in range(slots)]
        await asyncio.sleep(0)
        assert self.engine.active == slots
        reports = await asyncio.gather(*guests)
        assert [report.verdict for report in reports] == [Verdict.DONE] * slots, reports
        assert self.engine.active == 0


async def _work() -> None:
    """Keep the loop as busy as the scheduler may in one turn."""
    until = monotonic() + 0.002
    while monotonic() < until:
        pass


@cache
def artefacts() -> Path:
    """Where compiled guests are kept from run to run; a change of the host's code begins a new folder."""
    digest = hashlib.sha256()
    for path in sorted(Path(guesthouse.__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return ROOT / "build" / "artefacts" / digest.hexdigest()[:16]


@asynccontextmanager
async def opened(
    cache_folder: Path | None = None, compiler: CompilerConfig = COMPILER, slots: int = SLOTS
) -> AsyncIterator[Gauntlet]:
    """Open an engine with few slots, on which guests may reach 127.0.0.1 where they are granted it."""
    config = EngineConfig(
        slots=slots,
        cache_folder=cache_folder or artefacts(),
        allow_private=(ip_network("127.0.0.1/32"),),
        compiler=compiler,
    )
    async with Engine.open(config) as engine:
        yield Gauntlet(engine)
