"""Typed decoding of what guests wrote: msgspec's errors become `BrokenContract`, here and nowhere else."""

import re
from collections.abc import Iterable
from typing import Annotated, Final, TypeVar

from msgspec import DecodeError, Meta, ValidationError
from msgspec.msgpack import Decoder

from guesthouse.abi.contract import MAX_CODE_LENGTH, MAX_HEADERS, MAX_MILLISECONDS
from guesthouse.errors import BrokenContract

T = TypeVar("T")

Milliseconds = Annotated[int, Meta(ge=0, le=MAX_MILLISECONDS)]
Code = Annotated[str, Meta(max_length=MAX_CODE_LENGTH)]
Pairs = Annotated[tuple[tuple[str, str], ...], Meta(max_length=MAX_HEADERS)]

_QUOTED_LENGTH: Final = 64
"""Characters of the guest's own that a fault repeats."""
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_CHOICE: Final = re.compile(r"Invalid enum value (.*)", re.DOTALL)
_LAST_NAME: Final = re.compile(r"(\w+?)s?(?:\[\d+\])*$")


def decode(decoder: Decoder[T], data: bytes, place: str) -> T:
    """Decode *data*, which `bounds.check` has passed; raise `BrokenContract` saying what is wrong where in *place*."""
    try:
        return decoder.decode(data)
    except ValidationError as error:
        raise BrokenContract(_explain(str(error), place)) from None
    except UnicodeDecodeError as error:
        raise BrokenContract(f"{place}: the text {error.object[:_QUOTED_LENGTH]!r} is not UTF-8") from None
    except DecodeError as error:
        raise BrokenContract(f"{place} is not MessagePack: {error}") from None


def refuse_repetition(names: Iterable[str], place: str) -> None:
    """Raise `BrokenContract` if one of *names* comes twice."""
    seen = set[str]()
    for name in names:
        if name in seen:
            raise BrokenContract(f"{place}: {name[:_QUOTED_LENGTH]!r} comes twice")
        seen.add(name)


def _explain(message: str, place: str) -> str:
    """Say in the contract's words what msgspec said in its own: a fault, and perhaps a path after it."""
    fault, at, path = message.rpartition(" - at `$")
    if not at:
        fault, path = message, ""
    place += path.removesuffix("`")
    if missing := _MISSING.fullmatch(fault):
        return f"{place}.{missing[1]} is missing"
    if choice := _CHOICE.fullmatch(fault):
        return f"{place}: {_cut(choice[1])} is not a {_kind_of(place)}"
    return f"{place}: {fault[0].lower()}{fault[1:].replace('`', '').replace('object', 'map')}"


def _cut(quoted: str) -> str:
    return quoted if len(quoted) <= _QUOTED_LENGTH else f"{quoted[: _QUOTED_LENGTH - 4]}...'"


def _kind_of(place: str) -> str:
    """``reply.results[3].verdict`` is a verdict, ``description.handlers[0]`` a handler."""
    name = _LAST_NAME.search(place)
    return name[1] if name else "known value"
