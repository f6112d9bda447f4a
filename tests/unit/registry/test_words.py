"""Grants as lines, filters, routes: what is pure about the registry."""

import pytest

from guesthouse.model.filter import EVERYTHING, Filter
from guesthouse.model.grants import parse_grant
from guesthouse.model.registry import Destination, Route

DESTINATION = Destination(
    id="dst_1",
    tenant_id="tnt_1",
    name="crm",
    function_id="fn_1",
    filter=Filter(types=("track", "page"), names=("Order Completed",)),
    created_at_ms=0,
    updated_at_ms=0,
)


def test_a_grant_is_read_with_its_methods() -> None:
    """Methods before the address, the permission for plain http behind it."""
    grant = parse_grant("get,POST  http://api.example.com/v1 secrets-over-http")
    assert (str(grant), grant.methods, grant.secrets_over_http) == (
        "http://api.example.com/v1",
        frozenset({"GET", "POST"}),
        True,
    )
    assert not parse_grant("https://api.example.com").methods


@pytest.mark.parametrize(
    "text",
    [
        "",
        "GET",
        "GET POST https://a.example.com",
        "https://a.example.com https",
        "secrets-over-http",
        "G=T https://a.example.com",
    ],
)
def test_a_line_that_is_no_grant_is_refused(text: str) -> None:
    """Rather than guessed at."""
    with pytest.raises(ValueError, match="grant"):
        parse_grant(text)


@pytest.mark.parametrize(
    ("type_", "name", "reason"),
    [
        ("track", "Order Completed", None),
        ("track", "Signed Up", "filtered_name"),
        ("page", None, "filtered_name"),
        ("identify", "Order Completed", "filtered_type"),
    ],
)
def test_a_filter_says_why_not(type_: str, name: str | None, reason: str | None) -> None:
    """Type first, then name."""
    assert DESTINATION.filter.why_not(type_, name) == reason
    assert EVERYTHING.why_not(type_, name) is None


def test_a_filter_for_types_that_do_not_exist_is_a_problem() -> None:
    """A misspelled type would silently want nothing."""
    assert Filter(types=("trakc",)).problems() == [
        "the filter's type 'trakc' is none of track, identify, page, screen, group, alias, delete, set"
    ]


@pytest.mark.parametrize(
    ("handlers", "reason"),
    [({"onTrack"}, None), ({"onBatch"}, None), ({"onPage"}, "no_handler"), (set(), "no_active_version")],
)
def test_a_route_knows_what_its_function_handles(handlers: set[str], reason: str | None) -> None:
    """Without running it."""
    assert Route(destination=DESTINATION, handlers=frozenset(handlers)).why_not("track", "Order Completed") == reason
