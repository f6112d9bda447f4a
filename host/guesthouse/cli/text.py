"""Text for terminals: safe, short, aligned, and coloured only where that is wanted."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, TextIO

KIB: Final = 1 << 10
MIB: Final = 1 << 20
BODY_CHARS: Final = 400
"""How much of a body is shown; the record keeps more."""
HEX_BYTES: Final = 24
"""How much is shown of a body that isn't text."""
_LABEL_CHARS: Final = 15
_LONGEST_CHARACTER: Final = 4


@dataclass(frozen=True, slots=True)
class Ink:
    """Colours, or none."""

    is_colourful: bool = False

    @classmethod
    def for_stream(cls, stream: TextIO) -> "Ink":
        """Colour terminals only, and none that was asked not to (NO_COLOR, see no-color.org)."""
        is_wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
        return cls(is_wanted and stream.isatty())

    def bold(self, text: str) -> str:
        """Mark a heading."""
        return self._in("1", text)

    def good(self, text: str) -> str:
        """Mark success."""
        return self._in("1;32", text)

    def mixed(self, text: str) -> str:
        """Mark what is neither success nor failure."""
        return self._in("1;33", text)

    def bad(self, text: str) -> str:
        """Mark failure."""
        return self._in("1;31", text)

    def faint(self, text: str) -> str:
        """Mark what can be skipped."""
        return self._in("2", text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.is_colourful else text


def plain(text: str) -> str:
    """Return a stranger's text with everything escaped that a terminal might obey; line breaks stay."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else _escaped(char) for char in text)


def one_line(text: str) -> str:
    """Return a stranger's text as `plain` does, on one line."""
    return plain(text).replace("\n", "\\n")


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")


def shortened(text: str, chars: int = BODY_CHARS) -> str:
    """Return *text*, safe and on one line, cut after *chars*; says how much is missing."""
    left_out = len(text) - chars
    return one_line(text) if left_out <= 0 else f"{one_line(text[:chars])} ... ({left_out:,} characters more)"


def text_of(kept: bytes, size_bytes: int) -> str | None:
    """Decode *kept*, the beginning of *size_bytes* of UTF-8, which may end within a character; None for other bytes."""
    try:
        return kept.decode()
    except UnicodeDecodeError as error:
        is_cut_character = len(kept) < size_bytes and len(kept) - error.start < _LONGEST_CHARACTER
        return kept[: error.start].decode() if is_cut_character else None


def body(kept: bytes, size_bytes: int) -> str:
    """Describe a body of *size_bytes*, of which *kept* is the beginning."""
    if not size_bytes or not kept:
        return count(size_bytes, "byte")
    text = text_of(kept, size_bytes)
    if text is None:
        rest = " ..." if size_bytes > HEX_BYTES else ""
        return f"{count(size_bytes, 'byte')}, not text: {kept[:HEX_BYTES].hex(' ')}{rest}"
    return f"{count(size_bytes, 'byte')}: {shortened(text)}"


def size(size_bytes: int) -> str:
    """Write a size as people do, exactly where it is a whole number of KiB or MiB."""
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size_bytes >= unit:
            return f"{size_bytes / unit:,.1f}".removesuffix(".0") + f" {name}"
    return count(size_bytes, "byte")


def count(number: int, noun: str) -> str:
    """Write a number with its noun, in the plural where that is due."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def row(label: str, *values: str) -> Iterator[str]:
    """Yield a labelled value, each further line of it aligned under the first."""
    lines = [line for value in values for line in value.split("\n")] or ["none"]
    for index, line in enumerate(lines):
        yield f"  {'' if index else label:<{_LABEL_CHARS}}{line}".rstrip()
