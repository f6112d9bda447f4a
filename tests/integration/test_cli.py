"""``guesthouse check`` and ``guesthouse run`` as people and scripts use them: output, exit status, no tracebacks."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple, Self

import msgpack
import pytest
from examples.receiver import Receiver
from tests.support.guests import behaviours, host, literal, minimal
from tests.support.hostile import artefacts

from guesthouse.cli import main
from guesthouse.config import EngineConfig
from guesthouse.errors import UnfitEngine

EVENT = {"type": "track", "event": "Order Completed", "userId": "ada"}
SPINNING = "(loop (br 0)) (unreachable)"


class Result(NamedTuple):
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401 - a document
        """What it printed, parsed."""
        return json.loads(self.out)


Command = Callable[..., Result]


@pytest.fixture
def guesthouse(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Run the command in this process, in a folder with ``event.json``."""
    monkeypatch.chdir(tmp_path)
    # What the commands compile anew each time, tests take from where they keep artefacts.
    for place in ("trial", "findings"):
        kept = partial(EngineConfig, cache_folder=artefacts())
        monkeypatch.setattr(f"guesthouse.cli.{place}.EngineConfig", kept)
    Path("event.json").write_text(json.dumps(EVENT))

    def run(*arguments: object) -> Result:
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse's own way out
            status = int(str(stop.code))
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return Result(status, out, err)

    return run


@pytest.fixture
def module(tmp_path: Path) -> Callable[..., Path]:
    """Write a small guest to ``guest.wasm``, with parts replaced (see `minimal`)."""

    def write(data: bytes | None = None, **parts: Any) -> Path:  # noqa: ANN401 - the parts of a guest
        path = tmp_path / "guest.wasm"
        path.write_bytes(minimal(**parts) if data is None else data)
        return path

    return write


def process(*arguments: object, **options: Any) -> subprocess.Popen[str]:  # noqa: ANN401 - Popen's own
    """Start the command as a process of its own."""
    command = (sys.executable, "-m", "guesthouse.cli", *map(str, arguments))
    return subprocess.Popen(command, stdout=-1, stderr=-1, text=True, **options)  # noqa: S603 - our own command


# check ----------------------------------------------------------------------------------------------------------------


def test_check_tells_what_a_module_is(guesthouse: Command, module: Callable[..., Path]) -> None:
    """Contract, handlers, settings, size, memory, table, imports, exports, snapshot, cost: all of it, and status 0."""
    setting = {"name": "key", "type": "string", "label": "API key", "required": True, "secret": True}
    description = {"abi": 1, "sdk": "x 1", "language": "wat", "kind": "insert", "handlers": ["onTrack"]}
    path = module(imports=host("log", "now"), memory="2 10", description={**description, "settings": [setting]})
    result = guesthouse("check", path)
    assert (result.status, result.err) == (0, "")
    assert f"{path}: accepted" in result.out
    for told in (
        "version 1; insert function in wat, by x 1",
        "onTrack",
        "key (string, required, secret): API key",
        f"{path.stat().st_size:,} bytes, 3 functions",
        "128 KiB at the start, 640 KiB at most",
        "guesthouse_v1: log, now",
        "memory, guesthouse_alloc, guesthouse_call, guesthouse_describe",
        "not needed: the module has nothing to initialise",
        "microseconds (median of 4",
    ):
        assert told in result.out


def test_check_says_whether_it_snapshots(guesthouse: Command, module: Callable[..., Path]) -> None:
    """A module that initialises is snapshotted, or the reason why not is told."""
    snapshot = guesthouse("check", module(initialize="(nop)"), "--json").json["snapshot"]
    assert snapshot == {"needed": True, "made": True, "why_not": None}
    table = "(table 1 funcref) (elem declare func $alloc)"
    growing = "(drop (table.grow 0 (ref.func $alloc) (i32.const 1)))"
    result = guesthouse("check", module(initialize=growing, extra=table))
    assert "no, so every event initialises anew: " in result.out
    assert "microseconds" in result.out


