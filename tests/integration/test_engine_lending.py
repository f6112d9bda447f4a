"""What the host lends: log lines, secrets, signatures, the cache, time; and what it does when it fails itself."""

import asyncio
import hmac
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest
from tests.support.engines import EVENT, answer_of, behave, configured, opened
from tests.support.guests import DESCRIPTION, behaviours, host, minimal, packed
from tests.support.receiver import Receiver, reply

from guesthouse.abi.call import CallContext
from guesthouse.clock import SystemClock
from guesthouse.errors import BrokenContract
from guesthouse.model.capability import Capabilities, Exposure, Grant, Secret
from guesthouse.model.limits import Limits
from guesthouse.model.report import LogLevel
from guesthouse.runtime import operations
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.modules import Module
from guesthouse.runtime.secrets import Vault

pytestmark = pytest.mark.anyio
VALUE = "tok_9f8e7d6c5b4a"


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[Engine]:
    """Open an engine."""
    async with opened() as engine:
        yield engine


@pytest.fixture(scope="module")
async def module(engine: Engine) -> Module:
    """Load all behaviours."""
    return await engine.load(behaviours())


def secret(exposure: Exposure, **more: Any) -> Secret:  # noqa: ANN401 - the fields of `Secret`
    """Give a secret named ``key``."""
    return Secret(name="key", value=VALUE, exposure=exposure, **more)


# Logs -----------------------------------------------------------------------------------------------------------------


async def test_log_lines_have_levels_and_times(engine: Engine) -> None:
    """Milliseconds since the invocation began, as it waits in between."""
    call = f"""(call $log (i32.const 0) (i32.const 512) (i32.const 5))
    (i32.store (i32.const 0) (call $sleep (i32.const 40)))
    (drop (call $wait (i32.const 0) (i32.const 1)))
    (call $log (i32.const 3) (i32.const 512) (i32.const 5)) (i64.const {packed(1024, 14)})"""
    source = minimal(call=call, imports=host("log", "sleep", "wait"), extra='(data (i32.const 512) "hello")')
    report = await (await engine.load(source)).invoke("onTrack", EVENT)
    early, late = report.logs
    assert [early.level, late.level] == [LogLevel.DEBUG, LogLevel.ERROR]
    assert (early.message, late.message) == ("hello", "hello")
    assert 0 <= early.at_ms <= late.at_ms - 39
    assert late.at_ms <= report.usage.duration_ms


async def test_logs_survive_whatever_ends_the_guest(module: Module) -> None:
    """They are what the author needs then."""
    report = await behave(module, "panic")
    assert report.error is not None
    assert "panicked, as asked" in report.logs[-1].message


async def test_logs_are_bounded_by_bytes_and_lines(module: Module) -> None:
    """What was dropped is counted."""
    few = await behave(module, "log_flood", {"lines": 20}, limits=Limits(log_lines=5))
    assert ([line.message for line in few.logs], few.usage.log_lines_dropped) == (
        [f"line {number}" for number in range(5)],
        15,
    )
    short = await behave(module, "log_flood", {"lines": 20}, limits=Limits(log_bytes=14))
    assert ([line.message for line in short.logs], short.usage.log_lines_dropped) == (["line 0", "line 1", "li"], 17)


async def test_a_level_that_is_none_breaks_the_contract(engine: Engine) -> None:
    """Named as the guest wrote it."""
    source = minimal(call="(call $log (i32.const -1) (i32.const 0) (i32.const 0)) (unreachable)", imports=host("log"))
    report = await (await engine.load(source)).invoke("onTrack", EVENT)
    assert isinstance(report.error, BrokenContract)
    assert "-1 is not a level" in str(report.error)


# Secrets --------------------------------------------------------------------------------------------------------------


async def test_a_secret_by_value_is_seen_by_the_guest(module: Module) -> None:
    """In its settings, under its name; in what it was heard to log, blotted out (see below)."""
    capabilities = Capabilities(secrets=(secret(Exposure.VALUE),))
    assert answer_of(await behave(module, "context", capabilities=capabilities))["settings"]["key"] == VALUE


