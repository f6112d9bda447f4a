"""The times of an event: what a client's clock said, seen from ours."""

from datetime import UTC, datetime, timedelta
from typing import Final

_LONGEST: Final = 40
"""Characters of a timestamp; longer ones aren't looked at."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_UTC_OFFSET: Final = "+00:00"
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
    return time.isoformat(timespec="milliseconds").removesuffix(_UTC_OFFSET) + "Z"


def correct(original: datetime, skew: timedelta) -> datetime | None:
    """Shift a client's time by what its clock was behind; None where that leaves the calendar.

    ``receivedAt - (sentAt - originalTimestamp)``, as WIRE.md has it, with ``skew = receivedAt - sentAt``.
    """
    try:
        return original + skew
    except OverflowError:
        return None
