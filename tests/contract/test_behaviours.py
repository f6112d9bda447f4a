"""Every behaviour of ``guest-sdks/behaviours.md``, in every language that has builds of them, on the real engine.

A language joins by adding itself to `tests.support.guests.LANGUAGES`; nothing here knows any language by name.
"""

import asyncio
import hashlib
import hmac
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.support.engines import EVENT, SECONDS_OF_FUEL, answer_of, behave, opened
from tests.support.guests import LANGUAGES, ROOT, SPECIAL, behaviours, special
from tests.support.receiver import Received, Receiver, reply

from guesthouse.abi.call import CallContext, Webhook
from guesthouse.errors import (
    BrokenContract,
    DeadlineExceeded,
    FuelExhausted,
    FunctionError,
    MemoryExhausted,
    OutputTooLarge,
    RejectedModule,
    TooManyCalls,
    Trapped,
)
from guesthouse.model.capability import Capabilities, Exposure, Grant, Secret
from guesthouse.model.limits import Limits
from guesthouse.model.report import LogLevel, Report
from guesthouse.runtime.engine import Engine
from guesthouse.runtime.handles import REFUSALS
from guesthouse.runtime.modules import Module

pytestmark = pytest.mark.anyio
BEHAVIOURS = ROOT / "guest-sdks" / "behaviours.md"
KEY = "whsec_8zD3kq"


@pytest.fixture(scope="module", params=sorted(LANGUAGES))
def language(request: pytest.FixtureRequest) -> str:
    """Each language in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
async def engine() -> AsyncIterator[Engine]:
    """Open one engine for all."""
    async with opened() as engine:
        yield engine


@pytest.fixture(scope="module")
async def guest(engine: Engine, language: str) -> Module:
    """Load the language's module of all behaviours."""
    return await engine.load(behaviours(language))


def to(receiver: Receiver) -> Capabilities:
    """Grant requests to a receiver."""
    return Capabilities(grants=(Grant.parse(receiver.url()),))


def said(report: Report) -> list[tuple[str, str]]:
    """Give what was logged, without the times."""
    return [(line.level.name.lower(), line.message) for line in report.logs]


def broke(report: Report, kind: type[FunctionError]) -> Any:  # noqa: ANN401 - the error, by its own type
    """Assert that an attempt ended by exactly this class of error; give it."""
    assert type(report.error) is kind, (report.error, report.reply)
    assert report.reply is None
    return report.error


async def test_the_description_is_what_the_page_says(guest: Module) -> None:
    """Kind, all ten handlers, three settings."""
    described = guest.description
    assert (described.abi, described.kind) == (1, "destination")
    assert len(set(described.handlers)) == 10
    settings = {setting.name: (setting.type, setting.required, setting.secret) for setting in described.settings}
    assert settings == {
        "behaviour": ("string", True, False),
        "url": ("string", False, False),
        "signing_key": ("string", False, True),
    }


async def test_an_unknown_behaviour_fails_by_name(guest: Module) -> None:
    """The guest's own word, no error."""
    report = await behave(guest, "no such thing")
    assert report.reply is not None
    assert (report.verdict, report.reply.code) == ("fail", "unknown_behaviour")


# Verdicts -------------------------------------------------------------------------------------------------------------


async def test_echo_gives_the_event_back(guest: Module) -> None:
    """Whatever MessagePack and JSON both can hold."""
    event = {**EVENT, "n": [0, -1, 1 << 53, 1.5, None, True, "grüß 🌍", {"deep": [[[]]]}], "long": "x" * 20_000}
    report = await guest.invoke("onTrack", event, settings={"behaviour": "echo"})
    assert answer_of(report) == event


async def test_context_is_handed_through(guest: Module) -> None:
    """Every fact of the call reaches the guest."""
    context = CallContext(function="fn", version="v1", source="src", destination=None, attempt=3, deadline_ms=1234)
    settings = {"behaviour": "context", "list": [1, "two"], "map": {"yes": True}}
    report = await guest.invoke("onGroup", EVENT, settings=settings, context=context)
    assert answer_of(report) == {
        "handler": "onGroup",
        "function": "fn",
        "version": "v1",
        "source": "src",
        "destination": "",
        "attempt": 3,
        "deadline_ms": 1234,
        "settings": settings,
    }


