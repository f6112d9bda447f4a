"""The times of an event: what a client's clock said, seen from ours."""

from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec.json import Encoder

_LONGEST: Final = 40
"""Characters of a timestamp; longer ones aren't looked at."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_encode: Final = Encoder().encode
_WITHOUT_FRACTION: Final = len('"2026-11-23T08:39:51Z"')
_DAY_TO_SECOND: Final = slice(1, 20)
_DAY_TO_MS: Final = slice(1, 24)
NO_SKEW: Final = timedelta(0)


def read_time(text: object) -> datetime | None:
    """Read an ISO 8601 timestamp, UTC where it names no zone; None for anything else."""
    if not isinstance(text, str) or len(text) > _LONGEST:
        return None
    try:
        time = datetime.fromisoformat(text)
        if time.tzinfo is UTC:
            return time
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def from_ms(milliseconds: int) -> datetime:
    """Give a time of ours, which are milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=milliseconds)


def write_time(time: datetime) -> str:
    """Write a UTC time as JavaScript does: ``2026-11-23T08:39:51.832Z``."""
    # msgspec writes microseconds or nothing, but takes a tenth of the time of `datetime.isoformat`.
    text = _encode(time).decode()
    return f"{text[_DAY_TO_MS]}Z" if len(text) > _WITHOUT_FRACTION else f"{text[_DAY_TO_SECOND]}.000Z"


def correct(original: datetime, skew: timedelta) -> datetime | None:
    """Shift a client's time by what its clock was behind; None where that leaves the calendar.

    ``receivedAt - (sentAt - originalTimestamp)``, as WIRE.md has it, with ``skew = receivedAt - sentAt``.
    """
    try:
        return original + skew
    except OverflowError:
        return None
