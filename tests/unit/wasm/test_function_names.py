"""Names of added functions in a name section that may hold anything."""

import pytest

from guesthouse.runtime.wasm.binary import encode_name, encode_unsigned
from guesthouse.runtime.wasm.function_names import add_function_names

ADDED = b"\x05\1a\x06\1b"
"""Functions 5 and 6."""


def subsection(code: int, content: bytes) -> bytes:
    """Put a subsection's header before its content."""
    return bytes([code]) + encode_unsigned(len(content)) + content


MODULE = subsection(0, encode_name("module"))
LOCALS = subsection(2, b"\0")
FUNCTIONS = subsection(1, b"\1\0\4main")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", subsection(1, b"\2" + ADDED)),
        (MODULE, MODULE + subsection(1, b"\2" + ADDED)),
        (LOCALS, subsection(1, b"\2" + ADDED) + LOCALS),
        (MODULE + LOCALS, MODULE + subsection(1, b"\2" + ADDED) + LOCALS),
        (FUNCTIONS, subsection(1, b"\3\0\4main" + ADDED)),
        (MODULE + FUNCTIONS + LOCALS, MODULE + subsection(1, b"\3\0\4main" + ADDED) + LOCALS),
    ],
)
def test_names_are_put_where_they_belong(content: bytes, expected: bytes) -> None:
    """Behind the names that are there; in a subsection of their own where there are none."""
    assert add_function_names(content, 5, ["a", "b"]) == expected


def test_a_long_list_keeps_its_names() -> None:
    """Counts and sizes of more than one byte."""
    names = [f"function {index}" for index in range(200)]
    whole = add_function_names(b"", 0, names)
    assert add_function_names(add_function_names(b"", 0, names[:127]), 127, names[127:]) == whole


@pytest.mark.parametrize("content", [b"\1", b"\1\5\0", b"\1\0", b"\0\xff\xff\xff\xff\x7f", MODULE + b"\1\x81"])
def test_what_is_malformed_stays(content: bytes) -> None:
    """Nobody is refused for the sake of names."""
    assert add_function_names(content, 5, ["a", "b"]) == content
