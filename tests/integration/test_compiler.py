"""What is done with a stranger's bytes: in a child, which may die of them in any way, and never here."""

import asyncio
import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.engines import EVENT, configured
from tests.support.guests import minimal

from guesthouse.config import MIB, CompilerConfig, EngineConfig
from guesthouse.errors import RejectedModule
from guesthouse.runtime import artefact
from guesthouse.runtime.artefact import Artefact
from guesthouse.runtime.artefacts import ArtefactStore
from guesthouse.runtime.compiler import Compiler
from guesthouse.runtime.engine import Engine

pytestmark = pytest.mark.anyio
SPINNING = minimal(initialize="(loop $on (br $on))")
FOR_EVER = 10**15
Child = asyncio.subprocess.Process


class Children:
    """Every child that was started, and a way to wait for the next one."""

    def __init__(self) -> None:
        self.all: list[Child] = []
        self._new: asyncio.Queue[Child] = asyncio.Queue()

    def add(self, child: Child) -> None:
        """Note a child that has been started."""
        self.all.append(child)
        self._new.put_nowait(child)

    async def next(self) -> Child:
        """Wait for one that nobody has waited for yet."""
        return await self._new.get()

    @property
    def statuses(self) -> list[int | None]:
        """How each of them ended."""
        return [child.returncode for child in self.all]


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> Children:
    """Note every child that is started."""
    children = Children()
    start = asyncio.create_subprocess_exec

    async def noted(*arguments: Any, **options: Any) -> Child:  # noqa: ANN401 - those of the real one
        child = await start(*arguments, **options)
        children.add(child)
        return child

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    return children


def kept_in(folder: Path) -> list[Path]:
    """List the artefacts in a folder."""
    return list(folder.glob("*.artefact"))


def made(folder: Path | None = None, **bounds: Any) -> Compiler:  # noqa: ANN401 - the fields of `CompilerConfig`
    """Make a compiler with these bounds."""
    return Compiler(EngineConfig(compiler=CompilerConfig(**bounds)), ArtefactStore(folder))


async def build(compiler: Compiler, module: bytes) -> Artefact:
    """Build a module."""
    return await compiler.build(module, hashlib.sha256(module).hexdigest())


async def refusal(compiler: Compiler, module: bytes) -> str:
    """Build a module that is refused; give the reason."""
    with pytest.raises(RejectedModule) as refused:
        await build(compiler, module)
    return refused.value.fault


async def test_a_good_module_becomes_an_artefact(children: Children) -> None:
    """Code, facts and description, by one child that ended well."""
    built = await build(made(), minimal())
    assert built.description.language == "wat"
    assert (built.needs_initialise, built.why_not_snapshotted, built.memory_min_pages) == (False, None, 1)
    assert built.code
    assert children.statuses == [0]


@pytest.mark.parametrize("source", [b"", b"\0asm", b"\0asm\1\0\0\0", b"MZ" + bytes(100), bytes(1_000)])
async def test_bytes_that_are_no_module_are_refused(source: bytes) -> None:
    """With a reason, by a child that ended well."""
    assert await refusal(made(), source)


async def test_a_module_over_the_bound_never_reaches_a_child(children: Children) -> None:
    """Its size is all that is looked at."""
    assert await refusal(made(module_bytes=1_000), bytes(1_001)) == "the module is 1,001 bytes; 1,000 are allowed"
    assert children.all == []


async def test_time_is_bounded_by_the_wall_clock(children: Children) -> None:
    """A child that takes too long is killed, and it is the module's fault."""
    async with asyncio.timeout(10):
        fault = await refusal(made(wall_seconds=0.6, init_fuel=FOR_EVER), SPINNING)
    assert "more time than the 0.6 s that it may take" in fault
    assert children.statuses == [-signal.SIGKILL]


async def test_time_is_bounded_by_cpu_seconds(children: Children) -> None:
    """By the kernel, whatever this process does meanwhile."""
    fault = await refusal(made(cpu_seconds=1, init_fuel=FOR_EVER), SPINNING)
    assert fault == "preparing the module took more CPU time than the 1 s that it may take"
    assert children.statuses == [-signal.SIGXCPU]