@pytest.mark.parametrize(
    ("behaviour", "verdict", "code", "message"),
    [
        ("done", "done", None, None),
        ("retry", "retry", None, "retry, as asked"),
        ("fail", "fail", "as_asked", "failed, as asked"),
        ("drop", "drop", None, "dropped, as asked"),
        ("unsupported", "unsupported", None, "unsupported, as asked"),
    ],
)
async def test_verdicts_arrive_with_code_and_message(
    guest: Module, behaviour: str, verdict: str, code: str | None, message: str | None
) -> None:
    """And none of them is an error."""
    report = await behave(guest, behaviour)
    assert report.error is None
    assert report.reply is not None
    assert (report.verdict, report.reply.code, report.reply.message) == (verdict, code, message)
    assert (report.reply.retry_after_ms, report.reply.events, report.logs) == (None, (), ())


async def test_retry_may_say_when(guest: Module) -> None:
    """In milliseconds."""
    report = await behave(guest, "retry", {"retry_after_ms": 1500})
    assert report.reply is not None
    assert report.reply.retry_after_ms == 1500


def batch(*properties: Mapping[str, object]) -> list[Mapping[str, object]]:
    """Make a batch of events with these properties."""
    return [{**EVENT, "properties": each} for each in properties]


async def test_batch_partial_gives_each_event_its_verdict(guest: Module) -> None:
    """By position; for one event, the verdict itself."""
    events = batch({}, {"verdict": "retry", "retry_after_ms": 9}, {"verdict": "fail"}, {"verdict": "drop"})
    report = await guest.invoke("onBatch", events, settings={"behaviour": "batch_partial"})
    assert report.verdict == "done"
    assert report.reply is not None
    results = [(one.verdict, one.code, one.retry_after_ms) for one in report.reply.results or ()]
    assert results == [("done", None, None), ("retry", None, 9), ("fail", "as_asked", None), ("drop", None, None)]
    (single,) = batch({"verdict": "unsupported"})
    assert (await guest.invoke("onTrack", single, settings={"behaviour": "batch_partial"})).verdict == "unsupported"


async def test_batch_short_breaks_the_contract(guest: Module) -> None:
    """A result for each event, or for none."""
    report = await guest.invoke("onBatch", batch({}, {}, {}), settings={"behaviour": "batch_short"})
    assert "results has 2 items for a batch of 3" in str(broke(report, BrokenContract))


async def test_batch_poison_panics_for_one_event(guest: Module) -> None:
    """And works without it."""
    settings = {"behaviour": "batch_poison"}
    poisoned = await guest.invoke("onBatch", batch({}, {"poison": True}), settings=settings)
    broke(poisoned, Trapped)
    assert "poisoned, as asked" in said(poisoned)[-1][1]
    assert (await guest.invoke("onBatch", batch({}, {}), settings=settings)).verdict == "done"


async def test_webhook_reply_answers_the_sender(guest: Module) -> None:
    """Status, headers, and the raw body byte for byte."""
    body = bytes(range(256))
    request = Webhook(
        method="PUT", url="https://in.example.com/a?b=c", headers=(("content-type", "image/x"),), body=body
    )
    report = await guest.invoke("onRequest", request, settings={"behaviour": "webhook_reply", "status": 418})
    assert report.reply is not None
    response = report.reply.response
    assert response is not None
    assert (response.status, response.body) == (418, body)
    assert dict(response.headers) == {"content-type": "image/x", "x-method": "PUT", "x-url": request.url}


async def test_webhook_events_emits_one_for_each_line(guest: Module) -> None:
    """Empty lines are none."""
    request = Webhook(method="POST", url="https://in.example.com/", body="one\n\nzwölf\n".encode())
    report = await guest.invoke("onRequest", request, settings={"behaviour": "webhook_events"})
    assert report.reply is not None
    expected = [{"type": "track", "event": name, "userId": "webhook"} for name in ("one", "zwölf")]
    assert list(report.reply.events) == expected


# HTTP -----------------------------------------------------------------------------------------------------------------


async def test_http_get_reads_a_response(guest: Module) -> None:
    """Status, URL, headers and body; the exchange is in the report."""
    async with Receiver(lambda _: reply(203, b"hello", x_one="1")) as there:
        report = await behave(guest, "http_get", {"url": there.url("/a?b=c")}, capabilities=to(there))
    answer = answer_of(report)
    assert (answer["status"], answer["url"], answer["body"]) == (203, there.url("/a?b=c"), "hello")
    assert ["x-one", "1"] in answer["headers"]
    ((received,), (exchange,)) = there.requests, report.http
    assert (received.method, received.target, received.body) == ("GET", "/a?b=c", b"")
    assert (exchange.method, exchange.url, exchange.status, exchange.response_body) == (
        *("GET", there.url("/a?b=c"), 203),
        b"hello",
    )
    assert report.usage.http_calls == 1


