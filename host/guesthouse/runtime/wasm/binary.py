"""Numbers, names and vectors of the WebAssembly binary format, read within bounds and written canonically.

Every fault is a `RejectedModule` that names the byte offset. Source: WebAssembly core specification, "Binary Format".
"""

from typing import Final

from guesthouse.errors import RejectedModule

MAGIC: Final = b"\0asm"
VERSION: Final = b"\1\0\0\0"
NAME_BYTES: Final = 4_096
"""Longest name of an import, export or custom section."""
SHOWN_LETTERS: Final = 100
"""Longest piece of a stranger's text in a message."""

_GROUP_BITS: Final = 7
_MORE: Final = 0x80
_SIGN: Final = 0x40
_PAYLOAD: Final = 0x7F


def fault(what: str, offset: int) -> RejectedModule:
    """Write the error for *what*, found at byte *offset*."""
    return RejectedModule(f"{what}, at byte {offset:,}")


def printable(text: str) -> str:
    """Cut and clean a stranger's *text*, so that it can stand in a message and on a terminal."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:SHOWN_LETTERS])


class Reader:
    """A cursor over ``data[offset:end]`` that never reads beyond *end* and never copies more than it returns."""

    __slots__ = ("data", "end", "offset")

    def __init__(self, data: bytes, offset: int = 0, end: int | None = None) -> None:
        self.data = data
        self.offset = offset
        self.end = len(data) if end is None else end

    @property
    def is_done(self) -> bool:
        """Whether every byte was read."""
        return self.offset >= self.end

    def byte(self) -> int:
        """Read one byte."""
        at = self.offset
        if at >= self.end:
            raise fault("the module is cut off", at)
        self.offset = at + 1
        return self.data[at]

    def u32(self) -> int:
        """Read an unsigned 32-bit number of at most five bytes."""
        at = self.offset
        if at < self.end and (first := self.data[at]) < _MORE:  # nearly every number is one byte
            self.offset = at + 1
            return first
        return self._unsigned(32)

    def u64(self) -> int:
        """Read an unsigned 64-bit number of at most ten bytes."""
        return self._unsigned(64)

    def s32(self) -> int:
        """Read a signed 32-bit number of at most five bytes."""
        return self._signed(32)

    def s64(self) -> int:
        """Read a signed 64-bit number of at most ten bytes."""
        return self._signed(64)

    def count(self, what: str, most: int) -> int:
        """Read the length of a vector of *what*, refusing more than *most*."""
        at = self.offset
        found = self.u32()
        if found > most:
            raise fault(f"the module has {found:,} {what}; {most:,} are allowed", at)
        return found

    def take(self, size: int) -> bytes:
        """Read *size* bytes."""
        start = self.skip(size)
        return self.data[start : start + size]

    def skip(self, size: int) -> int:
        """Step over *size* bytes and return the offset of the first."""
        start = self.offset
        if size > self.end - start:
            raise fault(f"{size:,} bytes are announced where {self.end - start:,} are left", start)
        self.offset = start + size
        return start

    def name(self) -> str:
        """Read a name: UTF-8, at most `NAME_BYTES` long."""
        size = self.count("bytes in a name", NAME_BYTES)
        start = self.offset
        try:
            return self.take(size).decode()
        except UnicodeDecodeError:
            raise fault("a name isn't UTF-8", start) from None

    def finish(self, what: str) -> None:
        """Refuse bytes that are left over in *what*."""
        if self.offset != self.end:
            raise fault(f"{what} has {self.end - self.offset:,} bytes too many", self.offset)

    def _groups(self, bits: int) -> tuple[int, int, int]:
        """Read the groups of one number: its raw value, its number of groups, its last byte."""
        start = self.offset
        value = 0
        for group in range((bits + _GROUP_BITS - 1) // _GROUP_BITS):
            byte = self.byte()
            value |= (byte & _PAYLOAD) << (group * _GROUP_BITS)
            if byte < _MORE:
                return value, group + 1, byte
        raise fault(f"a {bits}-bit number has too many bytes", start)

    def _unsigned(self, bits: int) -> int:
        start = self.offset
        value, _, _ = self._groups(bits)
        if value >> bits:
            raise fault(f"a number doesn't fit into {bits} bits", start)
        return value

    def _signed(self, bits: int) -> int:
        start = self.offset
        value, groups, last = self._groups(bits)
        if last & _SIGN:
            value -= 1 << (groups * _GROUP_BITS)
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            raise fault(f"a number doesn't fit into {bits} bits", start)
        return value


def encode_unsigned(value: int) -> bytes:
    """Encode a number that isn't negative in its shortest form."""
    encoded = bytearray()
    while value >= _MORE:
        encoded.append(value & _PAYLOAD | _MORE)
        value >>= _GROUP_BITS
    encoded.append(value)
    return bytes(encoded)


def encode_signed(value: int) -> bytes:
    """Encode a signed number in its shortest form."""
    encoded = bytearray()
    while not -_SIGN <= value < _SIGN:
        encoded.append(value & _PAYLOAD | _MORE)
        value >>= _GROUP_BITS
    encoded.append(value & _PAYLOAD)
    return bytes(encoded)


def encode_name(name: str) -> bytes:
    """Encode a name with its length."""
    encoded = name.encode()
    return encode_unsigned(len(encoded)) + encoded


def encode_vector(items: list[bytes]) -> bytes:
    """Encode a vector of items that are encoded already."""
    return encode_unsigned(len(items)) + b"".join(items)
