"""Secrets at rest."""

from pathlib import Path

import pytest

from guesthouse.errors import StorageFault, UnreadableSecret
from guesthouse.model.registry import SecretInput
from guesthouse.registry.sealing import KEY_FILE, Place, Sealed, Sealer

OLD, NEW = "0a" * 32, "0b" * 32
PLACE = Place("tnt_1", "dst_1", "key")


def test_what_is_sealed_is_unsealed() -> None:
    """In any writing."""
    sealer = Sealer(OLD)
    assert sealer.unseal(PLACE, sealer.seal(PLACE, "pässwörd ✓")) == "pässwörd ✓"


def test_sealing_twice_gives_two_ciphertexts() -> None:
    """Nobody sees that two destinations share a secret."""
    sealer = Sealer(OLD)
    assert sealer.seal(PLACE, "x").data != sealer.seal(PLACE, "x").data


@pytest.mark.parametrize(
    "place",
    [
        Place("tnt_2", "dst_1", "key"),
        Place("tnt_1", "dst_2", "key"),
        Place("tnt_1", "dst_1", "ke"),
        Place("tnt_1d", "st_1", "key"),
    ],
)
def test_a_secret_is_readable_in_its_place_only(place: Place) -> None:
    """Whoever can write the database can't move it to where they could read it."""
    sealer = Sealer(OLD)
    with pytest.raises(UnreadableSecret):
        sealer.unseal(place, sealer.seal(PLACE, "x"))


@pytest.mark.parametrize("position", [0, 11, 12, -1])
def test_a_changed_bit_is_noticed(position: int) -> None:
    """In the nonce, the text and the tag."""
    sealer = Sealer(OLD)
    sealed = sealer.seal(PLACE, "x")
    data = bytearray(sealed.data)
    data[position] ^= 1
    for changed in (bytes(data), b"", sealed.data[:13]):
        with pytest.raises(UnreadableSecret):
            sealer.unseal(PLACE, Sealed(sealed.key_id, changed))


def test_a_new_key_in_front_rotates() -> None:
    """Old secrets stay readable, new ones are written with the new key, and the old key alone can't read those."""
    old, both = Sealer(OLD), Sealer(f"{NEW}\n{OLD}\n")
    assert both.unseal(PLACE, old.seal(PLACE, "x")) == "x"
    fresh = both.seal(PLACE, "y")
    assert Sealer(NEW).unseal(PLACE, fresh) == "y"
    with pytest.raises(UnreadableSecret, match=fresh.key_id):
        old.unseal(PLACE, fresh)


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "0a" * 31, "0a" * 33, f"{OLD} hunter2"])
def test_a_key_that_is_none_is_refused_and_not_quoted(text: str) -> None:
    """The message says which one and what it should look like."""
    with pytest.raises(ValueError, match="secret key") as refusal:
        Sealer(text)
    assert "hunter2" not in str(refusal.value)


def test_nothing_shows_a_value() -> None:
    """Neither the sealer, nor what is sealed, nor what was handed in."""
    sealer = Sealer(OLD)
    shown = f"{sealer!r} {sealer.seal(PLACE, 'hunter2')!r} {SecretInput(value='hunter2')!r}"
    assert "hunter2" not in shown
    assert OLD not in shown


def test_a_damaged_key_file_is_an_operators_error(tmp_path: Path) -> None:
    """A new key isn't made in its place: that would lose every secret."""
    (tmp_path / KEY_FILE).write_text("oops")
    with pytest.raises(StorageFault, match="damaged"):
        Sealer.open(tmp_path)
    assert (tmp_path / KEY_FILE).read_text() == "oops"
