"""Files that a command names: read with a bound, and parsed with errors that say where."""

import json
import math
import os
import sys
from pathlib import Path
from typing import Any, BinaryIO, Final

from guesthouse.cli.exits import BadInput
from guesthouse.config import EngineConfig
from guesthouse.errors import RejectedModule

MAX_JSON_BYTES: Final = 4 << 20
STDIN: Final = "-"


def read_module(name: str) -> bytes:
    """Read a module; one that is too large is rejected like any other that can't become a function."""
    limit_bytes = EngineConfig().compiler.module_bytes
    data, size_bytes = _read(name, limit_bytes)
    if size_bytes > limit_bytes:
        raise RejectedModule(f"the module is {size_bytes:,} bytes; {limit_bytes:,} are allowed")
    return data


def _read(name: str, limit_bytes: int) -> tuple[bytes, int]:
    """Read at most one byte more than *limit_bytes* (``-`` is stdin); also the whole size, as far as that is known.

    Pipes and devices that never end are bounded by this as well.
    """
    try:
        if name == STDIN:
            return _read_open(sys.stdin.buffer, limit_bytes)
        with Path(name).open("rb") as file:
            return _read_open(file, limit_bytes)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise BadInput(f"{name}: can't be read: {reason}") from None


def _read_open(file: BinaryIO, limit_bytes: int) -> tuple[bytes, int]:
    data = file.read(limit_bytes + 1)
    return data, max(len(data), os.fstat(file.fileno()).st_size if len(data) > limit_bytes else 0)


def read_json(name: str) -> Any:  # noqa: ANN401 - whatever JSON holds; the caller looks
    """Read a JSON document; `BadInput` names file, line and column of what is wrong in it."""
    data, size_bytes = _read(name, MAX_JSON_BYTES)
    if size_bytes > MAX_JSON_BYTES:
        raise BadInput(f"{name}: {size_bytes:,} bytes are too many; {MAX_JSON_BYTES:,} are allowed")
    text = _decode(name, data)
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except json.JSONDecodeError as error:
        reason = "the file is empty" if not text.strip() else f"this isn't JSON: {error.msg}"
        raise BadInput(f"{name}:{error.lineno}:{error.colno}: {reason}") from None
    except RecursionError:
        raise BadInput(f"{name}: the JSON is nested too deeply") from None
    except ValueError as error:
        raise BadInput(f"{name}: {error}") from None


def read_object(name: str, what: str) -> dict[str, Any]:
    """Read a JSON document that has to be an object; *what* it stands for is named where it isn't."""
    document = read_json(name)
    if not isinstance(document, dict):
        raise BadInput(f"{name}: {what} are a JSON object, not {kind_of(document)}")
    return document


def kind_of(value: object) -> str:
    """Name the JSON kind of a value, with its article."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "a list"
    return "an object"


def _decode(name: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        line, column = before.count(b"\n") + 1, len(before) - before.rfind(b"\n")
        raise BadInput(f"{name}:{line}:{column}: this isn't UTF-8 text") from None


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} isn't JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large for a number")
    return number