def test_check_measures_instances(guesthouse: Command, module: Callable[..., Path]) -> None:
    """The median lies between the fastest instance and what no machine needs."""
    cost = guesthouse("check", module(), "--json").json["instantiation"]
    assert 0 < cost["fastest_us"] <= cost["median_us"] < 100_000
    assert cost["instances"] >= 18


def test_check_measures_what_waits_in_its_initialisation(guesthouse: Command, module: Callable[..., Path]) -> None:
    """A module whose instances wait for the host before their first call is measured, not waited for."""
    asleep = (
        "(i32.store (i32.const 0) (call $sleep (i32.const 3600000)))(drop (call $wait (i32.const 0) (i32.const 1)))"
    )
    table = "(table 1 funcref) (elem declare func $alloc)"
    growing = "(drop (table.grow 0 (ref.func $alloc) (i32.const 1)))"
    path = module(imports=host("sleep", "wait"), initialize=asleep + growing, extra=table)
    result = guesthouse("check", path, "--json")
    assert result.json["snapshot"]["made"] is False
    assert result.json["instantiation"]["error"] is None


def test_check_tells_every_problem(guesthouse: Command, module: Callable[..., Path]) -> None:
    """A rejected module gets a line for each problem, and status 1."""
    path = module(imports='(import "env" "a" (func)) (import "env" "b\\1b[2J" (func))')
    result = guesthouse("check", path)
    assert (result.status, result.err) == (1, "")
    lines = result.out.splitlines()
    assert lines[0] == f"{path}: rejected"
    assert [line[:25] for line in lines[2:]] == ["  - imports env.a, which ", "  - imports env.b?[2J, wh"]
    shape = guesthouse("check", path, "--json")
    assert (shape.status, shape.json["accepted"], len(shape.json["problems"])) == (1, False, 2)


@pytest.mark.parametrize("data", [b"", b"\0asm", b"\0asm\1\0\0\0", b"<html>", b"\0asm\x0d\0\1\0"])
def test_what_is_no_function_is_rejected(data: bytes, guesthouse: Command, module: Callable[..., Path]) -> None:
    """Empty, truncated and foreign files, and components: one clear sentence, status 1, for both commands."""
    path = module(data)
    assert guesthouse("check", path).status == 1
    result = guesthouse("run", path, "--event", "event.json")
    assert (result.status, result.out.splitlines()[0]) == (1, "onTrack: rejected_module")


def test_a_module_that_is_too_large_is_rejected(guesthouse: Command, tmp_path: Path) -> None:
    """No more of it is read than may be used, and its true size is told."""
    path = tmp_path / "large.wasm"
    with path.open("wb") as file:
        file.truncate(40 << 20)
    result = guesthouse("check", path)
    assert (result.status, "the module is 41,943,040 bytes; 33,554,432 are allowed" in result.out) == (1, True)


def test_a_pipe_is_read_no_further_than_it_may_be_used(guesthouse: Command) -> None:
    """What has no size beforehand is bounded by what was read."""
    read, write = os.pipe()
    writer = Thread(target=_fill, args=(write, 40 << 20))
    writer.start()
    result = guesthouse("check", f"/dev/fd/{read}")
    os.close(read)
    writer.join()
    assert (result.status, "the module is 33,554,433 bytes; 33,554,432 are allowed" in result.out) == (1, True)


def _fill(pipe: int, size_bytes: int) -> None:
    with contextlib.suppress(BrokenPipeError), os.fdopen(pipe, "wb", buffering=0) as file:
        for _ in range(size_bytes >> 16):
            file.write(bytes(1 << 16))


# run ------------------------------------------------------------------------------------------------------------------


