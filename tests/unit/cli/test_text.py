"""Text for terminals: safe whatever strangers write, coloured only where that is wanted."""

import io

import pytest

from guesthouse.cli.text import Ink, body, count, one_line, plain, row, shortened, size, text_of


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("grüß dich 🌍", "grüß dich 🌍"),
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\rb\tc\x00", "a\\rb\\tc\\x00"),
        ("\x9b31m", "\\x9b31m"),
        ("\u202eevil", "\\u202eevil"),
        ("half \ud800", "half \\ud800"),
        ("two\nlines", "two\nlines"),
    ],
)
def test_a_terminal_is_never_commanded(text: str, shown: str) -> None:
    """Escapes, control characters, direction marks and lone surrogates are shown, not sent."""
    assert plain(text) == shown


def test_a_line_stays_a_line() -> None:
    """Where one line is promised, a line break is shown as its escape."""
    assert one_line("a\nb") == "a\\nb"


def test_long_text_is_cut_and_says_so() -> None:
    """Nothing is left out silently."""
    assert shortened("x" * 12, 10) == f"{'x' * 10} ... (2 characters more)"
    assert shortened("x" * 10, 10) == "x" * 10


@pytest.mark.parametrize(
    ("kept", "size_bytes", "text"),
    [
        (b"abc", 3, "abc"),
        ("grü".encode()[:-1], 100, "gr"),
        ("grü".encode()[:-1], 3, None),
        (b"\xffabc", 100, None),
        (b"", 0, ""),
    ],
)
def test_a_body_cut_within_a_character_is_still_text(kept: bytes, size_bytes: int, text: str | None) -> None:
    """What follows the cut can't be judged; what is broken before it isn't text."""
    assert text_of(kept, size_bytes) == text


def test_bodies_are_described_by_size_and_beginning() -> None:
    """Text as text, other bytes in hexadecimal, nothing as nothing."""
    assert body(b"", 0) == "0 bytes"
    assert body(b"{}", 2) == "2 bytes: {}"
    assert body(b"\xff\x00", 2) == "2 bytes, not text: ff 00"
    assert body(b"\xff" * 100, 1_000).endswith("ff ...")


def test_colour_is_for_terminals_that_want_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe gets none, nor does a terminal with NO_COLOR, nor a dumb one."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Ink.for_stream(_Terminal()).good("done") == "\x1b[1;32mdone\x1b[0m"
    assert Ink.for_stream(io.StringIO()).good("done") == "done"
    monkeypatch.setenv("NO_COLOR", "1")
    assert Ink.for_stream(_Terminal()).good("done") == "done"
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("TERM", "dumb")
    assert Ink.for_stream(_Terminal()).good("done") == "done"


def test_sizes_and_counts_read_well() -> None:
    """Whole units without a fraction, one thing in the singular."""
    assert [size(number) for number in (0, 1, 1_024, 458_752, 1_572_864)] == [
        *("0 bytes", "1 byte", "1 KiB", "448 KiB", "1.5 MiB"),
    ]
    assert (count(1, "event"), count(1_000, "event")) == ("1 event", "1,000 events")


def test_rows_are_aligned() -> None:
    """Further lines stand under the first, and a row without values says so."""
    assert list(row("a", "1\n2", "3")) == ["  a              1", "                 2", "                 3"]
    assert list(row("a")) == ["  a              none"]
