"""Refuse functions whose blocks nest so deeply that compiling them would take minutes."""

import re
from functools import cache

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm import bounds
from guesthouse.runtime.wasm.opcodes import BRANCH_TABLE, INSTRUCTIONS, after_branch_table, run_of
from guesthouse.runtime.wasm.shape import Body, Kind, ModuleShape

_BLOCK, _LOOP, _IF = 0x02, 0x03, 0x04
_LOOP_GROUP, _END_GROUP = 1, 3
"""Groups of the expression below; 2 opens any other block."""


@cache
def _next_structure() -> re.Pattern[bytes]:
    """Compile the expression for everything up to and including what opens or closes a block."""
    run = run_of(frozenset(INSTRUCTIONS), structure=False).pattern
    number = rb"[\x80-\xff]{0,4}+[\x00-\x7f]"
    return re.compile(run + rb"(?:(\x03)%b|([\x02\x04])%b|(\x0b))?" % (number, number), re.DOTALL)


def check_nesting(shape: ModuleShape, data: bytes) -> None:
    """Raise `RejectedModule` where loops or blocks nest beyond `bounds`.

    Only functions with enough bytes that could open a block are decoded, and those up to what isn't known.
    """
    imported = len(shape.imported(Kind.FUNCTION))
    steps = 0
    for index, body in enumerate(shape.bodies):
        if _may_be_deep(body, data):
            steps += _check(body, data, imported + index, bounds.CHECKED_BLOCKS - steps)


def _may_be_deep(body: Body, data: bytes) -> bool:
    if body.end - body.start <= bounds.NESTED_LOOPS:
        return False
    loops = data.count(_LOOP, *body)
    blocks = loops + data.count(_BLOCK, *body) + data.count(_IF, *body)
    return loops > bounds.NESTED_LOOPS or blocks > bounds.NESTED_BLOCKS


def _check(body: Body, data: bytes, function: int, most_steps: int) -> int:
    """Follow the blocks of one function; return the number of steps."""
    step = _next_structure()
    opened = bytearray()
    loops = steps = 0
    at: int | None = body.start
    while at is not None and at < body.end and (found := step.match(data, at, body.end)):
        at = found.end()
        if (kind := found.lastindex) is None:
            at = _over_branch_table(data, at, body.end)
        elif kind == _END_GROUP:
            loops -= bool(opened) and opened.pop() == _LOOP_GROUP
        else:
            opened.append(kind)
            loops += kind == _LOOP_GROUP
            _check_depth(loops, len(opened), function)
        steps += 1
        if steps > most_steps:
            raise RejectedModule(f"the module's large functions hold more than {bounds.CHECKED_BLOCKS:,} blocks")
    return steps


def _over_branch_table(data: bytes, at: int, end: int) -> int | None:
    """Step over what stopped the search, if it is a branch table."""
    return after_branch_table(data, at, end) if at < end and data[at] == BRANCH_TABLE else None


def _check_depth(loops: int, blocks: int, function: int) -> None:
    if loops > bounds.NESTED_LOOPS:
        raise RejectedModule(f"function {function:,} has more than {bounds.NESTED_LOOPS:,} loops inside one another")
    if blocks > bounds.NESTED_BLOCKS:
        raise RejectedModule(f"function {function:,} has more than {bounds.NESTED_BLOCKS:,} blocks inside one another")
