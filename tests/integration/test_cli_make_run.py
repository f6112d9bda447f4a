"""``make run``, what a newcomer sees first, held to what it shows."""

import os
import subprocess
import sys

from tests.support.guests import ROOT, build_c


def test_the_show_ends_well() -> None:
    """Without a terminal it sets up, sends, shows deliveries and the order's story, and ends with status 0."""
    build_c(ROOT / "examples/hello-c/hello.c")  # skips where there is no compiler
    show = (sys.executable, "examples/run.py", "--once")
    environment = {**os.environ, "NO_COLOR": "1"}
    ran = subprocess.run(show, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=110)  # noqa: S603 - our own script
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    for told in (
        "Guesthouse listens on http://127.0.0.1:",
        "4 changes\nDone",
        "Segment's own Python library",
        'POST /orders application/json {"event":"Order Completed","user":"ada"}',
        "crm: succeeded after 1 attempt",
        "orders: succeeded after 1 attempt",
    ):
        assert told in ran.stdout
