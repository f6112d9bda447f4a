"""The process that handles a stranger's module at deploy: parse, slice, initialise, snapshot, compile, describe.

Run by `guesthouse.runtime.compiler` as ``python -m guesthouse.runtime.child``: a job and the module come in on stdin,
the answer goes out on stdout. It limits itself first. It never speaks to the network, and its guest can't either:
host operations are refused.
"""

import resource
import sys
from collections.abc import Callable
from ctypes import addressof, c_void_p
from typing import TypeVar

from guesthouse.abi.description import decode_description
from guesthouse.abi.results import ELAPSED, Refusal, encode_refusal
from guesthouse.clock import SystemClock
from guesthouse.config import EngineConfig
from guesthouse.errors import FunctionError, RejectedModule, UnfitEngine
from guesthouse.model.limits import Limits
from guesthouse.model.reply import Description
from guesthouse.runtime import artefact, capi, engine_settings, phases
from guesthouse.runtime.artefact import Artefact, Built, Job, Refused
from guesthouse.runtime.cell import Cell
from guesthouse.runtime.guest import Guest, Steps
from guesthouse.runtime.imports import FUNCTIONS, Imports
from guesthouse.runtime.wasm import opcodes, snapshot
from guesthouse.runtime.wasm.inspect import Inspection, inspect
from guesthouse.runtime.wasm.module import parse
from guesthouse.runtime.wasm.nesting import check_nesting
from guesthouse.runtime.wasm.shape import PAGE_BYTES, ModuleShape
from guesthouse.runtime.wasm.slicing import slice_code

T = TypeVar("T")
_REFUSED = encode_refusal(Refusal.NOT_SUPPORTED, "the outside world can't be reached while a function is deployed")


class Workshop:
    """An engine of one slot, configured as the host's, so that what it compiles fits there."""

    def __init__(self, job: Job) -> None:
        """Make the engine and its linker."""
        self._limits = Limits(
            fuel=job.init_fuel,
            memory_bytes=job.memory_ceiling_bytes,
            table_elements=job.table_ceiling_elements,
            reply_bytes=job.reply_bytes,
        )
        self.lib = capi.load()
        config = EngineConfig(
            slots=1,
            stack_bytes=job.stack_bytes,
            memory_ceiling_bytes=job.memory_ceiling_bytes,
            table_ceiling_elements=job.table_ceiling_elements,
        )
        self._cell = Cell(self.lib, engine_settings.new_engine(self.lib, config), SystemClock())
        self._linker = self.lib.linker_new(self._cell.engine)
        self._imports = Imports(self._cell, self._linker, FUNCTIONS)

    def compile(self, module: bytes) -> int:
        """Compile; the module's address. `RejectedModule` with the engine's reason."""
        out = c_void_p()
        error = self.lib.module_new(self._cell.engine, module, len(module), addressof(out))
        if error:
            raise RejectedModule(f"the module isn't valid WebAssembly: {self.lib.error_text(error)}")
        return out.value or 0

    def serialise(self, module: int) -> bytes:
        """Native code of a compiled module."""
        out = capi.ByteVec()
        error = self.lib.module_serialize(module, addressof(out))
        if error:
            raise UnfitEngine(self.lib.error_text(error))
        return self.lib.take_bytes(out)

    def run(self, module: int, work: Callable[[Guest], Steps[T]], *, phase: str, needs_initialise: bool) -> T:
        """Run *work* in a fresh instance to its end; `RejectedModule` names the *phase* that failed."""
        out = c_void_p()
        error = self.lib.linker_instantiate_pre(self._linker, module, addressof(out))
        if error:
            raise RejectedModule(f"the module can't be linked: {self.lib.error_text(error)}")
        guest = Guest(self._cell, _Prepared(out.value or 0, needs_initialise=needs_initialise), self._limits)
        steps = guest.life(work)
        try:
            while True:
                next(steps)
                _answer_all(guest)
        except StopIteration as stop:
            return stop.value  # type: ignore[no-any-return]
        except FunctionError as error:
            raise RejectedModule(_failure(phase, error)) from None
        finally:
            steps.close()
            self.lib.instance_pre_delete(out)


class _Prepared:
    """See `guesthouse.runtime.cell.Startable`."""

    def __init__(self, instance_pre: int, *, needs_initialise: bool) -> None:
        self.instance_pre = instance_pre
        self.memory_min_bytes = 0
        self.needs_initialise = needs_initialise


