"""Find where a function must be given checkpoints, so that none of its code keeps the host from its other work.

The engine looks at its clock where a function is entered, where a loop begins or goes round, and in a bulk operation on
more than a little (a whole table takes up to 1 ms), and nowhere else. So in large functions a loop that does nothing is
put wherever a path through the code would be longer than `STRETCH_BYTES` without one. Small ones stay as they are.

The path counts, not the place: a branch could jump over a loop put in blindly. So the end of a block is as far from the
last checkpoint as the farthest branch to it, and gets a checkpoint of its own where the code in front of it, or after
it, is too long. Branches go forward only; those that go back go to a loop, which is a checkpoint itself.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Final

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm import bounds
from guesthouse.runtime.wasm.binary import Reader
from guesthouse.runtime.wasm.opcodes import BRANCH_TABLE, INSTRUCTIONS, over_branch_table, run_of
from guesthouse.runtime.wasm.shape import Body, ModuleShape

CHECKPOINT: Final = b"\x03\x40\x0b"
"""``loop end``: allowed between any two instructions, and takes no fuel."""
STRETCH_BYTES: Final = 2_048
"""The most code between two checkpoints. At its worst, each store or short copy touches new pages, that takes 1 ms."""
_LOOP, _IF, _ELSE, _END, _BRANCH, _BRANCH_IF = 0x03, 0x04, 0x05, 0x0B, 0x0C, 0x0D


def checkpoints(shape: ModuleShape, data: bytes) -> dict[int, list[int]]:
    """Find the offsets where a `CHECKPOINT` is due, for each body that needs any; each is where an instruction begins.

    Raises `RejectedModule` at an instruction that isn't known, and for too many branches in large functions.
    """
    found: dict[int, list[int]] = {}
    steps_left = bounds.CHECKED_BRANCHES
    for index, body in enumerate(shape.bodies):
        if body.end - body.start > STRETCH_BYTES:
            walk = _Walk(data, body, steps_left)
            if offsets := list(walk.offsets()):
                found[index] = offsets
            steps_left = walk.steps_left
    return found


class _Block:
    """An open block, and how much code may have run, since the last checkpoint, on the ways to its end."""

    __slots__ = ("by_branch", "by_table", "is_loop", "otherwise")

    def __init__(self, *, is_loop: bool = False, otherwise: int = 0) -> None:
        self.is_loop = is_loop
        self.otherwise = otherwise
        """Past an ``if``, whose ``else`` begins so too."""
        self.by_branch = 0
        self.by_table = 0
        """Branch tables may lead to this block's end and to those of all around it."""


class _Walk:
    """One walk through a body; *path* is how much code may have run since the last checkpoint."""

    def __init__(self, data: bytes, body: Body, steps_left: int) -> None:
        self._data = data
        self._at, self._end = body
        self._path = 0
        self._open: list[_Block] = []
        self.steps_left = steps_left

    def offsets(self) -> Iterator[int]:
        """Walk, and give each offset where a checkpoint is due."""
        step, data, end = _next_turn(), self._data, self._end
        # A run ends with the stretch, because an instruction that doesn't fit in whole isn't matched.
        while self._at < end and (found := step.match(data, self._at, min(end, self._at + STRETCH_BYTES - self._path))):
            self._count()
            turn = found.start(1)
            is_run = turn < 0
            self._path += (found.end() if is_run else turn) - self._at
            self._at = found.end()
            if is_run:
                yield from self._stop()
            else:
                self._turn(data[turn], turn)

    def _count(self) -> None:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise RejectedModule(f"the module's large functions hold more than {bounds.CHECKED_BRANCHES:,} branches")

    def _stop(self) -> Iterator[int]:
        """Go on from the end of a run: of the body, before a branch table, or of the stretch."""
        if self._at == self._end:
            return
        if self._path and self._data[self._at] != BRANCH_TABLE:
            self._path = 0
            yield self._at
            return
        self._at = over_branch_table(self._data, self._at, self._end)
        self._pass_on(self._path)
        self._path = 0

    def _turn(self, code: int, at: int) -> None:
        """Follow one instruction that isn't part of a run."""
        if code == _END:
            self._close()
        elif code in (_BRANCH, _BRANCH_IF):
            self._branch(Reader(self._data, at + 1, self._at).u64(), is_final=code == _BRANCH)
        elif code == _ELSE:
            self._otherwise()
        elif code == _LOOP:
            self._open.append(_Block(is_loop=True))
            self._path = 0
        else:
            self._open.append(_Block(otherwise=self._path if code == _IF else 0))

    def _branch(self, depth: int, *, is_final: bool) -> None:
        if depth < len(self._open):
            block = self._open[-1 - depth]
            block.by_branch = max(block.by_branch, self._path)
        if is_final:
            self._path = 0

    def _otherwise(self) -> None:
        if self._open:
            block = self._open[-1]
            block.by_branch = max(block.by_branch, self._path)
            self._path, block.otherwise = block.otherwise, 0

    def _close(self) -> None:
        """Go on where all ways to a block's end meet; a branch to a loop doesn't lead to its end."""
        if self._open:
            block = self._open.pop()
            if not block.is_loop:
                self._path = max(self._path, block.otherwise, block.by_branch, block.by_table)
            self._pass_on(block.by_table)

    def _pass_on(self, by_table: int) -> None:
        if self._open:
            self._open[-1].by_table = max(self._open[-1].by_table, by_table)


@cache
def _next_turn() -> re.Pattern[bytes]:
    """Compile the expression for a run, and the first instruction behind it that matters here."""
    run = run_of(frozenset(INSTRUCTIONS), structure=False, branches=False).pattern
    number = rb"[\x80-\xff]{0,9}+[\x00-\x7f]"
    return re.compile(run + rb"([\x02-\x04\x0c\x0d]%b|[\x05\x0b])?" % number, re.DOTALL)