def test_run_tells_everything(guesthouse: Command, module: Callable[..., Path]) -> None:
    """Verdict, log, HTTP calls, fuel, memory and time, and status 0."""
    with Receiver(0) as receiver:
        Thread(target=receiver.serve_forever, daemon=True).start()
        api = f"http://127.0.0.1:{receiver.server_port}"
        Path("s.json").write_text(json.dumps({"behaviour": "http_post", "url": f"{api}/v1"}))
        path, grants = module(behaviours()), ("--allow", api, "--allow-private", "127.0.0.0/8")
        result = guesthouse("run", path, "--event", "event.json", "--settings", "s.json", *grants)
        shape = guesthouse("run", path, "--event", "event.json", "--settings", "s.json", *grants, "--json")
        receiver.shutdown()
    assert (result.status, result.err, shape.status) == (0, "", 0)
    for told in ("onTrack: done", f"POST {api}/v1", "bytes: {", "response  200 in ", "fuel", "peak memory", "time"):
        assert told in result.out
    assert "\x1b" not in result.out
    (exchange,) = shape.json["http"]
    assert (exchange["status"], json.loads(exchange["request"]["body"]["text"])) == (200, EVENT)
    assert shape.json["verdict"] == "done"
    assert shape.json["usage"]["fuel"] > 0


def test_run_shows_logs_safely(guesthouse: Command, module: Callable[..., Path]) -> None:
    """Each line with its level; whatever a terminal might obey is escaped."""
    logging = "(call $log (i32.const 3) (i32.const 0) (i32.const 6)) (unreachable)"
    path = module(imports=host("log"), call=logging, extra='(data (i32.const 0) "\\1b[31m!")')
    result = guesthouse("run", path, "--event", "event.json")
    assert "error  \\x1b[31m!" in result.out
    assert "\x1b" not in result.out


@pytest.mark.parametrize(
    ("behaviour", "status", "told"),
    [
        ("done", 0, "onTrack: done"),
        ("drop", 0, "onTrack: drop: dropped, as asked"),
        ("retry", 1, "onTrack: retry: retry, as asked"),
        ("fail", 1, "onTrack: fail: failed, as asked (code as_asked)"),
        ("unsupported", 1, "onTrack: unsupported: unsupported, as asked"),
        ("panic", 1, "onTrack: trapped, unreachable"),
    ],
)
def test_the_status_says_what_the_function_said(
    behaviour: str, status: int, told: str, guesthouse: Command, module: Callable[..., Path]
) -> None:
    """0 for done and drop, 1 for whatever else it says and for breaking."""
    Path("s.json").write_text(json.dumps({"behaviour": behaviour}))
    result = guesthouse("run", module(behaviours()), "--event", "event.json", "--settings", "s.json")
    assert (result.status, result.out.splitlines()[0]) == (status, told)


def test_a_batch_is_judged_by_each_event(guesthouse: Command, module: Callable[..., Path]) -> None:
    """A list runs onBatch; one event that isn't done or dropped makes the status 1."""
    Path("s.json").write_text('{"behaviour": "batch_partial"}')
    path = module(behaviours())
    for verdicts, status in ((["done", "drop"], 0), (["done", "retry"], 1)):
        events = [{**EVENT, "properties": {"verdict": verdict}} for verdict in verdicts]
        Path("batch.json").write_text(json.dumps(events))
        result = guesthouse("run", path, "--event", "batch.json", "--settings", "s.json")
        assert (result.status, result.out.splitlines()[0]) == (status, "onBatch: done")
        assert f"Results: 1 done, 1 {verdicts[1]}" in result.out


def test_a_webhook_runs_on_request(guesthouse: Command, module: Callable[..., Path]) -> None:
    """A request object reaches onRequest with its raw body, and the function's own answer is shown."""
    Path("s.json").write_text('{"behaviour": "webhook_reply", "status": 202}')
    Path("hook.json").write_text(json.dumps({"method": "PUT", "url": "/hook?a=1", "body": "grüß"}))
    command = ("run", module(behaviours()), "--event", "hook.json", "--handler", "onRequest", "--settings", "s.json")
    result = guesthouse(*command)
    assert result.status == 0
    assert "Response to the sender\n  status         202" in result.out
    assert guesthouse(*command, "--json").json["response"]["body"] == {"bytes": 6, "text": "grüß"}