async def test_initialisation_is_bounded_by_fuel() -> None:
    """The child itself notices; the phase is named."""
    fault = await refusal(made(init_fuel=1_000_000), SPINNING)
    assert fault.startswith("initialisation failed: the guest used up its 1,000,000 units of fuel")


async def test_memory_of_compilation_is_bounded(children: Children) -> None:
    """A module that makes the compiler run out of memory is refused, by a child that died of it."""
    fault = await refusal(made(memory_bytes=32 * MIB), minimal(extra="(func)" * 100_000))
    assert fault == "preparing the module took more than the 33,554,432 bytes of memory that it may take"
    assert children.all[0].returncode != 0


async def test_memory_of_initialisation_is_bounded() -> None:
    """What the guest itself fills counts as well."""
    initialize = "(memory.fill (i32.const 65536) (i32.const 1) (i32.const 200000000))"
    assert "memory" in await refusal(made(memory_bytes=192 * MIB), minimal(memory="4096", initialize=initialize))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGTERM])
async def test_a_child_that_is_killed_is_a_refusal(children: Children, number: signal.Signals) -> None:
    """A module that crashes the compiler is refused; whatever the signal, nobody waits for ever."""
    task = asyncio.ensure_future(refusal(made(init_fuel=FOR_EVER), SPINNING))
    child = await children.next()
    os.kill(child.pid, number)
    assert (await task).startswith("preparing the module")
    assert child.returncode == -number


async def test_the_next_module_builds_after_a_child_has_died(children: Children) -> None:
    """A place that a child had is free again."""
    one = made(children=1, init_fuel=FOR_EVER)
    task = asyncio.ensure_future(refusal(one, SPINNING))
    os.kill((await children.next()).pid, signal.SIGKILL)
    await task
    assert (await build(one, minimal())).code


async def test_cancelling_a_build_kills_its_child(children: Children) -> None:
    """Nobody is left computing for nobody."""
    one = made(children=1, init_fuel=FOR_EVER)
    task = asyncio.ensure_future(build(one, SPINNING))
    child = await children.next()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert child.returncode == -signal.SIGKILL
    assert (await build(one, minimal())).code


async def test_children_at_once_are_bounded(children: Children) -> None:
    """The others wait for their turn."""
    one = made(children=2, init_fuel=FOR_EVER)
    sources = [minimal(initialize="(loop $on (br $on))", memory=str(number + 1)) for number in range(4)]
    tasks = [asyncio.ensure_future(refusal(one, source)) for source in sources]
    running = [await children.next(), await children.next()]
    for _ in tasks[2:]:
        await asyncio.sleep(0)
        assert len(children.all) == len([status for status in children.statuses if status is not None]) + 2
        os.kill(running.pop(0).pid, signal.SIGKILL)
        running.append(await children.next())
    for child in running:
        os.kill(child.pid, signal.SIGKILL)
    await asyncio.gather(*tasks)


