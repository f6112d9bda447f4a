"""From uploaded bytes to an artefact, without touching them: a child process does, and may die of it.

The child (`guesthouse.runtime.child`) is exec'd, never forked, with an empty environment and no descriptors but its
pipes; it limits its own memory and CPU before it reads a byte of the module, and the wall clock is limited from here.
"""

import asyncio
import contextlib
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Iterable

from msgspec import DecodeError

from guesthouse.config import EngineConfig
from guesthouse.errors import RejectedModule
from guesthouse.runtime import artefact, engine_settings
from guesthouse.runtime.artefact import Artefact, Built, Job
from guesthouse.runtime.artefacts import ArtefactStore
from guesthouse.runtime.wasm.slicing import SLICER_VERSION
from guesthouse.runtime.wasm.snapshot import SNAPSHOTTER_VERSION

_MAX_ANSWER_BYTES = 512 << 20
_MAX_COMPLAINT_BYTES = 4 << 10
_PIECE_BYTES = 256 << 10
_DEATHS = {
    signal.SIGXCPU: "more CPU time than the {cpu} s that it may take",
    signal.SIGKILL: "more time than the {wall:g} s that it may take, or more memory than the machine has",
}
_OUT_OF_MEMORY = ("memory allocation", "MemoryError", "Cannot allocate memory", "out of memory")


class Compiler:
    """Builds artefacts, a few at a time, and remembers them in the store."""

    def __init__(self, config: EngineConfig, store: ArtefactStore) -> None:
        """Take the engine's configuration: an artefact fits one configuration only."""
        self._config = config
        self._store = store
        self._fingerprint = engine_settings.fingerprint(config)
        self._turns = asyncio.Semaphore(config.compiler.children)

    async def build(self, module: bytes, digest: str) -> Artefact:
        """Give the artefact of *module*, from the store or anew; `RejectedModule` says what is wrong with it.

        *digest* is the module's sha256 in hexadecimal. What takes time with large modules is done in threads.
        """
        limit = self._config.compiler.module_bytes
        if len(module) > limit:
            raise RejectedModule(f"the module is {len(module):,} bytes; {limit:,} are allowed")
        key = self.key(digest)
        known = await asyncio.to_thread(self._recall, key)
        if known is not None:
            return known
        async with self._turns:
            built = await self._run_child(module)
        await asyncio.to_thread(self._keep, key, built)
        return built

    def key(self, digest: str) -> str:
        """Name an artefact by everything that it depends on."""
        return f"{digest}-{self._fingerprint}-{artefact.FORMAT}.{SLICER_VERSION}.{SNAPSHOTTER_VERSION}"

    def forget(self, digest: str) -> None:
        """Drop a stored artefact that the engine refused, so that the next build makes it anew."""
        self._store.drop(self.key(digest))

    def _keep(self, key: str, built: Artefact) -> None:
        self._store.save(key, artefact.encode(built))

    def _recall(self, key: str) -> Artefact | None:
        data = self._store.load(key)
        if data is None:
            return None
        try:
            return artefact.decode_artefact(data)  # type: ignore[no-any-return]
        except DecodeError:
            return None

    async def _run_child(self, module: bytes) -> Artefact:
        bounds = self._config.compiler
        job = artefact.encode(
            Job(
                stack_bytes=self._config.stack_bytes,
                memory_ceiling_bytes=self._config.memory_ceiling_bytes,
                table_ceiling_elements=self._config.table_ceiling_elements,
                init_fuel=bounds.init_fuel,
                reply_bytes=1 << 20,
                rlimit_data_bytes=bounds.memory_bytes,
                rlimit_cpu_seconds=bounds.cpu_seconds,
            )
        )
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-m", "guesthouse.runtime.child"), stdin=PIPE, stdout=PIPE, stderr=PIPE, env={}
        )
        try:
            async with asyncio.timeout(bounds.wall_seconds):
                answer, complaint = await _converse(child, len(job).to_bytes(4, "little") + job, module)
                status = await child.wait()
        except TimeoutError:
            raise RejectedModule(self._death(-signal.SIGKILL, b"")) from None
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return await asyncio.to_thread(self._verdict, status, answer, complaint)

    def _verdict(self, status: int, answer: bytearray, complaint: bytearray) -> Artefact:
        if status != 0:
            raise RejectedModule(self._death(status, complaint))
        decoded = artefact.decode_answer(answer)
        if isinstance(decoded, Built):
            return decoded.artefact
        raise RejectedModule(decoded.fault, decoded.problems)

    def _death(self, status: int, complaint: bytes | bytearray) -> str:
        text = complaint.decode(errors="replace")
        bounds = self._config.compiler
        if any(words in text for words in _OUT_OF_MEMORY):
            cause = f"more than the {bounds.memory_bytes:,} bytes of memory that it may take"
        elif (death := _DEATHS.get(signal.Signals(-status) if status < 0 else signal.Signals.SIGHUP)) is not None:
            cause = death.format(cpu=bounds.cpu_seconds, wall=bounds.wall_seconds)
        else:
            last = text.strip().splitlines()[-1:] or ["it said nothing"]
            return f"preparing the module failed (status {status}): {last[0][:300]}"
        return f"preparing the module took {cause}"


async def _converse(child: Process, *question: bytes) -> tuple[bytearray, bytearray]:
    """Write all, read all, at once: a child that does neither mustn't block us."""
    answer, complaint, _ = await asyncio.gather(
        _read(child.stdout, _MAX_ANSWER_BYTES), _read(child.stderr, _MAX_COMPLAINT_BYTES), _write(child, question)
    )
    return answer, complaint


async def _write(child: Process, question: Iterable[bytes]) -> None:
    if child.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for part in question:
            # In pieces: tens of megabytes copied at once would hold up the loop.
            for start in range(0, len(part), _PIECE_BYTES):
                child.stdin.write(part[start : start + _PIECE_BYTES])
                await child.stdin.drain()
    child.stdin.close()


async def _read(stream: asyncio.StreamReader | None, limit: int) -> bytearray:
    kept = bytearray()
    while stream is not None and (chunk := await stream.read(_PIECE_BYTES)):
        kept += chunk[: limit - len(kept)]
    return kept
