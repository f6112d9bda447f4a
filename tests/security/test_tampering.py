"""The folder of compiled guests in the hands of somebody else: what is changed there is made anew, and never run."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.guests import minimal
from tests.support.hostile import EVENT, opened

from guesthouse.runtime.modules import Module

pytestmark = pytest.mark.anyio

VICTIM = minimal(reply={"verdict": "done", "message": "the victim"})
OTHER = minimal(reply={"verdict": "done", "message": "the other"})


def flip(at: int) -> Callable[[bytes, bytes], bytes]:
    """Change one bit; negative positions count from the end."""

    def tamper(victim: bytes, _other: bytes) -> bytes:
        changed = bytearray(victim)
        changed[at] ^= 1
        return bytes(changed)

    return tamper


TAMPERED: Mapping[str, Callable[[bytes, bytes], bytes]] = {
    "a flipped bit in the native code": lambda victim, other: flip(len(victim) // 2)(victim, other),
    "a flipped bit in the MAC": flip(0),
    "a flipped bit at the beginning": flip(32),
    "a flipped bit at the end": flip(-1),
    "another module's artefact under this name": lambda _, other: other,
    "this module's MAC before another's artefact": lambda victim, other: victim[:32] + other[32:],
    "half of it": lambda victim, _: victim[: len(victim) // 2],
    "a byte too little": lambda victim, _: victim[:-1],
    "a byte too much": lambda victim, _: victim + b"\0",
    "less than a MAC": lambda victim, _: victim[:7],
    "nothing": lambda _victim, _other: b"",
    "garbage": lambda victim, _: os.urandom(len(victim)),
    "no MAC": lambda victim, _: bytes(32) + victim[32:],
}


def spoil(file: Path, data: bytes) -> None:
    """Overwrite a file in place, as no honest engine does."""
    file.write_bytes(data)


def holds(file: Path, data: bytes) -> bool:
    """Compare a file's content."""
    return file.read_bytes() == data


def inode(file: Path) -> int:
    """Tell a file from another that took its place."""
    return file.stat().st_ino


async def message_of(module: Module) -> str | None:
    """Run a guest and return its message."""
    report = await module.invoke("onTrack", dict(EVENT))
    assert report.reply is not None, report.error
    return report.reply.message


@dataclass(frozen=True, slots=True)
class Honest:
    """What an honest engine wrote into its folder."""

    key: bytes
    name: str
    """Of the victim's file."""
    victim: bytes
    other: bytes


@pytest.fixture(scope="module")
async def honest(tmp_path_factory: pytest.TempPathFactory) -> Honest:
    """Let an engine compile two modules."""
    folder = tmp_path_factory.mktemp("honest")
    async with opened(folder) as gauntlet:
        await gauntlet.load(VICTIM)
        (victim,) = folder.glob("*.artefact")
        await gauntlet.load(OTHER)
        (other,) = set(folder.glob("*.artefact")) - {victim}
    return Honest((folder / "key").read_bytes(), victim.name, victim.read_bytes(), other.read_bytes())


@pytest.fixture
def file(tmp_path: Path, honest: Honest) -> Path:
    """Give the victim's file in a folder with the honest engine's key, for a test to do with what it likes."""
    (tmp_path / "key").write_bytes(honest.key)
    path = tmp_path / honest.name
    path.write_bytes(honest.victim)
    return path


@pytest.mark.parametrize("tamper", TAMPERED.values(), ids=TAMPERED)
async def test_a_tampered_artefact_is_made_anew(
    tamper: Callable[[bytes, bytes], bytes], file: Path, honest: Honest
) -> None:
    """What fails its MAC is as good as none: the module is compiled again and the file mended."""
    tampered = tamper(honest.victim, honest.other)
    async with opened(file.parent) as gauntlet:

        async def attack() -> None:
            spoil(file, tampered)
            module = await gauntlet.engine.load(VICTIM)
            assert await message_of(module) == "the victim"
            assert not holds(file, tampered)
            module.close()

        await gauntlet.survive(attack)


async def test_an_artefact_under_another_key_is_made_anew(file: Path) -> None:
    """Whoever copies a whole folder, but for its key, has brought nothing that runs."""
    spoil(file.parent / "key", os.urandom(32))
    written = inode(file)
    async with opened(file.parent) as gauntlet:
        assert await message_of(await gauntlet.load(VICTIM)) == "the victim"
    assert inode(file) != written


async def test_an_honest_artefact_is_used(file: Path) -> None:
    """The file isn't written again, which shows that the cases above differ from something."""
    written = inode(file)
    async with opened(file.parent) as gauntlet:
        assert await message_of(await gauntlet.load(VICTIM)) == "the victim"
    assert inode(file) == written


async def test_an_artefact_overwritten_while_it_runs(file: Path, honest: Honest) -> None:
    """Code that was loaded is the host's own copy: what happens to the file later changes nothing."""
    async with opened(file.parent) as gauntlet:
        module = await gauntlet.load(VICTIM)

        async def attack() -> None:
            spoil(file, os.urandom(len(honest.victim)))
            spoil(file, b"")
            assert await message_of(module) == "the victim"

        await gauntlet.survive(attack)
