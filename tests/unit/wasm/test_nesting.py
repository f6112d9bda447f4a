"""Blocks inside one another, up to what can be compiled in reasonable time."""

import pytest
from tests.support.wasm_modules import one_function

from guesthouse.errors import RejectedModule
from guesthouse.runtime.wasm import bounds
from guesthouse.runtime.wasm.module import parse
from guesthouse.runtime.wasm.nesting import check_nesting


def check(code: bytes) -> None:
    """Parse and check."""
    data = one_function(code)
    check_nesting(parse(data), data)


def nested(opener: bytes, times: int) -> bytes:
    """Open *times* blocks and close them."""
    return opener * times + b"\x0b" * times


def test_loops_nest_up_to_their_bound() -> None:
    """At the bound a function passes; one deeper it is refused, by its index."""
    check(nested(b"\x03\x40", bounds.NESTED_LOOPS))
    with pytest.raises(RejectedModule, match="function 0 has more than 1,000 loops inside one another"):
        check(nested(b"\x03\x40", bounds.NESTED_LOOPS + 1))


@pytest.mark.parametrize("opener", [b"\x02\x40", b"\x20\x00\x04\x40"])
def test_blocks_nest_up_to_their_bound(opener: bytes) -> None:
    """Blocks and branches of ``if`` count alike."""
    check(nested(opener, bounds.NESTED_BLOCKS))
    with pytest.raises(RejectedModule, match="more than 50,000 blocks inside one another"):
        check(nested(opener, bounds.NESTED_BLOCKS + 1))


def test_loops_one_after_another_are_fine() -> None:
    """Only depth counts."""
    check(b"\x03\x40\x0b" * 5_000)


@pytest.mark.parametrize(
    "between",
    [
        b"\x41\x03\x1a",
        b"\x0e\x14" + b"\0" * 21,
        b"\x26\x00",
        b"\xfd\x0c" + b"\x0b" * 16 + b"\x1a",
        b"\x02\x40\x0b",
        b"\x44" + b"\x0b" * 8,
    ],
    ids=lambda code: code[:3].hex(),
)
def test_nothing_between_hides_the_depth(between: bytes) -> None:
    """Immediates that look like ends are none."""
    with pytest.raises(RejectedModule, match="loops inside one another"):
        check((b"\x03\x40" + between) * 1_001 + b"\x0b" * 1_001)


def test_unknown_and_unbalanced_code_is_left_to_the_engine() -> None:
    """It is refused by validation, which is linear."""
    check(b"\xff" + b"\x03\x40" * 2_000)
    check(b"\x0b" * 2_000 + b"\x03\x40" * 999 + b"\x0e\xff")
