#!/usr/bin/env python3
"""What ``make run`` does: build the example function, run it on its sample event, and show what came of it.

Nothing leaves this machine: the function's API is a tiny receiver on loopback.
"""

import importlib.util
import json
import shlex
import subprocess
import sys
from pathlib import Path
from threading import Thread

from receiver import Receiver

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = Path("examples/hello-c")
WASM = Path("build/hello.wasm")
SETTINGS = Path("build/hello-settings.json")
BUILD = (
    *("-m", "ziglang", "cc", "-target", "wasm32-wasi", "-mexec-model=reactor", "-O2", "-s"),
    *("-Wl,-z,stack-size=131072", "-I", "guest-sdks/c", "-o", str(WASM), str(EXAMPLE / "hello.c")),
)
PATIENCE_SECONDS = 3


def main() -> int:
    """Build, run, show, and say what to try next; the exit status of ``guesthouse run``."""
    if importlib.util.find_spec("ziglang") is None:
        say("The C compiler (PyPI's ziglang) is missing: run this as `make run`, or `make setup` first.")
        return 1
    say(f"1. Building {EXAMPLE}/hello.c to {WASM}")
    (ROOT / WASM.parent).mkdir(exist_ok=True)
    if (status := build()) != 0:
        return status
    with Receiver(0) as receiver:
        Thread(target=receiver.serve_forever, daemon=True).start()
        status = run(f"http://127.0.0.1:{receiver.server_port}")
        receiver.shutdown()
    say("", "3. What the API got", *(f"   {line}" for line in receiver.lines or ["nothing"]))
    say("", *NEXT)
    return status


def build() -> int:
    """Compile the function; its compiler's exit status."""
    with subprocess.Popen([sys.executable, *BUILD], cwd=ROOT) as compiler:  # noqa: S603 - our own command
        try:
            return compiler.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            say("   (for the first time, so the compiler builds its C library too: up to a minute)")
            return compiler.wait()


def run(api: str) -> int:
    """Run the function on its sample event, with *api* as the only place that it may call."""
    (ROOT / SETTINGS).write_text(json.dumps({"url": f"{api}/events"}))
    files = ("--event", str(EXAMPLE / "event.json"), "--settings", str(SETTINGS))
    grants = ("--allow", api, "--allow-private", "127.0.0.0/8")
    say("2. Running it on one event, allowed to call one API on this machine and nothing else")
    say(f"   $ guesthouse {shlex.join(('run', str(WASM), *files, *grants))}", "")
    command = (sys.executable, "-m", "guesthouse.cli", "run", str(WASM), *files, *grants)
    return subprocess.run(command, cwd=ROOT, check=False).returncode  # noqa: S603 - our own command


NEXT = (
    "Now try",
    f"   .venv/bin/guesthouse check {WASM}",
    "      what the module is, what it needs, and what one instance of it costs",
    f"   .venv/bin/guesthouse run {WASM} --event {EXAMPLE}/event.json --settings {SETTINGS}",
    "      the same event without a grant: the function may not call anything",
    f"   $EDITOR {EXAMPLE}/hello.c && make run",
    "      your own change",
    "README.md tells the rest.",
)


def say(*lines: str) -> None:
    """Print lines now: a child process prints between them."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