async def test_http_post_sends_the_event_as_json(guest: Module) -> None:
    """With the headers that the guest set."""
    async with Receiver() as there:
        report = await behave(guest, "http_post", {"url": there.url()}, capabilities=to(there))
    assert answer_of(report)["status"] == 200
    (received,) = there.requests
    assert (received.method, json.loads(received.body)) == ("POST", EVENT)
    assert (received.header("content-type"), received.header("x-behaviour")) == ("application/json", "http_post")


async def test_http_raw_sends_what_it_is_told_or_breaks_the_contract(guest: Module) -> None:
    """A well-formed message is a request; one whose form is wrong ends the attempt, naming the import."""
    async with Receiver() as there:
        settings = {"request": {"method": "DELETE", "url": there.url("/x"), "headers": [["x-a", "b"]]}}
        assert answer_of(await behave(guest, "http_raw", settings, capabilities=to(there)))["status"] == 200
        report = await behave(guest, "http_raw", {"request": {"method": 5}}, capabilities=to(there))
    assert "http_send" in str(broke(report, BrokenContract))
    (received,) = there.requests
    assert (received.method, received.header("x-a")) == ("DELETE", "b")


@pytest.mark.parametrize("behaviour", ["http_get", "http_post"])
async def test_without_a_grant_a_request_is_refused_by_code(guest: Module, behaviour: str) -> None:
    """The guest is told, and nothing is sent."""
    async with Receiver() as there:
        report = await behave(guest, behaviour, {"url": there.url()})
    assert report.reply is not None
    assert (report.verdict, report.reply.code) == ("fail", "denied_host")
    assert there.connections == 0
    assert [exchange.error for exchange in report.http] == ["denied_host"]


async def test_parallel_http_has_all_requests_under_way_at_once(guest: Module) -> None:
    """The first is answered only when the last has arrived; statuses come in the order of the URLs, 0 for none."""
    arrived: set[str] = set()
    everyone = asyncio.Event()

    async def together(request: Received) -> bytes:
        arrived.add(request.target)
        if len(arrived) == 3:
            everyone.set()
        await everyone.wait()
        return b"" if request.target == "/none" else reply(200 + int(request.target[1:]))

    async with Receiver(together) as there:
        urls = [there.url(path) for path in ("/7", "/none", "/1")]
        report = await behave(guest, "parallel_http", {"urls": urls}, capabilities=to(there))
    assert answer_of(report) == {"statuses": [207, 0, 201]}


async def test_race_http_reads_the_first_and_leaves_the_others(guest: Module) -> None:
    """What is still under way when the guest is done is cancelled."""

    async def slow(request: Received) -> bytes:
        if request.target == "/slow":
            await asyncio.Event().wait()
        return reply(204)

    async with Receiver(slow) as there:
        urls = [there.url("/slow"), there.url("/quick"), there.url("/slow")]
        report = await behave(guest, "race_http", {"urls": urls}, capabilities=to(there))
        assert answer_of(report) == {"winner": 1, "status": 204}
        await asyncio.wait_for(there.gone.wait(), 5)


# What the host lends --------------------------------------------------------------------------------------------------


async def test_log_lines_arrive_whole(guest: Module) -> None:
    """Levels, characters beyond ASCII, newlines, length."""
    assert said(await behave(guest, "log")) == [
        ("debug", "a debug line"),
        ("info", "an info line"),
        ("warn", "a warn line"),
        ("error", "an error line"),
        ("info", "grüß dich 🌍"),
        ("info", "two\nlines"),
        ("info", "x" * 5_000),
    ]


async def test_sleep_takes_its_time(guest: Module) -> None:
    """Not less than asked for, and no CPU."""
    report = await behave(guest, "sleep", {"milliseconds": 30})
    assert report.verdict == "done"
    assert report.usage.duration_ms >= 29
    assert (await behave(guest, "sleep", {"milliseconds": 0})).verdict == "done"


async def test_sleep_long_ends_by_its_deadline(guest: Module) -> None:
    """Never by the timer."""
    error = broke(await behave(guest, "sleep_long", limits=Limits(deadline_ms=30)), DeadlineExceeded)
    assert error.limit_ms == 30


async def test_parallel_sleep_wakes_by_time_not_by_position(guest: Module) -> None:
    """All timers run at once."""
    report = await behave(guest, "parallel_sleep", {"milliseconds": [60, 5, 30]})
    assert answer_of(report) == {"order": [1, 2, 0]}


