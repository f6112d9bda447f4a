"""Find the instructions that stand in a snapshot's way, and those to be sliced, without decoding the others one by one.

A module of 4 MB has two million instructions: too many for a loop in Python. So one regular expression swallows runs of
harmless instructions, and Python looks only at what it stops at: long branch tables, and each kind of instruction in
question once (from then on it is swallowed too).

Source: WebAssembly core specification, "Instructions" of the binary format, with SIMD, bulk memory, reference types,
tail calls and relaxed SIMD. Of overlong encodings only numbers are read; anything else counts as unknown.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import repeat
from types import MappingProxyType
from typing import Final, NamedTuple

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm.binary import Reader, fault
from guesthouse.runtime.wasm.shape import Body, ModuleShape

_SHORT: Final = 32
"""Branch tables of fewer labels (beside the default) are swallowed; longer ones are stepped over in Python."""
_AT_ONCE: Final = 64
"""Labels stepped over at once in a long one."""
_NUMBER: Final = rb"[\x80-\xff]{0,9}+[\x00-\x7f]"
_MEMORY_ARGUMENT: Final = rb"(?:[\x00-\x3f]|[\x80-\xbf][\x80-\xff]{0,3}+[\x00-\x7f])" + _NUMBER
"""Alignment and offset; alignments of 64 and more would announce a second memory."""

QUESTIONABLE: Final = MappingProxyType(
    {
        "table.set": rb"\x26" + _NUMBER,
        "memory.init": rb"\xfc\x08" + _NUMBER + rb"\x00",
        "data.drop": rb"\xfc\x09" + _NUMBER,
        "table.init": rb"\xfc\x0c" + _NUMBER + _NUMBER,
        "elem.drop": rb"\xfc\x0d" + _NUMBER,
        "table.copy": rb"\xfc\x0e" + _NUMBER + _NUMBER,
        "table.grow": rb"\xfc\x0f" + _NUMBER,
        "table.fill": rb"\xfc\x11" + _NUMBER,
    },
)
"""Instructions whose presence is a fact."""

BULK: Final = MappingProxyType(
    {
        "memory.init": QUESTIONABLE["memory.init"],
        "memory.copy": rb"\xfc\x0a\x00\x00",
        "memory.fill": rb"\xfc\x0b\x00",
    },
)
"""Instructions on memory whose duration depends on an operand."""
INSTRUCTIONS: Final = MappingProxyType({**QUESTIONABLE, **BULK})
_BULK_NAMES: Final = tuple(BULK)
HARMLESS_BULK: Final = frozenset(BULK) - frozenset(QUESTIONABLE)

TABLE_CHANGES: Final = frozenset({"table.set", "table.init", "elem.drop", "table.copy", "table.grow", "table.fill"})

_BRIEF_BULK: Final = rb"\x41(?:[\x00-\x3f]|[\x80-\xff][\x00\x01])\xfc(?:\x0a\x00\x00|\x0b\x00)"
"""``memory.copy`` and ``memory.fill`` whose length is a constant below 256, no longer than a few loads and stores."""
_SHORT_TABLE: Final = (
    rb"\x0e(?:" + b"|".join(rb"%b(?:%b){%d}+" % (re.escape(bytes([n])), _NUMBER, n + 1) for n in range(_SHORT)) + rb")"
)
_HARMLESS: Final = (
    rb"[\x11\x13]" + _NUMBER + _NUMBER,  # indirect calls
    rb"\x44.{8}",  # f64.const
    rb"\x43.{4}",  # f32.const
    rb"\x1c\x01[\x6f\x70\x7b-\x7f]",  # select with a type
    rb"\xfc(?:[\x00-\x07]|\x10%b)" % _NUMBER,  # conversions, table.size
    rb"\xfd(?:[\x00-\x0b\x5c\x5d]%b" % _MEMORY_ARGUMENT  # vector loads and stores
    + rb"|[\x0c\x0d].{16}"  # v128.const, shuffle
    + rb"|[\x15-\x22]."  # lanes
    + rb"|[\x54-\x5b]%b." % _MEMORY_ARGUMENT  # loads and stores of one lane
    + rb"|[\x0e-\x14\x23-\x53\x5e-\x7f]|[\x80-\xff]\x01|[\x80-\x93]\x02)",
)
"""The rarer ones; the frequent ones stand in `run_of`."""
BRANCH_TABLE: Final = 0x0E


@cache
def run_of(named: frozenset[str], *, structure: bool, branches: bool = True) -> re.Pattern[bytes]:
    """Compile the expression for a run of harmless instructions and of those *named*, which are of `INSTRUCTIONS`.

    Without *structure* it stops at what opens or closes a block; without *branches* at these, and at ``else``. It
    matches the empty run too.
    """
    openers, end = (rb"\x02-\x04", rb"\x0b") if structure else (b"", b"")
    jumps, otherwise = (rb"\x0c\x0d", rb"\x05") if branches else (b"", b"")
    patterns = (
        _BRIEF_BULK,  # first, as it begins with an i32.const
        rb"[\x20-\x25\x41\x42%b\x10\x12%b\x3f\x40\xd0\xd2]" % (jumps, openers) + _NUMBER,  # locals, constants, calls
        rb"[\x00\x01%b%b\x0f\x1a\x1b\x45-\xc4\xd1]++" % (otherwise, end),  # no immediate
        rb"[\x28-\x3e]" + _MEMORY_ARGUMENT,  # loads and stores
        *((_SHORT_TABLE,) if branches else ()),
        *_HARMLESS,
        *(INSTRUCTIONS[name] for name in sorted(named)),
    )
    return re.compile(b"(?:" + b"|".join(patterns) + b")*+", re.DOTALL)


def after_branch_table(data: bytes, at: int, end: int) -> int | None:
    """Find the end of the branch table whose opcode is at *at*; None where it is malformed."""
    reader = Reader(data, at + 1, end)
    try:
        labels = reader.u32() + 1
    except RejectedModule:
        return None
    after = reader.offset
    if after + labels > end:
        return None
    if data[after : after + labels].isascii():  # then every label is one byte
        return after + labels
    for count in (*repeat(_AT_ONCE, labels // _AT_ONCE), labels % _AT_ONCE):
        matched = _labels(count).match(data, after, end)
        if matched is None:
            return None
        after = matched.end()
    return after


@cache
def _labels(count: int) -> re.Pattern[bytes]:
    return re.compile(rb"(?:%b){%d}+" % (_NUMBER, count))


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeFacts:
    """What a module's code was seen to hold."""

    found: frozenset[str] = frozenset()
    """Names of instructions: table changes, ``memory.init``, ``data.drop``."""
    unknown: str | None = None
    """The first instruction that isn't known, and where; nothing behind it was looked at."""

    @property
    def table_changes(self) -> tuple[str, ...]:
        """The instructions that change a table or drop its segments, sorted."""
        return tuple(sorted(self.found & TABLE_CHANGES))


