"""Modules for tests: from WAT text, or put together byte by byte where no toolchain would write them so."""

import wasmtime

from guesthouse.runtime.wasm.binary import MAGIC, VERSION, encode_unsigned

PARTS = {
    "memory": '(memory (export "memory") 1)',
    "alloc": '(func (export "guesthouse_alloc") (param i32) (result i32) i32.const 0)',
    "call": '(func (export "guesthouse_call") (param i32 i32) (result i64) i64.const 0)',
    "describe": '(func (export "guesthouse_describe") (result i64) i64.const 0)',
}
"""The pieces of the smallest guest."""


def wat(text: str) -> bytes:
    """Assemble a module; nothing validates it."""
    return bytes(wasmtime.wat2wasm(text))


def guest(*more: str, **instead: str) -> bytes:
    """Assemble the smallest guest with *more* fields (imports may come first), and with parts replaced by name."""
    parts = {**PARTS, **instead}
    imports = [field for field in more if field.startswith("(import")]
    others = [field for field in more if not field.startswith("(import")]
    return wat(f"(module {' '.join([*imports, *parts.values(), *others])})")


def section(code: int, content: bytes) -> bytes:
    """Put a section's header before its content."""
    return bytes([code]) + encode_unsigned(len(content)) + content


def module(*sections: bytes) -> bytes:
    """Put the file's header before its sections."""
    return MAGIC + VERSION + b"".join(sections)


def body(code: bytes, local_groups: bytes = b"\0") -> bytes:
    """Put a function's size and locals before its instructions."""
    content = local_groups + code + b"\x0b"
    return encode_unsigned(len(content)) + content


def one_function(code: bytes, local_groups: bytes = b"\0") -> bytes:
    """Build a module of one function, of type ``() -> ()``, with the given instructions."""
    return module(
        section(1, b"\1\x60\0\0"),
        section(3, b"\1\0"),
        section(10, b"\1" + body(code, local_groups)),
    )