@pytest.mark.parametrize("behaviour", ["clock", "wasi_clock"])
async def test_clocks_tell_the_hosts_time(guest: Module, behaviour: str) -> None:
    """Also in a snapshot that was taken in another process."""
    before = time.time_ns() // 1_000_000
    answer = answer_of(await behave(guest, behaviour))
    assert before <= answer["now_ms"] <= time.time_ns() // 1_000_000
    assert 5 <= answer.get("slept_ms", 5) < 1_000


@pytest.mark.parametrize("behaviour", ["random", "wasi_random"])
async def test_random_numbers_never_repeat(guest: Module, behaviour: str) -> None:
    """Neither in one invocation nor across many of one snapshot."""
    answers = [answer_of(await behave(guest, behaviour)) for _ in range(20)]
    drawn = [value for answer in answers for value in (answer["first"], answer["second"])]
    assert len(set(drawn)) == 40
    assert all(re.fullmatch("[0-9a-f]{32}", value) for value in drawn)


async def test_digests_are_those_of_the_standards(guest: Module) -> None:
    """All six."""
    answer = answer_of(await behave(guest, "digest", {"data": "grüß"}))
    names = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
    assert answer == {name: hashlib.new(name, "grüß".encode()).hexdigest() for name in names}


@pytest.mark.parametrize("exposure", list(Exposure))
@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "sha512"])
async def test_hmac_signs_under_a_secret_that_the_guest_names(
    guest: Module, exposure: Exposure, algorithm: str
) -> None:
    """However the secret is exposed."""
    secret = Secret(name="signing_key", value=KEY, exposure=exposure, hosts=("api.example.com",))
    settings = {"secret": "signing_key", "algorithm": algorithm, "data": "payload"}
    report = await behave(guest, "hmac", settings, capabilities=Capabilities(secrets=(secret,)))
    signature = hmac.digest(KEY.encode(), b"payload", algorithm).hex()
    assert answer_of(report) == {"signature": signature, "valid": True, "tampered": False}


async def test_hmac_under_an_unknown_secret_is_refused_by_code(guest: Module) -> None:
    """The guest can treat it."""
    report = await behave(guest, "hmac", {"secret": "nobody's", "algorithm": "sha256", "data": "x"})
    assert report.reply is not None
    assert (report.verdict, report.reply.code) == ("fail", "unknown_secret")


async def test_cache_keeps_and_forgets(guest: Module, language: str) -> None:
    """Within one invocation, and for later ones."""
    scope: Mapping[str, Any] = {"tenant": f"cache-{language}"}
    found = {"before": False, "set": True, "found": True, "value": "a value", "deleted": True, "after": False}
    assert answer_of(await behave(guest, "cache", {"key": "k"}, **scope)) == found
    settings = {"key": "kept", "value": "grüß"}
    assert answer_of(await behave(guest, "cache_set", settings, **scope)) == {"ok": True}
    assert answer_of(await behave(guest, "cache_get", settings, **scope)) == {"found": True, "value": "grüß"}
    assert answer_of(await behave(guest, "cache_delete", settings, **scope)) == {"ok": True}
    assert answer_of(await behave(guest, "cache_get", settings, **scope)) == {"found": False, "value": ""}
    too_large = {"key": "k", "value": "x" * (512 << 10)}
    assert answer_of(await behave(guest, "cache_set", too_large, **scope)) == {"ok": False}


# WASI -----------------------------------------------------------------------------------------------------------------


async def test_stdout_and_stderr_become_log_lines(guest: Module) -> None:
    """One for each line, the unfinished one included; buffering may shift the streams against each other."""
    lines = said(await behave(guest, "stdout"))
    assert [text for level, text in lines if level == "info"] == [
        "first line",
        "second line",
        "no newline at the end",
    ]
    assert [text for level, text in lines if level == "warn"] == ["an error line"]
    assert len(lines) == 4


async def test_wasi_has_neither_files_nor_environment(guest: Module) -> None:
    """The wasi_file behaviour finds nothing of the host."""
    assert answer_of(await behave(guest, "wasi_file")) == {"opened": False, "has_home": False}


# Faults and floods ----------------------------------------------------------------------------------------------------


async def test_panic_is_told_to_the_author(guest: Module) -> None:
    """An error line with the message, and the functions that were being called."""
    report = await behave(guest, "panic")
    error = broke(report, Trapped)
    assert any(level == "error" and "panicked, as asked" in text for level, text in said(report))
    assert error.backtrace
    assert report.logs[-1].level is LogLevel.ERROR


@pytest.mark.parametrize("behaviour", ["abort", "deep_recursion", "divide_by_zero", "bad_pointer"])
async def test_faults_are_traps(guest: Module, behaviour: str) -> None:
    """With a sentence for the author and a backtrace."""
    error = broke(await behave(guest, behaviour), Trapped)
    assert str(error)
    assert error.backtrace