async def test_a_secret_by_reference_is_a_new_token_each_time(module: Module) -> None:
    """The guest never holds the value."""
    capabilities = Capabilities(secrets=(secret(Exposure.REFERENCE, hosts=("api.example.com",)),))
    tokens = [answer_of(await behave(module, "context", capabilities=capabilities))["settings"]["key"] for _ in "ab"]
    assert VALUE not in tokens
    assert len(set(tokens)) == 2


async def test_a_secret_is_masked_in_log_lines(engine: Engine) -> None:
    """A guest that logs its whole call, as bytes, doesn't leak what is in it."""
    call = f"(call $log (i32.const 1) (local.get $ptr) (local.get $len)) (i64.const {packed(1024, 14)})"
    module = await engine.load(minimal(call=call, imports=host("log")))
    settings = {"plain": "visible"}
    capabilities = Capabilities(secrets=(secret(Exposure.VALUE),))
    (line,) = (await module.invoke("onTrack", EVENT, settings=settings, capabilities=capabilities)).logs
    assert "visible" in line.message
    assert VALUE not in line.message
    (line,) = (await module.invoke("onTrack", EVENT, settings={"key": VALUE})).logs
    assert VALUE in line.message, "the line has it where nobody said that it is a secret"


async def test_a_reference_becomes_its_value_on_the_wire_only(module: Module, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a header, towards the host that it is bound to; the record has the token, and no trace of the value."""
    token = "ghs_" + "0123456789abcdef" * 2
    monkeypatch.setattr(Vault.__init__, "__kwdefaults__", {"draw": lambda: token})
    async with Receiver(lambda request: reply(200, str(request.header("authorization")).encode())) as there:
        grant = Grant.parse(there.url(), secrets_over_http=True)
        request = {"method": "GET", "url": there.url(), "headers": [["authorization", f"Bearer {token}"]]}
        for hosts, sent in ((("127.0.0.1",), VALUE), (("api.example.com",), token)):
            bound = secret(Exposure.REFERENCE, hosts=hosts)
            capabilities = Capabilities(grants=(grant,), secrets=(bound,))
            report = await behave(module, "http_raw", {"request": request}, capabilities=capabilities)
            assert there.requests[-1].header("authorization") == f"Bearer {sent}"
            assert VALUE not in answer_of(report)["body"], (
                "what a host reflects is blotted out before the guest reads it"
            )
            (exchange,) = report.http
            assert VALUE not in str(exchange)


@pytest.mark.parametrize("exposure", list(Exposure))
async def test_hmac_signs_under_secrets_of_both_kinds(module: Module, exposure: Exposure) -> None:
    """The guest names it and gets a signature."""
    capabilities = Capabilities(secrets=(secret(exposure),))
    settings = {"secret": "key", "algorithm": "sha256", "data": "x" * 10_000}
    answer = answer_of(await behave(module, "hmac", settings, capabilities=capabilities))
    assert answer["signature"] == hmac.digest(VALUE.encode(), b"x" * 10_000, "sha256").hex()


async def test_hmac_by_an_unknown_algorithm_is_refused_not_a_bug(module: Module) -> None:
    """``bad_request``, which the guest can treat."""
    capabilities = Capabilities(secrets=(secret(Exposure.VALUE),))
    settings = {"secret": "key", "algorithm": "sha3", "data": "x"}
    report = await behave(module, "hmac", settings, capabilities=capabilities)
    assert report.reply is not None
    assert (report.verdict, report.reply.code) == ("fail", "bad_request")


# Cache ----------------------------------------------------------------------------------------------------------------


def named(function: str, tenant: str) -> Mapping[str, Any]:
    """Invoke as this function of this tenant."""
    return {"tenant": tenant, "context": CallContext(function=function, deadline_ms=5_000)}


async def test_the_cache_is_a_functions_own_within_its_tenant(module: Module) -> None:
    """Shared by its invocations, unseen by other functions and other tenants."""
    kept = {"key": "k", "value": "v"}
    assert answer_of(await behave(module, "cache_set", kept, **named("one", "a"))) == {"ok": True}
    found = [
        answer_of(await behave(module, "cache_get", kept, **named(function, tenant)))["found"]
        for function, tenant in (("one", "a"), ("two", "a"), ("one", "b"))
    ]
    assert found == [True, False, False]


async def test_a_function_without_a_name_is_known_by_its_bytes(engine: Engine, module: Module) -> None:
    """Two loads of one module are one function."""
    twin = await engine.load(behaviours())
    await behave(module, "cache_set", {"key": "unnamed", "value": "v"}, tenant="t")
    assert answer_of(await behave(twin, "cache_get", {"key": "unnamed"}, tenant="t"))["found"]


async def test_what_is_cached_ends_with_its_time() -> None:
    """By the clock that was handed in."""

    class Clock(SystemClock):
        def monotonic(self) -> float:
            return self.seconds

        seconds = 0.0

    clock = Clock()
    async with Engine.open(configured(), clock=clock) as engine:
        module = await engine.load(behaviours())
        await behave(module, "cache_set", {"key": "k", "value": "v", "ttl_ms": 1_000})
        clock.seconds = 0.999
        assert answer_of(await behave(module, "cache_get", {"key": "k"}))["found"]
        clock.seconds = 1.0
        assert not answer_of(await behave(module, "cache_get", {"key": "k"}))["found"]


# Batches --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("events", "error"), [(1, BrokenContract), (2, None), (3, BrokenContract)])
async def test_results_are_as_many_as_events(engine: Engine, events: int, error: type[BrokenContract] | None) -> None:
    """Neither fewer nor more; none at all speaks for the whole batch."""
    results = {"verdict": "done", "results": [{"verdict": "done"}, {"verdict": "retry"}]}
    module = await engine.load(minimal(reply=results, description={**DESCRIPTION, "handlers": ["onBatch"]}))
    report = await module.invoke("onBatch", [EVENT] * events)
    assert type(report.error) is (error or type(None))
    silent = await engine.load(minimal(description={**DESCRIPTION, "handlers": ["onBatch"]}))
    assert (await silent.invoke("onBatch", [EVENT] * events)).verdict == "done"


# When the host fails --------------------------------------------------------------------------------------------------


class BrokenClock(SystemClock):
    """Fails while it is told to."""

    is_broken = True

    def now_ms(self) -> int:
        """See `guesthouse.clock.Clock.now_ms`."""
        if self.is_broken:
            raise OSError("no clock")
        return super().now_ms()


async def test_a_bug_inside_an_import_is_raised_to_whoever_awaits() -> None:
    """It is no fault of the function's, so there is no report; later invocations work."""
    clock = BrokenClock()
    async with Engine.open(configured(slots=1), clock=clock) as engine:
        module = await engine.load(behaviours())
        for _ in range(3):
            with pytest.raises(OSError, match="no clock"):
                await behave(module, "clock")
            assert engine.active == 0
        clock.is_broken = False
        assert answer_of(await behave(module, "clock"))["now_ms"] > 0


async def test_a_bug_beside_the_fiber_is_raised_too(
    engine: Engine, module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the host does what a guest asked for while it waits."""

    def fail(_invocation: object, _handle: int, _message: bytes) -> None:
        raise LookupError("a bug")

    monkeypatch.setattr(operations, "OPERATIONS", {**operations.OPERATIONS, "sleep": fail})
    monkeypatch.setattr("guesthouse.runtime.sandbox.OPERATIONS", operations.OPERATIONS)
    with pytest.raises(LookupError):
        await behave(module, "sleep", {"milliseconds": 1})
    monkeypatch.undo()
    assert engine.active == 0
    assert (await behave(module, "sleep", {"milliseconds": 1})).verdict == "done"


async def test_on_the_fiber_a_request_is_only_copied(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not decoded, and no task is made: a malformed one isn't noticed before the guest is suspended."""
    call = f"""(drop (call $http_send (i32.const 0) (i32.const 4)))
    (call $log (i32.const 1) (i32.const 0) (i32.const 0)) (i64.const {packed(1024, 14)})"""
    module = await engine.load(minimal(call=call, imports=host("http_send", "log")))
    made: list[object] = []
    create: Callable[..., Any] = engine.loop.create_task

    def noted(*arguments: Any, **more: Any) -> Any:  # noqa: ANN401 - those of the real one
        made.append(arguments)
        return create(*arguments, **more)

    monkeypatch.setattr(engine.loop, "create_task", noted)
    task = asyncio.ensure_future(module.invoke("onTrack", EVENT))
    report = await task
    assert len(report.logs) == 1
    assert len(made) <= 1, "the test's own task"