def test_secrets_are_given_and_masked(
    guesthouse: Command, module: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret comes from the command line or the environment, and HMAC can be made with it."""
    monkeypatch.setenv("SIGNING", "swordfish")
    settings = {"behaviour": "hmac", "secret": "SIGNING", "algorithm": "sha256", "data": "x"}
    Path("s.json").write_text(json.dumps(settings))
    command = ("run", module(behaviours()), "--event", "event.json", "--settings", "s.json", "--json")
    by_name, by_value = guesthouse(*command, "--secret", "SIGNING"), guesthouse(*command, "--secret=SIGNING=swordfish")
    assert by_name.json["event"] == by_value.json["event"]
    assert by_name.json["event"]["valid"] is True
    assert "swordfish" not in by_name.out


@pytest.mark.parametrize(
    ("options", "code"),
    [(["--fuel", "1_000"], "fuel_exhausted"), (["--fuel=1000000000000", "--deadline=30"], "deadline_exceeded")],
)
def test_limits_hold(options: list[str], code: str, guesthouse: Command, module: Callable[..., Path]) -> None:
    """Fuel and deadline end a function that spins, and the report says which."""
    result = guesthouse("run", module(call=SPINNING), "--event", "event.json", *options, "--json")
    assert (result.status, result.json["error"]["code"]) == (1, code)
    assert result.json["verdict"] is None


def test_memory_is_limited(guesthouse: Command, module: Callable[..., Path]) -> None:
    """A function that needs more memory from the start than it may have ends, and learns why."""
    result = guesthouse("run", module(memory="3"), "--event", "event.json", "--memory", "65536", "--json")
    assert (result.status, result.json["error"]["code"]) == (1, "memory_exhausted")


def test_a_handler_that_is_missing_is_unsupported(guesthouse: Command, module: Callable[..., Path]) -> None:
    """As in the host, the function isn't run for what it doesn't handle."""
    result = guesthouse("run", module(), "--event", "event.json", "--handler", "onPage")
    assert (result.status, result.out.splitlines()[0]) == (
        *(1, "onPage: unsupported: the function has no onPage; it has onTrack"),
    )


def test_what_looks_forgotten_is_noted(guesthouse: Command, module: Callable[..., Path]) -> None:
    """A denied host, a denied address and a missing setting each name the option that helps."""
    path = module(behaviours())
    assert (
        "requires the setting behaviour; give it with --settings"
        in guesthouse(
            *("run", path, "--event", "event.json"),
        ).out
    )
    Path("s.json").write_text(json.dumps({"behaviour": "http_get", "url": "http://127.0.0.1:9/x"}))
    command = ("run", path, "--event", "event.json", "--settings", "s.json")
    denied = guesthouse(*command)
    assert "--allow http://127.0.0.1:9 grants this" in denied.out
    private = guesthouse(*command, "--allow", "http://127.0.0.1:9")
    assert "--allow-private 127.0.0.0/8 makes an exception" in private.out


# What is mistyped or broken -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"", "event.json:1:1: the file is empty"),
        (b"{", "event.json:1:2: this isn't JSON: Expecting property name enclosed in double quotes"),
        (b'{"a": 1,\n "b" 2}', "event.json:2:6: this isn't JSON: Expecting ':' delimiter"),
        (b'{"type": "track"} x', "event.json:1:19: this isn't JSON: Extra data"),
        (b'{\n"a": "\xff"}', "event.json:2:7: this isn't UTF-8 text"),
        (b"[" * 100_000, "event.json: the JSON is nested too deeply"),
        (b'{"a": NaN}', "event.json: NaN isn't JSON"),
        (b'{"a": 1e999}', "event.json: 1e999 is too large for a number"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "event.json: Exceeds the limit"),
        (b'"track"', "event.json: an event is a JSON object and a batch is a list of them; this is a string"),
        (b'{"type": "\xe2\x80\xae"}', "event.json: the event's type is '\\u202e', none of"),
        (b" " * (5 << 20), "event.json: 5,242,880 bytes are too many; 4,194,304 are allowed"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_bad_events_are_told_by_place(text: bytes, told: str, guesthouse: Command, module: Callable[..., Path]) -> None:
    """File, line and column where there are any; one sentence; status 2; nothing on stdout."""
    Path("event.json").write_bytes(text)
    result = guesthouse("run", module(), "--event", "event.json")
    assert (result.status, result.out) == (2, "")
    assert result.err.startswith(f"guesthouse: {told}")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--event", "missing.json"], "missing.json: can't be read: No such file or directory"),
        (["--event", "."], ".: can't be read: Is a directory"),
        (["--event", "event.json", "--settings", "list.json"], "list.json: settings are a JSON object, not a list"),
        (["--event", "-", "--settings", "-"], "only one file can come from stdin"),
        (["--event=event.json", "--secret=a=1", "--secret=a=2"], "'a' is given twice"),
        ([], "the following arguments are required: --event"),
        (["--event=event.json", "--allow", "api.example.com"], "argument --allow: the grant 'api.example.com' is not"),
        (["--event=event.json", "--allow", "https://*.com"], "argument --allow: the grant 'https://*.com' is not"),
        (["--event=event.json", "--allow-private", "10.0.0.1/8"], "argument --allow-private: 10.0.0.1/8 has host bits"),
        (["--event=event.json", "--handler", "onClick"], "argument --handler: invalid choice: 'onClick'"),
        (["--event=event.json", "--fuel", "0"], "'0' isn't a whole number from 1 to 1,000,000,000,000"),
        (["--event=event.json", "--fuel", "-1"], "isn't a whole number from 1"),
        (["--event=event.json", "--fuel", "9" * 30], "isn't a whole number from 1"),
        (["--event=event.json", "--memory", "1e6"], "'1e6' isn't a whole number from 65,536 to 268,435,456"),
        (["--event=event.json", "--deadline", "60001"], "'60001' isn't a whole number from 1 to 60,000"),
        (["--event=event.json", "--secret", "=hunter2"], "argument --secret: a secret is given as NAME=VALUE"),
        (["--event=event.json", "--secret", "NOT_THERE"], "there is no 'NOT_THERE' in the environment"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_bad_options_are_told(options: list[str], told: str, guesthouse: Command, module: Callable[..., Path]) -> None:
    """One sentence that names the option or the file, status 2, never a secret's value."""
    Path("list.json").write_text("[]")
    result = guesthouse("run", module(), *options)
    assert (result.status, result.out) == (2, "")
    assert told in result.err
    assert "hunter2" not in result.err


@pytest.mark.parametrize("name", ["missing.wasm", ".", ""])
def test_a_module_that_cannot_be_read_is_a_usage_error(name: str, guesthouse: Command) -> None:
    """Missing files and directories, for both commands."""
    for command in (("check", name), ("run", name, "--event", "event.json")):
        result = guesthouse(*command)
        assert (result.status, "can't be read: " in result.err) == (2, True)


def test_no_command_is_a_usage_error(guesthouse: Command) -> None:
    """Status 2 and how to get on."""
    assert guesthouse().status == 2
    assert guesthouse("fly").status == 2


@pytest.mark.parametrize("command", ["check", "run"])
def test_help_tells_the_exit_status(command: str, guesthouse: Command) -> None:
    """Whoever writes a script finds every status in --help."""
    result = guesthouse(command, "--help")
    assert result.status == 0
    for status in ("  0    ", "  1    ", "  2    ", "  3    ", "  130  "):
        assert status in result.out


def test_the_hosts_own_fault_has_a_status(
    guesthouse: Command, module: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unfit engine is neither the function's fault nor the user's: status 3, with the code."""

    def unfit() -> None:
        raise UnfitEngine("wasmtime 7 isn't one that this version knows")

    monkeypatch.setattr("guesthouse.runtime.capi.load", unfit)
    result = guesthouse("run", module(), "--event", "event.json")
    assert (result.status, "the host is at fault (unfit_engine)" in result.err) == (3, True)


@pytest.mark.parametrize("error", [OSError(12, "Cannot allocate memory"), MemoryError()])
def test_a_machine_that_is_out_of_something_is_the_hosts_fault(
    error: Exception, guesthouse: Command, module: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the operating system refuses is status 3 too, with its reason."""

    def refuse() -> None:
        raise error

    monkeypatch.setattr("guesthouse.runtime.capi.load", refuse)
    result = guesthouse("check", module())
    assert result.status == 3
    assert result.err in (
        *("guesthouse: the host is at fault: [Errno 12] Cannot allocate memory\n",),
        *("guesthouse: the host is at fault: out of memory\n",),
    )


def test_a_bug_is_one_sentence(
    guesthouse: Command, module: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever nobody thought of ends in status 3 and no traceback."""
    monkeypatch.setattr("guesthouse.cli.run.plan_of", lambda _arguments: 1 / 0)
    result = guesthouse("run", module(), "--event", "event.json")
    assert (result.status, result.err.count("\n")) == (3, 1)
    assert "ZeroDivisionError" in result.err


def test_the_event_may_come_from_stdin(module: Callable[..., Path]) -> None:
    """A dash is stdin, as elsewhere."""
    with process("run", module(), "--event", "-", stdin=subprocess.PIPE) as running:
        out, err = running.communicate(json.dumps(EVENT), timeout=30)
    assert (running.returncode, out.splitlines()[0], err) == (0, "onTrack: done", "")


def test_a_reader_who_leaves_is_no_error(module: Callable[..., Path]) -> None:
    """``guesthouse check ... | head -1`` says nothing on stderr."""
    read, write = os.pipe()
    os.close(read)
    command = (sys.executable, "-m", "guesthouse.cli", "check", str(module()))
    done = subprocess.run(command, stdout=write, stderr=-1, check=False, timeout=30)  # noqa: S603 - our own command
    os.close(write)
    assert (done.returncode, done.stderr) == (1, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_narrow_stdout_is_no_error(encoding: str, module: Callable[..., Path]) -> None:
    """What stdout can't encode is escaped."""
    reply = {"verdict": "done", "message": "grüß 🌍"}
    options = {"env": {**os.environ, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}, "encoding": encoding}
    with process("run", module(reply=reply), "--event", "-", stdin=subprocess.PIPE, **options) as running:
        out, err = running.communicate(json.dumps(EVENT), timeout=30)
    assert (running.returncode, err) == (0, "")
    assert "\\U0001f30d" in out


@pytest.mark.anyio
@pytest.mark.parametrize("presses", [1, 2])
async def test_ctrl_c_ends_cleanly(presses: int, module: Callable[..., Path], tmp_path: Path) -> None:
    """Even while a guest spins: status 130, at most one sentence, no traceback; pressed twice, it ends at once."""
    (tmp_path / "event.json").write_text(json.dumps(EVENT))
    async with asyncio.timeout(30), _Started() as started:
        request = msgpack.packb({"method": "GET", "url": started.url})
        send = f"(drop (call $http_send (i32.const 0) (i32.const {len(request)})))"
        data = f"(data (i32.const 0) {literal(request)})"
        path = module(imports=host("http_send"), call=send + SPINNING, extra=data)
        files = (str(path), "--event", str(tmp_path / "event.json"))
        limits = ("--fuel", "1000000000000", "--deadline", "60000", "--allow", started.url)
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "guesthouse.cli", "run", *files, *limits, "--allow-private", "127.0.0.0/8"),
            stdout=-1,
            stderr=-1,
        )
        ending = asyncio.create_task(child.communicate())
        running = asyncio.create_task(started.event.wait())
        try:
            await asyncio.wait({ending, running}, return_when=asyncio.FIRST_COMPLETED)
            for _ in range(presses if running.done() else 0):
                child.send_signal(signal.SIGINT)
            out, err = await ending
        finally:
            running.cancel()
            with contextlib.suppress(ProcessLookupError):
                child.kill()
    assert (child.returncode, out) == (130, b""), err
    assert err in (b"guesthouse: interrupted\n", b"")


class _Started:
    """A listener on loopback that knows when a guest has called: it runs by then."""

    async def __aenter__(self) -> Self:
        self.event = asyncio.Event()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def _connected(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.event.set()
        writer.close()

    async def __aexit__(self, *_exception: object) -> None:
        self._server.close()
        await self._server.wait_closed()