@pytest.mark.parametrize("code", [0, 3])
async def test_exit_is_a_trap_of_its_own(guest: Module, code: int) -> None:
    """Whatever the code: a guest answers by returning."""
    error = broke(await behave(guest, "exit", {"code": code}), Trapped)
    assert error.reason == "exit"
    assert str(code) in str(error)


async def test_spin_ends_by_fuel_or_by_its_deadline(guest: Module) -> None:
    """Whichever comes first."""
    broke(await behave(guest, "spin", limits=Limits(fuel=1_000_000)), FuelExhausted)
    broke(await behave(guest, "spin", limits=Limits(fuel=SECONDS_OF_FUEL, deadline_ms=20)), DeadlineExceeded)


async def test_hog_runs_out_of_memory(guest: Module) -> None:
    """Its own limit, not the host's."""
    error = broke(await behave(guest, "hog"), MemoryExhausted)
    assert error.limit_bytes == 64 << 20
    assert 0 < error.used_bytes <= 64 << 20


@pytest.mark.parametrize(("behaviour", "answer"), [("state", {"count": 1}), ("memory_state", {"dirty_bytes": 0})])
async def test_nothing_survives_an_invocation(guest: Module, behaviour: str, answer: Mapping[str, int]) -> None:
    """However often it is called."""
    assert [answer_of(await behave(guest, behaviour)) for _ in range(5)] == [answer] * 5


async def test_big_reply_is_too_large(guest: Module) -> None:
    """Beyond the limit on its bytes; below it, only the message is cut."""
    error = broke(await behave(guest, "big_reply"), OutputTooLarge)
    assert error.limit_bytes == 1 << 20
    report = await behave(guest, "big_reply", {"bytes": 20_000})
    assert report.reply is not None
    assert (report.verdict, report.reply.message) == ("done", "x" * 4_096)


async def test_log_flood_is_cut_and_counted(guest: Module) -> None:
    """The first lines are kept, and the attempt ends well."""
    report = await behave(guest, "log_flood", {"lines": 700})
    assert report.verdict == "done"
    assert said(report) == [("info", f"line {number}") for number in range(500)]
    assert report.usage.log_lines_dropped == 200


async def test_handle_flood_is_refused_then_ended(guest: Module) -> None:
    """A refusal is a status; ignoring a thousand of them is the end."""
    assert answer_of(await behave(guest, "handle_flood")) == {"started": 64, "refused": 136}
    broke(await behave(guest, "handle_flood", {"attempts": 64 + REFUSALS + 1}), TooManyCalls)


async def test_http_flood_is_refused_past_the_limit(guest: Module) -> None:
    """Twenty calls; the others are refused and sent nowhere."""
    async with Receiver() as there:
        report = await behave(guest, "http_flood", {"url": there.url()}, capabilities=to(there))
    assert answer_of(report) == {"started": 20, "refused": 10}
    assert len(there.requests) == 20


# Modules of one behaviour ---------------------------------------------------------------------------------------------


async def test_init_counter_starts_where_initialisation_ended(engine: Engine, language: str) -> None:
    """Initialised once, called once, every time."""
    module = await engine.load(special("init_counter", language))
    for _ in range(3):
        assert answer_of(await module.invoke("onTrack", EVENT)) == {"initialised": 1, "called": 1, "kept": True}


@pytest.mark.parametrize("name", ["panic_in_init", "spin_in_init"])
async def test_a_module_that_breaks_in_initialisation_is_refused(engine: Engine, language: str, name: str) -> None:
    """At upload, naming the phase."""
    with pytest.raises(RejectedModule, match="initialisation failed"):
        await engine.load(special(name, language))


async def test_smallest_does_its_work(engine: Engine, language: str) -> None:
    """Event in, one wait, message out."""
    module = await engine.load(special("smallest", language))
    report = await module.invoke("onTrack", EVENT, settings={"milliseconds": 1})
    assert report.reply is not None
    assert (report.verdict, report.reply.message) == ("done", EVENT["event"])


def test_every_behaviour_of_the_page_is_tested_here() -> None:
    """A row added to the page is missed here until it has a test."""
    named = set(re.findall(r"^\| `(\w+)` \|", BEHAVIOURS.read_text(), re.MULTILINE))
    text = Path(__file__).read_text()
    assert len(named) > 40
    assert named.issuperset(SPECIAL)
    assert not [name for name in named if f'"{name}"' not in text]
