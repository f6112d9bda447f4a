"""The host's log: one line for each unit of work, which no stranger can forge."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from guesthouse.logs import MAX_FACT, Style, close_logs, open_logs, tell

LOG = logging.getLogger("guesthouse.test")
EVIL = 'a\nINFO forged=1\r\x1b[2J\x9b1m\u2028"\u202e'


class Page:
    """What was logged, in one style."""

    def __init__(self, style: Style) -> None:
        self._stream = io.StringIO()
        self.handler = open_logs(self._stream, style)

    @property
    def text(self) -> str:
        """All of it."""
        return self._stream.getvalue()


@pytest.fixture(params=Style)
def page(request: pytest.FixtureRequest) -> Iterator[Page]:
    """Log in each style."""
    page = Page(request.param)
    yield page
    close_logs(page.handler)


@pytest.fixture
def json_page() -> Iterator[Page]:
    """Log as JSON."""
    page = Page(Style.JSON)
    yield page
    close_logs(page.handler)


def test_a_unit_of_work_is_one_json_object(json_page: Page) -> None:
    """Time, level and name, then the facts with their types; what is None is left out."""
    tell(LOG, logging.INFO, "call.refused", status=400, path="/v1/track", client=None)
    line = json.loads(json_page.text)
    assert (line["level"], line["event"], line["status"], line["path"]) == ("info", "call.refused", 400, "/v1/track")
    assert line["at"].endswith("+00:00")
    assert "client" not in line


def test_facts_never_hide_what_the_line_is(json_page: Page) -> None:
    """A fact of the name of one of the line's own parts is dropped."""
    tell(LOG, logging.INFO, "call.refused", level="none", at="never")
    assert json.loads(json_page.text)["level"] == "info"


def test_people_get_names_and_values() -> None:
    """Values with spaces are quoted, so that each ends where it ends."""
    page = Page(Style.HUMAN)
    tell(LOG, logging.WARNING, "call.refused", status=400, detail="too large", empty="")
    close_logs(page.handler)
    assert page.text[9:] == "WARNING call.refused  status=400  detail='too large'  empty=''\n"


def test_nobody_forges_a_line(page: Page) -> None:
    """Line ends, escapes for terminals and text that runs backwards are written, not done."""
    tell(LOG, logging.INFO, EVIL, path=EVIL)
    assert page.text.count("\n") == 1
    assert page.text.isascii() or page.text.removesuffix("\n").isprintable()
    assert not set("\r\x1b\x9b\u2028\u202e") & set(page.text)


def test_endless_facts_are_cut(page: Page) -> None:
    """A line is wide, not endless."""
    tell(LOG, logging.INFO, "call.refused", path="x" * 1_000_000)
    assert len(page.text) < MAX_FACT + 200


def test_bugs_bring_their_traceback(page: Page) -> None:
    """The one thing that takes more than a line, for people."""
    try:
        raise KeyError("inner")  # noqa: TRY301 - made to be caught
    except KeyError as error:
        tell(LOG, logging.ERROR, "call.refused", error=error)
    assert "KeyError: 'inner'" in page.text


def test_lone_surrogates_do_no_harm(page: Page) -> None:
    """They can't be encoded, so they are escaped."""
    tell(LOG, logging.INFO, "call.refused", path="\ud800")
    assert page.text.encode()


def test_what_is_not_asked_for_is_not_written(page: Page) -> None:
    """Below the level, nothing is even put together."""
    tell(LOG, logging.DEBUG, "events.accepted", events=1)
    assert page.text == ""


def test_closed_logs_are_silent(page: Page) -> None:
    """And open ones don't reach the root logger's handlers as well."""
    close_logs(page.handler)
    tell(LOG, logging.INFO, "call.refused")
    assert page.text == ""
