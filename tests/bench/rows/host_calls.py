"""Row 7: what one host call takes, in microseconds and in fuel, against the time that fuel buys in a spinning guest."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from time import process_time
from types import MappingProxyType
from typing import Final

from msgspec import Struct
from tests.bench import guests
from tests.bench.findings import Finding, number, single
from tests.bench.host import check, opened_engine

from guesthouse.model.limits import Limits
from guesthouse.model.report import Usage
from guesthouse.runtime.outbound.borrower import MAX_REFUSALS

SECONDS: Final = 180
_LIMITS: Final = Limits(fuel=10**12, deadline_ms=60_000, log_lines=10**6, log_bytes=1 << 30)
_ITERATIONS: Final = 3_000_000
_SPIN: Final = "in the smallest loop"
_SIEVE: Final = "in a sieve"
_FREE: Final = "(i32.const 65536)"
_FINISH: Final = f"""(i32.store {_FREE} (local.get $handle))
(drop (call $wait {_FREE} (i32.const 1)))
(drop (call $result_read (local.get $handle) {_FREE}))"""


class _Kind(Struct, frozen=True):
    """What a guest does over and over."""

    imports: tuple[str, ...]
    body: str
    times: int = 2_000


_KINDS: Final[Mapping[str, _Kind]] = MappingProxyType(
    {
        "now": _Kind(("now",), "(drop (call $now))"),
        "log, 16 bytes": _Kind(("log",), f"(call $log (i32.const 1) {_FREE} (i32.const 16))"),
        "log, 1 KiB": _Kind(("log",), f"(call $log (i32.const 1) {_FREE} (i32.const 1024))"),
        "random, 16 bytes": _Kind(("random",), f"(call $random {_FREE} (i32.const 16))"),
        "random, 64 KiB": _Kind(("random",), f"(call $random {_FREE} (i32.const 65536))", 200),
        "digest (sha256), 64 bytes": _Kind(
            ("digest",), f"(drop (call $digest (i32.const 4) {_FREE} (i32.const 64) {_FREE}))"
        ),
        "digest (sha256), 1 KiB": _Kind(
            ("digest",), f"(drop (call $digest (i32.const 4) {_FREE} (i32.const 1024) {_FREE}))"
        ),
        "digest (sha256), 64 KiB": _Kind(
            ("digest",), f"(drop (call $digest (i32.const 4) {_FREE} (i32.const 65536) {_FREE}))", 200
        ),
        "sleep 0, wait, result_read (3 calls)": _Kind(
            ("sleep", "wait", "result_read"), f"(local.set $handle (call $sleep (i32.const 0))) {_FINISH}"
        ),
        "http_send refused, wait, result_read (3 calls)": _Kind(
            ("http_send", "wait", "result_read"),
            f"(local.set $handle (call $http_send {guests.REFUSED_REQUEST})) {_FINISH}",
            MAX_REFUSALS,
        ),
    }
)


class _Cost(Struct, frozen=True):
    """What so many calls took beyond an empty guest."""

    seconds: float
    fuel: int


def run(*, quick: bool) -> Sequence[Finding]:
    """Measure a spinning guest and every kind of call in turn, each against an empty guest."""
    rounds = 3 if quick else 15
    with opened_engine() as (runner, engine):

        def prepared(wasm: bytes) -> Callable[[], Usage]:
            module = runner.run(engine.load(wasm))
            return lambda: check(runner.run(module.invoke("onTrack", guests.EVENT, limits=_LIMITS))).usage

        empty = prepared(guests.plain())
        works = {_SPIN: prepared(guests.counting(_ITERATIONS)), _SIEVE: prepared(guests.sieving())}
        for name, kind in _KINDS.items():
            works[name] = prepared(guests.calling(kind.times, *kind.imports, body=kind.body))
        costs: dict[str, list[_Cost]] = {name: [] for name in works}
        for _ in range(rounds):
            for name, work in works.items():
                costs[name].append(_beyond(work, empty))
    spin, sieve = (_nanoseconds(name, costs.pop(name)) for name in (_SPIN, _SIEVE))
    return (spin, sieve, *(_finding(name, found, sieve.ours) for name, found in costs.items()))


def _beyond(work: Callable[[], Usage], empty: Callable[[], Usage]) -> _Cost:
    """Measure what *work* takes beyond an empty guest."""
    (idle, nothing), (busy, used) = _timed(empty), _timed(work)
    return _Cost(busy - idle, used.fuel - nothing.fuel)


def _timed(work: Callable[[], Usage]) -> tuple[float, Usage]:
    began = process_time()
    usage = work()
    return process_time() - began, usage


def _nanoseconds(name: str, costs: Sequence[_Cost]) -> Finding:
    return single(f"one fuel, {name}", "ns", [cost.seconds / cost.fuel * 1e9 for cost in costs])


def _finding(name: str, costs: Sequence[_Cost], fuel_ns: float) -> Finding:
    times = _KINDS[name].times
    microseconds = [cost.seconds / times * 1e6 for cost in costs]
    charged, worth = costs[0].fuel / times, median(microseconds) * 1000 / fuel_ns
    note = f"charged {number(charged)} fuel; a sieve gets {number(worth)} in that time"
    return single(name, "us", microseconds, note=note)
