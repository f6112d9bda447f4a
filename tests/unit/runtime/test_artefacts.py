"""The artefact store: authenticated, whole or absent, never trusted by name."""

import os
import secrets
import stat
from pathlib import Path

import pytest

from guesthouse.runtime.artefacts import ArtefactStore


def only_file(folder: Path) -> Path:
    """Find the one artefact in a folder."""
    (path,) = folder.glob("*.artefact")
    return path


def test_what_is_saved_is_loaded_by_its_key_alone(tmp_path: Path) -> None:
    """Another key finds nothing."""
    store = ArtefactStore(tmp_path)
    store.save("key", b"code")
    assert store.load("key") == b"code"
    assert store.load("other") is None


def test_another_host_with_the_same_folder_reads_it(tmp_path: Path) -> None:
    """Restarts and sister processes share what was compiled."""
    ArtefactStore(tmp_path).save("key", b"code")
    assert ArtefactStore(tmp_path).load("key") == b"code"


def test_without_a_folder_nothing_is_kept() -> None:
    """And nothing fails."""
    store = ArtefactStore(None)
    store.save("key", b"code")
    store.drop("key")
    assert store.load("key") is None


@pytest.mark.parametrize("position", [0, 31, 32, -1])
def test_one_changed_bit_makes_a_file_as_good_as_none(tmp_path: Path, position: int) -> None:
    """Of the MAC or of the code."""
    store = ArtefactStore(tmp_path)
    store.save("key", b"native code")
    path = only_file(tmp_path)
    data = bytearray(path.read_bytes())
    data[position] ^= 1
    path.write_bytes(data)
    assert store.load("key") is None


@pytest.mark.parametrize("kept", [0, 1, 31, 32, 36])
def test_a_file_that_was_cut_short_is_as_good_as_none(tmp_path: Path, kept: int) -> None:
    """Even to nothing."""
    store = ArtefactStore(tmp_path)
    store.save("key", b"native code")
    path = only_file(tmp_path)
    path.write_bytes(path.read_bytes()[:kept])
    assert store.load("key") is None


def test_an_authentic_file_under_another_name_is_refused(tmp_path: Path) -> None:
    """The key is in the MAC: one function's code can't be put in another's place."""
    store = ArtefactStore(tmp_path)
    store.save("harmless", b"harmless code")
    taken = only_file(tmp_path).read_bytes()
    store.save("important", b"important code")
    store._path(tmp_path, "important").write_bytes(taken)
    assert store.load("important") is None


def test_key_and_code_cannot_be_split_elsewhere(tmp_path: Path) -> None:
    """The MAC over ``ab`` + ``c`` isn't that over ``a`` + ``bc``."""
    store = ArtefactStore(tmp_path)
    store.save("ab", b"c")
    mac = only_file(tmp_path).read_bytes()[:32]
    store._path(tmp_path, "a").write_bytes(mac + b"bc")
    assert store.load("a") is None


def test_another_installations_artefacts_are_refused(tmp_path: Path) -> None:
    """Each folder has a key of its own."""
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ArtefactStore(theirs).save("key", b"code")
    store = ArtefactStore(ours)
    (ours / only_file(theirs).name).write_bytes(only_file(theirs).read_bytes())
    assert store.load("key") is None


def test_dropping_forgets_and_dropping_twice_is_fine(tmp_path: Path) -> None:
    """Whoever drops needn't know whether it is there."""
    store = ArtefactStore(tmp_path)
    store.save("key", b"code")
    store.drop("key")
    store.drop("key")
    assert store.load("key") is None


def test_saving_renames_a_whole_file_into_place(tmp_path: Path) -> None:
    """The file that a reader has open stays what it was: overwriting it in place is never done."""
    store = ArtefactStore(tmp_path)
    store.save("key", b"old")
    with only_file(tmp_path).open("rb") as held:
        store.save("key", b"new code")
        assert held.read()[32:] == b"old"
    assert store.load("key") == b"new code"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".artefact"]


def test_a_save_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk at the worst moment leaves the old artefact whole."""
    store = ArtefactStore(tmp_path)
    store.save("key", b"old")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.save("key", b"new")
    assert store.load("key") == b"old"


def test_a_save_that_fails_leaves_no_litter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk isn't made fuller by halves of files."""
    store = ArtefactStore(tmp_path)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.save("key", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_artefacts_and_the_key_are_readable_by_the_host_only(tmp_path: Path) -> None:
    """Whatever the process's umask is: mode 0600 each, and 0700 for a folder that we made."""
    folder = tmp_path / "cache"
    before = os.umask(0)
    try:
        ArtefactStore(folder).save("key", b"code")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (folder, *folder.iterdir())}
    assert modes.pop("cache") == 0o700
    assert len(modes) == 2
    assert set(modes.values()) == {0o600}


def test_two_hosts_that_start_at_once_use_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both saw no key; the one that comes second uses the first one's."""
    first: list[ArtefactStore] = []
    draw = secrets.token_bytes

    def draw_late(count: int) -> bytes:
        monkeypatch.setattr(secrets, "token_bytes", draw)
        first.append(ArtefactStore(tmp_path))
        return draw(count)

    monkeypatch.setattr(secrets, "token_bytes", draw_late)
    second = ArtefactStore(tmp_path)
    first[0].save("key", b"code")
    assert second.load("key") == b"code"
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", ".artefact"]


def test_a_key_is_256_random_bits(tmp_path: Path) -> None:
    """No two folders share one."""
    keys = set()
    for name in "ab":
        ArtefactStore(tmp_path / name)
        keys.add((tmp_path / name / "key").read_bytes())
    assert {len(key) for key in keys} == {32}
    assert len(keys) == 2