def _answer_all(guest: Guest) -> None:
    while guest.outbox:
        name, handle, _request = guest.take_request()
        guest.complete(handle, ELAPSED if name == "sleep" else _REFUSED)


def _failure(phase: str, error: FunctionError) -> str:
    places = "".join(f"\n  at {frame.function}" for frame in error.backtrace)
    return f"{phase} failed: {error}{places}"


def build(job: Job, module: bytes) -> Artefact:
    """Do everything that is done at deploy; `RejectedModule` says what is wrong with the module."""
    shape = parse(module)
    facts = inspect(shape)
    check_nesting(shape, module)
    _check_sizes(job, facts)
    shape, module = _sliced(shape, module)
    workshop = Workshop(job)
    prepared, why_not = module, None
    if facts.has_initialize or facts.has_start:
        why_not = snapshot.why_not(shape, opcodes.scan_code(shape, module))
        if why_not is None:
            prepared, why_not = _snapshot(workshop, shape, module, facts)
    is_snapshot = prepared is not module
    needs_initialise = facts.has_initialize and not is_snapshot
    compiled = workshop.compile(prepared)
    return Artefact(
        code=workshop.serialise(compiled),
        facts=facts,
        description=_describe(workshop, compiled, needs_initialise=needs_initialise),
        needs_initialise=needs_initialise,
        why_not_snapshotted=why_not,
        memory_min_pages=(parse(prepared) if is_snapshot else shape).memories[0].minimum,
    )


def _sliced(shape: ModuleShape, module: bytes) -> tuple[ModuleShape, bytes]:
    sliced = slice_code(shape, module)
    return (shape, module) if sliced is module else (parse(sliced), sliced)


def _check_sizes(job: Job, facts: Inspection) -> None:
    wanted, ceiling = facts.memory_min_pages * PAGE_BYTES, job.memory_ceiling_bytes
    if wanted > ceiling:
        raise RejectedModule(f"the module starts with {wanted:,} bytes of memory; this host allows {ceiling:,}")
    if facts.table_min > job.table_ceiling_elements:
        raise RejectedModule(
            f"the module starts with a table of {facts.table_min:,}; this host allows {job.table_ceiling_elements:,}"
        )


def _snapshot(workshop: Workshop, shape: ModuleShape, module: bytes, facts: Inspection) -> tuple[bytes, str | None]:
    """Give the snapshot, or the module itself and the reason why it has none."""
    instrumented = snapshot.instrument(shape, module)

    def capture(guest: Guest) -> Steps[tuple[bytes, list[int]]]:
        if facts.has_initialize:
            yield from guest.call(b"_initialize")
        return phases.memory(guest), [phases.global_bits(guest, name) for name in instrumented.global_names]

    compiled = workshop.compile(instrumented.data)
    memory, values = workshop.run(compiled, capture, phase="initialisation", needs_initialise=False)
    workshop.lib.module_delete(compiled)
    why_not = snapshot.why_not_memory(len(memory))
    return (module, why_not) if why_not else (snapshot.write(shape, module, memory=memory, values=values), None)


def _describe(workshop: Workshop, compiled: int, *, needs_initialise: bool) -> Description:
    phase = "guesthouse_describe"
    described = workshop.run(compiled, phases.describe, phase=phase, needs_initialise=needs_initialise)
    try:
        return decode_description(described)
    except FunctionError as error:
        raise RejectedModule(_failure(phase, error)) from None


def main() -> None:
    """Read a job, do it, answer."""
    source = sys.stdin.buffer
    job: Job = artefact.decode_job(source.read(int.from_bytes(source.read(4), "little")))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Not zero: the engine keeps initial memories in anonymous files, which count.
    resource.setrlimit(resource.RLIMIT_FSIZE, (job.memory_ceiling_bytes, job.memory_ceiling_bytes))
    resource.setrlimit(resource.RLIMIT_DATA, (job.rlimit_data_bytes, job.rlimit_data_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (job.rlimit_cpu_seconds, job.rlimit_cpu_seconds + 1))
    module = source.read()
    try:
        answer: Built | Refused = Built(artefact=build(job, module))
    except RejectedModule as error:
        answer = Refused(fault=error.fault, problems=error.problems)
    sys.stdout.buffer.write(artefact.encode(answer))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