def scan_code(shape: ModuleShape, data: bytes) -> CodeFacts:
    """Scan every function body. Malformed code is reported as unknown: refusing it is the engine's part."""
    scan = _Scan(data)
    for body in shape.bodies:
        if (unknown := scan.body(body)) is not None:
            return CodeFacts(found=frozenset(scan.found), unknown=unknown)
    return CodeFacts(found=frozenset(scan.found))


class _Scan:
    """The facts found so far, and the expression that swallows everything that adds none."""

    __slots__ = ("data", "found", "swallow")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.found: set[str] = set()
        self.swallow = run_of(HARMLESS_BULK, structure=True)

    def body(self, body: Body) -> str | None:
        """Scan one body; return the first unknown instruction, if there is one."""
        at, end = body
        while at < end:
            swallowed = self.swallow.match(self.data, at, end)
            stop = swallowed.end() if swallowed else at
            if stop == end:
                return None
            is_table = self.data[stop] == BRANCH_TABLE
            after = after_branch_table(self.data, stop, end) if is_table else self._question(stop, end)
            if after is None:
                return f"{self.data[stop]:#04x} at byte {stop:,}"
            at = after
        return None

    def _question(self, at: int, end: int) -> int | None:
        """Note an instruction in question, step over it, and swallow its like from now on; None where it is unknown."""
        for name, pattern in _questions():
            if matched := pattern.match(self.data, at, end):
                self.found.add(name)
                self.swallow = run_of(HARMLESS_BULK | self.found, structure=True)
                return matched.end()
        return None


class BulkOperation(NamedTuple):
    """One instruction of `BULK`: its bytes are ``data[start:end]``."""

    name: str
    start: int
    end: int


def bulk_operations(data: bytes, body: Body) -> Iterator[BulkOperation]:
    """Find the bulk operations of one body, but for those of a small constant length.

    Raises `RejectedModule` at an instruction that isn't known.
    """
    step = _next_bulk()
    at, end = body
    while at < end and (found := step.match(data, at, end)):
        at = found.end()
        if group := found.lastindex:
            yield BulkOperation(_BULK_NAMES[group - 1], found.start(group), at)
        elif at < end:
            at = over_branch_table(data, at, end)


def over_branch_table(data: bytes, at: int, end: int) -> int:
    """Step over a long branch table; `RejectedModule` at anything else."""
    after = after_branch_table(data, at, end) if data[at] == BRANCH_TABLE else None
    if after is None:
        raise fault(f"the module holds an instruction that Guesthouse doesn't know, {data[at]:#04x}", at)
    return after


@cache
def _next_bulk() -> re.Pattern[bytes]:
    """Compile the expression for everything up to and including the next bulk operation, a group for each of `BULK`."""
    run = run_of(frozenset(INSTRUCTIONS) - frozenset(BULK), structure=True).pattern
    return re.compile(run + b"(?:" + b"|".join(b"(%b)" % pattern for pattern in BULK.values()) + b")?", re.DOTALL)


@cache
def _questions() -> tuple[tuple[str, re.Pattern[bytes]], ...]:
    return tuple((name, re.compile(pattern, re.DOTALL)) for name, pattern in QUESTIONABLE.items())
