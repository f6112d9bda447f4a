"""Guests for tests: tiny ones from WAT text, and the behaviours of ``guest-sdks/behaviours.md`` from each language.

A language joins by adding a `Language` to `LANGUAGES`; whatever is parametrised over the registry then runs on it too.
C is built by PyPI's ``ziglang`` and kept under ``build/guests/`` by a hash of everything that went in. Where a
toolchain is missing the test is skipped, but fails where ``CI=true``, so that a suite never passes for want of guests.
"""

import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import NoReturn, TypedDict, Unpack

import msgpack
import pytest
import wasmtime

from guesthouse.abi.contract import IMPORT_MODULE, IMPORTS

ROOT = Path(__file__).parents[2]
C_SDK = ROOT / "guest-sdks" / "c"
C_BEHAVIOURS = C_SDK / "behaviours"
CACHE = ROOT / "build" / "guests"

C_FLAGS = ("-O2", "-std=c11", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wl,-z,stack-size=131072", f"-I{C_SDK}")
WASI_FLAGS = ("-target", "wasm32-wasi", "-mexec-model=reactor", *C_FLAGS)
FREESTANDING_FLAGS = ("-target", "wasm32-freestanding", "-Wl,--no-entry", *C_FLAGS)

C_THEMES = ("all", "verdicts", "http", "host", "secrets", "faults", "floods", "wasi")
SPECIAL = ("init_counter", "panic_in_init", "spin_in_init", "smallest")
"""Modules of a single behaviour, where it is a property of the module."""

DESCRIPTION: Mapping[str, object] = {
    "abi": 1,
    "sdk": "wat",
    "language": "wat",
    "kind": "destination",
    "handlers": ["onTrack"],
    "settings": [],
}
DONE: Mapping[str, object] = {"verdict": "done"}
_DATA_AT = 1024


def wat(text: str) -> bytes:
    """Assemble WebAssembly text; malformed text is a `wasmtime.WasmtimeError`."""
    return bytes(wasmtime.wat2wasm(text))


def host(*names: str) -> str:
    """Import lines for *names* of contract v1 (all of them by default), each bound to its name as in ``$http_send``."""
    return "\n".join(_import_line(name) for name in names or IMPORTS)


def _import_line(name: str) -> str:
    parameters, results = IMPORTS[name]
    types = "".join(f" (param {kind})" for kind in parameters) + "".join(f" (result {kind})" for kind in results)
    return f'(import "{IMPORT_MODULE}" "{name}" (func ${name}{types}))'


def literal(data: bytes) -> str:
    """Write bytes as a string of WAT text, quotes included."""
    return '"' + "".join(f"\\{byte:02x}" for byte in data) + '"'


def packed(pointer: int, length: int) -> int:
    """Pack what ``guesthouse_call`` and ``guesthouse_describe`` answer."""
    return pointer << 32 | length


class Parts(TypedDict, total=False):
    """What `minimal` lets a test replace."""

    call: str
    imports: str
    extra: str
    memory: str
    describe: str
    alloc: str
    initialize: str
    reply: object
    description: object


def minimal_wat(  # noqa: PLR0913 - each names one part of a module, all optional
    *,
    call: str | None = None,
    imports: str = "",
    extra: str = "",
    memory: str = "1",
    describe: str | None = None,
    alloc: str | None = None,
    initialize: str | None = None,
    reply: object = DONE,
    description: object = DESCRIPTION,
) -> str:
    """Write the text of a small valid guest, with parts replaced.

    *call* (has ``$ptr`` and ``$len``, answers i64), *describe* (answers i64), *alloc* (has ``$size``, answers i32) and
    *initialize* are bodies of functions, which may declare locals first; *imports* come first in the module (see
    `host`) and *extra* last; *memory* are its limits. *reply* and *description* are what the untouched bodies answer:
    bytes as they are, anything else as MessagePack. Bytes 0 to 1023 are free for *extra*; the heap ends at ``$next``.
    """
    replied, described = _message(reply), _message(description)
    described_at = _DATA_AT + len(replied)
    heap = (described_at + len(described) + 15) // 16 * 16
    return f"""(module
{imports}
(memory (export "memory") {memory})
(global $next (mut i32) (i32.const {heap}))
(data (i32.const {_DATA_AT}) {literal(replied + described)})
(func $alloc (export "guesthouse_alloc") (param $size i32) (result i32)
{_ALLOC if alloc is None else alloc})
(func $call (export "guesthouse_call") (param $ptr i32) (param $len i32) (result i64)
{f"(i64.const {packed(_DATA_AT, len(replied))})" if call is None else call})
(func $describe (export "guesthouse_describe") (result i64)
{f"(i64.const {packed(described_at, len(described))})" if describe is None else describe})
{"" if initialize is None else f'(func (export "_initialize") {initialize})'}
{extra})"""


def minimal(**parts: Unpack[Parts]) -> bytes:
    """Assemble a small valid guest, with *parts* replaced. See `minimal_wat`."""
    return wat(minimal_wat(**parts))


_ALLOC = """(local $start i32) (local $short i32)
(local.set $start (global.get $next))
(global.set $next (i32.and (i32.add (i32.add (local.get $start) (local.get $size)) (i32.const 15)) (i32.const -16)))
(local.set $short (i32.sub (global.get $next) (i32.shl (memory.size) (i32.const 16))))
(if (i32.gt_s (local.get $short) (i32.const 0))
  (then (if (i32.lt_s (memory.grow (i32.add (i32.shr_u (local.get $short) (i32.const 16)) (i32.const 1))) (i32.const 0))
    (then (unreachable)))))
(local.get $start)"""
"""A bump allocator: what is handed out begins at ``$next`` and memory grows as needed."""


def _message(value: object) -> bytes:
    return value if isinstance(value, bytes) else msgpack.packb(value)


def build_c(*sources: Path, flags: Iterable[str] = WASI_FLAGS) -> bytes:
    """Compile C into a guest, or take it from the cache; debug sections are dropped and names are kept."""
    if importlib.util.find_spec("ziglang") is None:
        missing("ziglang (pip install ziglang)")
    command = (*flags, *map(str, sources))
    target = CACHE / f"{sources[0].stem}-{_fingerprint(command, sources)}.wasm"
    if not target.exists():
        _write_atomically(target, without_debug(_compile(command)))
    return target.read_bytes()


def missing(toolchain: str) -> NoReturn:
    """Skip the running test for want of *toolchain*; fail it where ``CI=true``."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"missing: {toolchain}")
    pytest.skip(f"missing: {toolchain}")


def _fingerprint(command: Iterable[str], sources: Iterable[Path]) -> str:
    digest = hashlib.sha256(repr((version("ziglang"), [part.replace(str(ROOT), "") for part in command])).encode())
    headers = sorted(C_SDK.rglob("*.h"))
    for path in (*headers, *sources):
        digest.update(f"\0{path.name}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _compile(command: Iterable[str]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "guest.wasm"
        zig = (sys.executable, "-m", "ziglang", "cc", "-o", str(output), *command)
        run = subprocess.run(zig, capture_output=True, text=True, check=False)  # noqa: S603 - our own sources and flags
        if run.returncode != 0:
            pytest.fail(f"zig cc failed:\n{run.stderr}", pytrace=False)
        return output.read_bytes()


def _write_atomically(target: Path, data: bytes) -> None:
    """Write so that tests in other processes read *target* whole or not at all."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, delete=False) as file:
        file.write(data)
    Path(file.name).replace(target)


def without_debug(module: bytes) -> bytes:
    """Drop the custom sections whose names begin with ``.debug``."""
    kept, position = [module[:8]], 8
    while position < len(module):
        size, start = _leb128(module, position + 1)
        length, name_at = _leb128(module, start)
        is_debug = module[position] == 0 and module[name_at : name_at + length].startswith(b".debug")
        if not is_debug:
            kept.append(module[position : start + size])
        position = start + size
    return b"".join(kept)


def _leb128(data: bytes, position: int) -> tuple[int, int]:
    """Read an unsigned LEB128 number; answer it and the position after it."""
    number = shift = 0
    while True:
        byte = data[position]
        position += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return number, position


def _c_behaviours() -> bytes:
    return build_c(*(C_BEHAVIOURS / f"{theme}.c" for theme in C_THEMES))


def _c_special(name: str) -> bytes:
    flags = FREESTANDING_FLAGS if name == "smallest" else WASI_FLAGS
    return build_c(C_BEHAVIOURS / f"{name}.c", flags=flags)


@dataclass(frozen=True, slots=True)
class Language:
    """How one language builds its guests; each build answers a module's bytes or skips the test (`missing`)."""

    behaviours: Callable[[], bytes]
    """The one module with all behaviours, chosen by the setting ``behaviour``."""
    special: Callable[[str], bytes]
    """A module of `SPECIAL`, by name."""


LANGUAGES: Mapping[str, Language] = {"c": Language(_c_behaviours, _c_special)}


@cache
def behaviours(language: str = "c") -> bytes:
    """Build the module that holds all behaviours."""
    return LANGUAGES[language].behaviours()


@cache
def special(name: str, language: str = "c") -> bytes:
    """Build a module of `SPECIAL`."""
    return LANGUAGES[language].special(name)
