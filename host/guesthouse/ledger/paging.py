"""Pages: bounds of their length, and cursors, which are texts that only we make and anybody may garble."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta
from sqlalchemy import ColumnElement, Row, tuple_

from guesthouse.errors import InvalidInput
from guesthouse.ledger.protocol import MAX_LIMIT

PAGE_BYTES: Final = 8 << 20
"""How much of the records' rest one answer may hold."""

_MAX: Final = (1 << 63) - 1
_CURSOR_CHARS: Final = 200
_Time = Annotated[int, Meta(ge=-_MAX, le=_MAX)]
_Id = Annotated[str, Meta(pattern=r"^[!-~]{1,80}$")]
_decode_place: Final = msgspec.msgpack.Decoder(tuple[_Time, _Id]).decode
_decode_number: Final = msgspec.msgpack.Decoder(Annotated[int, Meta(ge=0, le=_MAX)]).decode


def check_limit(limit: int) -> None:
    """Refuse a limit out of its bounds."""
    if not 0 < limit <= MAX_LIMIT:
        raise InvalidInput((f"the limit is not from 1 to {MAX_LIMIT}",))


def after(cursor: str | None, time: ColumnElement[int], id_: ColumnElement[str]) -> list[ColumnElement[bool]]:
    """Give the condition for what follows a cursor, in the order of the latest first."""
    if cursor is None:
        return []
    place = _read(cursor, _decode_place)
    return [tuple_(time, id_) < tuple_(*place)]


def place_of(row: Row[Any], time: str, id_: str) -> str:
    """Make the cursor for what follows a row."""
    return _write((getattr(row, time), getattr(row, id_)))


def number_of(cursor: str) -> int:
    """Read a cursor that is a place in the order of arrival."""
    number: int = _read(cursor, _decode_number)
    return number


def cursor_of(number: int) -> str:
    """Make a cursor of a place in the order of arrival."""
    return _write(number)


def within_budget(rows: Sequence[Row[Any]], budget: int = PAGE_BYTES) -> int:
    """Say how many of the rows, each with its ``size``, fit together; the first always does."""
    used = 0
    for count, row in enumerate(rows):
        used += row.size
        if used > budget and count:
            return count
    return len(rows)


def in_range(number: int) -> int:
    """Give the nearest number that a database can be asked about."""
    return min(max(number, -_MAX), _MAX)


def _write(value: object) -> str:
    return urlsafe_b64encode(msgspec.msgpack.encode(value)).decode().rstrip("=")


def _read(cursor: str, decode: Any) -> Any:  # noqa: ANN401 - one of the two decoders above
    try:
        if len(cursor) <= _CURSOR_CHARS:
            return decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, msgspec.MsgspecError):
        pass
    raise InvalidInput(("the cursor is not one that was given",))
