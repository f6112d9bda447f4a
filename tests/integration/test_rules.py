"""The rules of DESIGN section 4 that keep the process alive, each held against a process that breaks it.

Every scenario of `tests.support.rules` runs in a process of its own, twice: as the engine does it, which must live, and
with the rule broken, which must die. So these tests fail when a rule is no longer kept, and also when it is no longer
needed. What freed memory holds is made recognisable (``MALLOC_PERTURB_``), so that its use is a crash and not luck.

One rule can't be broken to see it die: that a trampoline does no decoding, logging or task creation on the fiber. What
is held instead is that the fiber only copies a request into the outbox (``test_engine_lending.py``).
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.guests import ROOT
from tests.support.rules import HANG_SECONDS, SCENARIOS

Ended = subprocess.CompletedProcess[str]
DEATHS = {signal.SIGABRT, signal.SIGSEGV, signal.SIGBUS, signal.SIGILL}
PATIENCE_SECONDS = 60.0
AT_ONCE = 3
UNBREAKABLE = {"interrupt_while_spinning", "unloading_while_starting", "closing_while_loading"}
"""Scenarios whose rule is kept inside the engine, where a test can't reach it without rewriting it."""


def run(scenario: str, *how: str) -> Ended:
    """Run a scenario to its end."""
    command = (sys.executable, "-m", "tests.support.rules", scenario, *how)
    environment = {
        **os.environ,
        "MALLOC_PERTURB_": "165",
        "PYTHONPATH": os.pathsep.join(sys.path),
        "RUST_BACKTRACE": "0",
    }
    return subprocess.run(  # noqa: S603 - our own module
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


class Processes:
    """All scenarios, a few at a time, ahead of the tests that ask how they ended."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._kept: dict[str, Future[Ended]] = {}
        self._broken: dict[str, Future[Ended]] = {}
        for name in SCENARIOS:
            self._kept[name] = pool.submit(run, name)
            if name not in UNBREAKABLE:
                self._broken[name] = pool.submit(run, name, "broken")

    def live(self, scenario: str) -> None:
        """Assert that the engine as it is survives."""
        ended = self._kept[scenario].result()
        assert (ended.returncode, ended.stdout) == (0, "alive\n"), ended.stderr[-2_000:]

    def die(self, scenario: str, deaths: set[signal.Signals] = DEATHS) -> None:
        """Assert that a process that breaks the rule dies of a signal, rather than of a Python error."""
        ended = self._broken[scenario].result()
        assert -ended.returncode in deaths, (ended.returncode, ended.stdout, ended.stderr[-2_000:])


@pytest.fixture(scope="module")
def processes() -> Iterator[Processes]:
    """Start all scenarios."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield Processes(pool)
        pool.shutdown(cancel_futures=True)


def test_a_failing_import_ends_its_guest_and_nothing_else(processes: Processes) -> None:
    """The bug is raised to whoever awaits the invocation, and the next guest works."""
    processes.live("continuation_first")


def test_raising_before_the_continuation_is_set_aborts_the_process(processes: Processes) -> None:
    """Why a suspending trampoline writes a ready continuation before anything else."""
    processes.die("continuation_first")


def test_an_interrupt_inside_a_trampoline_is_handled_after_it(processes: Processes) -> None:
    """SIGINT comes before a trampoline's first statement, with Python's own handler, and does its work all the same."""
    processes.live("interrupt_in_a_trampoline")


def test_a_handler_that_raises_inside_a_trampoline_aborts_the_process(processes: Processes) -> None:
    """Why `SignalShield` stands between: nothing in Python could catch this exception in time."""
    processes.die("interrupt_in_a_trampoline")


def test_an_interrupt_while_a_guest_spins_ends_the_program_in_order(processes: Processes) -> None:
    """A real SIGINT from outside: the engine is closed, the spinning guest with it, and the process ends by itself.

    Unshielded it does the same, nearly always: guests' own code isn't where Python handles signals.
    """
    processes.live("interrupt_while_spinning")


def test_cancelled_guests_are_given_back_in_order(processes: Processes) -> None:
    """Future, then store: fifty suspended guests cancelled, and the engine works on."""
    processes.live("future_before_store")


def test_deleting_a_store_before_its_future_kills_the_process(processes: Processes) -> None:
    """Why `Guest._close` deletes the pending future first: its fiber unwinds through the store."""
    processes.die("future_before_store")


def test_a_guest_that_is_slow_to_start_starts(processes: Processes) -> None:
    """A start function of many slices, while other guests could run."""
    processes.live("instance_pre_outlives_the_future")


def test_freeing_what_a_guest_is_instantiated_from_kills_the_process(processes: Processes) -> None:
    """Why a module outlives its invocations: a pending future reads from it."""
    processes.die("instance_pre_outlives_the_future")


def test_closing_a_module_waits_for_its_guests(processes: Processes) -> None:
    """Whether they are suspended, slow to start, or haven't run at all: they end well, and the engine works on."""
    processes.live("unloading_while_starting")


def test_an_import_may_be_called_from_inside_a_poll(processes: Processes) -> None:
    """The ordinary case beside the next one."""
    processes.live("future_outlives_its_poll")


def test_deleting_a_future_inside_its_own_poll_kills_the_process(processes: Processes) -> None:
    """Why guests are ended by the loop, never by what they call."""
    processes.die("future_outlives_its_poll")


def test_with_the_fault_handler_enabled_first_a_guests_fault_is_a_trap(processes: Processes) -> None:
    """The engine's signal handler is in front."""
    processes.live("faulthandler_first")


def test_enabling_the_fault_handler_after_the_engine_makes_a_guests_fault_deadly(processes: Processes) -> None:
    """A stranger's bad pointer would end the host: enable it before the engine or not at all."""
    processes.die("faulthandler_first")


def test_children_that_are_executed_work_while_an_engine_lives(processes: Processes) -> None:
    """As the compiler starts them."""
    processes.live("exec_not_fork")


def test_a_forked_child_hangs_while_an_engine_lives(processes: Processes) -> None:
    """Its copy of the engine lacks the threads that compile: the scenario kills child and itself after a while."""
    assert HANG_SECONDS >= 1
    processes.die("exec_not_fork", {signal.SIGKILL})


def test_a_limit_of_data_lets_an_engine_live(processes: Processes) -> None:
    """RLIMIT_DATA counts what is used, which is what the child's limit is about."""
    processes.live("limits_of_a_child")


def test_a_limit_of_address_space_aborts_a_pooling_engine(processes: Processes) -> None:
    """RLIMIT_AS counts reservations, of which an engine has gigabytes."""
    processes.die("limits_of_a_child")


def test_overwriting_artefacts_while_they_run_is_harmless(processes: Processes) -> None:
    """The host runs the bytes that it read and verified; the files may do what they like."""
    processes.live("artefacts_from_bytes")


def test_overwriting_a_mapped_artefact_kills_the_process(processes: Processes) -> None:
    """Why artefacts are never mapped, and are renamed into place for those who would."""
    processes.die("artefacts_from_bytes")


def test_closing_the_engine_while_a_module_loads_is_engine_closed(processes: Processes) -> None:
    """What the child built is not linked into an engine that is gone."""
    processes.live("closing_while_loading")


def test_every_scenario_is_tested() -> None:
    """None is forgotten here."""
    text = Path(__file__).read_text()
    assert not [name for name in SCENARIOS if f'processes.live("{name}")' not in text]
