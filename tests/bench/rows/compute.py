"""Row 4: what fuel, epochs and bounds checks cost a guest that only computes; and what is left of it in our engine."""

from collections.abc import Callable, Mapping, Sequence
from time import process_time
from types import MappingProxyType
from typing import Final

import wasmtime
from tests.bench import guests
from tests.bench.findings import Finding, costs
from tests.bench.host import check, opened_engine

SECONDS: Final = 120
_PLENTY: Final = 10**15
_PRIMES: Final = 78_498
_PLAIN: Final = "plain"
_NO_GUARD: Final[Mapping[str, int]] = MappingProxyType(
    {"memory_reservation": guests.SIEVE_PAGES << 16, "memory_guard_size": 0}
)
_VARIANTS: Final[Mapping[str, Mapping[str, int | bool]]] = MappingProxyType(
    {
        _PLAIN: {},
        "fuel": {"consume_fuel": True},
        "epochs": {"epoch_interruption": True},
        "fuel and epochs": {"consume_fuel": True, "epoch_interruption": True},
        "bounds checks": _NO_GUARD,
        "fuel, epochs and bounds checks": {"consume_fuel": True, "epoch_interruption": True, **_NO_GUARD},
    }
)


def run(*, quick: bool) -> Sequence[Finding]:
    """Count the primes below a million under each variant in turn."""
    rounds = 5 if quick else 41
    with opened_engine() as (runner, engine):
        module = runner.run(engine.load(guests.sieving()))
        sieves = {name: _prepare(settings) for name, settings in _VARIANTS.items()}
        sieves["a whole invocation of ours"] = lambda: check(runner.run(module.invoke("onTrack", guests.EVENT)))
        times: Mapping[str, list[float]] = {name: [] for name in sieves}
        for _ in range(rounds):
            for name, sieve in sieves.items():
                times[name].append(_milliseconds(sieve))
    others = (name for name in times if name != _PLAIN)
    return tuple(costs(f"sieve, {name}", "ms", times[name], _PLAIN, times[_PLAIN]) for name in others)


def _milliseconds(work: Callable[[], object]) -> float:
    began = process_time()
    work()
    return (process_time() - began) * 1000


def _prepare(settings: Mapping[str, int | bool]) -> Callable[[], object]:
    config = wasmtime.Config()
    for name, value in settings.items():
        setattr(config, name, value)
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    if "consume_fuel" in settings:
        store.set_fuel(_PLENTY)
    if "epoch_interruption" in settings:
        store.set_epoch_deadline(_PLENTY)
    instance = wasmtime.Linker(engine).instantiate(store, wasmtime.Module(engine, guests.sieve()))
    sieve = instance.exports(store)["sieve"]
    if sieve(store, guests.SIEVE_BYTES) != _PRIMES:
        raise RuntimeError("the sieve counts wrongly")
    return lambda: sieve(store, guests.SIEVE_BYTES)
