#!/usr/bin/env python3
"""What ``make run`` does: a host, a function and two destinations, events from a real client, and what came of them.

Nothing leaves this machine: the API that the function calls is a tiny receiver on loopback. On a terminal it stays up
until Ctrl-C; elsewhere, with CI=true or with --once it ends after the show.
"""

import contextlib
import importlib.util
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

from events import SENDER, send
from receiver import Receiver

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = Path("examples/hello-c")
SETUP = Path("examples/shop/guesthouse.toml")
WASM = Path("build/hello.wasm")
DATA = "guesthouse-data"
LOG = Path("build/host.log")
BUILD = (
    *("-m", "ziglang", "cc", "-target", "wasm32-wasi", "-mexec-model=reactor", "-O2", "-s"),
    *("-Wl,-z,stack-size=131072", "-I", "guest-sdks/c", "-o", str(WASM), str(EXAMPLE / "hello.c")),
)
PATIENCE_SECONDS = 3
START_SECONDS = 60
DELIVERY_SECONDS = 30
DELIVERIES = 3
"""Two events for the CRM, and one of them for those who count orders."""


class ShowEnded(Exception):
    """The show can't go on; a sentence for who watches it."""


def main() -> int:
    """Show it all; 0 where every event arrived."""
    is_once = "--once" in sys.argv[1:] or os.environ.get("CI") == "true" or not sys.stdin.isatty()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if importlib.util.find_spec("ziglang") is None:
        say("The C compiler (PyPI's ziglang) is missing: run this as `make run`, or `make setup` first.")
        return 1
    with ExitStack() as stack:
        try:
            show(stack, is_once=is_once)
        except ShowEnded as end:
            say("", str(end))
            return 1
        if not is_once:
            stay()
    return 0


def show(stack: ExitStack, *, is_once: bool) -> None:
    """Build, serve, set up, send, and tell what became of it."""
    build()
    data = stack.enter_context(tempfile.TemporaryDirectory()) if is_once else DATA
    receiver = stack.enter_context(receiving())
    crm = f"http://127.0.0.1:{receiver.server_port}"
    host = stack.enter_context(serving(data))
    say("", f"3. Setting it up as {SETUP} says: a function, a source, two destinations")
    guesthouse("apply", str(SETUP), data=data, environment={"CRM_URL": crm})
    source = asked("source", "list", data=data)["items"][0]
    say("", f"4. Sending an identify, which the function doesn't handle, and two tracks, with {SENDER}")
    order = send(host, source["write_key"])
    deliveries = wait_for_deliveries(data, order)
    say("", "5. What the API got", *(f"   {line}" for line in receiver.lines))
    say("", "6. What became of the order")
    guesthouse("explain", order, data=data)
    if len(deliveries) < DELIVERIES:
        raise ShowEnded(f"Only {len(deliveries)} of {DELIVERIES} deliveries arrived within {DELIVERY_SECONDS} s.")
    if is_once:
        say("", "All of it arrived. On a terminal, `make run` stays up for you to try more.")
        return
    receiver.is_printing = True
    say("", *next_steps(host, crm, source["write_key"], order))


