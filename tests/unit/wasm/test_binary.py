"""Numbers, names and vectors: what is read, what is refused, what is written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm.binary import (
    NAME_BYTES,
    SHOWN_LETTERS,
    Reader,
    encode_name,
    encode_signed,
    encode_unsigned,
    encode_vector,
    printable,
)


@settings(deadline=None)
@given(st.integers(0, 2**64 - 1))
def test_every_unsigned_number_survives(value: int) -> None:
    """What is encoded is decoded, to the last byte."""
    reader = Reader(encode_unsigned(value))
    assert reader.u64() == value
    assert reader.is_done


@settings(deadline=None)
@given(st.integers(-(2**63), 2**63 - 1))
def test_every_signed_number_survives(value: int) -> None:
    """What is encoded is decoded, to the last byte."""
    reader = Reader(encode_signed(value))
    assert reader.s64() == value
    assert reader.is_done


@pytest.mark.parametrize("value", [0, 1, 127, 128, 2**31, 2**32 - 1])
def test_u32_reaches_its_bounds(value: int) -> None:
    """Every 32-bit number is read."""
    assert Reader(encode_unsigned(value)).u32() == value


@pytest.mark.parametrize("value", [0, -1, 63, 64, -64, -65, 2**31 - 1, -(2**31)])
def test_s32_reaches_its_bounds(value: int) -> None:
    """Every signed 32-bit number is read."""
    assert Reader(encode_signed(value)).s32() == value


def test_padded_numbers_are_read() -> None:
    """Linkers pad numbers to five bytes; the format allows it."""
    assert Reader(b"\x83\x80\x80\x80\x00").u32() == 3
    assert Reader(b"\xff\xff\xff\xff\x7f").s32() == -1


@pytest.mark.parametrize(
    ("read", "data"),
    [
        ("u32", b"\x80\x80\x80\x80\x80\x00"),
        ("u32", b"\xff\xff\xff\xff\x1f"),
        ("s32", b"\xff\xff\xff\xff\x4f"),
        ("s32", b"\x80\x80\x80\x80\x08"),
        ("s32", b"\x80\x80\x80\x80\x80\x00"),
        ("u64", b"\xff" * 9 + b"\x02"),
        ("u64", b"\x80" * 10 + b"\x00"),
        ("s64", b"\x80" * 9 + b"\x01"),
        ("s64", b"\x80" * 10 + b"\x00"),
    ],
)
def test_numbers_beyond_their_type_are_refused(read: str, data: bytes) -> None:
    """Too many bytes, or bits that the type doesn't have, are a fault that names its place."""
    reader = Reader(b"abc" + data, 3)
    with pytest.raises(RejectedModule, match=r"at byte 3$"):
        getattr(reader, read)()


@pytest.mark.parametrize("read", ["byte", "u32", "u64", "s32", "s64", "name"])
def test_a_cut_is_refused_where_it_is(read: str) -> None:
    """Reading never passes the end, even where the data goes on."""
    with pytest.raises(RejectedModule, match=r"cut off, at byte 2$"):
        getattr(Reader(b"\x80\x80\x80\x00", 0, 2), read if read != "byte" else "u32")()


def test_more_bytes_than_there_are_are_refused() -> None:
    """A length that lies is found before anything is copied."""
    with pytest.raises(RejectedModule, match="4,000,000,000 bytes are announced where 3 are left, at byte 0"):
        Reader(b"abc").take(4_000_000_000)


def test_a_count_has_a_bound() -> None:
    """A vector that is too long is refused by its length alone."""
    with pytest.raises(RejectedModule, match="the module has 1,000,000 functions; 200,000 are allowed, at byte 0"):
        Reader(encode_unsigned(1_000_000)).count("functions", 200_000)


@pytest.mark.parametrize("content", [b"\xff", b"\xed\xa0\x80", b"a\xc3"])
def test_names_are_utf8(content: bytes) -> None:
    """What can't be shown as text is refused, surrogates included."""
    with pytest.raises(RejectedModule, match="a name isn't UTF-8, at byte 1"):
        Reader(encode_unsigned(len(content)) + content).name()


def test_names_have_a_bound() -> None:
    """A name of megabytes is refused."""
    with pytest.raises(RejectedModule, match="bytes in a name"):
        Reader(encode_name("a" * (NAME_BYTES + 1))).name()


def test_leftovers_are_refused() -> None:
    """A section that is longer than what it holds hides something."""
    with pytest.raises(RejectedModule, match="the type section has 2 bytes too many, at byte 0"):
        Reader(b"ab").finish("the type section")


def test_vectors_begin_with_their_length() -> None:
    """The length counts items, not bytes."""
    assert encode_vector([b"ab", b"", b"c"]) == b"\x03abc"


def test_a_strangers_text_is_cut_and_cleaned() -> None:
    """Terminal escapes, line ends and essays don't reach a message."""
    assert printable("a\x1b[31m\nb") == "a?[31m?b"
    assert len(printable("x" * 10_000)) == SHOWN_LETTERS
