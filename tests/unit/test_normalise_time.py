"""Times as clients write them and as functions get them."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guesthouse.model.normalise_time import correct, from_ms, read_time, write_time


@given(st.datetimes(timezones=st.just(UTC)))
def test_times_are_written_as_javascript_does(time: datetime) -> None:
    """With milliseconds, always three digits of them, and Z."""
    assert write_time(time) == time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T08:39:51.832Z", "2026-11-23T08:39:51.832Z"),
        ("2026-11-23T08:39:51.832+00:00", "2026-11-23T08:39:51.832Z"),
        ("2026-11-23T08:39:51+01:00", "2026-11-23T07:39:51.000Z"),
        ("2026-11-23T08:39:51", "2026-11-23T08:39:51.000Z"),
        ("2026-11-23 08:39:51.123456789Z", "2026-11-23T08:39:51.123Z"),
        ("2026-11-23", "2026-11-23T00:00:00.000Z"),
        ("20261123T083951Z", "2026-11-23T08:39:51.000Z"),
    ],
)
def test_iso_8601_is_read(text: str, expected: str) -> None:
    """In its usual forms; UTC where no zone is named."""
    time = read_time(text)
    assert time is not None
    assert write_time(time) == expected


@given(st.one_of(st.text(), st.integers(), st.none(), st.lists(st.integers())))
def test_anything_else_is_no_time(value: object) -> None:
    """It never raises; what it gives is a time in UTC."""
    time = read_time(value)
    assert time is None or time.utcoffset() == timedelta(0)


def test_milliseconds_are_times() -> None:
    """Ours count from 1970."""
    assert write_time(from_ms(1_795_423_191_832)) == "2026-11-23T08:39:51.832Z"


def test_the_calendar_has_ends() -> None:
    """A time shifted beyond them is none."""
    assert correct(datetime.max.replace(tzinfo=UTC), timedelta(days=1)) is None
    assert correct(datetime.min.replace(tzinfo=UTC), timedelta(days=-1)) is None