def build() -> None:
    """Compile the function."""
    say(f"1. Building {EXAMPLE}/hello.c to {WASM}")
    (ROOT / WASM.parent).mkdir(exist_ok=True)
    with subprocess.Popen([sys.executable, *BUILD], cwd=ROOT) as compiler:  # noqa: S603 - our own command
        try:
            status = compiler.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            say("   (for the first time, so the compiler builds its C library too: up to a minute)")
            status = compiler.wait()
    if status != 0:
        raise ShowEnded("It doesn't compile.")


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Stand for the API that the function calls."""
    with Receiver(free_port(8099)) as receiver:
        Thread(target=receiver.serve_forever, daemon=True).start()
        yield receiver
        receiver.shutdown()


def free_port(wanted: int) -> int:
    """Take the port that the README names, or any where that is in use."""
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", wanted)):
        return wanted
    return 0


@contextmanager
def serving(data: str) -> Iterator[str]:
    """Run a host; its address."""
    listen = f"127.0.0.1:{free_port(8080)}"
    arguments = ("serve", "--data", data, "--listen", listen, "--allow-private", "127.0.0.0/8")
    say("", "2. Starting a host, whose functions may call this machine only as far as they are granted")
    say(f"   $ guesthouse {shlex.join(arguments)}", "")
    command = (sys.executable, "-m", "guesthouse.cli", *arguments)
    # A session of its own: Ctrl-C reaches this script, which then stops the host.
    options: dict[str, Any] = {"cwd": ROOT, "stdout": subprocess.PIPE, "text": True, "start_new_session": True}
    with (ROOT / LOG).open("w") as log, subprocess.Popen(command, stderr=log, **options) as host:  # noqa: S603 - our own command
        try:
            yield read_address(host)
        finally:
            host.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                host.communicate(timeout=START_SECONDS)
            host.kill()


def read_address(host: "subprocess.Popen[str]") -> str:
    """Repeat what the host says until it says where it listens."""
    for line in host.stdout or ():
        say(f"   {line.rstrip()}")
        if " listens on " in line:
            return line.partition(" listens on ")[2].partition(";")[0]
    raise ShowEnded(f"The host didn't start; {LOG} tells why.")


def command_of(*arguments: str, data: str) -> tuple[str, ...]:
    """Give a command that asks the host of a data folder."""
    return (sys.executable, "-m", "guesthouse.cli", *arguments, "--data", data)


def guesthouse(*arguments: str, data: str, environment: Mapping[str, str] | None = None) -> None:
    """Run a command and let it print."""
    say(f"   $ guesthouse {shlex.join(arguments)}", "")
    variables = {**os.environ, **(environment or {})}
    done = subprocess.run(command_of(*arguments, data=data), cwd=ROOT, check=False, env=variables)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise ShowEnded(f"guesthouse {arguments[0]} ended with status {done.returncode}.")


def asked(*arguments: str, data: str) -> Any:  # noqa: ANN401 - a document
    """Run a command and take the JSON that it prints."""
    command = command_of(*arguments, "--json", data=data)
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)  # noqa: S603 - our own command
    if done.returncode != 0:
        raise ShowEnded(done.stderr.strip())
    return json.loads(done.stdout)


def wait_for_deliveries(data: str, order: str) -> list[Any]:
    """Wait until all that this run sent was delivered; what was."""
    until = monotonic() + DELIVERY_SECONDS
    while True:
        items = asked("deliveries", "--state", "succeeded", "--since", "1h", "--limit", "20", data=data)["items"]
        # Of events that this run sent: their message ids begin alike.
        mine = [item for item in items if (item["message_id"] or "").startswith(order.rpartition("-")[0])]
        if len(mine) >= DELIVERIES or monotonic() > until:
            return mine
        sleep(0.2)


def next_steps(host: str, crm: str, write_key: str, order: str) -> Iterator[str]:
    """Say what to try next."""
    yield "The host is up; what the API gets is printed here. In another terminal, try"
    yield f'   curl -u {write_key}: {host}/v1/track -d \'{{"event": "Signed Up", "userId": "bob"}}\''
    yield "      an event of your own; any client library of Segment's works as well"
    yield "   .venv/bin/guesthouse deliveries"
    yield "      what became of all of them"
    yield f"   .venv/bin/guesthouse explain {order}"
    yield "      one event's whole life: each request and its response"
    yield "   .venv/bin/guesthouse logs --follow"
    yield "      what the function logs, as it does"
    yield f"   $EDITOR {SETUP} && CRM_URL={crm} .venv/bin/guesthouse apply {SETUP} --dry-run"
    yield "      a change to the set-up, and what it would do"
    yield "Ctrl-C ends it. README.md tells the rest."


def stay() -> None:
    """Stay up until Ctrl-C."""
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()
    say("")


def say(*lines: str) -> None:
    """Print lines now: child processes print between them."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
