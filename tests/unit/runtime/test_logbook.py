"""The log lines of one guest: bounded, decoded, masked."""

from guesthouse.model.limits import Limits
from guesthouse.model.report import LogLevel
from guesthouse.runtime.logbook import Logbook

STDOUT, STDERR = 1, 2


def unmasked(text: str) -> str:
    """Hide nothing."""
    return text


def book(log_bytes: int = 100, log_lines: int = 10) -> Logbook:
    """Open a logbook."""
    return Logbook(Limits(log_bytes=log_bytes, log_lines=log_lines))


def messages(logbook: Logbook) -> list[str]:
    """Read all lines."""
    return [line.message for line in logbook.lines(unmasked, 0)]


def test_lines_keep_level_order_and_time() -> None:
    """As they were logged."""
    logbook = book()
    logbook.add(LogLevel.ERROR, b"first", 3)
    logbook.add(LogLevel.DEBUG, b"second", 5)
    lines = logbook.lines(unmasked, 9)
    assert [(line.level, line.message, line.at_ms) for line in lines] == [
        (LogLevel.ERROR, "first", 3),
        (LogLevel.DEBUG, "second", 5),
    ]


def test_a_line_that_is_too_long_is_cut_and_later_ones_are_counted() -> None:
    """Bytes are bounded in all, and nothing is dropped in silence."""
    logbook = book(log_bytes=10)
    logbook.add(LogLevel.INFO, b"1234567", 0)
    assert logbook.room(100) == 3
    logbook.add(LogLevel.INFO, b"890123", 0)
    logbook.add(LogLevel.INFO, b"lost", 0)
    assert messages(logbook) == ["1234567", "890"]
    assert logbook.dropped == 1


def test_lines_past_their_number_are_counted() -> None:
    """Empty ones too; then no byte is worth copying out of the guest."""
    logbook = book(log_lines=2)
    for line in (b"", b"two", b"three", b""):
        logbook.add(LogLevel.INFO, line, 0)
    assert messages(logbook) == ["", "two"]
    assert logbook.dropped == 2
    assert logbook.room(5) is None


def test_streams_become_lines_by_newline() -> None:
    """Stdout is info and stderr warn; what is written in pieces is one line."""
    logbook = book()
    logbook.write(STDOUT, b"fir", 1)
    logbook.write(STDERR, b"oops\n", 2)
    logbook.write(STDOUT, b"st\nsecond\nthi", 3)
    logbook.write(STDOUT, b"rd", 4)
    lines = logbook.lines(unmasked, 9)
    assert [(line.level, line.message, line.at_ms) for line in lines] == [
        (LogLevel.WARN, "oops", 2),
        (LogLevel.INFO, "first", 3),
        (LogLevel.INFO, "second", 3),
        (LogLevel.INFO, "third", 9),
    ]


def test_an_unfinished_line_is_kept_once() -> None:
    """Reading the lines again gives the same ones."""
    logbook = book()
    logbook.write(STDOUT, b"unfinished", 0)
    assert messages(logbook) == messages(logbook) == ["unfinished"]


def test_a_line_that_never_ends_is_bounded() -> None:
    """Gigabytes without a newline hold no more memory than the limit for bytes."""
    logbook = book(log_bytes=10)
    for _ in range(100):
        logbook.write(STDOUT, b"x" * 1_000, 0)
    assert len(logbook._partial[STDOUT]) <= 11
    assert messages(logbook) == ["x" * 10]


def test_an_unfinished_line_past_the_limit_is_counted_as_dropped() -> None:
    """It doesn't become an empty line."""
    logbook = book(log_bytes=4)
    logbook.write(STDOUT, b"1234\nlost", 0)
    assert messages(logbook) == ["1234"]
    assert logbook.dropped == 1


def test_bad_utf_8_is_replaced_never_an_error() -> None:
    """Also where the limit cuts a character in two."""
    logbook = book(log_bytes=6)
    logbook.add(LogLevel.INFO, b"a\xffb", 0)
    logbook.add(LogLevel.INFO, "gü€".encode(), 0)
    assert messages(logbook) == ["a\ufffdb", "gü"]


def test_a_cut_character_is_replaced() -> None:
    """The line stays valid text."""
    logbook = book(log_bytes=2)
    logbook.add(LogLevel.INFO, "a€".encode(), 0)
    assert messages(logbook) == ["a\ufffd"]


def test_every_line_passes_the_mask() -> None:
    """Unfinished ones and those of the streams included."""
    logbook = book()
    logbook.add(LogLevel.INFO, b"key hunter2", 0)
    logbook.write(STDERR, b"hunter2\nhunter2", 0)
    lines = logbook.lines(lambda text: text.replace("hunter2", "[secret]"), 0)
    assert [line.message for line in lines] == ["key [secret]", "[secret]", "[secret]"]
