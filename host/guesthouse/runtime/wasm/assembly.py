"""Assemble the few instructions that our own functions are made of, from their text.

Source: WebAssembly core specification, "Instructions" of the binary format.
"""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from guesthouse.runtime.wasm.binary import encode_signed, encode_unsigned

_PLAIN: Final = MappingProxyType(
    {
        "block": b"\x02\x40",
        "loop": b"\x03\x40",
        "if": b"\x04\x40",
        "else": b"\x05",
        "end": b"\x0b",
        "memory.size": b"\x3f\x00",
        "i32.gt_u": b"\x4b",
        "i32.le_u": b"\x4d",
        "i64.gt_u": b"\x56",
        "i32.add": b"\x6a",
        "i32.sub": b"\x6b",
        "i64.add": b"\x7c",
        "i64.shl": b"\x86",
        "i64.extend_i32_u": b"\xad",
        "memory.copy": b"\xfc\x0a\x00\x00",
        "memory.fill": b"\xfc\x0b\x00",
    },
)
"""Blocks have neither parameters nor results; there is one memory."""
_INDEXED: Final = MappingProxyType(
    {"br_if": b"\x0d", "local.get": b"\x20", "local.set": b"\x21", "local.tee": b"\x22", "memory.init": b"\xfc\x08"},
)
_CONSTANT: Final = MappingProxyType({"i32.const": b"\x41", "i64.const": b"\x42"})
_NO_LOCALS: Final = b"\0"


def assemble_function(text: str) -> bytes:
    """Assemble a function without locals of its own, with its size and its last ``end``; it isn't checked."""
    words = iter(text.split())
    content = _NO_LOCALS + b"".join(_instruction(word, words) for word in words) + _PLAIN["end"]
    return encode_unsigned(len(content)) + content


def _instruction(name: str, words: Iterator[str]) -> bytes:
    if name in _CONSTANT:
        return _CONSTANT[name] + encode_signed(int(next(words)))
    if name not in _INDEXED:
        return _PLAIN[name]
    index = encode_unsigned(int(next(words)))
    return _INDEXED[name] + (index + b"\0" if name == "memory.init" else index)