async def test_a_child_has_nothing_of_the_hosts(children: Children, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither environment nor descriptors, and its own limits."""
    monkeypatch.setenv("GUESTHOUSE_SECRET", "hunter2")
    ours = os.pipe()
    for descriptor in ours:
        os.set_inheritable(descriptor, True)
    task = asyncio.ensure_future(refusal(made(init_fuel=FOR_EVER, memory_bytes=512 * MIB), SPINNING))
    child = await children.next()
    async with asyncio.timeout(20):
        while "536870912" not in _limits(child).values():  # noqa: ASYNC110 - no event tells of it
            await asyncio.sleep(0)
    environment, limits, descriptors = _environment(child), _limits(child), _descriptors(child)
    os.kill(child.pid, signal.SIGKILL)
    await task
    assert environment == b""
    assert _name_of(ours[0]) not in descriptors.values()
    assert {number for number, target in descriptors.items() if target.startswith(("socket:", "pipe:"))} == set("012")
    assert (limits["Max data size"], limits["Max core file size"], limits["Max cpu time"]) == ("536870912", "0", "60")
    for descriptor in ours:
        os.close(descriptor)


def _name_of(descriptor: int) -> str:
    return str(Path(f"/proc/self/fd/{descriptor}").readlink())


def _limits(child: Child) -> dict[str, str]:
    rows = Path(f"/proc/{child.pid}/limits").read_text().splitlines()
    return {row[:26].strip(): row[26:].split()[0] for row in rows}


def _environment(child: Child) -> bytes:
    return Path(f"/proc/{child.pid}/environ").read_bytes()


def _descriptors(child: Child) -> dict[str, str]:
    return {entry.name: str(entry.readlink()) for entry in Path(f"/proc/{child.pid}/fd").iterdir()}


# What is kept ---------------------------------------------------------------------------------------------------------


async def test_what_was_built_once_is_not_built_again(tmp_path: Path, children: Children) -> None:
    """Neither by this process nor by the next."""
    first = await build(made(tmp_path), minimal())
    assert await build(made(tmp_path), minimal()) == first
    assert len(children.all) == 1


async def test_another_configuration_builds_its_own(tmp_path: Path, children: Children) -> None:
    """An artefact fits one configuration only."""
    await build(made(tmp_path), minimal())
    other = Compiler(EngineConfig(memory_ceiling_bytes=128 * MIB), ArtefactStore(tmp_path))
    await build(other, minimal())
    assert len(children.all) == 2


async def test_a_refusal_is_not_kept(tmp_path: Path, children: Children) -> None:
    """It may have been the machine's fault."""
    for _ in range(2):
        await refusal(made(tmp_path), b"no module")
    assert len(children.all) == 2
    assert not kept_in(tmp_path)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:40] + b"x" + data[41:], lambda _: b""])
async def test_a_damaged_artefact_is_built_anew(
    tmp_path: Path, children: Children, damage: Callable[[bytes], bytes]
) -> None:
    """And replaced by a good one."""
    await build(made(tmp_path), minimal())
    (path,) = kept_in(tmp_path)
    path.write_bytes(damage(path.read_bytes()))
    for _ in range(2):
        assert (await build(made(tmp_path), minimal())).code
    assert len(children.all) == 2


async def test_an_authentic_artefact_of_another_form_is_built_anew(tmp_path: Path, children: Children) -> None:
    """What an older Guesthouse wrote, say."""
    one = made(tmp_path)
    digest = hashlib.sha256(minimal()).hexdigest()
    ArtefactStore(tmp_path).save(one.key(digest), b"\x80")
    assert (await build(one, minimal())).code
    assert len(children.all) == 1


async def test_code_that_the_engine_refuses_is_built_anew_once(tmp_path: Path, children: Children) -> None:
    """Compiled for another processor, say: the function works all the same."""
    source = minimal()
    async with Engine.open(configured(cache_folder=tmp_path)) as engine:
        await engine.load(source)
        one = engine._compiler
        digest = hashlib.sha256(source).hexdigest()
        known = one._recall(one.key(digest))
        assert known is not None
        changed = artefact.encode(replace_code(known, b"\x7fELF" + bytes(1_000)))
        ArtefactStore(tmp_path).save(one.key(digest), changed)
        module = await engine.load(source)
        assert (await module.invoke("onTrack", EVENT)).verdict == "done"
        await engine.load(source)
    assert len(children.all) == 2


def replace_code(known: Artefact, code: bytes) -> Artefact:
    """Give an artefact with other code."""
    fields = {name: getattr(known, name) for name in known.__struct_fields__}
    return Artefact(**{**fields, "code": code})


async def test_two_builds_of_one_module_at_once_both_succeed(tmp_path: Path) -> None:
    """Whichever is stored last is whole."""
    one = made(tmp_path)
    first, second = await asyncio.gather(build(one, minimal()), build(one, minimal()))
    assert first.description == second.description
    assert await build(one, minimal()) in (first, second)
    assert len(kept_in(tmp_path)) == 1
